import type { Clock } from '../platform/clock.ts';
import { AppError } from '../platform/errors.ts';
import { type BucketUse, explainS3, failureOf } from './errors.ts';

/** The SDK tries a request again by itself; where S3 still says to slow down, so long after each of these. */
const PATIENCE_MS = [1_000, 4_000];

/**
 * Does what is asked of S3, and again after a while where S3 answers that it cannot now: one of thousands of requests
 * that is refused in passing is not to end the work of all. Rejects with the last error; with the signal's reason.
 */
export async function patiently<T>(
  use: BucketUse,
  clock: Clock,
  signal: AbortSignal,
  request: () => Promise<T>,
): Promise<T> {
  for (let round = 0; ; round += 1) {
    try {
      return await request();
    } catch (error) {
      signal.throwIfAborted();
      const wait = PATIENCE_MS[round];
      // What gave no answer at all has used up its time already.
      const answered = error instanceof AppError || failureOf(error).status !== null;
      if (wait === undefined || !answered || !explainS3(error, 'answer', use).retriable) throw error;
      await clock.sleep(wait, signal);
    }
  }
}
