import type { Grant } from '../../protocol/messages.ts';
import {
  beginHandoff,
  setDoing,
  type Draft,
  giveUp,
  holdsMastership,
  masterRecord,
  newTicket,
  ownNextTerm,
  rest,
  say,
  settle,
  stands,
  termOf,
} from './draft.ts';
import type { Doing, EventOf, State } from './events.ts';
import { nextTerm } from './record.ts';

/** The first term of a pair is one of these; at a later one somebody has been master. */
const FIRST_TERMS = 2;

type Entering = Extract<Doing, { kind: 'entering' }>;

/** Whether the thing under way is this node's own disk at work, or a step of the peer's taking over: it is let end. */
export function isBound(under: Doing | null): boolean {
  return (
    under?.kind === 'entering' ||
    under?.kind === 'noting' ||
    under?.kind === 'giving' ||
    under?.kind === 'leaving'
  );
}

/** An operator's `promote`. */
export function promote(draft: Draft, { handoffId, force }: EventOf<'promote'>): void {
  const { self, doing: under } = draft.state;
  beginHandoff(draft, handoffId, 'promote', `asking ${self.peerId ?? 'nobody'}`);
  const refused = (sentence: string, busy = false): void =>
    settle(draft, handoffId, { state: 'refused', sentence, busy });
  if (holdsMastership(draft.state) && under?.kind !== 'giving' && under?.kind !== 'leaving') {
    const sentence = `${self.nodeId} is master already, of term ${termOf(draft.state)}`;
    settle(draft, handoffId, { state: 'done', term: termOf(draft.state), sentence });
  } else if (isBound(under)) {
    refused('another change of role is being carried out; try again in a few seconds', true);
  } else if (self.peerId === null) {
    enterAlone(draft, handoffId, 'alone');
  } else if (!self.askable) {
    if (force) return enterByForce(draft, [handoffId]);
    refused(
      `${self.peerId} cannot be asked (PEER_RPC=off): make sure that it has stopped reading the mailbox (MODE=slave there), ` +
        'then run node-ctl promote --force',
    );
  } else if (force) {
    giveUp(draft, 'given up for promote --force');
    setDoing(draft, { kind: 'forcing', handoffId });
    draft.effects.push({ do: 'ask-peer' });
  } else if (under?.kind === 'taking') {
    refused(`handoff ${under.handoffId} is in progress; node-ctl leadership show tells how it stands`, true);
  } else {
    setDoing(draft, { kind: 'taking', handoffId, phase: 'asking' });
    draft.effects.push({ do: 'ask-peer' });
  }
}

/** Asks the peer for the mastership, with the latest term known of: at least `floor`, its own, as it said. */
export function request(draft: Draft, kind: 'take' | 'first', handoffId: string, floor = 0): void {
  const { state } = draft;
  const term = Math.max(floor, termOf(state), state.peer.view?.term ?? 0);
  if (state.doing?.kind === 'taking') setDoing(draft, { ...state.doing, phase: 'requested' });
  stands(draft, handoffId, `${state.self.peerId} finishes the mail in hand and closes the mailbox`);
  draft.effects.push({ do: 'call-peer', kind, handoffId, term });
}

/** Whether a grant may still make this node master: it must be later than all that this node has on disk. */
export function isTakeable(draft: Draft, grant: Grant | null): grant is Grant {
  return grant?.to === draft.state.self.nodeId && grant.term > termOf(draft.state);
}

/** Becomes master by a grant, from the peer's answer or found lying there. */
export function enterByGrant(draft: Draft, grant: Grant): void {
  const under = draft.state.doing;
  const own = under?.kind === 'taking' || under?.kind === 'forcing' ? [under.handoffId] : [];
  const how = draft.state.record === null ? 'first' : 'handoff';
  const record = masterRecord(draft, { term: grant.term, how, handoffId: grant.handoffId });
  const handoffIds = [...new Set([grant.handoffId, ...own])];
  const ticket = newTicket(draft);
  for (const id of handoffIds) stands(draft, id, `term ${grant.term} is granted; taking over the ledger`);
  setDoing(draft, { kind: 'entering', phase: 'preparing', record, handoffIds, ticket });
  if (grant.watermark !== null) {
    draft.effects.push({ do: 'adopt-watermark', watermark: grant.watermark, ticket });
  } else if (how === 'first' && grant.term <= FIRST_TERMS) {
    persistEntry(draft); // nobody has read before: the rule of a first start is the ledger's own
  } else {
    draft.effects.push({ do: 'require-rescan', ticket });
  }
}

