import type { Lane, SourceName } from '../../protocol/job.ts';
import type { Command, Fault } from '../commands/command.ts';
import type { Json } from '../queue/steps.ts';
import type { LedgerOutcome } from './ledger-lines.ts';

/** What a subject asks for; the commands' registry is one. */
export interface Grammar {
  /** The subject without its token. Never throws: every fault of a subject is an answer. */
  parse(subject: string):
    | {
        readonly ok: true;
        readonly command: Pick<Command, 'keyword' | 'touches'>;
        readonly params: Readonly<Record<string, Json>>;
        readonly lane: Lane;
        readonly source: SourceName | null;
      }
    | {
        readonly ok: false;
        /** The keyword it was taken for; null where it asks for nothing that is known. */
        readonly command: string | null;
        readonly faults: readonly Fault[];
        readonly corrected: string | null;
      };
}

/** A mail that lies in the inbox. */
export interface Arrival {
  readonly uidValidity: string;
  readonly uid: number;
  readonly receivedAt: Temporal.Instant;
  readonly raw: Buffer;
  /** True where `raw` holds the headers alone: the mail is over the limit. */
  readonly truncated: boolean;
  /**
   * `new` for a mail that this node cannot have met; otherwise the server gave all mails new UIDs: what the
   * ledger knows is passed over, and what a person has opened meanwhile may have been dealt with elsewhere.
   */
  readonly meeting: 'new' | 'again-unseen' | 'again-seen';
  /** Out of quarantine by an operator, who answers for its sender; it is not at its place in the mailbox any more. */
  readonly released?: boolean;
}

export interface Verdict {
  readonly outcome: LedgerOutcome;
  /** A sentence for the log. */
  readonly sentence: string;
}

/** Decides what a mail is, and makes a job of it. */
export interface Acceptance {
  /**
   * Resolves when the job, the audit entry and the ledger entry are on disk; until then the mail counts as not
   * taken, and deciding again changes nothing but what is missing.
   * @throws AppError `spool.unwritable`, `ledger.unwritable`, `access.dns` and the like (retriable)
   */
  decide(arrival: Arrival): Promise<Verdict>;
  /** Puts a mail aside that cannot be dealt with, and tells the admin. */
  giveUp(arrival: Arrival, error: unknown): Promise<Verdict>;
}
