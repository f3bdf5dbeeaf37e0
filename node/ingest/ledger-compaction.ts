import { createLedgerIndex } from './ledger-index.ts';
import type { LedgerEntry, LedgerLine, WatermarkLine } from './ledger-lines.ts';

/** Longer than any mail stays in a mailbox that people keep tidy, and than the spool keeps its jobs. */
const LEDGER_DAYS = 400;
/** For a node that is flooded: the oldest are dropped when the ledger is opened. */
const MAX_ENTRIES = 200_000;
const HOURS_PER_DAY = 24;

export interface Keep {
  readonly days: number;
  readonly maxEntries: number;
}
export const KEEP: Keep = { days: LEDGER_DAYS, maxEntries: MAX_ENTRIES };

/**
 * The lines of the own ledger that are worth keeping, in their order; the same array where all are. Watermarks never
 * grow old: what dropped entries stood for is kept as one.
 */
export function compactLedger(
  lines: readonly LedgerLine[],
  now: Temporal.Instant,
  keep = KEEP,
): readonly LedgerLine[] {
  const dropped = droppable(lines, now, keep);
  if (dropped.size === 0) return lines;
  const index = createLedgerIndex();
  const kept: LedgerLine[] = [];
  let raised = new Map<string, WatermarkLine>();
  const flush = (): void => {
    kept.push(...raised.values());
    raised = new Map();
  };
  const lastFlagged = lines.findLast((line) => line.kind === 'flagged');
  for (const line of withStreams(lines, dropped)) {
    // A watermark ends a rescan, and the last one tells the mailbox: none of ours may come to stand after theirs.
    if (line.kind === 'rescan' || line.kind === 'watermark') flush();
    const before = levelOf(index, line);
    index.add(line);
    const level = levelOf(index, line);
    if (line.kind !== 'entry' || !dropped.has(line)) {
      if (line.kind !== 'flagged' || line === lastFlagged) kept.push(line);
    } else if (level !== null && level !== before && line.uidValidity !== null) {
      const { uidValidity, at } = line;
      raised.set(uidValidity, { kind: 'watermark', uidValidity, uid: level, at });
    }
  }
  const latest = index.latestWatermark();
  if (raised.size > 0 && latest !== null) {
    const at = [...raised.values()].at(-1)?.at ?? now.toString();
    raised.delete(latest.uidValidity);
    raised.set(latest.uidValidity, { kind: 'watermark', ...latest, at });
  }
  flush();
  return kept;
}

/** The same of the copy of a peer's ledger, of whose watermarks the last one alone counts. */
export function compactReplica(
  lines: readonly LedgerLine[],
  now: Temporal.Instant,
  keep = KEEP,
): readonly LedgerLine[] {
  const dropped = droppable(lines, now, keep);
  if (dropped.size === 0) return lines;
  const told = lines.findLast((line) => line.kind === 'watermark');
  return withStreams(lines, dropped).filter((line) =>
    line.kind === 'watermark' ? line === told : line.kind !== 'entry' || !dropped.has(line),
  );
}

function droppable(
  lines: readonly LedgerLine[],
  now: Temporal.Instant,
  { days, maxEntries }: Keep,
): ReadonlySet<LedgerEntry> {
  const oldest = latestOf(lines, now).subtract({ hours: days * HOURS_PER_DAY });
  const isOld = (at: string): boolean => Temporal.Instant.compare(Temporal.Instant.from(at), oldest) < 0;
  const entries = lines.filter((line) => line.kind === 'entry');
  const excess = entries.length - maxEntries;
  return new Set(entries.filter((entry, index) => index < excess || isOld(entry.at)));
}

/**
 * The latest moment that the lines themselves know of, and not later than now: a clock that is years ahead at start-up
 * must not have everything forgotten.
 */
function latestOf(lines: readonly LedgerLine[], now: Temporal.Instant): Temporal.Instant {
  let latest: Temporal.Instant | null = null;
  for (const line of lines) {
    if (!('at' in line)) continue;
    const at = Temporal.Instant.from(line.at);
    if (latest === null || Temporal.Instant.compare(at, latest) > 0) latest = at;
  }
  return latest === null || Temporal.Instant.compare(latest, now) > 0 ? now : latest;
}

/** The lines with the serials of what is dropped noted in the names of their streams. */
function withStreams(lines: readonly LedgerLine[], dropped: ReadonlySet<LedgerEntry>): readonly LedgerLine[] {
  const highest = new Map<string, number>();
  let stream: string | null = null;
  for (const line of lines) {
    if (line.kind === 'stream') stream = line.id;
    else if (stream !== null && line.kind === 'entry' && dropped.has(line)) {
      highest.set(stream, Math.max(line.serial, highest.get(stream) ?? 0));
    }
  }
  return lines.map((line) =>
    line.kind === 'stream' ? { ...line, dropped: Math.max(line.dropped, highest.get(line.id) ?? 0) } : line,
  );
}

function levelOf(index: ReturnType<typeof createLedgerIndex>, line: LedgerLine): number | null {
  return line.kind === 'entry' && line.uidValidity !== null ? index.level(line.uidValidity) : null;
}
