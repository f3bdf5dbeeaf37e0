import { randomUUID } from 'node:crypto';
import type { Watermark } from '../../protocol/messages.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import { compactLedger, type Keep } from './ledger-compaction.ts';
import { type LedgerFile, openLedgerFile } from './ledger-file.ts';
import { createLedgerIndex } from './ledger-index.ts';
import type { LedgerEntry, LedgerLine, StreamLine } from './ledger-lines.ts';
import { createLedgerPlaces } from './ledger-places.ts';

export type NewEntry = Omit<LedgerEntry, 'kind' | 'at' | 'serial'>;
/** The place of what did not come from the mailbox. */
export const NOWHERE = { uidValidity: null, uid: null, receivedAt: null } as const;

/**
 * What mails this node dealt with, and how: append-only, fsynced, outliving the spool. It decides, with the copy of the
 * peer's, whether a mail is new; flags in the mailbox do not.
 */
export interface Ledger {
  /** The digest kept with a job id; null where the id is unknown. */
  find(job: string): { readonly digest: string | null } | null;
  /** The same, where this node has made a job of it: what keeps the spool from taking it twice. */
  accepted(job: string): { readonly digest: string } | null;
  /**
   * Every mail up to this UID has been dealt with. Null where this UIDVALIDITY was never caught up with: what
   * was recorded of it during a first start or a rescan that broke off does not count.
   */
  watermark(uidValidity: string): number | null;
  /** The watermark that held before a rescan became due; as `watermark` where none is. */
  watermarkBefore(uidValidity: string): number | null;
  /** Of the mailbox that was caught up with last: where another node goes on. Null while a rescan is due. */
  latestWatermark(): Watermark | null;
  /** Whether mails are to be looked at again, since another may have dealt with some. */
  rescanDue(): boolean;
  /** When this node first caught up with a mailbox; null on the first start. */
  startedAt(): Temporal.Instant | null;
  /** The latest arrival among the mails that a job was made of; none counts as later than it was recorded. */
  lastReceivedAt(): Temporal.Instant | null;
  /** Mails that a job was made of and whose flags are not known to be set. */
  unflagged(uidValidity: string): readonly number[];
  /** Resolves when the entry is on disk. @throws AppError `ledger.unwritable` (retriable) */
  append(entry: NewEntry): Promise<void>;
  /** Records that a UIDVALIDITY is caught up with to this UID, and so ends a rescan; durable as `append`. */
  setWatermark(uidValidity: string, uid: number): Promise<void>;
  /** Goes on from where another node stopped; a higher watermark of this node's own stands. Durable as `append`. */
  adopt(watermark: Watermark): Promise<void>;
  /** Lets no watermark count before the next one is set; durable as `append`. */
  requireRescan(): Promise<void>;
  /** Notes that flags are set up to this UID; losing it costs setting them once more, so it is not fsynced. */
  setFlagged(uidValidity: string, uid: number): Promise<void>;
  /** Names this ledger; another name after it was lost or damaged. */
  stream(): string;
  /** Goes on under a new name: where a reader knows of later entries than there are. Durable with the next line. */
  renewStream(): void;
  /** Of the last entry ever recorded; 0 before the first. */
  lastSerial(): number;
  /** Entries after a serial, in order, at most `limit`; what was dropped as too old is passed over. */
  entriesAfter(serial: number, limit: number): Promise<readonly LedgerEntry[]>;
  /** How many `entriesAfter` would give without a limit. */
  countAfter(serial: number): number;
  /** Told after each entry and each change of the watermark is on disk. */
  onAppended(listener: () => void): void;
  /** May be called again. */
  close(): Promise<void>;
}

export interface LedgerOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly log: Log;
  /** What is kept when it is opened. */
  readonly keep?: Keep;
}

/** Opens the ledger: cuts off what a crash left of a last line, and drops what is too old. */
export async function openLedger({ path, clock, log, keep }: LedgerOptions): Promise<Ledger> {
  const compact = (lines: readonly LedgerLine[]): readonly LedgerLine[] =>
    compactLedger(lines, clock.now(), keep);
  const file = await openLedgerFile({ path, name: 'the ledger', log, compact });
  return createLedger(file, clock);
}

function createLedger(file: LedgerFile, clock: Clock): Ledger {
  const index = createLedgerIndex();
  const places = createLedgerPlaces();
  const listeners = new Set<() => void>();
  let lastSerial = 0;
  let stream = newStream();
  /** Whether the name is on disk; it goes there with the next line, so that a full disk does not stop a start. */
  let named = false;

  const apply = (line: LedgerLine, start: number): void => {
    index.add(line);
    if (line.kind === 'stream') {
      lastSerial = Math.max(lastSerial, line.dropped);
      named ||= line.id === stream.id;
    } else if (line.kind === 'entry') {
      lastSerial = Math.max(lastSerial, line.serial);
      places.add(line.serial, start);
    }
  };
  for (const [at, line] of file.lines.entries()) {
    if (line.kind === 'stream') stream = line;
    apply(line, file.starts[at] ?? 0);
  }
  if (file.damaged) {
    stream = newStream();
    named = false;
  }

  const write = async (make: () => LedgerLine, durable = true): Promise<void> => {
    await file.append(() => (named ? [make()] : [stream, make()]), apply, durable);
    if (durable) for (const listener of listeners) listener();
  };
  const now = (): string => clock.now().toString({ smallestUnit: 'millisecond' });
  const setWatermark: Ledger['setWatermark'] = (uidValidity, uid) =>
    write(() => ({ kind: 'watermark', uidValidity, uid, at: now() }));

  return {
    find: index.find,
    accepted: (job) => {
      const digest = index.find(job)?.digest ?? null;
      return digest === null ? null : { digest };
    },
    watermark: index.watermark,
    watermarkBefore: index.level,
    latestWatermark: index.latestWatermark,
    rescanDue: index.rescanDue,
    startedAt: index.startedAt,
    lastReceivedAt: index.lastReceivedAt,
    unflagged: index.unflagged,
    append: (entry) => write(() => ({ kind: 'entry', serial: lastSerial + 1, ...entry, at: now() })),
    setWatermark,
    adopt: ({ uidValidity, uid }) => setWatermark(uidValidity, uid),
    requireRescan: () => write(() => ({ kind: 'rescan', at: now() })),
    setFlagged: (uidValidity, uid) => write(() => ({ kind: 'flagged', uidValidity, uid }), false),
    stream: () => stream.id,
    renewStream: () => {
      stream = newStream();
      named = false;
    },
    lastSerial: () => lastSerial,
    entriesAfter: async (serial, limit) => {
      const place = places.after(serial, limit);
      if (place === null) return [];
      const lines = await file.read(place.start, place.end);
      return lines.filter((line) => line.kind === 'entry').slice(0, limit);
    },
    countAfter: places.countAfter,
    onAppended: (listener) => {
      listeners.add(listener);
    },
    close: file.close,
  };
}

function newStream(): StreamLine {
  return { kind: 'stream', id: randomUUID(), dropped: 0 };
}
