import { begin, peerAnswered, peerAway, ticked } from './contact.ts';
import { type Draft, mayRead, rest, say, setDoing } from './draft.ts';
import { entered, granted, notEntered, persistEntry, promote, requestFailed } from './entering.ts';
import type { Doing, Effect, Event, Self, State } from './events.ts';
import {
  asked,
  closed,
  demote,
  given,
  left,
  notGiven,
  notLeft,
  offerEnded,
  persistGrant,
  persistLeave,
} from './giving.ts';
import type { RoleRecord } from './record.ts';

export { roleOf, viewOf } from './draft.ts';

export interface Reduced {
  readonly state: State;
  readonly effects: readonly Effect[];
}

/** A node as it starts, with what is on its disk; `firstId` names the handoff of a first role. */
export function initialState(self: Self, record: RoleRecord | null, firstId: string): State {
  return {
    self,
    record,
    // Before the start the inbox of a master is closed like any other.
    doing: record?.role === 'master' ? { kind: 'starting' } : null,
    outranked: false,
    successorSeen: false,
    peer: { view: null, away: null },
    fault: null,
    diskUnsure: false,
    handoffs: [],
    lastTicket: 0,
    firstId,
  };
}

/**
 * What a node does about its role: every event has its place here, and nothing happens but by the effects.
 * What makes it safe (docs/ARCHITECTURE.md, "At most one master per term"), and where:
 * - a mastership that is not forced needs the peer's grant on the peer's disk: `given` answers, after `persisted`;
 * - a node with a grant on its disk is not master, and its inbox was closed before that was written: `closed`;
 * - the inbox opens after the mastership is on disk: `entered`, and the comparison at the end of this function;
 * - terms only grow, and each node has terms of its own: `nextTerm`; a call or a grant that is not later than what
 *   is on disk is one that came late: `asked`, `isTakeable`.
 * @param at when the event happened, an instant as text
 */
export function reduce(state: State, event: Event, at: string): Reduced {
  const draft: Draft = { state, effects: [], at };
  happen(draft, event);
  const before = mayRead(state);
  const after = mayRead(draft.state);
  if (!before && after) draft.effects.push({ do: 'open-inbox' });
  const closing = draft.effects.some((effect) => effect.do === 'close-inbox');
  if (before && !after && !closing) draft.effects.unshift({ do: 'close-inbox', ticket: null });
  return { state: draft.state, effects: draft.effects };
}

function happen(draft: Draft, event: Event): void {
  switch (event.type) {
    case 'started':
      return begin(draft);
    case 'tick':
      return ticked(draft);
    case 'peer-answered':
      return peerAnswered(draft, event.view);
    case 'peer-away':
      return peerAway(draft, event.reason);
    case 'promote':
      return promote(draft, event);
    case 'demote':
      return demote(draft, event);
    case 'asked':
      return asked(draft, event);
    case 'granted':
      return granted(draft, event);
    case 'offer-taken':
      return offerEnded(draft, event);
    case 'call-refused':
    case 'call-lost':
      requestFailed(draft, event);
      return offerEnded(draft, event);
    case 'inbox-closed':
    case 'inbox-stuck':
    case 'tail-sent':
    case 'tail-failed':
    case 'prepared':
    case 'prepare-failed':
    case 'persisted':
    case 'persist-failed':
      return stepEnded(draft, event);
  }
}

type StepEvent = Extract<Event, { readonly ticket: number }>;

/** A step of this node's own has ended. One of something that is no longer under way is passed over. */
function stepEnded(draft: Draft, event: StepEvent): void {
  const under = draft.state.doing;
  if (under === null || !('ticket' in under) || under.ticket !== event.ticket) return;
  switch (event.type) {
    case 'inbox-closed':
      if (under.kind === 'giving') closed(draft, under);
      if (under.kind === 'leaving') persistLeave(draft, under);
      return;
    case 'tail-sent':
      if (under.kind === 'giving') persistGrant(draft, under, event.watermark);
      return;
    case 'prepared':
      return persistEntry(draft);
    case 'persisted':
      return persisted(draft, under);
    case 'inbox-stuck':
    case 'tail-failed':
    case 'prepare-failed':
    case 'persist-failed':
      return stepFailed(draft, under, event);
  }
}

/** The record of what is under way is on disk. */
function persisted(draft: Draft, under: Doing): void {
  draft.state = { ...draft.state, fault: null, diskUnsure: false };
  if (under.kind === 'entering') return entered(draft, under);
  if (under.kind === 'giving' && under.phase === 'persisting') return given(draft, under);
  if (under.kind === 'leaving' && under.phase === 'persisting') return left(draft, under);
  if (under.kind !== 'noting') return;
  draft.state = { ...draft.state, record: under.record, outranked: false };
  setDoing(draft, null);
}

function stepFailed(draft: Draft, under: Doing, event: StepEvent & { readonly reason: string }): void {
  const { reason, type } = event;
  if (type === 'persist-failed') draft.state = { ...draft.state, fault: reason, diskUnsure: true };
  if (under.kind === 'entering') return notEntered(draft, under, reason);
  if (under.kind === 'giving') return notGiven(draft, under, reason);
  if (under.kind === 'leaving') return notLeft(draft, under, reason);
  rest(draft);
  say(draft, 'error', `the role record could not be written, which is tried again: ${reason}`);
}
