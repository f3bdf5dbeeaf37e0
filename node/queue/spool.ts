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
import { digestOf, jobFileName, readJobFileName } from './job-file.ts';
import {
  type Entry,
  type JobState,
  type SpoolStoreOptions,
  openSpoolStore,
  stateAfter,
} from './spool-store.ts';

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

export interface SpoolOptions extends SpoolStoreOptions {
  readonly nodeId: string;
  readonly clock: Clock;
  /** Digest of a job accepted earlier and no longer in the spool (the ledger), `null` where it is not known. */
  readonly acceptedEarlier: (id: string) => { readonly digest: string | null } | null;
}

export type Spool = Awaited<ReturnType<typeof openSpool>>;

/**
 * Opens the queue on disk as its one owner, and takes up what a crash left in `processing/`.
 * @throws AppError `spool.owned`
 */
export async function openSpool(options: SpoolOptions) {
  const store = await openSpoolStore(options);
  const { entries } = store;
  const exclusive = createKeyedMutex();
  const listeners = new Set<(job: Job) => void>();
  /** Files of jobs being accepted: ours before their entry is. */
  const arriving = new Set<string>();
  let lastSequence = Math.max(0, ...[...entries.values()].map(sequenceOf));

  /** Changes an open job's document, one change after another. */
  function change(id: string, edit: (job: Job) => Job, moveTo?: JobState): Promise<Job> {
    return exclusive(id, async () => {
      const entry = entries.get(id);
      if (entry?.job == null) throw new AppError('spool.no-such-job', `no open job ${id.slice(0, 8)}`);
      const job = await store.write(entry, edit(entry.job));
      if (moveTo !== undefined) await store.place(entry, moveTo);
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
        acceptedBy: options.nodeId,
        acceptedAt: options.clock.now().toString({ smallestUnit: 'millisecond' }),
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
        await store.write(entry, job);
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
    return entry === undefined ? null : store.read(entry);
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
    sequenceOf: (id: string): number => sequenceOf(entries.get(id)),
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
        const job = await store.read(entry);
        const steps = Object.fromEntries(
          Object.entries(job.steps).filter(([name]) => name === 'mail:confirmation'),
        );
        const generation = job.generation + 1;
        const fresh = await store.write(entry, {
          ...job,
          steps,
          generation,
          attempts: 0,
          notBefore: null,
          outcome: null,
        });
        await store.place(entry, 'pending');
        entry.job = fresh;
        for (const listener of listeners) listener(fresh);
        return fresh;
      }),
    /** Removes ended jobs whose file was last written before `before`; gives their number. */
    purge: async (before: Temporal.Instant): Promise<number> => {
      let removed = 0;
      for (const [id, entry] of entries) {
        if (entry.state !== 'completed' && entry.state !== 'failed') continue;
        if ((await store.writtenAt(entry)) >= before.epochMilliseconds) continue;
        await store.remove(id);
        removed += 1;
      }
      return removed;
    },
    close: store.close,
  };
}

/** Order of acceptance; 0 for none. */
function sequenceOf(entry: Entry | undefined): number {
  return readJobFileName(entry?.fileName ?? '')?.sequence ?? 0;
}
