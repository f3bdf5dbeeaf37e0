import type { JobView } from '../listeners/control-contract.ts';
import { AppError, codeOf } from '../platform/errors.ts';
import type { ControlClient } from './client.ts';
import type { Io } from './context.ts';
import { neutral } from './text.ts';

const POLL_MS = 300;
/** A daemon that restarts goes on with the job; it is waited for this long. */
const MAX_RESTART_MS = 30_000;
/** Attempts and backoff of a job lie far below. */
const MAX_WAIT_MS = 86_400_000;
const MAX_LINE_LENGTH = 100;
const REDRAW = '\r\u001B[K';

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
  let shown = '';
  const show = (text: string): void => {
    if (!io.errIsTerminal || text === shown) return;
    io.err(`${REDRAW}${text}`);
    shown = text;
  };
  try {
    while (io.clock.monotonicMs() - begun < MAX_WAIT_MS) {
      try {
        const job = await client.call('job', { id });
        lastAnswer = io.clock.monotonicMs();
        if (job.outcome !== null && (job.state === 'completed' || job.state === 'failed')) return job;
        show(progressLine(job));
      } catch (error) {
        const away = ['control.not-running', 'control.unreachable'].includes(codeOf(error));
        if (!away || io.clock.monotonicMs() - lastAnswer > MAX_RESTART_MS) throw error;
        show('the daemon does not answer; waiting for it');
      }
      await io.clock.sleep(POLL_MS, io.interrupted);
    }
  } catch (error) {
    if (!io.interrupted.aborted) throw error;
    io.err(
      `${shown === '' ? '' : '\n'}The job goes on; see it with: node-ctl queue show ${id.slice(0, 12)}\n`,
    );
    shown = '';
    return 'interrupted';
  } finally {
    if (shown !== '') io.err(REDRAW);
  }
  throw new AppError('cli.waited-too-long', `job ${id} has not ended within a day; see node-ctl queue show`);
}

function progressLine(job: JobView): string {
  const place = job.state === 'pending' && job.position !== null ? `, position ${job.position}` : '';
  const error = job.lastError === null ? '' : `, tried ${job.attempts} times: ${job.lastError.message}`;
  return neutral(`${job.progress ?? job.state}${place}${error}`, MAX_LINE_LENGTH);
}
