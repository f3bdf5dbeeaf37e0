import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isMissing, syncDirectory, writeDurable } from '../platform/durable.ts';
import { AppError, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { type LedgerLine, printLine, readLine } from './ledger-lines.ts';

const NEWLINE = 0x0a;
/** A longer line is not ours; so much of it is kept in memory. */
const MAX_LINE_BYTES = 64 * 1024;

/** What is read of a file when it is opened. */
interface Found {
  readonly lines: readonly LedgerLine[];
  /** Where each of them begins, in bytes. */
  readonly starts: readonly number[];
  /** Bytes up to the end of the last whole line: what follows was being written when the node died. */
  readonly wholeBytes: number;
  readonly totalBytes: number;
  /** Whole lines that cannot be read, and those among them after the last line that names a stream. */
  readonly broken: number;
  readonly brokenInStream: number;
}

/** A file of ledger lines that only grows, until it is opened the next time. One write at a time. */
export interface LedgerFile {
  readonly lines: readonly LedgerLine[];
  readonly starts: readonly number[];
  /** Whether a line of the stream that is written to was damaged: serials may have gone with it. */
  readonly damaged: boolean;
  /**
   * Appends what `make` gives when its turn has come; all of it or nothing, on disk before `apply` is told of each line
   * and where it begins. @throws AppError `ledger.unwritable` (retriable)
   */
  append(
    make: () => readonly LedgerLine[],
    apply: (line: LedgerLine, start: number) => void,
    durable: boolean,
  ): Promise<void>;
  /** The lines between two places; `end` null for all that follow. */
  read(start: number, end: number | null): Promise<readonly LedgerLine[]>;
  /** May be called again. */
  close(): Promise<void>;
}

export interface LedgerFileOptions {
  readonly path: string;
  /** For the log: `the ledger`. */
  readonly name: string;
  readonly log: Log;
  /** The lines worth keeping; the same array where all are. */
  readonly compact: (lines: readonly LedgerLine[]) => readonly LedgerLine[];
}

/** Opens such a file: cuts off what a crash left of a last line, and drops what is not worth keeping. */
export async function openLedgerFile({ path, name, log, compact }: LedgerFileOptions): Promise<LedgerFile> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const found = await readLedgerFile(path);
  const torn = found.totalBytes - found.wholeBytes;
  if (torn > 0) log.warn(`the last line of ${name} was torn by a crash and is cut off`, { bytes: torn });
  if (found.broken > 0)
    log.error(`lines of ${name} cannot be read; they are passed over`, { lines: found.broken });
  const lines = compact(found.lines);
  let { starts, wholeBytes: size } = found;
  if (lines !== found.lines) {
    const text = lines.map(printLine);
    [starts, size] = placesOf(text);
    await writeDurable(path, text.join(''));
    log.info(`old lines of ${name} were dropped`, { lines: found.lines.length - lines.length });
  }
  const file = await open(path, 'a+', 0o600);
  await file.truncate(size);
  await file.sync();
  await syncDirectory(dirname(path));
  return { lines, starts, damaged: found.brokenInStream > 0, ...createWriter(path, file, size) };
}

function createWriter(
  path: string,
  file: FileHandle,
  initialSize: number,
): Pick<LedgerFile, 'append' | 'read' | 'close'> {
  let size = initialSize;
  let last: Promise<unknown> = Promise.resolve();
  let closed = false;

  const write: LedgerFile['append'] = async (make, apply, durable) => {
    const lines = make();
    if (lines.length === 0) return;
    const text = lines.map(printLine);
    try {
      // A write that failed may have left a part of a line: cut back to the last whole one first.
      if ((await file.stat()).size !== size) await file.truncate(size);
      await file.appendFile(text.join(''));
      if (durable) await file.datasync();
    } catch (error) {
      await file.truncate(size).catch(() => undefined); // tried again before the next write
      throw new AppError('ledger.unwritable', `${path}: ${messageOf(error)}`, {
        retriable: true,
        cause: error,
      });
    }
    const [starts, bytes] = placesOf(text);
    const base = size;
    size += bytes;
    for (const [index, line] of lines.entries()) apply(line, base + (starts[index] ?? 0));
  };

  return {
    append: (make, apply, durable) => {
      const mine = last.then(() => write(make, apply, durable));
      last = mine.catch(() => undefined); // told to who asked for it
      return mine;
    },
    read: async (start, end) => {
      const bytes = Buffer.alloc(Math.max(0, (end ?? size) - start));
      const { bytesRead } = await file.read(bytes, 0, bytes.length, start);
      const texts = bytes.toString('utf8', 0, bytesRead).split('\n');
      return texts.map(readLine).filter((line) => line !== null);
    },
    close: async () => {
      if (closed) return;
      closed = true;
      await last;
      await file.close();
    },
  };
}

/** Where texts begin that are written one after another, and how long they are together, in bytes. */
function placesOf(texts: readonly string[]): [starts: number[], bytes: number] {
  let bytes = 0;
  const starts = texts.map((text) => {
    const start = bytes;
    bytes += Buffer.byteLength(text);
    return start;
  });
  return [starts, bytes];
}

/** Reads such a file; a missing one is empty. */
async function readLedgerFile(path: string): Promise<Found> {
  const lines: LedgerLine[] = [];
  const starts: number[] = [];
  let broken = 0;
  let brokenInStream = 0;
  let wholeBytes = 0;
  let totalBytes = 0;
  let rest = Buffer.alloc(0);
  const take = (text: string, start: number): void => {
    const line = readLine(text);
    if (line === null) {
      broken += 1;
      brokenInStream += 1;
      return;
    }
    if (line.kind === 'stream') brokenInStream = 0;
    lines.push(line);
    starts.push(start);
  };
  try {
    for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
      totalBytes += chunk.length;
      const data = Buffer.concat([rest, chunk]);
      let start = 0;
      for (let end = data.indexOf(NEWLINE); end >= 0; end = data.indexOf(NEWLINE, start)) {
        take(data.toString('utf8', start, end), totalBytes - (data.length - start));
        start = end + 1;
      }
      if (start > 0) wholeBytes = totalBytes - (data.length - start);
      rest = data.subarray(start).subarray(-MAX_LINE_BYTES);
    }
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  return { lines, starts, wholeBytes, totalBytes, broken, brokenInStream };
}
