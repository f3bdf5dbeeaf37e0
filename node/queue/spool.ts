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
import { AppError } from '../platform/errors.ts';
import { createKeyedMutex } from '../platform/mutex.ts';
import { digestOf, jobFileName } from './job-file.ts';
import { type Entry, type JobState, SpoolStore, type SpoolStoreOptions, stateAfter } from './spool-store.ts';

/** What enters the spool. */
export interface NewJob {
  /** SHA-256 that names the mail or document it was made from. */
  readonly id: string;
  readonly request: JobRequest;
  readonly details?: Job['details'];
  readonly door: Door;
  readonly lane: Lane;
  readonly source: SourceName | null;
  /** How often people had it taken up again where it comes from; 0 unless said otherwise. */
  readonly generation?: number;
}

/** The one door into the queue, for mail, control socket, dropped files and RPC alike. */
export interface JobAcceptor {
  /**
   * Puts a job on disk, fsynced, once: the same id again is a duplicate and changes nothing.
   * @throws AppError `spool.conflict` (same id, other digest), `spool.unwritable` (disk full or failing; retriable),
   * `job.invalid` (a document that could not be read back)
   */
  accept(job: NewJob): Promise<{ readonly kind: 'accepted' | 'duplicate'; readonly job: Job | null }>;
}

export interface SpoolOptions extends SpoolStoreOptions {
  readonly nodeId: string;
  readonly clock: Clock;
  /** Digest of a job accepted earlier and no longer in the spool (the ledger), `null` where it is not known. */
  readonly acceptedEarlier: (id: string) => { readonly digest: string | null } | null;
}

/** Jobs that ended before are removed, by the directory they lie in; cancelled ones lie in `failed/`. */
export type PurgeBefore = Readonly<Record<'completed' | 'failed', Temporal.Instant>>;

export type Spool = Awaited<ReturnType<typeof openSpool>>;

/**
 * Opens the queue on disk as its one owner, and takes up what a crash left in `processing/`.
 * @throws AppError `spool.owned`
 */
