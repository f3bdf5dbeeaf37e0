import type { Job } from '../../protocol/job.ts';
import type { Command } from '../commands/command.ts';
import type { Clock } from '../platform/clock.ts';
import { AppError, codeOf, isRetriable, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { MAIL_BACKOFF, backoffMs } from './backoff.ts';
import type { ContextFactory } from './context.ts';

/** Confirmations on their way at once; the mailer has its own bound on connections. */
const MAX_AT_ONCE = 8;

export interface ConfirmationOptions {
  readonly command: (keyword: string) => Command | undefined;
  /** The job as it is on disk while it is open. */
  readonly openJob: (id: string) => Job | undefined;
  readonly contextOf: ContextFactory;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  /** Called when the first try for a job has ended, well or badly: its lane may then work it. */
  readonly onTried: (job: Job) => void;
}

export type Confirmations = ReturnType<typeof createConfirmations>;

/**
 * Sends confirmations as soon as jobs are accepted, beside the lanes: a person hears at once, however long the
 * work before theirs takes. Tried again until it went out or the job has ended (the result then says more).
 */
export function createConfirmations(options: ConfirmationOptions) {
  const stopping = new AbortController();
  const waiting: { readonly job: Job; readonly attempt: number }[] = [];
  const untried = new Set<string>();
  const active = new Set<Promise<void>>();
  /** Jobs that wait, are being tried, or wait for another try: none is tried twice at a time. */
  const inHand = new Set<string>();

  function start(): void {
    while (active.size < MAX_AT_ONCE && !stopping.signal.aborted) {
      const first = waiting.shift();
      if (first === undefined) return;
      const done = confirm(first.job, first.attempt).finally(() => {
        active.delete(done);
        start();
      });
      active.add(done);
    }
  }

  async function confirm(job: Job, attempt: number): Promise<void> {
    if ((await tryOnce(job)) === 'again') again(job, attempt + 1);
    else inHand.delete(job.id);
    if (untried.delete(job.id)) options.onTried(job);
  }

  async function tryOnce(job: Job): Promise<'over' | 'again'> {
    // Its result says more, also where it is decided and not yet filed: of a forwarded job the peer has sent it.
    const hasEnded = (): boolean => options.openJob(job.id)?.outcome !== null;
    if (hasEnded()) return 'over';
    const command = options.command(job.request.command);
    try {
      const context = options.contextOf(job, stopping.signal);
      await command?.confirm?.(job, command.schema.parse(job.request.params), context);
      return 'over';
    } catch (error) {
      if (hasEnded()) return 'over';
      const reason = { job: job.id.slice(0, 8), code: codeOf(error), reason: messageOf(error) };
      options.log.warn('a confirmation did not go out', reason);
      return isRetriable(error) ? 'again' : 'over';
    }
  }

  /** A confirmation that waits for its next try takes no place from others. */
  function again(job: Job, attempt: number): void {
    options.clock.sleep(backoffMs(attempt - 1, MAIL_BACKOFF, options.random), stopping.signal).then(
      () => {
        waiting.push({ job, attempt });
        start();
      },
      () => undefined, // Stopping: the next start takes it up from disk.
    );
  }

  return {
    /** Takes a job up; for one without confirmation, or with one sent, this is done at once. */
    add: (job: Job): void => {
      if (inHand.has(job.id)) return;
      inHand.add(job.id);
      untried.add(job.id);
      waiting.push({ job, attempt: 1 });
      start();
    },
    /** Whether a job's first try is still to come: its result must not overtake it. */
    isFirst: (id: string): boolean => untried.has(id),
    stop: async (): Promise<void> => {
      stopping.abort(new AppError('job.stopped', 'the node is stopping', { retriable: true }));
      await Promise.all(active);
    },
  };
}
