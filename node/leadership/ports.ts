import type { LeadershipView, Watermark } from '../../protocol/messages.ts';
import type { RpcHandlers } from '../../protocol/methods.ts';
import type { AuditEvent } from '../audit.ts';
import type { Peer } from '../peer/peer.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { AlertKind, Handoff, Self } from './events.ts';
import type { RoleRecord } from './record.ts';
import type { RoleStore } from './role-store.ts';

/** The reading of the mailbox, as leadership turns it on and off. */
export interface Inbox {
  /** Begins to read; never throws, what goes wrong is its own to try again. */
  open(): void;
  /** Resolves when the mail in hand is done with and the session is logged out. */
  close(): Promise<void>;
}

/** What a change of master needs of the ledger. */
export interface HandoverLedger {
  /** Sends the peer all it lacks of this node's ledger; resolves when the peer has it on disk. */
  flush(signal: AbortSignal): Promise<void>;
  /** Up to where this node has read; null where it never has. */
  watermark(): Watermark | null;
  /** Goes on from there: everything before was dealt with. Durable; may be called again. */
  adopt(watermark: Watermark): Promise<void>;
  /** The next reading begins by the rule of a new UIDVALIDITY. Durable; may be called again. */
  requireRescan(): Promise<void>;
}

/** Bounds, in milliseconds. */
export interface Timing {
  /** Between two questions to the peer: of a master, of any other, of one that waits for an answer it missed. */
  readonly masterPollMs: number;
  readonly slavePollMs: number;
  readonly unsurePollMs: number;
  /** For an answer of the peer; at the start of a master, in which nobody reads. */
  readonly askMs: number;
  readonly startAskMs: number;
  /** For the mail in hand, for the tail of the ledger, and for the whole call that waits for both. */
  readonly closeMs: number;
  readonly tailMs: number;
  readonly handoffMs: number;
  /** For the ledger to take a watermark or the wish for a rescan. */
  readonly prepareMs: number;
  /** An operator's call is answered by then, with `in-progress` if need be. */
  readonly operatorMs: number;
}

export const TIMING: Timing = {
  masterPollMs: 5000,
  slavePollMs: 2000,
  unsurePollMs: 500,
  askMs: 3000,
  startAskMs: 5000,
  closeMs: 5000,
  tailMs: 4000,
  handoffMs: 12_000,
  prepareMs: 5000,
  operatorMs: 15_000,
};

export interface LeadershipOptions {
  readonly self: Omit<Self, 'askable'>;
  readonly store: RoleStore;
  readonly inbox: Inbox;
  readonly ledger: HandoverLedger;
  /** Null for a node alone, and where PEER_RPC is off. */
  readonly peer: Peer | null;
  readonly clock: Clock;
  readonly log: Log;
  /** Puts a change of role into the audit log. */
  readonly record: (event: AuditEvent) => Promise<void>;
  /** Tells the admin by mail, once a kind and term. */
  readonly alert: (kind: AlertKind, sentence: string, term: number) => Promise<void>;
  /** UUIDs; random unless said otherwise. */
  readonly newId?: () => string;
  readonly timing?: Partial<Timing>;
}

/** How an operator's wish went. */
export interface ActResult {
  readonly kind: 'done' | 'refused' | 'in-progress';
  /** By which it can be asked about; null where nothing was begun. */
  readonly handoffId: string | null;
  readonly term: number | null;
  /** What happened, or why not and what to do. */
  readonly message: string;
}

/** What an act would do, without doing it. */
export interface Plan {
  readonly steps: readonly string[];
  /** What would stop it, as far as can be seen from here; none where nothing would. */
  readonly obstacles: readonly string[];
}

export interface PromoteOptions {
  /** Without the peer's word; for a peer that does not run. */
  readonly force: boolean;
  /** With `force`: the peer's name, typed by who takes the risk. */
  readonly confirm: string | null;
  /** For how long the end is waited for; `operatorMs` at most. */
  readonly waitMs?: number;
}

/** This node's role: who reads the mailbox, and how that changes. */
export interface Leadership {
  /** Begins: by the record, or MODE at the first start. Resolves when it is under way, before the peer has answered. */
  start(): Promise<void>;
  /** Closes the inbox and waits for what is being written; the role on disk stays. */
  stop(): Promise<void>;
  /** As the peer and `status` are told. */
  view(): LeadershipView;
  /** What is going on, why, and what to do; empty where all is as it should be. */
  explain(): string[];
  /** Whether the inbox is this node's now. */
  master(): boolean;
  promote(options: PromoteOptions): Promise<ActResult>;
  demote(options?: { readonly waitMs?: number }): Promise<ActResult>;
  planPromote(options: { readonly force: boolean }): Promise<Plan>;
  planDemote(): Promise<Plan>;
  /** How a handoff stands; from the role records where it is older than the process. Null where it is not known. */
  handoff(id: string): Pick<Handoff, 'id' | 'state' | 'term' | 'sentence' | 'at'> | null;
  /** The role records kept, the oldest first. */
  history(): readonly RoleRecord[];
  readonly handlers: Pick<RpcHandlers, 'leadership.get' | 'leadership.handoff'>;
}