export async function openSpool(options: SpoolOptions) {
  const store = await SpoolStore.open(options);
  const { entries, open } = store;
  const exclusive = createKeyedMutex();
  const listeners = new Set<(job: Job) => void>();
  /** Files of jobs being accepted: ours before their entry is. */
  const arriving = new Set<string>();

  /** Changes an open job's document, one change after another. */
  function change(id: string, edit: (job: Job) => Job, moveTo?: JobState): Promise<Job> {
    return exclusive(id, async () => {
      const entry = open.get(id);
      if (entry?.job == null) throw new AppError('spool.no-such-job', `no open job ${id.slice(0, 8)}`);
      const job = await store.write(entry, edit(entry.job));
      if (moveTo !== undefined && moveTo !== entry.state) await store.place(entry, moveTo);
      return job;
    });
  }

  async function read(id: string): Promise<Job | null> {
    const entry = entries.get(id);
    return entry === undefined ? null : store.read(entry);
  }

  async function accept(incoming: NewJob): ReturnType<JobAcceptor['accept']> {
    return exclusive(incoming.id, async () => {
      const digest = digestOf(incoming.request);
      const there = await read(incoming.id);
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
      const job = await writeNew(incoming, digest);
      for (const listener of listeners) listener(job);
      return { kind: 'accepted' as const, job };
    });
  }

  async function writeNew(incoming: NewJob, digest: string): Promise<Job> {
    store.lastSequence += 1;
    const job: Job = {
      ...{ details: {}, generation: 0 },
      ...incoming,
      version: JOB_VERSION,
      digest,
      acceptedBy: options.nodeId,
      acceptedAt: options.clock.now().toString({ smallestUnit: 'millisecond' }),
      sequence: store.lastSequence,
      attempts: 0,
      failures: 0,
      interruptions: 0,
      notBefore: null,
      lastError: null,
      steps: {},
      outcome: null,
    };
    const { id, sequence } = job;
    const entry: Entry = { id, sequence, state: 'pending', fileName: jobFileName(job), job: null };
    arriving.add(entry.fileName);
    try {
      await store.write(entry, job);
      entries.set(id, entry);
      open.set(id, entry);
    } finally {
      arriving.delete(entry.fileName);
    }
    return job;
  }

  return {
    accept,
    read,
    /** Documents that were set aside when the spool was opened. */
    damaged: store.damaged,
    /** Told of each job accepted, after it is on disk. */
    onAccepted: (listener: (job: Job) => void): void => {
      listeners.add(listener);
    },
    /** An open job as it is in memory and on disk. */
    get: (id: string): Job | undefined => open.get(id)?.job ?? undefined,
    stateOf: (id: string): JobState | undefined => entries.get(id)?.state,
    /** Whether a name in `pending/` is one of this spool's own files. */
    owns: (fileName: string): boolean =>
      arriving.has(fileName) || entries.get(fileName.slice(13, 77))?.fileName === fileName,
    /** Ids in a state, or in all, oldest first. */
    ids: (state: JobState | null): string[] =>
      [...entries.values()]
        .filter((entry) => state === null || entry.state === state)
        .toSorted((a, b) => a.sequence - b.sequence)
        .map(({ id }) => id),
    count: (state: JobState): number =>
      entries.values().reduce((sum, entry) => sum + (entry.state === state ? 1 : 0), 0),
    /** Open jobs of a lane, oldest first. */
    open: (lane: Lane): Job[] =>
      [...open.values()]
        .flatMap(({ job }) => (job !== null && job.lane === lane ? [job] : []))
        .toSorted((a, b) => a.sequence - b.sequence),
    /** Position in its lane: 1 is the job being worked, or the next one. */
    positionOf: ({ lane, sequence }: Job): number =>
      open
        .values()
        .reduce((sum, { job }) => sum + (job?.lane === lane && job.sequence < sequence ? 1 : 0), 1),
    recordStep: (id: string, name: string, record: StepRecord): Promise<Job> =>
      change(id, (job) => ({ ...job, steps: { ...job.steps, [name]: record } })),
    /** Counts an attempt on disk, then moves the job to `processing/`. */
    claim: (id: string): Promise<Job> =>
      change(id, (job) => ({ ...job, attempts: job.attempts + 1, notBefore: null }), 'processing'),
    /** Puts a claimed job back, to be tried from `notBefore` on. */
    defer: (
      id: string,
      edit: Pick<Job, 'failures' | 'interruptions' | 'notBefore' | 'lastError'>,
    ): Promise<Job> => change(id, (job) => ({ ...job, ...edit }), 'pending'),
    /** Lets a waiting job be tried at once. */
    hurry: (id: string): Promise<Job> => change(id, (job) => ({ ...job, notBefore: null })),
    /** Decides how a job ends. It stays open until it is filed: what follows from the decision survives a crash. */
    conclude: (id: string, outcome: Outcome): Promise<Job> =>
      change(id, (job) => (job.outcome === null ? { ...job, outcome } : job)),
    /** Files a concluded job under its outcome. */
    file: (id: string): Promise<void> =>
      exclusive(id, async () => {
        const entry = open.get(id);
        if (entry?.job?.outcome == null)
          throw new AppError('spool.no-such-job', `${id.slice(0, 8)} is not concluded`);
        await store.place(entry, stateAfter(entry.job.outcome));
      }),
    /** Takes up a failed or cancelled job again, as a new generation (of at least this number) that keeps only its confirmation. */
    reopen: (id: string, atLeast = 0): Promise<Job> =>
      exclusive(id, async () => {
        const entry = entries.get(id);
        const job = entry?.state === 'failed' ? await store.read(entry) : null;
        if (entry === undefined || job === null) {
          throw new AppError('spool.not-failed', 'only a failed job can be retried');
        }
        const steps = Object.fromEntries(
          Object.entries(job.steps).filter(([name]) => name === 'mail:confirmation'),
        );
        const counts = { attempts: 0, failures: 0, interruptions: 0 };
        // Without an outcome it was taken up before a crash, and only its file is still to be moved.
        const next = job.outcome === null ? job.generation : job.generation + 1;
        const generation = Math.max(next, atLeast);
        const fresh = await store.write(entry, {
          ...job,
          ...counts,
          generation,
          steps,
          notBefore: null,
          outcome: null,
        });
        await store.place(entry, 'pending');
        for (const listener of listeners) listener(fresh);
        return fresh;
      }),
    /** Removes ended jobs whose file was last written before the time for its state; gives their number. */
    purge: async (before: PurgeBefore, signal: AbortSignal): Promise<number> => {
      let removed = 0;
      for (const { id } of [...entries.values()].filter((entry) => !open.has(entry.id))) {
        signal.throwIfAborted();
        await exclusive(id, async () => {
          const entry = entries.get(id);
          if (entry === undefined || open.has(id)) return;
          const limit = before[entry.state === 'failed' ? 'failed' : 'completed'];
          const writtenMs = await store.writtenAt(entry);
          if (writtenMs !== null && writtenMs >= limit.epochMilliseconds) return;
          await store.remove(entry);
          removed += 1;
        });
      }
      return removed;
    },
    close: (): void => store.close(),
  };
}
