import type { Grant, LeadershipView, Watermark } from '../../protocol/messages.ts';
import type { RoleRecord } from './record.ts';

/** What a node knows of itself before it has a role. */
export interface Self {
  readonly nodeId: string;
  /** Null for a node alone. */
  readonly peerId: string | null;
  /** Whether the peer can be asked: there is one, and PEER_RPC is on. */
  readonly askable: boolean;
  /** MODE: the first role, and nothing later. */
  readonly mode: 'master' | 'slave';
}

/** Ties an answer to the step that waits for it: one that comes late finds another number. */
export type Ticket = number;

/** The one thing under way, if any. All but `record` and this is lost in a crash, and may be. */
export type Doing =
  /** It is master by its record, and asks its peer before it opens the inbox. */
  | { readonly kind: 'starting' }
  /** MODE=master without a record: it needs the peer's word. */
  | { readonly kind: 'first'; readonly handoffId: string }
  /** An operator, here or at the peer (`demote` there), wants this node to be master. */
  | {
      readonly kind: 'taking';
      readonly handoffId: string;
      /** `unsure`: the call was lost; what the peer says when it is asked next decides. */
      readonly phase: 'asking' | 'requested' | 'unsure';
    }
  /** `promote --force`: made sure of that the peer does not answer. */
  | { readonly kind: 'forcing'; readonly handoffId: string }
  /** It may be master, and gets ready: the ledger first, then the record. Neither can be interrupted. */
  | {
      readonly kind: 'entering';
      readonly phase: 'preparing' | 'persisting';
      readonly record: RoleRecord;
      /** Handoffs that have reached their end with it. */
      readonly handoffIds: readonly string[];
      readonly ticket: Ticket;
    }
  /** The peer takes over. */
  | {
      readonly kind: 'giving';
      readonly phase: 'closing' | 'sending';
      readonly handoffId: string;
      readonly to: string;
      /** The latest term that the peer knows of. */
      readonly floor: number;
      readonly wasStarting: boolean;
      readonly ticket: Ticket;
    }
  | {
      readonly kind: 'giving';
      readonly phase: 'persisting';
      readonly handoffId: string;
      readonly to: string;
      readonly wasStarting: boolean;
      readonly record: RoleRecord & { readonly grant: Grant };
      readonly ticket: Ticket;
    }
  /** `demote` on the master: the peer was asked to take over. */
  | { readonly kind: 'offering'; readonly handoffId: string; readonly phase: 'sent' | 'unsure' }
  /** `demote` where no peer can take over. */
  | {
      readonly kind: 'leaving';
      readonly phase: 'closing';
      readonly handoffId: string;
      readonly ticket: Ticket;
    }
  | {
      readonly kind: 'leaving';
      readonly phase: 'persisting';
      readonly handoffId: string;
      readonly record: RoleRecord;
      readonly ticket: Ticket;
    }
  /** Writing down a slave's record: the first one, a term seen at the peer, having been forced out. */
  | { readonly kind: 'noting'; readonly record: RoleRecord; readonly ticket: Ticket };

/** What became of a handoff that somebody may ask about. */
export interface Handoff {
  readonly id: string;
  readonly kind: 'promote' | 'demote' | 'offered' | 'given';
  readonly state: 'in-progress' | 'done' | 'refused';
  /** Refused for now: the same may go well in a moment. */
  readonly busy: boolean;
  readonly term: number | null;
  /** Where it stands, or how it ended and what to do. */
  readonly sentence: string;
  readonly at: string;
}

export interface State {
  readonly self: Self;
  /** What is on disk for certain. */
  readonly record: RoleRecord | null;
  readonly doing: Doing | null;
  /** A later term was seen while this node was master; not on disk yet. */
  readonly outranked: boolean;
  /** Whom the grant on record went to was seen as master. */
  readonly successorSeen: boolean;
  readonly peer: {
    /** Its last answer; null where there was none since the start. */
    readonly view: LeadershipView | null;
    /** Why the last question got no answer; null where it did. */
    readonly away: string | null;
  };
  /** The last failure of this node's own disk; null after a success. */
  readonly fault: string | null;
  /** A record may be on disk that this node has given up: the one that counts is written again. */
  readonly diskUnsure: boolean;
  readonly handoffs: readonly Handoff[];
  readonly lastTicket: Ticket;
  /** Id of the handoff by which MODE=master would become master at first. */
  readonly firstId: string;
}

