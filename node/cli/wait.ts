import type { JobView } from '../listeners/control-contract.ts';
import { AppError, codeOf } from '../platform/errors.ts';
import type { ControlClient } from './client.ts';
import type { Io } from './context.ts';
import { createProgressLine } from './progress-line.ts';

const POLL_MS = 300;
/** A daemon that restarts goes on with the job; it is waited for this long. */
const MAX_RESTART_MS = 30_000;
/** Attempts and backoff of a job lie far below. */
const MAX_WAIT_MS = 86_400_000;

/**
 * Waits until a job has ended, with its progress on one line of the terminal where somebody watches it.
 * @throws AppError `control.not-running` where the daemon stays away, `cli.waited-too-long`
 */
export async function waitForJob(
  client: ControlClient,
  id: string,
  io: Io,
): Promise<JobView | 'interrupted'> {
  const begun = io.clock.monotonicMs();
  let lastAnswer = begun;
  const line = createProgressLine(io);
  try {
    while (io.clock.monotonicMs() - begun < MAX_WAIT_MS) {
      try {
        const job = await client.call('job', { id });
        lastAnswer = io.clock.monotonicMs();
        if (job.outcome !== null && (job.state === 'completed' || job.state === 'failed')) return job;
        line.show(progressOf(job));
      } catch (error) {
        const away = ['control.not-running', 'control.unreachable'].includes(codeOf(error));
        if (!away || io.clock.monotonicMs() - lastAnswer > MAX_RESTART_MS) throw error;
        line.show('the daemon does not answer; waiting for it');
      }
      await io.clock.sleep(POLL_MS, io.interrupted);
    }
  } catch (error) {
    if (!io.interrupted.aborted) throw error;
    line.leave();
    io.err(`The job goes on; see it with: node-ctl queue show ${id.slice(0, 12)}\n`);
    return 'interrupted';
  } finally {
    line.clear();
  }
  throw new AppError('cli.waited-too-long', `job ${id} has not ended within a day; see node-ctl queue show`);
}

function progressOf(job: JobView): string {
  const place = job.state === 'pending' && job.position !== null ? `, position ${job.position}` : '';
  const error = job.lastError === null ? '' : `, tried ${job.attempts} times: ${job.lastError.message}`;
  return `${job.progress ?? job.state}${place}${error}`;
}
