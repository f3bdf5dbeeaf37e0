import type { Job } from '../../protocol/job.ts';
import { backoffMs, MAIL_BACKOFF, WORK_BACKOFF } from './backoff.ts';

/**
 * A mail server may be away for days, a disk full; what is left to do of a job is then only to send its mail, or to
 * note that it went out, and giving up would leave somebody without an answer or with a wrong one. At the longest wait
 * of 5 minutes this is about three weeks.
 */
const MAX_INTERRUPTIONS = 6_000;
const PATIENT_CODES: ReadonlySet<string> = new Set(['mail.unavailable', 'mail.unknown', 'audit.unwritable']);

/** How a failed attempt counts, and when the next one comes. */
export interface Retry {
  readonly failures: number;
  readonly interruptions: number;
  readonly waitMs: number;
  /** Whether that were too many. */
  readonly isSpent: boolean;
}

/** What follows from an attempt that ended in an error of this code, which may pass. `maxAttempts` is MAX_RETRIES. */
export function retryAfter(
  job: Pick<Job, 'failures' | 'interruptions' | 'lane'>,
  code: string,
  maxAttempts: number,
  random: () => number,
): Retry {
  const isPatient = PATIENT_CODES.has(code);
  const failures = job.failures + (isPatient ? 0 : 1);
  const interruptions = job.interruptions + (isPatient ? 1 : 0);
  const waitMs = isPatient
    ? backoffMs(interruptions, MAIL_BACKOFF, random)
    : backoffMs(failures, WORK_BACKOFF, random);
  // Each look at a job of the peer's is an interruption; how long that goes on is for its handler to bound.
  const isInterrupted = job.lane !== 'forward' && interruptions >= MAX_INTERRUPTIONS;
  return { failures, interruptions, waitMs, isSpent: failures >= maxAttempts || isInterrupted };
}
