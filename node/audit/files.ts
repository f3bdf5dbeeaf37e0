import { type FileHandle, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';

const MONTH_FILE = /^\d{4}-\d{2}\.jsonl$/;
const NEWLINE = 0x0a;
const CHUNK_BYTES = 256 * 1024;
/** No line of ours is as long; what is longer is cut there, and so is no entry. */
export const MAX_LINE_BYTES = 1024 * 1024;

/** Where in the log a line stands. */
export interface Place {
  readonly file: string;
  /** Of its first byte in the file. */
  readonly start: number;
  /** Of the first byte after its line end. */
  readonly end: number;
}

export interface Line extends Place {
  /** Without its line end. */
  readonly bytes: Buffer;
}

/** The file that entries of this time go into. */
export function monthFile(at: string): string {
  return `${at.slice(0, 7)}.jsonl`;
}

/** Names of the files of a log, the oldest month first. */
export async function monthFiles(directory: string): Promise<string[]> {
  return (await readdir(directory)).filter((name) => MONTH_FILE.test(name)).toSorted();
}

/** The whole lines of a file from a place on, up to `end`; what comes after the last line end is no line yet. */
export async function* linesOf(
  directory: string,
  file: string,
  from = 0,
  end = Infinity,
): AsyncGenerator<Line> {
  await using handle = await open(join(directory, file), 'r');
  let start = from;
  let rest: Buffer = Buffer.alloc(0);
  for (;;) {
    const room = Math.min(CHUNK_BYTES, end - start - rest.length);
    const chunk = room <= 0 ? Buffer.alloc(0) : await readAt(handle, start + rest.length, room);
    if (chunk.length === 0) return;
    const bytes = Buffer.concat([rest, chunk]);
    let at = 0;
    for (let stop = bytes.indexOf(NEWLINE, at); stop >= 0; stop = bytes.indexOf(NEWLINE, at)) {
      yield { file, start: start + at, end: start + stop + 1, bytes: bytes.subarray(at, stop) };
      at = stop + 1;
    }
    rest = bytes.subarray(at);
    start += at;
    if (rest.length <= MAX_LINE_BYTES) continue;
    yield { file, start, end: start + rest.length, bytes: rest };
    start += rest.length;
    rest = Buffer.alloc(0);
  }
}

/** The whole lines of a file, the last one first. */
export async function* linesBackwards(directory: string, file: string, end = Infinity): AsyncGenerator<Line> {
  await using handle = await open(join(directory, file), 'r');
  /** First byte of what has been read and not given yet, and those bytes. */
  let start = Math.min(end, (await handle.stat()).size);
  let held: Buffer = Buffer.alloc(0);
  let isWhole = false;
  while (start > 0) {
    const length = Math.min(CHUNK_BYTES, start);
    start -= length;
    held = Buffer.concat([await readAt(handle, start, length), held]);
    // What comes after the last line end of the file is no line yet.
    if (!isWhole) held = held.subarray(0, held.lastIndexOf(NEWLINE) + 1);
    isWhole ||= held.length > 0;
    for (;;) {
      const before = held.length < 2 ? -1 : held.lastIndexOf(NEWLINE, held.length - 2);
      if (held.length === 0 || (before < 0 && start > 0 && held.length <= MAX_LINE_BYTES)) break;
      const at = before + 1;
      yield { file, start: start + at, end: start + held.length, bytes: held.subarray(at, -1) };
      held = held.subarray(0, at);
    }
  }
}

async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(bytes, done, length - done, position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes.subarray(0, done);
}

/** Makes a file end with its last whole line; gives the size it then has. */
export async function cutTornLine(handle: FileHandle): Promise<number> {
  const { size } = await handle.stat();
  let whole = size;
  while (whole > 0) {
    const start = Math.max(0, whole - CHUNK_BYTES);
    const tail = await readAt(handle, start, whole - start);
    const last = tail.lastIndexOf(NEWLINE);
    whole = start + last + 1;
    if (last >= 0) break;
  }
  if (whole < size) await handle.truncate(whole);
  return whole;
}
