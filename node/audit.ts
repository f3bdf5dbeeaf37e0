import { type FileHandle, mkdir, open, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncDirectory } from './platform/durable.ts';
import type { Clock } from './platform/clock.ts';
import { AppError, messageOf } from './platform/errors.ts';

const SUFFIX = '.jsonl';
const NEWLINE = 0x0a;
/** Read at a time from the end of a file, to find its last whole line. */
const TAIL_BYTES = 64 * 1024;

/** What happened, by a stable name: `request.accepted`, `mail.sent`, `recordings.delivered`. */
export interface AuditEvent {
  readonly event: string;
  readonly job?: string;
  readonly [detail: string]: unknown;
}

/** Who asked for what, and what was done and delivered. Never tokens, passwords or audio. */
export interface Audit {
  /** Resolves when the entry is on disk. @throws AppError `audit.unwritable` (retriable) */
  record(event: AuditEvent): Promise<void>;
}

/**
 * An append-only file of JSON lines a month under `directory`, each entry fsynced, in the order of the calls. Cuts off
 * what a crash left of a last line.
 */
export async function openAudit(directory: string, nodeId: string, clock: Clock): Promise<Audit> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await syncDirectory(directory);
  const latest = (await readdir(directory))
    .filter((name) => name.endsWith(SUFFIX))
    .toSorted()
    .at(-1);
  if (latest !== undefined) {
    await using file = await open(join(directory, latest), 'a+');
    await cutTornLine(file);
  }
  let last: Promise<void> = Promise.resolve();

  const append = async (event: AuditEvent): Promise<void> => {
    const at = clock.now().toString({ smallestUnit: 'millisecond' });
    const path = join(directory, `${at.slice(0, 7)}${SUFFIX}`);
    try {
      await appendLine(path, JSON.stringify({ at, node: nodeId, ...event }));
    } catch (error) {
      throw new AppError('audit.unwritable', `${path}: ${messageOf(error)}`, {
        retriable: true,
        cause: error,
      });
    }
  };
  return {
    record: (event) => {
      const mine = last.then(() => append(event));
      last = mine.catch(() => undefined);
      return mine;
    },
  };
}

/** Appends a line, whole or not at all. What a crash tore of the line before it goes: nobody was told that it stands. */
async function appendLine(path: string, line: string): Promise<void> {
  await using file = await open(path, 'a+', 0o600);
  const size = await cutTornLine(file);
  // A new file is there for good once its directory says so.
  if (size === 0) await syncDirectory(dirname(path));
  try {
    await file.appendFile(`${line}\n`);
    await file.sync();
  } catch (error) {
    await file.truncate(size).catch(() => undefined); // what is left of it is cut off before the next line
    throw error;
  }
}

/** Makes the file end with its last whole line; gives the size it then has. */
async function cutTornLine(file: FileHandle): Promise<number> {
  const { size } = await file.stat();
  let whole = size;
  while (whole > 0) {
    const start = Math.max(0, whole - TAIL_BYTES);
    const tail = Buffer.alloc(whole - start);
    await file.read(tail, 0, tail.length, start);
    const end = tail.lastIndexOf(NEWLINE);
    whole = start + end + 1;
    if (end >= 0) break;
  }
  if (whole < size) await file.truncate(whole);
  return whole;
}
