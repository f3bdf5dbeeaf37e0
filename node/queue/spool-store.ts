import { mkdir, readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Job, Outcome } from '../../protocol/job.ts';
import {
  TEMPORARY_PREFIX,
  moveDurable,
  readBounded,
  removeDurable,
  syncDirectory,
  writeDurable,
} from '../platform/durable.ts';
import { AppError, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { JOB_MAX_BYTES, parseJob, printJob, readJobFileName } from './job-file.ts';
import { ownSpool } from './owner.ts';

export const JOB_STATES = ['pending', 'processing', 'completed', 'failed'] as const;
/** The directory a job lies in is its state; nothing in the document repeats it. */
export type JobState = (typeof JOB_STATES)[number];

/** What is kept in memory of each job: all of those still to be worked, the place alone of those that ended. */
export interface Entry {
  state: JobState;
  readonly fileName: string;
  /** Null for ended jobs, which are read from disk when asked for. */
  job: Job | null;
}

export interface SpoolStoreOptions {
  readonly directory: string;
  readonly log: Log;
  /** Where a document of ours that can no longer be read is put. */
  readonly setAside: (path: string, reason: string) => Promise<void>;
}

export type SpoolStore = Awaited<ReturnType<typeof openSpoolStore>>;

/**
 * The four directories of a spool as its one owner has them, with what a crash left in `processing/` back in
 * `pending/`. @throws AppError `spool.owned`
 */
export async function openSpoolStore({ directory, log, setAside }: SpoolStoreOptions) {
  for (const state of JOB_STATES) await mkdir(join(directory, state), { recursive: true, mode: 0o700 });
  await syncDirectory(directory);
  const owner = ownSpool(join(directory, 'owner.lock'));
  const entries = new Map<string, Entry>();
  const pathOf = ({ state, fileName }: Pick<Entry, 'state' | 'fileName'>): string =>
    join(directory, state, fileName);

  async function loadOne(id: string, entry: Entry): Promise<void> {
    if (entry.state === 'pending' || entry.state === 'processing') {
      try {
        entry.job = await readFile(entry);
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        log.error('a job document cannot be read; set aside', {
          file: entry.fileName,
          reason: error.message,
        });
        await setAside(pathOf(entry), error.message);
        return;
      }
    }
    entries.set(id, entry);
    if (entry.state === 'processing' && entry.job !== null) {
      const ended = entry.job.outcome;
      await place(entry, ended === null ? 'pending' : stateAfter(ended));
      log.info(ended === null ? 'taken up again after a stop' : 'filed after a stop', {
        job: id.slice(0, 8),
      });
    }
  }

  async function readFile(entry: Entry): Promise<Job> {
    return parseJob((await readBounded(pathOf(entry), JOB_MAX_BYTES)).toString());
  }

  /** Moves the file of a job; its document has been written before. */
  async function place(entry: Entry, state: JobState): Promise<void> {
    await moveDurable(pathOf(entry), pathOf({ state, fileName: entry.fileName }));
    entry.state = state;
    if (state === 'completed' || state === 'failed') entry.job = null;
  }

  /** Puts a document on disk where its entry says. @throws AppError `spool.unwritable` (retriable) */
  async function write(entry: Entry, job: Job): Promise<Job> {
    try {
      await writeDurable(pathOf(entry), printJob(job));
    } catch (error) {
      throw new AppError('spool.unwritable', `cannot write ${pathOf(entry)}: ${messageOf(error)}`, {
        retriable: true,
        cause: error,
      });
    }
    entry.job = job;
    return job;
  }

  try {
    for (const state of JOB_STATES) {
      for (const fileName of (await readdir(join(directory, state))).toSorted()) {
        if (fileName.startsWith(TEMPORARY_PREFIX)) await unlink(join(directory, state, fileName));
        const named = readJobFileName(fileName);
        if (named !== null) await loadOne(named.id, { state, fileName, job: null });
      }
    }
  } catch (error) {
    owner[Symbol.dispose]();
    throw error;
  }

  return {
    entries,
    place,
    write,
    /** The document of an entry, from disk where it has ended. */
    read: (entry: Entry): Promise<Job> => (entry.job === null ? readFile(entry) : Promise.resolve(entry.job)),
    /** When an entry's document was last written, in epoch milliseconds. */
    writtenAt: async (entry: Entry): Promise<number> => (await stat(pathOf(entry))).mtimeMs,
    remove: async (id: string): Promise<void> => {
      const entry = entries.get(id);
      if (entry === undefined) return;
      await removeDurable(pathOf(entry));
      entries.delete(id);
    },
    close: (): void => owner[Symbol.dispose](),
  };
}

/** Where a job lies that has ended so. */
export function stateAfter(outcome: Outcome): JobState {
  return outcome.kind === 'failed' || outcome.kind === 'cancelled' ? 'failed' : 'completed';
}
