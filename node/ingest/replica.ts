import type { Watermark } from '../../protocol/messages.ts';
import type { RpcHandlers, RpcParams } from '../../protocol/methods.ts';
import type { Clock } from '../platform/clock.ts';
import { AppError, codeOf, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { compactReplica, type Keep } from './ledger-compaction.ts';
import { type LedgerFile, openLedgerFile } from './ledger-file.ts';
import { createLedgerIndex, earlier, later, requestedAt } from './ledger-index.ts';
import type { LedgerEntry, LedgerLine } from './ledger-lines.ts';

type Page = RpcParams<'ledger.append'>;

/** The peer's ledger, as far as it has been told: what mails it dealt with while it was master. */
export interface Replica {
  /** The digest that the peer keeps with a job id, by whatever door it came in; null where the id is unknown. */
  find(job: string): { readonly digest: string | null } | null;
  /** The same of a mail that the peer met in the mailbox. */
  findMail(job: string): { readonly digest: string | null } | null;
  /** Serial of the last entry of a stream that is on disk here; 0 for none. */
  upTo(stream: string): number;
  /** The latest arrival among the mails that the peer made jobs of. */
  lastReceivedAt(): Temporal.Instant | null;
  /** Since when the peer has read a mailbox, as far as is known; null where it never has. */
  startedAt(): Temporal.Instant | null;
  /** UID up to which the peer has said to have dealt with every mail, where it last spoke of this UIDVALIDITY. */
  watermark(uidValidity: string): number | null;
  /**
   * Takes what of a page is new; gives the serial up to which the stream is then on disk. The same page again, or an
   * older one, changes nothing. @throws AppError `ledger.gap`, `ledger.unwritable` (both retriable)
   */
  apply(page: Page): Promise<number>;
  /** May be called again. */
  close(): Promise<void>;
}

export interface ReplicaOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly log: Log;
  /** What is kept when it is opened. */
  readonly keep?: Keep;
}

/** Opens the copy: cuts off what a crash left of a last line, and drops what is too old. */
export async function openReplica({ path, clock, log, keep }: ReplicaOptions): Promise<Replica> {
  const compact = (lines: readonly LedgerLine[]): readonly LedgerLine[] =>
    compactReplica(lines, clock.now(), keep);
  const file = await openLedgerFile({ path, name: 'the copy of the peer’s ledger', log, compact });
  return createReplica(file, clock);
}

function createReplica(file: LedgerFile, clock: Clock): Replica {
  const index = createLedgerIndex();
  const mails = new Set<string>();
  const upTo = new Map<string, number>();
  let current: string | null = null;
  let told: Watermark | null = null;
  let startedAt: Temporal.Instant | null = null;
  let lastReceivedAt: Temporal.Instant | null = null;

  const start = (text: string): void => {
    const at = Temporal.Instant.from(text);
    startedAt = startedAt === null ? at : earlier(startedAt, at);
  };
  const addEntry = (entry: LedgerEntry): void => {
    lastReceivedAt = later(lastReceivedAt, requestedAt(entry));
    if (entry.uid !== null) {
      mails.add(entry.job);
      start(entry.at);
    }
    if (current !== null) upTo.set(current, entry.serial);
  };
  const add = (line: LedgerLine): void => {
    index.add(line);
    if (line.kind === 'entry') addEntry(line);
    else if (line.kind === 'watermark') {
      told = { uidValidity: line.uidValidity, uid: line.uid };
      start(line.at);
    } else if (line.kind === 'stream') {
      current = line.id;
      upTo.set(line.id, line.dropped);
    }
  };
  for (const line of file.lines) add(line);
  if (file.damaged && current !== null) {
    // What the damaged line held is asked for again, with the whole stream; what is known already does no harm.
    upTo.set(current, 0);
    current = null;
  }

  /** What was once dealt with stays so: a lower one of the same mailbox came late. */
  const isNews = ({ uidValidity, uid }: Watermark): boolean =>
    told?.uidValidity !== uidValidity || told.uid < uid;

  /** The lines that a page adds. */
  const linesOf = ({ stream, after, entries, watermark }: Page): LedgerLine[] => {
    const known = upTo.get(stream) ?? 0;
    if (entries.length > 0 && after > known) {
      throw new AppError('ledger.gap', `here are the entries up to ${known}, and these come after ${after}`, {
        retriable: true,
      });
    }
    const lines: LedgerLine[] = entries.filter(({ serial }) => serial > known);
    if (lines.length > 0 && stream !== current) lines.unshift({ kind: 'stream', id: stream, dropped: known });
    const isLate = (entries.at(-1)?.serial ?? after) < known;
    if (watermark !== null && !isLate && isNews(watermark)) {
      const at = clock.now().toString({ smallestUnit: 'millisecond' });
      const { uidValidity, uid } = watermark;
      lines.push({ kind: 'watermark', uidValidity, uid, at });
    }
    return lines;
  };

  return {
    find: index.find,
    findMail: (job) => (mails.has(job) ? index.find(job) : null),
    upTo: (stream) => upTo.get(stream) ?? 0,
    lastReceivedAt: () => lastReceivedAt,
    startedAt: () => startedAt,
    watermark: (uidValidity) => (told?.uidValidity === uidValidity ? told.uid : null),
    apply: async (page) => {
      await file.append(() => linesOf(page), add, true);
      return upTo.get(page.stream) ?? 0;
    },
    close: file.close,
  };
}

/** What a node does for its peer's ledger. */
export function createLedgerHandlers(replica: Pick<Replica, 'apply'>): Pick<RpcHandlers, 'ledger.append'> {
  return {
    'ledger.append': async (page) => {
      try {
        return { upTo: await replica.apply(page) };
      } catch (error) {
        if (codeOf(error) !== 'ledger.unwritable') throw error;
        throw new AppError('rpc.unavailable', `the entries cannot be kept: ${messageOf(error)}`, {
          retriable: true,
          cause: error,
        });
      }
    },
  };
}
