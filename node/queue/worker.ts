import type { Job, Lane, Outcome } from '../../protocol/job.ts';
import type { Command, Ending, Waiting } from '../commands/command.ts';
import type { Clock } from '../platform/clock.ts';
import { AppError, codeOf, isRetriable, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { type Wake, createWake } from '../platform/wake.ts';
import { MAX_BACKOFF_MS } from './backoff.ts';
import type { ContextFactory } from './context.ts';
import { retryAfter } from './retry.ts';
import type { Spool } from './spool.ts';

/** Attempts at which the node stopped without a word: so often, it is the job that stops it. */
const MAX_CRASHES = 5;
const IDLE_MS = 60_000;
/** A job that the spool itself failed at is left alone for so long. */
const HOLD_MS = 5_000;
const MAX_MESSAGE_LENGTH = 500;
/** Code of a job that ended because its requester no longer wants it, and who knows that it has. */
const WITHDRAWN = 'job.withdrawn';

export interface WorkerOptions {
  readonly spool: Spool;
  readonly lanes: readonly Lane[];
  readonly command: (keyword: string) => Command | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  readonly contextOf: ContextFactory;
  /** MAX_RETRIES: attempts that end in an error, in all. */
  readonly maxAttempts: number;
  readonly processingTimeoutMs: number;
  /** Accepts the job that tells the requester of a failure. Called again for the same job after a crash. */
  readonly answerFailure: (job: Job, code: string) => Promise<void>;
  /** False while a job's confirmation is being tried for the first time: its result must not overtake it. */
  readonly mayStart: (job: Job) => boolean;
  /** Writes down how a job ends; called again for the same job after a crash. */
  readonly noteEnding: (job: Job) => Promise<void>;
}

/** What a job in hand says of itself. */
interface InHand {
  readonly abort: AbortController;
  progress: string;
}

export type Worker = ReturnType<typeof createWorker>;

/** Works the lanes of a spool: in each lane one job after another, oldest first; lanes do not wait for one another. */
export function createWorker(options: WorkerOptions) {
  const { spool, clock, log } = options;
  const stopping = new AbortController();
  const inHand = new Map<string, InHand>();
  /** Jobs left alone until a time of the monotonic clock. */
  const held = new Map<string, number>();
  const wakes = new Map<Lane, Wake>(options.lanes.map((lane) => [lane, createWake()]));
  let paused = false;
  let lanes: Promise<unknown> = Promise.resolve();

  /** How long a job is not to be tried yet; 0 where its time has come. */
  function waitOf(job: Job): number {
    const heldMs = (held.get(job.id) ?? 0) - clock.monotonicMs();
    if (heldMs > 0) return heldMs;
    held.delete(job.id);
    if (job.notBefore === null) return 0;
    const leftMs = Temporal.Instant.from(job.notBefore).epochMilliseconds - clock.now().epochMilliseconds;
    // A clock set back must not hold a job longer than any backoff would.
    return leftMs > 2 * MAX_BACKOFF_MS ? 0 : Math.max(0, leftMs);
  }

  /** The oldest job of a lane whose time has come, or how long to wait for one. */
  function next(lane: Lane): { readonly job: Job | null; readonly waitMs: number } {
    let waitMs = IDLE_MS;
    if (paused) return { job: null, waitMs };
    for (const job of spool.open(lane)) {
      if (inHand.has(job.id)) continue; // being cancelled
      if (!options.mayStart(job)) return { job: null, waitMs };
      const left = waitOf(job);
      if (left === 0) return { job, waitMs: 0 };
      waitMs = Math.min(waitMs, left);
    }
    return { job: null, waitMs };
  }

  async function workLane(lane: Lane, wake: Wake): Promise<void> {
    while (!stopping.signal.aborted) {
      const { job, waitMs } = next(lane);
      if (job === null) await wake.wait(waitMs, stopping.signal);
      else await handle(job.id, (run) => attempt(job, run));
    }
  }

  /** Has a job in hand while something is done with it; what the spool fails at is tried again later. */
  async function handle(id: string, act: (run: InHand) => Promise<string>): Promise<void> {
    const run: InHand = { abort: new AbortController(), progress: '' };
    inHand.set(id, run);
    try {
      log.info(await act(run), { job: id.slice(0, 8) });
    } catch (error) {
      held.set(id, clock.monotonicMs() + HOLD_MS);
      const facts = { job: id.slice(0, 8), code: codeOf(error), reason: messageOf(error) };
      log.error('what became of a job cannot be kept; again in some seconds', facts);
    } finally {
      inHand.delete(id);
    }
  }

  /** One attempt at a job; says how it went. Throws where that could not be put on disk. */
  async function attempt(waiting: Job, run: InHand): Promise<string> {
    if (waiting.outcome !== null) return end(waiting);
    if (waiting.attempts - waiting.failures - waiting.interruptions >= MAX_CRASHES) {
      return giveUp(waiting, new AppError('job.crashed', 'the node stopped at each attempt at this job'));
    }
    const job = await spool.claim(waiting.id);
    if (stopping.signal.aborted) run.abort.abort(stopping.signal.reason);
    let ending: Ending | Waiting;
    try {
      ending = await work(job, run);
    } catch (error) {
      return failed(job, run.abort.signal.aborted ? run.abort.signal.reason : error);
    }
    if (ending.kind === 'waiting') return wait(job, ending);
    return conclude(job, { at: clock.now().toString(), ...ending });
  }

  /** Waiting is no failure, and however long it lasts, no reason to give up: that is for the handler to decide. */
  async function wait(job: Job, { notBefore, summary, trouble }: Waiting): Promise<string> {
    const { failures, interruptions } = job;
    const message = trouble?.message.slice(0, MAX_MESSAGE_LENGTH) ?? '';
    const lastError = trouble === undefined ? null : { ...trouble, message, at: clock.now().toString() };
    // Settled while it was in hand: it is to be ended at once.
    const settled = spool.get(job.id)?.outcome != null;
    const until = settled ? null : notBefore.toString();
    await spool.defer(job.id, {
      failures,
      interruptions: interruptions + 1,
      notBefore: until,
      lastError: lastError ?? job.lastError,
    });
    return summary;
  }

  async function work(job: Job, run: InHand): Promise<Ending | Waiting> {
    const { abort } = run;
    const command = options.command(job.request.command);
    if (command === undefined)
      throw new AppError('job.unknown-command', `no command ${job.request.command} here`);
    const timeUp = new AppError('job.timeout', 'PROCESSING_TIMEOUT is over', { retriable: true });
    const timeout = setTimeout(() => abort.abort(timeUp), options.processingTimeoutMs);
    try {
      abort.signal.throwIfAborted();
      const context = options.contextOf(job, abort.signal, (text) => {
        run.progress = text;
      });
      return await command.work(job, command.schema.parse(job.request.params), context);
    } finally {
      clearTimeout(timeout);
    }
  }

  async function failed(job: Job, error: unknown): Promise<string> {
    const code = codeOf(error);
    const now = clock.now();
    const message = messageOf(error).slice(0, MAX_MESSAGE_LENGTH);
    if (code === 'job.stopped') {
      const { failures, lastError } = job;
      await spool.defer(job.id, {
        failures,
        interruptions: job.interruptions + 1,
        notBefore: null,
        lastError,
      });
      return 'put back: the node is stopping';
    }
    const retry = retryAfter(job, code, options.maxAttempts, options.random);
    if (!isRetriable(error) || retry.isSpent) return giveUp(job, error);
    const { failures, interruptions, waitMs } = retry;
    const notBefore = now.add({ milliseconds: waitMs }).toString();
    const lastError = { code, message, at: now.toString() };
    await spool.defer(job.id, { failures, interruptions, notBefore, lastError });
    return `attempt ${job.attempts} failed (${code}: ${message}); again in ${Math.round(waitMs / 1000)} s`;
  }

  function giveUp(job: Job, error: unknown): Promise<string> {
    const code = codeOf(error);
    const summary = messageOf(error).slice(0, MAX_MESSAGE_LENGTH);
    const kind = code === 'job.cancelled' || code === WITHDRAWN ? 'cancelled' : 'failed';
    return conclude(job, { kind, at: clock.now().toString(), summary, code });
  }

  async function conclude(job: Job, outcome: Outcome): Promise<string> {
    return end(await spool.conclude(job.id, outcome));
  }

  /** What follows from a decision that is on disk; begun again after a crash until the job is filed. */
  async function end(job: Job): Promise<string> {
    const { outcome } = job;
    if (outcome === null) throw new AppError('job.not-concluded', 'a job ends by a decision that is on disk');
    const unhappy = outcome.kind === 'failed' || outcome.kind === 'cancelled';
    // Where another node has ended it, that node has told the requester.
    if (unhappy && outcome.by === undefined && outcome.code !== WITHDRAWN) {
      await options.answerFailure(job, outcome.code ?? 'unexpected');
    }
    await options.noteEnding(job);
    await spool.file(job.id);
    return `${outcome.kind}: ${outcome.summary}`;
  }

  return {
    /** Works until `stop`. */
    run: async (): Promise<void> => {
      lanes = Promise.all([...wakes].map(([lane, wake]) => workLane(lane, wake)));
      await lanes;
    },
    /** Says that a lane has something to do. */
    kick: (lane: Lane): void => wakes.get(lane)?.wake(),
    pause: (): void => {
      paused = true;
    },
    resume: (): void => {
      paused = false;
      for (const wake of wakes.values()) wake.wake();
    },
    paused: (): boolean => paused,
    progressOf: (id: string): string | null => inHand.get(id)?.progress ?? null,
    /**
     * Ends a job before it is done; its requester is told, unless `told` says that they are by other ways.
     * @throws AppError `job.wrong-state`, `job.begun` where it must be brought to an end
     */
    cancel: async (id: string, { told = false }: { readonly told?: boolean } = {}): Promise<void> => {
      const reason = told
        ? new AppError(WITHDRAWN, 'cancelled by its requester')
        : new AppError('job.cancelled', 'cancelled by an operator');
      const job = spool.get(id);
      if (job !== undefined && options.command(job.request.command)?.mustFinish?.(job) === true) {
        throw new AppError('job.begun', 'what it has begun is brought to an end: it cannot be cancelled now');
      }
      const run = inHand.get(id);
      if (run !== undefined) return run.abort.abort(reason);
      if (job === undefined) throw new AppError('job.wrong-state', 'this job has ended already');
      await handle(id, () => giveUp(job, reason));
    },
    /** Lets running jobs stop where they are and puts them back; resolves when all have settled. */
    stop: async (): Promise<void> => {
      const reason = new AppError('job.stopped', 'the node is stopping', { retriable: true });
      stopping.abort(reason);
      for (const { abort } of inHand.values()) abort.abort(reason);
      await lanes;
    },
  };
}
