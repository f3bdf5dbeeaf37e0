import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../platform/clock.ts';
import { syncDirectory, writeDurable } from '../platform/durable.ts';
import { AppError, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { compactLines, readLedgerFile } from './ledger-file.ts';
import { createLedgerIndex, type LedgerIndex } from './ledger-index.ts';
import type { LedgerEntry, LedgerLine } from './ledger-lines.ts';

/** Longer than any mail stays in a mailbox that people keep tidy, and than the spool keeps its jobs. */
const LEDGER_DAYS = 400;
/** For a node that is flooded: the oldest are dropped when the ledger is opened. */
const MAX_ENTRIES = 200_000;
const HOURS_PER_DAY = 24;

export type NewEntry = Omit<LedgerEntry, 'kind' | 'at'>;

/**
 * What mails were dealt with, and how: append-only, fsynced, outliving the spool. It decides whether a mail is
 * new; flags in the mailbox do not.
 */
export interface Ledger {
  /** The digest kept with a job id; null where the id is unknown. */
  find(job: string): { readonly digest: string | null } | null;
  /**
   * Every mail up to this UID has been dealt with. Null where this UIDVALIDITY was never caught up with: what
   * was recorded of it during a first start or a rescan that broke off does not count.
   */
  watermark(uidValidity: string): number | null;
  /** When this node first caught up with a mailbox; null on the first start. */
  startedAt(): Temporal.Instant | null;
  /** The latest arrival among the mails that a job was made of; none counts as later than it was recorded. */
  lastReceivedAt(): Temporal.Instant | null;
  /** Mails that a job was made of and whose flags are not known to be set. */
  unflagged(uidValidity: string): readonly number[];
  /** Resolves when the entry is on disk. @throws AppError `ledger.unwritable` (retriable) */
  append(entry: NewEntry): Promise<void>;
  /** Records that a UIDVALIDITY is caught up with to this UID; durable as `append`. */
  setWatermark(uidValidity: string, uid: number): Promise<void>;
  /** Notes that flags are set up to this UID; losing it costs setting them once more, so it is not fsynced. */
  setFlagged(uidValidity: string, uid: number): Promise<void>;
  /** All entries recorded at or after an instant, in order. */
  entriesSince(at: Temporal.Instant): Promise<readonly LedgerEntry[]>;
  /** May be called again. */
  close(): Promise<void>;
}

export interface LedgerOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Opens the ledger: cuts off what a crash left of a last line, and drops what is too old. */
export async function openLedger({ path, clock, log }: LedgerOptions): Promise<Ledger> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const found = await readLedgerFile(path);
  const torn = found.totalBytes - found.wholeBytes;
  if (torn > 0) log.warn('the last line of the ledger was torn by a crash and is cut off', { bytes: torn });
  if (found.broken > 0)
    log.error('lines of the ledger cannot be read; they are passed over', { lines: found.broken });
  const oldest = latestOf(found.lines, clock.now()).subtract({ hours: LEDGER_DAYS * HOURS_PER_DAY });
  const lines = compactLines(found.lines, oldest, MAX_ENTRIES);
  let size = found.wholeBytes;
  if (lines !== found.lines) {
    const text = Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    await writeDurable(path, text);
    size = text.length;
    log.info('old entries of the ledger were dropped', { lines: found.lines.length - lines.length });
  }
  const index = createLedgerIndex();
  for (const line of lines) index.add(line);
  const file = await open(path, 'a', 0o600);
  await file.truncate(size);
  await file.sync();
  await syncDirectory(dirname(path));
  return createLedger(path, file, size, index, clock);
}

/**
 * The latest moment that the ledger itself knows of, and not later than now: a clock that is years ahead at start-up
 * must not have everything forgotten.
 */
function latestOf(lines: readonly LedgerLine[], now: Temporal.Instant): Temporal.Instant {
  let latest: Temporal.Instant | null = null;
  for (const line of lines) {
    if (line.kind === 'flagged') continue;
    const at = Temporal.Instant.from(line.at);
    if (latest === null || Temporal.Instant.compare(at, latest) > 0) latest = at;
  }
  return latest === null || Temporal.Instant.compare(latest, now) > 0 ? now : latest;
}

function createLedger(
  path: string,
  file: FileHandle,
  initialSize: number,
  index: LedgerIndex,
  clock: Clock,
): Ledger {
  let size = initialSize;
  let last: Promise<unknown> = Promise.resolve();
  let closed = false;

  const write = async (line: LedgerLine, durable: boolean): Promise<void> => {
    const text = `${JSON.stringify(line)}\n`;
    try {
      // A write that failed may have left a part of a line: cut back to the last whole one first.
      if ((await file.stat()).size !== size) await file.truncate(size);
      await file.appendFile(text);
      if (durable) await file.datasync();
    } catch (error) {
      await file.truncate(size).catch(() => undefined); // tried again before the next write
      throw new AppError('ledger.unwritable', `${path}: ${messageOf(error)}`, {
        retriable: true,
        cause: error,
      });
    }
    size += Buffer.byteLength(text);
    index.add(line);
  };

  const inTurn = (line: LedgerLine, durable: boolean): Promise<void> => {
    const mine = last.then(() => write(line, durable));
    last = mine.catch(() => undefined); // told to who asked for it
    return mine;
  };
  const now = (): string => clock.now().toString({ smallestUnit: 'millisecond' });

  return {
    find: index.find,
    watermark: index.watermark,
    startedAt: index.startedAt,
    lastReceivedAt: index.lastReceivedAt,
    unflagged: index.unflagged,
    append: (entry) => inTurn({ kind: 'entry', ...entry, at: now() }, true),
    setWatermark: (uidValidity, uid) => inTurn({ kind: 'watermark', uidValidity, uid, at: now() }, true),
    setFlagged: (uidValidity, uid) => inTurn({ kind: 'flagged', uidValidity, uid }, false),
    entriesSince: async (at) => {
      await last;
      const { lines } = await readLedgerFile(path);
      return lines
        .filter((line) => line.kind === 'entry')
        .filter((entry) => Temporal.Instant.compare(Temporal.Instant.from(entry.at), at) >= 0);
    },
    close: async () => {
      if (closed) return;
      closed = true;
      await last;
      await file.close();
    },
  };
}
