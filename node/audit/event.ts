/** What happened, by a stable name: `mail.accepted`, `mail.sent`, `recordings.delivered`. */
export interface AuditEvent {
  readonly event: string;
  readonly job?: string;
  readonly [detail: string]: unknown;
}

/** Who asked for what, and what was done and delivered. Never tokens, passwords or audio. */
export interface Audit {
  /** Resolves when the entry is on disk. @throws AppError `audit.unwritable` (retriable), `audit.too-large` */
  record(event: AuditEvent): Promise<void>;
  /** Several at once, in this order, with one wait for the disk; all of them or none. */
  recordAll(events: readonly AuditEvent[]): Promise<void>;
}

/** An entry as it was written. */
export interface AuditEntry extends AuditEvent {
  /** When, by the wall clock of the node, to the millisecond. */
  readonly at: string;
  readonly node: string;
  /** SHA-256 of the line before; null for the very first. Entries of before there was a chain have none. */
  readonly prev?: string | null;
}

/** Which entries are wanted; null for no bound. */
export interface AuditFilter {
  readonly since: Temporal.Instant | null;
  /** Not included. */
  readonly until: Temporal.Instant | null;
  /** A job's id or the beginning of it. */
  readonly job: string | null;
  /** An address: entries that name it, and all about the jobs that it asked for. */
  readonly person: string | null;
}

/** A part of the log, as it stands there. */
export interface AuditPage {
  /** Lines without their line ends, in the order they were written. */
  readonly lines: readonly string[];
  /** Where the next part begins; null where there is none. */
  readonly next: string | null;
}

/** Something that should not be so in the log. */
export interface AuditProblem {
  readonly file: string;
  /** From 1; null where it is about the file, or what follows it. */
  readonly line: number | null;
  readonly what: string;
}

/** What following the chain came to. */
export interface AuditVerdict {
  readonly files: number;
  readonly entries: number;
  /** Of these, those of before there was a chain: nothing vouches for them. */
  readonly unchained: number;
  /** SHA-256 of the last line: written down elsewhere, it vouches for all of them. */
  readonly last: string | null;
  /** The first ones; `found` counts all. */
  readonly problems: readonly AuditProblem[];
  readonly found: number;
}

/** The audit log, to be read too. */
export interface AuditLog extends Audit {
  /** Entries from the oldest on, from `after` (the `next` of a page before), in pages of at most `limit`. */
  page(filter: AuditFilter, after: string | null, limit: number, signal?: AbortSignal): Promise<AuditPage>;
  /** The newest `limit` entries, the newest last. */
  newest(filter: AuditFilter, limit: number, signal?: AbortSignal): Promise<readonly string[]>;
  /** Follows the chain through all files, or from that of a month (`2026-03`) on. */
  verify(fromMonth: string | null, signal?: AbortSignal): Promise<AuditVerdict>;
}
