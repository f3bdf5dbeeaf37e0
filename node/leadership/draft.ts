import type { LeadershipView, Role } from '../../protocol/messages.ts';
import { PROTOCOL_VERSION } from '../../protocol/methods.ts';
import type { Doing, Effect, Handoff, State, Ticket } from './events.ts';
import { nextTerm, type RoleRecord } from './record.ts';

const MAX_HANDOFFS = 50;

/** A state in the making, with what is to be done. */
export interface Draft {
  state: State;
  readonly effects: Effect[];
  /** When: an instant as text. */
  readonly at: string;
}

/** The latest term on this node's disk; 0 before it has a record. */
export function termOf({ record }: Pick<State, 'record'>): number {
  return record?.term ?? 0;
}

/** Whether the mastership is this node's as far as it knows, with its inbox open or not. */
export function holdsMastership({ record, outranked }: State): boolean {
  return record?.role === 'master' && !outranked;
}

/** The role that the outside sees. */
export function roleOf(state: State): Role {
  const { record, doing, outranked, successorSeen } = state;
  const holds = holdsMastership(state);
  switch (doing?.kind) {
    case 'starting':
    case 'first':
    case 'taking':
    case 'forcing':
    case 'entering':
      return 'candidate';
    case 'leaving':
      return 'draining';
    case 'giving':
      if (holds) return 'draining';
      break;
    case 'offering':
    case 'noting':
    case undefined:
      break;
  }
  if (holds) return 'master';
  return outranked || (record?.grant != null && !successorSeen) ? 'fenced' : 'slave';
}

/** Whether the inbox may be open: a master's alone, and not while it gives it away. */
export function mayRead(state: State): boolean {
  return roleOf(state) === 'master';
}

/** What the peer is told. Term and grant are those on disk, never what is only about to be. */
export function viewOf(state: State, startedAt: string): LeadershipView {
  return {
    nodeId: state.self.nodeId,
    protocol: PROTOCOL_VERSION,
    role: roleOf(state),
    term: termOf(state),
    since: state.record?.since ?? startedAt,
    grant: state.record?.grant ?? null,
    first: state.record === null && state.self.mode === 'master',
  };
}

export function setDoing(draft: Draft, next: Doing | null): void {
  draft.state = { ...draft.state, doing: next };
}

export function newTicket(draft: Draft): Ticket {
  const ticket = draft.state.lastTicket + 1;
  draft.state = { ...draft.state, lastTicket: ticket };
  return ticket;
}

export function say(draft: Draft, level: 'info' | 'warn' | 'error', sentence: string): void {
  draft.effects.push({ do: 'say', level, sentence });
}

/** A record of this node as a slave; it keeps since when it is one. */
export function slaveRecord(
  draft: Draft,
  fields: Pick<RoleRecord, 'term' | 'master' | 'grant' | 'how' | 'handoffId'>,
): RoleRecord {
  const { self, record } = draft.state;
  const since = record?.role === 'slave' ? record.since : draft.at;
  return { nodeId: self.nodeId, role: 'slave', since, at: draft.at, ...fields };
}

export function masterRecord(
  draft: Draft,
  fields: Pick<RoleRecord, 'term' | 'how' | 'handoffId'>,
): RoleRecord {
  const { nodeId } = draft.state.self;
  return { nodeId, role: 'master', since: draft.at, at: draft.at, master: nodeId, grant: null, ...fields };
}

/** A term of this node's own, above all it has seen. */
export function ownNextTerm({ state }: Draft): number {
  const { nodeId, peerId } = state.self;
  return nextTerm(Math.max(termOf(state), state.peer.view?.term ?? 0), nodeId, peerId);
}

/** Writes down a slave's record, for which nobody waits. */
export function note(draft: Draft, record: RoleRecord): void {
  const ticket = newTicket(draft);
  setDoing(draft, { kind: 'noting', record, ticket });
  draft.effects.push({ do: 'persist', record, ticket });
}

/** Begins to keep count of a handoff; one that is known stays as it is. */
export function beginHandoff(draft: Draft, id: string, kind: Handoff['kind'], sentence: string): void {
  const { handoffs } = draft.state;
  if (handoffs.some((one) => one.id === id)) return;
  const begun: Handoff = {
    ...{ id, kind, sentence },
    state: 'in-progress',
    busy: false,
    term: null,
    at: draft.at,
  };
  draft.state = { ...draft.state, handoffs: [...handoffs, begun].slice(-MAX_HANDOFFS) };
}

/** Says where a handoff stands, while it goes on. */
export function stands(draft: Draft, id: string, sentence: string): void {
  change(draft, id, { sentence });
}

/** Ends a handoff, once, and answers the peer where it had asked for it by an offer. */
export function settle(
  draft: Draft,
  id: string,
  ending: Pick<Handoff, 'state' | 'sentence'> & Partial<Pick<Handoff, 'term' | 'busy'>>,
): void {
  const handoff = draft.state.handoffs.find((one) => one.id === id);
  if (handoff === undefined || handoff.state !== 'in-progress') return;
  change(draft, id, ending);
  if (handoff.kind !== 'offered') return;
  if (ending.state === 'done') {
    draft.effects.push({ do: 'answer', handoffId: id, answer: { ok: true, grant: null } });
  } else {
    refuse(draft, id, ending.busy === true ? 'leadership.busy' : 'leadership.refused', ending.sentence);
  }
}

/** Answers the peer that its call is not carried out. */
export function refuse(
  draft: Draft,
  handoffId: string,
  code: 'leadership.refused' | 'leadership.busy',
  message: string,
): void {
  draft.effects.push({ do: 'answer', handoffId, answer: { ok: false, code, message } });
}

/** The handoffs of this node's own that the thing under way would have brought to an end are told that it will not. */
export function giveUp(draft: Draft, sentence: string, busy = false): void {
  const under = draft.state.doing;
  setDoing(draft, null);
  if (under?.kind === 'taking' || under?.kind === 'forcing' || under?.kind === 'offering') {
    settle(draft, under.handoffId, { state: 'refused', sentence, busy });
  }
}

/** What a node does when it does nothing else: MODE=master without a record goes on waiting for its peer's word. */
export function rest(draft: Draft): void {
  const { record, self, firstId } = draft.state;
  const waits = record === null && self.mode === 'master' && self.askable;
  setDoing(draft, waits ? { kind: 'first', handoffId: firstId } : null);
}

function change(draft: Draft, id: string, fields: Partial<Handoff>): void {
  const handoffs = draft.state.handoffs.map((one) =>
    one.id === id ? { ...one, ...fields, at: draft.at } : one,
  );
  draft.state = { ...draft.state, handoffs };
}
