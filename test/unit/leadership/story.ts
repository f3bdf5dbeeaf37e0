import type { Grant, LeadershipView } from '../../../protocol/messages.ts';
import type { Effect, Event, Self, State } from '../../../node/leadership/events.ts';
import type { RoleRecord } from '../../../node/leadership/record.ts';
import { initialState, reduce, roleOf } from '../../../node/leadership/state.ts';

export const AT = '2026-03-02T12:00:00Z';
export const ID = '6f1c0a52-9d1e-4a58-a6a1-0a8f3b7f2c11';
export const OTHER_ID = '0e0b52a3-64a5-4f0c-9a57-3f3b0b1a9d22';
export const WATERMARK = { uidValidity: '7', uid: 100 };

/** A record of the node `audio`. */
export function record(fields: Partial<RoleRecord> = {}): RoleRecord {
  return {
    ...{ nodeId: 'audio', role: 'slave', term: 3, since: AT, at: AT, master: 'audio2' },
    ...{ grant: null, how: 'first', handoffId: null },
    ...fields,
  };
}

export const MASTER = record({ role: 'master', term: 4, master: 'audio', how: 'handoff' });

/** What the peer, `audio2`, says of itself. */
export function view(fields: Partial<LeadershipView> = {}): LeadershipView {
  return {
    ...{ nodeId: 'audio2', protocol: 1, role: 'slave', term: 3, since: AT, grant: null, first: false },
    ...fields,
  };
}

export function answered(fields: Partial<LeadershipView> = {}): Event {
  return { type: 'peer-answered', view: view(fields) };
}

export const AWAY: Event = { type: 'peer-away', reason: 'audio2 cannot be reached' };

export function grant(fields: Partial<Grant> = {}): Grant {
  return { term: 4, to: 'audio', handoffId: ID, watermark: WATERMARK, ...fields };
}

/** The node `audio`, told one event after another. */
export interface Story {
  state(): State;
  role(): string;
  /** The effects of these events, without those that only say something. */
  tell(...events: Event[]): Effect[];
  /** The same, each as its name. */
  names(...events: Event[]): string[];
  /** Ends the step that is under way. */
  end(type: 'inbox-closed' | 'prepared' | 'persisted'): string[];
  fail(type: 'inbox-stuck' | 'tail-failed' | 'prepare-failed' | 'persist-failed'): string[];
  sent(): string[];
  sentenceOf(id: string): string | undefined;
}

export function story(onDisk: RoleRecord | null, self: Partial<Self> = {}): Story {
  const full: Self = { nodeId: 'audio', peerId: 'audio2', askable: true, mode: 'slave', ...self };
  let state = initialState(full, onDisk, OTHER_ID);
  const tell = (...events: Event[]): Effect[] =>
    events.flatMap((event) => {
      const reduced = reduce(state, event, AT);
      state = reduced.state;
      return reduced.effects.filter((effect) => effect.do !== 'say' && effect.do !== 'alert');
    });
  const names = (...events: Event[]): string[] => tell(...events).map(nameOf);
  const ticket = (): number =>
    state.doing !== null && 'ticket' in state.doing ? state.doing.ticket : Number.NaN;
  return {
    state: () => state,
    role: () => roleOf(state),
    tell,
    names,
    end: (type) => names({ type, ticket: ticket() }),
    fail: (type) => names({ type, ticket: ticket(), reason: 'it went wrong' }),
    sent: () => names({ type: 'tail-sent', ticket: ticket(), watermark: WATERMARK }),
    sentenceOf: (id) => state.handoffs.find((one) => one.id === id)?.sentence,
  };
}

function nameOf(effect: Effect): string {
  switch (effect.do) {
    case 'persist': {
      const { role, term, grant: given, how } = effect.record;
      return `persist ${role} ${term} ${how}${given === null ? '' : ` to ${given.to}`}`;
    }
    case 'call-peer':
      return `call ${effect.kind} ${effect.term}`;
    case 'answer':
      if (!effect.answer.ok) return `answer ${effect.answer.code}`;
      return effect.answer.grant === null ? 'answer' : `answer grant ${effect.answer.grant.term}`;
    default:
      return effect.do;
  }
}