export type Event =
  /** Once, before all others; with what is on disk in the state. */
  | { readonly type: 'started' }
  /** Now and then, where there is no peer to be asked. */
  | { readonly type: 'tick' }
  | { readonly type: 'peer-answered'; readonly view: LeadershipView }
  | { readonly type: 'peer-away'; readonly reason: string }
  /** An operator. */
  | { readonly type: 'promote'; readonly handoffId: string; readonly force: boolean }
  | { readonly type: 'demote'; readonly handoffId: string }
  /** The peer calls `leadership.handoff`. */
  | {
      readonly type: 'asked';
      readonly kind: 'take' | 'first' | 'offer';
      readonly handoffId: string;
      readonly from: string;
      readonly term: number;
    }
  /** How this node's own `leadership.handoff` went; `call-lost`: it may or may not have arrived. */
  | { readonly type: 'granted'; readonly handoffId: string; readonly grant: Grant }
  | { readonly type: 'offer-taken'; readonly handoffId: string; readonly term: number }
  | {
      readonly type: 'call-refused';
      readonly handoffId: string;
      readonly busy: boolean;
      readonly reason: string;
    }
  | { readonly type: 'call-lost'; readonly handoffId: string; readonly reason: string }
  /** The mail in hand is done with and the session is closed. */
  | { readonly type: 'inbox-closed'; readonly ticket: Ticket }
  | { readonly type: 'inbox-stuck'; readonly ticket: Ticket; readonly reason: string }
  | { readonly type: 'tail-sent'; readonly ticket: Ticket; readonly watermark: Watermark | null }
  | { readonly type: 'tail-failed'; readonly ticket: Ticket; readonly reason: string }
  | { readonly type: 'prepared'; readonly ticket: Ticket }
  | { readonly type: 'prepare-failed'; readonly ticket: Ticket; readonly reason: string }
  | { readonly type: 'persisted'; readonly ticket: Ticket }
  /** Which record a restart would find is then unknown. */
  | { readonly type: 'persist-failed'; readonly ticket: Ticket; readonly reason: string };

export type EventOf<T extends Event['type']> = Extract<Event, { type: T }>;

/** What the peer is answered; `grant` null after an offer. */
export type Answer =
  | { readonly ok: true; readonly grant: Grant | null }
  | {
      readonly ok: false;
      readonly code: 'leadership.refused' | 'leadership.busy';
      readonly message: string;
    };

export type Effect =
  /** Puts the record on disk; then `persisted` or `persist-failed`. At most one is under way. */
  | { readonly do: 'persist'; readonly record: RoleRecord; readonly ticket: Ticket }
  | { readonly do: 'open-inbox' }
  /** With a ticket: then `inbox-closed` or `inbox-stuck`. */
  | { readonly do: 'close-inbox'; readonly ticket: Ticket | null }
  /** Sends the peer what it lacks of the ledger; then `tail-sent` or `tail-failed`. */
  | { readonly do: 'send-tail'; readonly ticket: Ticket }
  /** Tells the ledger where to go on; then `prepared` or `prepare-failed`. */
  | { readonly do: 'adopt-watermark'; readonly watermark: Watermark; readonly ticket: Ticket }
  | { readonly do: 'require-rescan'; readonly ticket: Ticket }
  /** `leadership.get`; then `peer-answered` or `peer-away`. */
  | { readonly do: 'ask-peer' }
  /** `leadership.handoff`; then `granted`, `offer-taken`, `call-refused` or `call-lost`. */
  | {
      readonly do: 'call-peer';
      readonly kind: 'take' | 'first' | 'offer';
      readonly handoffId: string;
      readonly term: number;
    }
  /** Answers every `leadership.handoff` with this id that waits. */
  | { readonly do: 'answer'; readonly handoffId: string; readonly answer: Answer }
  | { readonly do: 'say'; readonly level: 'info' | 'warn' | 'error'; readonly sentence: string }
  /** For the admin's mailbox too. */
  | {
      readonly do: 'alert';
      readonly kind: AlertKind;
      readonly sentence: string;
      /** The later term. */
      readonly term: number;
    };

export type AlertKind = 'forced' | 'forced-out';
