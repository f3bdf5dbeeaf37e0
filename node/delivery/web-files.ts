import type { Dirent } from 'node:fs';
import { lstat, opendir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing } from '../platform/durable.ts';
import { checkJobId, isJobId } from './object-key.ts';

/** Jobs told of at a time. */
const PAGE_JOBS = 1_000;
/** Entries of a directory that are read at a time. */
const READ_ENTRIES = 256;

/**
 * What lies below the web root, `<root>/<node>/<job>/<name>`: all of it is this node's own, whatever NODE_ID was when
 * it was put there.
 */

/** Removes a job's files. */
export async function removeFromWeb(root: string, jobId: string): Promise<void> {
  checkJobId(jobId);
  for (const node of await nodesIn(root)) {
    await rm(join(root, node, jobId), { recursive: true, force: true });
  }
}

/** The jobs that have anything there, in pages. */
export async function* jobsInWeb(root: string, signal: AbortSignal): AsyncGenerator<readonly string[]> {
  for (const node of await nodesIn(root)) {
    let page: string[] = [];
    for await (const { name } of entriesOf(join(root, node))) {
      if (!isJobId(name)) continue;
      page.push(name);
      if (page.length < PAGE_JOBS) continue;
      signal.throwIfAborted();
      yield page;
      page = [];
    }
    signal.throwIfAborted();
    if (page.length > 0) yield page;
  }
}

/** When the newest file of a job was written, half-written ones included; null where the job has nothing there. */
export async function newestInWeb(root: string, jobId: string): Promise<Temporal.Instant | null> {
  checkJobId(jobId);
  let newestMs: number | null = null;
  const look = async (path: string): Promise<void> => {
    const { mtimeMs } = await lstat(path);
    newestMs = Math.max(newestMs ?? mtimeMs, mtimeMs);
  };
  for (const node of await nodesIn(root)) {
    const directory = join(root, node, jobId);
    try {
      await look(directory);
      for await (const { name } of entriesOf(directory)) await look(join(directory, name));
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
  return newestMs === null ? null : Temporal.Instant.fromEpochMilliseconds(Math.ceil(newestMs));
}

/** As it is read; nothing where it is not there. */
async function* entriesOf(directory: string): AsyncGenerator<Dirent> {
  try {
    yield* await opendir(directory, { bufferSize: READ_ENTRIES });
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

async function nodesIn(root: string): Promise<string[]> {
  const entries = await readdir(root, { withFileTypes: true }).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}
