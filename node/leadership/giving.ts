import type { Grant, Watermark } from '../../protocol/messages.ts';
import {
  beginHandoff,
  setDoing,
  type Draft,
  giveUp,
  holdsMastership,
  newTicket,
  note,
  refuse,
  rest,
  roleOf,
  say,
  settle,
  slaveRecord,
  stands,
  termOf,
} from './draft.ts';
import { request } from './entering.ts';
import type { Doing, EventOf } from './events.ts';
import { nextTerm, sortsFirst } from './record.ts';

type Giving = Extract<Doing, { kind: 'giving' }>;
type Leaving = Extract<Doing, { kind: 'leaving' }>;

/** The peer calls `leadership.handoff`. */
export function asked(draft: Draft, event: EventOf<'asked'>): void {
  const { handoffId, from, term, kind } = event;
  const { self, record, doing: under } = draft.state;
  const earlier = record?.grant ?? null;
  if (from !== self.peerId) return refuse(draft, handoffId, 'leadership.refused', `${from} is not the peer`);
  if (kind !== 'offer' && earlier?.handoffId === handoffId && earlier.to === from) {
    return answerGrant(draft, earlier);
  }
  if (under?.kind === 'giving' && under.handoffId === handoffId) return; // all that ask get its answer
  if (term < termOf(draft.state)) {
    const sentence = `the call is of term ${term}, and ${self.nodeId} knows of term ${termOf(draft.state)}`;
    return refuse(draft, handoffId, 'leadership.refused', sentence);
  }
  if (kind === 'offer') return offered(draft, event);
  if (kind === 'first' && holdsMastership(draft.state)) {
    const sentence = `${self.nodeId} is master of term ${termOf(draft.state)}; MODE=master is only the first role`;
    return refuse(draft, handoffId, 'leadership.refused', sentence);
  }
  if (!yields(under, kind, sortsFirst(from, self.nodeId))) {
    const sentence = `${self.nodeId} is in the middle of another change of role (${under?.kind}); try again in a few seconds`;
    return refuse(draft, handoffId, 'leadership.busy', sentence);
  }
  give(draft, event);
}

/** Whether what is under way makes room for the peer's wish. Of two that wish at once, the one that sorts first has it. */
function yields(under: Doing | null, kind: 'take' | 'first', peerSortsFirst: boolean): boolean {
  switch (under?.kind) {
    case undefined:
    case 'starting':
    case 'offering':
      return true;
    case 'first':
      return kind === 'take' || peerSortsFirst;
    case 'taking':
      return kind === 'take' && peerSortsFirst;
    default:
      return false;
  }
}

/** Begins to hand over: closes the inbox, sends the ledger's tail, writes the grant down, answers. */
function give(draft: Draft, { handoffId, from, term }: EventOf<'asked'>): void {
  const under = draft.state.doing;
  const { nodeId } = draft.state.self;
  if (under?.kind === 'taking') giveUp(draft, `${from} was promoted at the same moment, and comes first`);
  if (under?.kind === 'offering' && under.handoffId !== handoffId) {
    giveUp(draft, `${from} takes over already, by handoff ${handoffId}`);
  }
  beginHandoff(draft, handoffId, 'given', `${nodeId} finishes the mail in hand and closes the mailbox`);
  const ticket = newTicket(draft);
  const wasStarting = under?.kind === 'starting';
  const about = { handoffId, to: from, floor: term, wasStarting, ticket };
  setDoing(draft, { kind: 'giving', phase: 'closing', ...about });
  draft.effects.push({ do: 'close-inbox', ticket });
  say(draft, 'info', `${from} takes over (handoff ${handoffId}): finishing the mail in hand`);
}

/** The inbox is closed. What a slave has of the ledger is no tail: it may be late. */
export function closed(draft: Draft, under: Giving): void {
  if (under.phase !== 'closing') return;
  if (!holdsMastership(draft.state)) return persistGrant(draft, under, null);
  setDoing(draft, { ...under, phase: 'sending' });
  draft.effects.push({ do: 'send-tail', ticket: under.ticket });
}

