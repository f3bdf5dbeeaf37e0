import { mkdir, readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Door,
  JOB_VERSION,
  type Job,
  type JobRequest,
  type Lane,
  type Outcome,
  type SourceName,
  type StepRecord,
} from '../../protocol/job.ts';
import type { Clock } from '../platform/clock.ts';
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
import { createKeyedMutex } from '../platform/mutex.ts';
import { JOB_MAX_BYTES, digestOf, jobFileName, parseJob, printJob, readJobFileName } from './job-file.ts';
import { ownSpool } from './owner.ts';

/** What enters the spool. */
export interface NewJob {
  /** SHA-256 that names the mail or document it was made from. */
  readonly id: string;
  readonly request: JobRequest;
  readonly door: Door;
  readonly lane: Lane;
  readonly source: SourceName | null;
}

/** The one door into the queue, for mail, control socket, dropped files and RPC alike. */
export interface JobAcceptor {
  /**
   * Puts a job on disk, fsynced, once: the same id again is a duplicate and changes nothing.
   * @throws AppError `spool.conflict` (same id, other digest), `spool.unwritable` (disk full or failing; retriable)
   */
  accept(job: NewJob): Promise<{ readonly kind: 'accepted' | 'duplicate'; readonly job: Job | null }>;
}

export const JOB_STATES = ['pending', 'processing', 'completed', 'failed'] as const;
/** The directory a job lies in is its state; nothing in the document repeats it. */
export type JobState = (typeof JOB_STATES)[number];

/** What is kept in memory of each job: all of those still to be worked, the place alone of those that ended. */
interface Entry {
  state: JobState;
  readonly fileName: string;
  /** Null for ended jobs, which are read from disk when asked for. */
  job: Job | null;
}

export interface SpoolOptions {
  readonly directory: string;
  readonly nodeId: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Digest of a job accepted earlier and no longer in the spool (the ledger), `null` where it is not known. */
  readonly acceptedEarlier: (id: string) => { readonly digest: string | null } | null;
  /** Where a document of ours that can no longer be read is put. */
  readonly setAside: (path: string, reason: string) => Promise<void>;
}

export type Spool = Awaited<ReturnType<typeof openSpool>>;

/**
 * Opens the queue on disk as its one owner, and takes up what a crash left in `processing/`.
 * @throws AppError `spool.owned`
 */
