import { createReadStream } from 'node:fs';
import { isMissing } from '../platform/durable.ts';
import { createLedgerIndex } from './ledger-index.ts';
import { type LedgerLine, readLine } from './ledger-lines.ts';

const NEWLINE = 0x0a;
/** A longer line is not ours; so much of it is kept in memory. */
const MAX_LINE_BYTES = 64 * 1024;

export interface LedgerFile {
  readonly lines: readonly LedgerLine[];
  /** Bytes up to the end of the last whole line: what follows was being written when the node died. */
  readonly wholeBytes: number;
  readonly totalBytes: number;
  /** Whole lines that cannot be read. */
  readonly broken: number;
}

/** Reads a ledger; a missing file is an empty one. */
export async function readLedgerFile(path: string): Promise<LedgerFile> {
  const lines: LedgerLine[] = [];
  let broken = 0;
  let wholeBytes = 0;
  let totalBytes = 0;
  let rest = Buffer.alloc(0);
  try {
    for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
      totalBytes += chunk.length;
      const data = Buffer.concat([rest, chunk]);
      let start = 0;
      for (let end = data.indexOf(NEWLINE); end >= 0; end = data.indexOf(NEWLINE, start)) {
        const line = readLine(data.toString('utf8', start, end));
        if (line === null) broken += 1;
        else lines.push(line);
        start = end + 1;
      }
      if (start > 0) wholeBytes = totalBytes - (data.length - start);
      rest = data.subarray(start).subarray(-MAX_LINE_BYTES);
    }
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  return { lines, wholeBytes, totalBytes, broken };
}

/**
 * The lines worth keeping: entries since `oldest`, at most `maxLines` of them. Watermarks never grow old: they
 * are raised to what the dropped entries stood for.
 */
export function compactLines(
  lines: readonly LedgerLine[],
  oldest: Temporal.Instant,
  maxLines: number,
): readonly LedgerLine[] {
  const isOld = (at: string): boolean => Temporal.Instant.compare(Temporal.Instant.from(at), oldest) < 0;
  const entries = lines.filter((line) => line.kind === 'entry');
  const young = entries.filter((entry) => !isOld(entry.at)).slice(-maxLines);
  if (young.length === entries.length) return lines;

  const index = createLedgerIndex();
  for (const line of lines) index.add(line);
  const watermarks = new Map<string, LedgerLine>();
  for (const line of lines) {
    if (line.kind !== 'watermark' || watermarks.has(line.uidValidity)) continue;
    watermarks.set(line.uidValidity, { ...line, uid: index.watermark(line.uidValidity) ?? line.uid });
  }
  return [...watermarks.values(), ...young, ...lines.filter((line) => line.kind === 'flagged').slice(-1)];
}