/** The peer does not answer, and an operator said to do without its word. */
export function enterByForce(draft: Draft, handoffIds: readonly string[]): void {
  const term = ownNextTerm(draft);
  const record = masterRecord(draft, { term, how: 'forced', handoffId: handoffIds[0] ?? null });
  const ticket = newTicket(draft);
  setDoing(draft, { kind: 'entering', phase: 'preparing', record, handoffIds, ticket });
  draft.effects.push({ do: 'require-rescan', ticket });
}

/** Nobody can be asked: alone, or the first role beside a peer without RPC. */
export function enterAlone(draft: Draft, handoffId: string | null, how: 'alone' | 'first'): void {
  const { nodeId, peerId } = draft.state.self;
  const term = nextTerm(termOf(draft.state), nodeId, peerId);
  const record = masterRecord(draft, { term, how, handoffId });
  const handoffIds = handoffId === null ? [] : [handoffId];
  const ticket = newTicket(draft);
  setDoing(draft, { kind: 'entering', phase: 'preparing', record, handoffIds, ticket });
  // Beside a peer that cannot be asked, a Python node may have read the mailbox until now.
  if (peerId === null && !mayHaveBeenRead(draft.state)) persistEntry(draft);
  else draft.effects.push({ do: 'require-rescan', ticket });
}

/** Whether another may have read the mailbox since this node did: it was a pair's slave, or has left the reading. */
export function mayHaveBeenRead({ record }: Pick<State, 'record'>): boolean {
  return record?.role === 'slave' && (record.how !== 'first' || record.master !== null);
}

/** The ledger is ready: now the record. */
export function persistEntry(draft: Draft): void {
  const under = draft.state.doing;
  if (under?.kind !== 'entering') return;
  setDoing(draft, { ...under, phase: 'persisting' });
  draft.effects.push({ do: 'persist', record: under.record, ticket: under.ticket });
}

/** The record is on disk: this node is master. */
export function entered(draft: Draft, { record, handoffIds }: Entering): void {
  draft.state = { ...draft.state, record, doing: null, outranked: false, successorSeen: false };
  const sentence = `${record.nodeId} is master of term ${record.term} and opens the mailbox`;
  for (const id of handoffIds) settle(draft, id, { state: 'done', term: record.term, sentence });
  say(draft, 'info', sentence);
  if (record.how === 'forced') {
    draft.effects.push({
      do: 'alert',
      kind: 'forced',
      sentence: `${sentence} by force, without the word of ${draft.state.self.peerId}`,
      term: record.term,
    });
  }
}

/** The disk failed. A grant stays where it is and is taken up at the next contact; a force is over. */
export function notEntered(draft: Draft, { record, handoffIds }: Entering, reason: string): void {
  draft.state = { ...draft.state, fault: reason };
  rest(draft);
  const sentence = `the mastership of term ${record.term} could not be taken: ${reason}`;
  for (const id of handoffIds) {
    if (record.how === 'handoff') stands(draft, id, `${sentence}; it is tried again`);
    else settle(draft, id, { state: 'refused', sentence: `${sentence}; mend that and try again` });
  }
  say(draft, 'error', sentence);
}

/** The answer of the peer to a request for the mastership. */
export function granted(draft: Draft, { handoffId, grant }: EventOf<'granted'>): void {
  const under = draft.state.doing;
  const { term } = grant;
  if (isBound(under)) return; // whatever was granted lies at the peer, and is looked for again
  if (isTakeable(draft, grant)) return enterByGrant(draft, grant);
  if (under?.kind !== 'taking' || under.handoffId !== handoffId) return;
  giveUp(draft, `the grant of term ${term} came too late; try again`);
  rest(draft);
}

/** A request that the peer refused, or that may not have arrived. */
export function requestFailed(draft: Draft, event: EventOf<'call-refused'> | EventOf<'call-lost'>): void {
  const under = draft.state.doing;
  if (under?.kind !== 'taking' || under.handoffId !== event.handoffId) return;
  if (event.type === 'call-lost') {
    setDoing(draft, { ...under, phase: 'unsure' });
    stands(
      draft,
      under.handoffId,
      `no answer (${event.reason}): it is settled as soon as ${draft.state.self.peerId} can be asked`,
    );
    draft.effects.push({ do: 'ask-peer' });
  } else {
    giveUp(draft, event.reason, event.busy);
    rest(draft);
  }
}