/** The peer has the whole ledger: from here on the mastership is on its way. */
export function persistGrant(draft: Draft, under: Giving, watermark: Watermark | null): void {
  if (under.phase === 'persisting') return;
  const { nodeId } = draft.state.self;
  const { to, handoffId, wasStarting, ticket } = under;
  const term = nextTerm(Math.max(termOf(draft.state), under.floor), to, nodeId);
  const grant: Grant = { term, to, handoffId, watermark };
  const record = { ...slaveRecord(draft, { term, master: to, grant, how: 'granted', handoffId }), grant };
  setDoing(draft, { kind: 'giving', phase: 'persisting', handoffId, to, wasStarting, record, ticket });
  draft.effects.push({ do: 'persist', record, ticket });
}

/** The grant is on disk; now, and not before, the peer may hear of it. */
export function given(draft: Draft, under: Extract<Giving, { phase: 'persisting' }>): void {
  const { record, handoffId, to } = under;
  draft.state = { ...draft.state, record, outranked: false, successorSeen: false };
  setDoing(draft, null);
  answerGrant(draft, record.grant);
  const sentence = `the mastership of term ${record.term} is given to ${to}`;
  const own = draft.state.handoffs.find(({ id }) => id === handoffId)?.kind === 'demote';
  if (own) stands(draft, handoffId, `${sentence}, which has not said yet that it is master`);
  else settle(draft, handoffId, { state: 'done', term: record.term, sentence });
  say(draft, 'info', sentence);
}

/** A step failed: all is as before, a master goes on reading. */
export function notGiven(draft: Draft, { handoffId, wasStarting }: Giving, reason: string): void {
  const sentence = `the mastership stays where it was: ${reason}`;
  const stays = holdsMastership(draft.state);
  refuse(draft, handoffId, 'leadership.busy', reason);
  settle(draft, handoffId, { state: 'refused', busy: true, sentence });
  if (stays && wasStarting) {
    setDoing(draft, { kind: 'starting' });
    draft.effects.push({ do: 'ask-peer' });
  } else {
    rest(draft);
  }
  say(draft, 'warn', sentence);
}

function answerGrant(draft: Draft, grant: Grant): void {
  draft.effects.push({ do: 'answer', handoffId: grant.handoffId, answer: { ok: true, grant } });
}

/** `demote` on the peer: this node is to take over, as if it were promoted. */
function offered(draft: Draft, { handoffId, from, term }: EventOf<'asked'>): void {
  const { self, doing: under, handoffs } = draft.state;
  if (under?.kind === 'taking' && under.handoffId === handoffId) return;
  const ended = handoffs.find(({ id, state }) => id === handoffId && state !== 'in-progress');
  if (ended?.state === 'done') {
    draft.effects.push({ do: 'answer', handoffId, answer: { ok: true, grant: null } });
  } else if (holdsMastership(draft.state)) {
    refuse(draft, handoffId, 'leadership.refused', `${self.nodeId} is master of term ${termOf(draft.state)}`);
  } else if (ended !== undefined || under !== null) {
    const sentence = ended?.sentence ?? `${self.nodeId} is in the middle of another change of role`;
    refuse(draft, handoffId, 'leadership.busy', sentence);
  } else {
    beginHandoff(draft, handoffId, 'offered', `taking over from ${from}`);
    setDoing(draft, { kind: 'taking', handoffId, phase: 'asking' });
    request(draft, 'take', handoffId, term);
  }
}

