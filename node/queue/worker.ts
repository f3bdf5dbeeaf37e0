import type { Job, Lane, Outcome } from '../../protocol/job.ts';
import type { Command } from '../commands/command.ts';
import type { Clock } from '../platform/clock.ts';
import { AppError, codeOf, isRetriable, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { type Wake, createWake } from '../platform/wake.ts';
import { backoffMs } from './backoff.ts';
import type { ContextFactory } from './context.ts';
import type { Spool } from './spool.ts';

/**
 * A mail server may be away for days; what is left to do of a job is then only to send its mail, and giving up
 * would leave somebody without an answer. At the longest wait of 5 minutes this is about three weeks.
 */
const MAX_MAIL_ATTEMPTS = 6_000;
const PATIENT_CODES: ReadonlySet<string> = new Set(['mail.unavailable', 'mail.unknown']);
const IDLE_MS = 60_000;
const MAX_MESSAGE_LENGTH = 500;

export interface WorkerOptions {
  readonly spool: Spool;
  readonly lanes: readonly Lane[];
  readonly command: (keyword: string) => Command | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  readonly contextOf: ContextFactory;
  readonly maxAttempts: number;
  readonly processingTimeoutMs: number;
  /** Accepts the job that tells the requester of a failure; must be idempotent. */
  readonly answerFailure: (job: Job, code: string) => Promise<void>;
  /** False while a job's confirmation is being tried for the first time: its result must not overtake it. */
  readonly mayStart: (job: Job) => boolean;
  /** Told of each job that has ended. */
  readonly onSettled: (job: Job) => Promise<void>;
}

/** What a running job says of itself. */
interface Running {
  readonly abort: AbortController;
  progress: string;
}

export type Worker = ReturnType<typeof createWorker>;

/** Works the lanes of a spool: in each lane one job after another, oldest first; lanes do not wait for one another. */
export function createWorker(options: WorkerOptions) {
  const { spool, clock, log } = options;
  const stopping = new AbortController();
  const running = new Map<string, Running>();
  const wakes = new Map<Lane, Wake>(options.lanes.map((lane) => [lane, createWake()]));
  let paused = false;
  let lanes: Promise<unknown> = Promise.resolve();

  /** The oldest job of a lane whose time has come, or how long to wait for one. */
  function next(lane: Lane): { readonly job: Job | null; readonly waitMs: number } {
    const now = clock.now();
    let waitMs = IDLE_MS;
    if (paused) return { job: null, waitMs };
    for (const job of spool.open(lane)) {
      if (!options.mayStart(job)) return { job: null, waitMs };
      if (job.notBefore === null) return { job, waitMs: 0 };
      const left = Temporal.Instant.from(job.notBefore).epochMilliseconds - now.epochMilliseconds;
      // A clock set back must not hold a job longer than any backoff would.
      if (left <= 0 || left > IDLE_MS * 60) return { job, waitMs: 0 };
      waitMs = Math.min(waitMs, left);
    }
    return { job: null, waitMs };
  }

  async function workLane(lane: Lane, wake: Wake): Promise<void> {
    while (!stopping.signal.aborted) {
      const { job, waitMs } = next(lane);
      if (job === null) {
        await wake.wait(waitMs, stopping.signal);
        continue;
      }
      try {
        log.info(await attempt(job), { job: job.id.slice(0, 8), lane });
      } catch (error) {
        // Cancelled between being chosen and being claimed.
        if (codeOf(error) === 'spool.no-such-job') continue;
        // Else the spool itself failed (disk full): the job stays as it is on disk and is tried again.
        log.error('the queue cannot be written; trying again', {
          lane,
          code: codeOf(error),
          reason: messageOf(error),
        });
        await clock.sleep(backoffMs(1, options.random), stopping.signal).catch(() => undefined);
      }
    }
  }

  /** One attempt at a job; says how it went. */
  async function attempt(waiting: Job): Promise<string> {
    const command = options.command(waiting.request.command);
    if (waiting.attempts >= attemptsAllowed(waiting.lastError?.code)) {
      return giveUp(waiting, new AppError('job.crashed', 'the node stopped at each attempt at this job'));
    }
    const job = await spool.claim(waiting.id);
    const run: Running = { abort: new AbortController(), progress: '' };
    running.set(job.id, run);
    const timeout = setTimeout(
      () => run.abort.abort(new AppError('job.timeout', 'PROCESSING_TIMEOUT is over', { retriable: true })),
      options.processingTimeoutMs,
    );
    try {
      if (command === undefined)
        throw new AppError('job.unknown-command', `no command ${job.request.command} here`);
      const ending = await command.work(
        job,
        command.schema.parse(job.request.params),
        options.contextOf(job, run.abort.signal, (text) => (run.progress = text)),
      );
      return await settle(job, { ...ending, at: clock.now().toString() });
    } catch (error) {
      return await failed(job, run.abort.signal.aborted ? run.abort.signal.reason : error);
    } finally {
      clearTimeout(timeout);
      running.delete(job.id);
    }
  }

  function attemptsAllowed(code: string | undefined): number {
    return code !== undefined && PATIENT_CODES.has(code) ? MAX_MAIL_ATTEMPTS : options.maxAttempts;
  }

  async function failed(job: Job, error: unknown): Promise<string> {
    const code = codeOf(error);
    if (code === 'job.stopped') {
      await spool.defer(job.id, { attempts: job.attempts - 1, notBefore: null, lastError: job.lastError });
      return 'put back: the node is stopping';
    }
    if (!isRetriable(error) || job.attempts >= attemptsAllowed(code)) return giveUp(job, error);
    const now = clock.now();
    const waitMs = backoffMs(job.attempts, options.random);
    const lastError = { code, message: messageOf(error).slice(0, MAX_MESSAGE_LENGTH), at: now.toString() };
    const notBefore = now.add({ milliseconds: waitMs }).toString();
    await spool.defer(job.id, { attempts: job.attempts, notBefore, lastError });
    return `attempt ${job.attempts} failed (${code}: ${lastError.message}); again in ${Math.round(waitMs / 1000)} s`;
  }

  async function giveUp(job: Job, error: unknown): Promise<string> {
    const code = codeOf(error);
    // First the answer, then the end: a crash between them repeats an acceptance, which does nothing.
    await options.answerFailure(job, code);
    const summary = messageOf(error).slice(0, MAX_MESSAGE_LENGTH);
    return settle(job, {
      kind: code === 'job.cancelled' ? 'cancelled' : 'failed',
      at: clock.now().toString(),
      summary,
      code,
    });
  }

  async function settle(job: Job, outcome: Outcome): Promise<string> {
    await options.onSettled(await spool.settle(job.id, outcome));
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
    progressOf: (id: string): string | null => running.get(id)?.progress ?? null,
    /** Ends a job before it is done; the requester is told. */
    cancel: async (id: string): Promise<void> => {
      const reason = new AppError('job.cancelled', 'cancelled by an operator');
      const run = running.get(id);
      if (run !== undefined) return run.abort.abort(reason);
      const job = spool.get(id);
      if (job === undefined) throw new AppError('job.ended', 'this job has ended already');
      await giveUp(job, reason);
    },
    /** Lets running jobs stop where they are and puts them back; resolves when all have settled. */
    stop: async (): Promise<void> => {
      const reason = new AppError('job.stopped', 'the node is stopping', { retriable: true });
      stopping.abort(reason);
      for (const { abort } of running.values()) abort.abort(reason);
      await lanes;
    },
  };
}