export async function openSpool(options: SpoolOptions) {
  const { directory, nodeId, clock, log } = options;
  for (const state of JOB_STATES) await mkdir(join(directory, state), { recursive: true, mode: 0o700 });
  await syncDirectory(directory);
  const owner = ownSpool(join(directory, 'owner.lock'));
  const entries = new Map<string, Entry>();
  const exclusive = createKeyedMutex();
  const listeners = new Set<(job: Job) => void>();
  /** Files of jobs being accepted: ours before their entry is. */
  const arriving = new Set<string>();
  const pathOf = (entry: Pick<Entry, 'state' | 'fileName'>): string =>
    join(directory, entry.state, entry.fileName);
  let lastSequence = 0;

  await load();

  async function load(): Promise<void> {
    for (const state of JOB_STATES) {
      for (const fileName of (await readdir(join(directory, state))).toSorted()) {
        if (fileName.startsWith(TEMPORARY_PREFIX)) await unlink(join(directory, state, fileName));
        const named = readJobFileName(fileName);
        if (named === null) continue;
        lastSequence = Math.max(lastSequence, named.sequence);
        await loadOne(named.id, { state, fileName, job: null });
      }
    }
  }

  async function loadOne(id: string, entry: Entry): Promise<void> {
    if (entry.state === 'pending' || entry.state === 'processing') {
      try {
        entry.job = parseJob((await readBounded(pathOf(entry), JOB_MAX_BYTES)).toString());
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        log.error('a job document cannot be read; set aside', {
          file: entry.fileName,
          reason: error.message,
        });
        await options.setAside(pathOf(entry), error.message);
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

  /** Moves the file of a job; its document has been written before. */
  async function place(entry: Entry, state: JobState): Promise<void> {
    const from = pathOf(entry);
    await moveDurable(from, pathOf({ state, fileName: entry.fileName }));
    entry.state = state;
    if (state === 'completed' || state === 'failed') entry.job = null;
  }

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

  /** Changes an open job's document, one change after another. */
  function change(id: string, edit: (job: Job) => Job, moveTo?: JobState): Promise<Job> {
    return exclusive(id, async () => {
      const entry = entries.get(id);
      if (entry?.job == null) throw new AppError('spool.no-such-job', `no open job ${id.slice(0, 8)}`);
      const job = await write(entry, edit(entry.job));
      if (moveTo !== undefined) await place(entry, moveTo);
      return job;
    });
  }

  async function accept(incoming: NewJob): ReturnType<JobAcceptor['accept']> {
    return exclusive(incoming.id, async () => {
      const digest = digestOf(incoming.request);
      const there = entries.has(incoming.id) ? await read(incoming.id) : null;
      const known = there ?? options.acceptedEarlier(incoming.id);
      if (known !== null) {
        if (known.digest !== null && known.digest !== digest) {
          throw new AppError(
            'spool.conflict',
            `job ${incoming.id.slice(0, 8)} is known with another request`,
          );
        }
        return { kind: 'duplicate' as const, job: there };
      }
      const job: Job = {
        ...incoming,
        version: JOB_VERSION,
        digest,
        acceptedBy: nodeId,
        acceptedAt: clock.now().toString({ smallestUnit: 'millisecond' }),
        sequence: ++lastSequence,
        attempts: 0,
        notBefore: null,
        lastError: null,
        steps: {},
        generation: 0,
        outcome: null,
      };
      const entry: Entry = { state: 'pending', fileName: jobFileName(job), job: null };
      arriving.add(entry.fileName);
      try {
        await write(entry, job);
        entries.set(job.id, entry);
      } finally {
        arriving.delete(entry.fileName);
      }
      for (const listener of listeners) listener(job);
      return { kind: 'accepted' as const, job };
    });
  }

  async function read(id: string): Promise<Job | null> {
    const entry = entries.get(id);
    if (entry === undefined) return null;
    return entry.job ?? parseJob((await readBounded(pathOf(entry), JOB_MAX_BYTES)).toString());
  }

  return {
    accept,
    read,
    /** Told of each job accepted, after it is on disk. */
    onAccepted: (listener: (job: Job) => void): void => {
      listeners.add(listener);
    },
    /** An open job as it is in memory and on disk. */
    get: (id: string): Job | undefined => entries.get(id)?.job ?? undefined,
    stateOf: (id: string): JobState | undefined => entries.get(id)?.state,
    /** Whether a name in `pending/` is one of this spool's own files. */
    owns: (fileName: string): boolean => {
      const named = readJobFileName(fileName);
      return arriving.has(fileName) || (named !== null && entries.get(named.id)?.fileName === fileName);
    },
    /** Ids in a state, oldest first. */
    ids: (state: JobState): string[] =>
      [...entries]
        .filter(([, entry]) => entry.state === state)
        .toSorted(([, a], [, b]) => (a.fileName < b.fileName ? -1 : 1))
        .map(([id]) => id),
    /** Order of acceptance, also of ended jobs; 0 for an unknown one. */
    sequenceOf: (id: string): number => readJobFileName(entries.get(id)?.fileName ?? '')?.sequence ?? 0,
    /** Open jobs of a lane, oldest first. */
    open: (lane: Lane): Job[] =>
      [...entries.values()]
        .flatMap(({ job }) => (job !== null && job.lane === lane ? [job] : []))
        .toSorted((a, b) => a.sequence - b.sequence),
    /** Position in its lane: 1 is the job being worked, or the next one. */
    positionOf: ({ id, lane }: Job): number => {
      const sequence = entries.get(id)?.job?.sequence ?? 0;
      let position = 1;
      for (const { job } of entries.values())
        if (job?.lane === lane && job.sequence < sequence) position += 1;
      return position;
    },
    recordStep: (id: string, name: string, record: StepRecord): Promise<Job> =>
      change(id, (job) => ({ ...job, steps: { ...job.steps, [name]: record } })),
    /** Counts an attempt on disk, then moves the job to `processing/`. */
    claim: (id: string): Promise<Job> =>
      change(id, (job) => ({ ...job, attempts: job.attempts + 1, notBefore: null }), 'processing'),
    /** Puts a claimed job back, to be tried from `notBefore` on. */
    defer: (id: string, edit: Pick<Job, 'attempts' | 'notBefore' | 'lastError'>): Promise<Job> =>
      change(id, (job) => ({ ...job, ...edit }), 'pending'),
    /** Lets a waiting job be tried at once. */
    hurry: (id: string): Promise<Job> => change(id, (job) => ({ ...job, notBefore: null })),
    /** Ends a job: its outcome is on disk before the file is filed under it. */
    settle: (id: string, outcome: Outcome): Promise<Job> =>
      change(id, (job) => ({ ...job, outcome }), stateAfter(outcome)),
    /** Takes up a failed or cancelled job again, as a new generation that keeps only its confirmation. */
    reopen: (id: string): Promise<Job> =>
      exclusive(id, async () => {
        const entry = entries.get(id);
        if (entry?.state !== 'failed')
          throw new AppError('spool.not-failed', 'only a failed job can be retried');
        const job = parseJob((await readBounded(pathOf(entry), JOB_MAX_BYTES)).toString());
        const steps = Object.fromEntries(
          Object.entries(job.steps).filter(([name]) => name === 'mail:confirmation'),
        );
        const generation = job.generation + 1;
        const fresh = await write(entry, {
          ...job,
          steps,
          generation,
          attempts: 0,
          notBefore: null,
          outcome: null,
        });
        await place(entry, 'pending');
        entry.job = fresh;
        for (const listener of listeners) listener(fresh);
        return fresh;
      }),
    /** Removes ended jobs whose file was last written before `before`; gives their number. */
    purge: async (before: Temporal.Instant): Promise<number> => {
      let removed = 0;
      for (const [id, entry] of entries) {
        if (entry.state !== 'completed' && entry.state !== 'failed') continue;
        if ((await stat(pathOf(entry))).mtimeMs >= before.epochMilliseconds) continue;
        await removeDurable(pathOf(entry));
        entries.delete(id);
        removed += 1;
      }
      return removed;
    },
    close: (): void => owner[Symbol.dispose](),
  };
}

function stateAfter(outcome: Outcome): JobState {
  return outcome.kind === 'failed' || outcome.kind === 'cancelled' ? 'failed' : 'completed';
}
