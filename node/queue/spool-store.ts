import { mkdir, readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Job, Outcome } from '../../protocol/job.ts';
import { isOpen } from '../../protocol/messages.ts';
import {
  TEMPORARY_PREFIX,
  isMissing,
  moveDurable,
  readBounded,
  removeDurable,
  syncDirectory,
  writeDurable,
} from '../platform/durable.ts';
import { AppError, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { JOB_MAX_BYTES, parseJob, printJob, readJobFileName } from './job-file.ts';
import { ownDirectory } from './owner.ts';

export const JOB_STATES = ['pending', 'processing', 'completed', 'failed'] as const;
/** The directory a job lies in is its state; nothing in the document repeats it. */
export type JobState = (typeof JOB_STATES)[number];

/** What is kept in memory of each job: all of those still to be worked, the place alone of those that ended. */
export interface Entry {
  readonly id: string;
  readonly sequence: number;
  readonly fileName: string;
  state: JobState;
  /** Null for ended jobs, which are read from disk when asked for. */
  job: Job | null;
}

/** A document in the spool's own form that is not this node's, or is damaged. */
export interface Damaged {
  readonly fileName: string;
  readonly reason: string;
}

export interface SpoolStoreOptions {
  readonly directory: string;
  /** Seals documents: others may be able to put files into `pending/`, and are not to pass for this node. */
  readonly sealKey: Buffer;
  readonly log: Log;
  /** Where a document that cannot be taken for one of ours is put. */
  readonly setAside: (path: string, reason: string) => Promise<void>;
}

/** The four directories of a spool, in the hands of one owner. */
export class SpoolStore {
  /** All jobs by id. */
  readonly entries = new Map<string, Entry>();
  /** Those still to be worked. */
  readonly open = new Map<string, Entry>();
  /** What was set aside when the spool was opened. */
  readonly damaged: Damaged[] = [];
  lastSequence = 0;
  readonly #options: SpoolStoreOptions;
  readonly #owner: Disposable;

  private constructor(options: SpoolStoreOptions, owner: Disposable) {
    this.#options = options;
    this.#owner = owner;
  }

  /** Opens it; what a crash left in `processing/` is back in `pending/`. @throws AppError `spool.owned` */
  static async open(options: SpoolStoreOptions): Promise<SpoolStore> {
    const { directory } = options;
    for (const state of JOB_STATES) await mkdir(join(directory, state), { recursive: true, mode: 0o700 });
    await syncDirectory(directory);
    const store = new SpoolStore(options, ownDirectory(join(directory, 'owner.lock')));
    try {
      for (const state of JOB_STATES) await store.#load(state);
    } catch (error) {
      store.close();
      throw error;
    }
    return store;
  }

  async #load(state: JobState): Promise<void> {
    const { directory, log } = this.#options;
    for (const fileName of (await readdir(join(directory, state))).toSorted()) {
      if (fileName.startsWith(TEMPORARY_PREFIX)) await unlink(join(directory, state, fileName));
      const named = readJobFileName(fileName);
      if (named !== null) await this.#take({ ...named, state, fileName, job: null });
      else if (state === 'processing') {
        log.warn('a file that is not ours lies in processing/; to have it answered, move it to pending/', {
          file: fileName,
        });
      }
    }
  }

  async #take(entry: Entry): Promise<void> {
    this.lastSequence = Math.max(this.lastSequence, entry.sequence);
    if (isOpen(entry.state)) {
      try {
        entry.job = await this.#readFile(entry);
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        const { fileName } = entry;
        this.#options.log.error('a job document cannot be taken; set aside', {
          file: fileName,
          reason: error.message,
        });
        await this.#options.setAside(this.#pathOf(entry), error.message);
        this.damaged.push({ fileName, reason: error.message });
        return;
      }
      this.open.set(entry.id, entry);
    }
    this.entries.set(entry.id, entry);
    if (entry.state === 'processing') await this.place(entry, 'pending');
  }

  #pathOf({ state, fileName }: Pick<Entry, 'state' | 'fileName'>): string {
    return join(this.#options.directory, state, fileName);
  }

  async #readFile(entry: Entry): Promise<Job> {
    return parseJob(
      (await readBounded(this.#pathOf(entry), JOB_MAX_BYTES)).toString(),
      this.#options.sealKey,
    );
  }

  /** Moves the file of a job; its document has been written before. */
  async place(entry: Entry, state: JobState): Promise<void> {
    await moveDurable(this.#pathOf(entry), this.#pathOf({ state, fileName: entry.fileName }));
    entry.state = state;
    if (state === 'completed' || state === 'failed') {
      entry.job = null;
      this.open.delete(entry.id);
    } else this.open.set(entry.id, entry);
  }

  /** Puts a document on disk where its entry says. @throws AppError `spool.unwritable` (retriable), `job.invalid` */
  async write(entry: Entry, job: Job): Promise<Job> {
    const path = this.#pathOf(entry);
    const document = printJob(job, this.#options.sealKey);
    try {
      await writeDurable(path, document);
    } catch (error) {
      const message = `cannot write ${path}: ${messageOf(error)}`;
      throw new AppError('spool.unwritable', message, { retriable: true, cause: error });
    }
    entry.job = job;
    return job;
  }

  /** The document of an entry, from disk where it has ended; null where somebody has removed the file. */
  async read(entry: Entry): Promise<Job | null> {
    if (entry.job !== null) return entry.job;
    try {
      return await this.#readFile(entry);
    } catch (error) {
      if (!isMissing(error)) throw error;
      this.entries.delete(entry.id);
      return null;
    }
  }

  /** When an entry's document was last written, in epoch milliseconds; null where the file is gone. */
  async writtenAt(entry: Entry): Promise<number | null> {
    try {
      return (await stat(this.#pathOf(entry))).mtimeMs;
    } catch (error) {
      if (!isMissing(error)) throw error;
      return null;
    }
  }

  async remove(entry: Entry): Promise<void> {
    await removeDurable(this.#pathOf(entry));
    this.entries.delete(entry.id);
  }

  close(): void {
    this.#owner[Symbol.dispose]();
  }
}

/** Where a job lies that has ended so. */
export function stateAfter(outcome: Outcome): JobState {
  return outcome.kind === 'failed' || outcome.kind === 'cancelled' ? 'failed' : 'completed';
}