/** An operator's `demote`. */
export function demote(draft: Draft, { handoffId }: EventOf<'demote'>): void {
  const { self, doing: under } = draft.state;
  const role = roleOf(draft.state);
  beginHandoff(draft, handoffId, 'demote', `asking ${self.peerId} to take over`);
  if (role === 'slave' || role === 'fenced') {
    const sentence = `${self.nodeId} does not read the mailbox (it is ${role}): there is nothing to give away`;
    settle(draft, handoffId, { state: 'done', term: termOf(draft.state), sentence });
  } else if (role !== 'master' || under !== null) {
    const sentence = `${self.nodeId} is in the middle of another change of role; try again in a few seconds`;
    settle(draft, handoffId, { state: 'refused', busy: true, sentence });
  } else if (self.askable) {
    setDoing(draft, { kind: 'offering', handoffId, phase: 'sent' });
    draft.effects.push({ do: 'call-peer', kind: 'offer', handoffId, term: termOf(draft.state) });
  } else {
    const ticket = newTicket(draft);
    setDoing(draft, { kind: 'leaving', phase: 'closing', handoffId, ticket });
    draft.effects.push({ do: 'close-inbox', ticket });
  }
}

/** The inbox is closed, and no peer can be told: the record alone. */
export function persistLeave(draft: Draft, under: Leaving): void {
  if (under.phase !== 'closing') return;
  const { handoffId, ticket } = under;
  const term = termOf(draft.state);
  const record = slaveRecord(draft, { term, master: null, grant: null, how: 'demoted', handoffId });
  setDoing(draft, { kind: 'leaving', phase: 'persisting', handoffId, record, ticket });
  draft.effects.push({ do: 'persist', record, ticket });
}

export function left(draft: Draft, { record, handoffId }: Extract<Leaving, { phase: 'persisting' }>): void {
  const { nodeId, peerId } = draft.state.self;
  draft.state = { ...draft.state, record, doing: null };
  const next =
    peerId === null
      ? 'node-ctl promote takes it up again'
      : `start the reading on ${peerId} by hand (MODE=master there)`;
  const sentence = `${nodeId} has closed the mailbox, and nobody reads it now: ${next}`;
  settle(draft, handoffId, { state: 'done', term: record.term, sentence });
  say(draft, 'warn', sentence);
}

export function notLeft(draft: Draft, { handoffId }: Leaving, reason: string): void {
  setDoing(draft, null);
  settle(draft, handoffId, {
    state: 'refused',
    busy: true,
    sentence: `the mastership stays where it was: ${reason}`,
  });
}

/** How the peer took an offer. A handoff that is being carried out, or was, is settled by what the peer says next. */
export function offerEnded(
  draft: Draft,
  event: EventOf<'offer-taken'> | EventOf<'call-refused'> | EventOf<'call-lost'>,
): void {
  const { state } = draft;
  const { handoffId } = event;
  const under = state.doing;
  if (event.type === 'offer-taken') {
    const sentence = `${state.self.peerId} is master of term ${event.term}`;
    return settle(draft, handoffId, { state: 'done', term: event.term, sentence });
  }
  if (under?.kind !== 'offering' || under.handoffId !== handoffId) return;
  if (event.type === 'call-lost') {
    setDoing(draft, { ...under, phase: 'unsure' });
    draft.effects.push({ do: 'ask-peer' });
  } else {
    giveUp(
      draft,
      `${state.self.peerId} does not take over, ${state.self.nodeId} stays master: ${event.reason}`,
      event.busy,
    );
  }
}

/** A later term at the peer while this node was master: its inbox closes at once, before anything is written. */
export function fence(draft: Draft, term: number): void {
  const { self, doing: under, outranked } = draft.state;
  const sentence =
    `${self.peerId} has the mastership of term ${term}, ${self.nodeId} had term ${termOf(draft.state)}: ` +
    `${self.nodeId} was forced out and closes the mailbox`;
  if (under?.kind === 'giving') {
    refuse(draft, under.handoffId, 'leadership.refused', sentence);
    settle(draft, under.handoffId, { state: 'refused', sentence });
  }
  giveUp(draft, sentence);
  draft.state = { ...draft.state, outranked: true };
  note(draft, slaveRecord(draft, { term, master: self.peerId, grant: null, how: 'fenced', handoffId: null }));
  if (outranked) return; // said before; only the disk has failed since
  say(draft, 'warn', sentence);
  draft.effects.push({ do: 'alert', kind: 'forced-out', sentence, term });
}
