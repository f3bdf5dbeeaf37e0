import type { Clock } from './clock.ts';

/**
 * What work comes to, or null where that takes longer than `ms`; the work itself goes on. Rejects as the work does, and
 * with the signal's reason when that aborts first.
 */
export async function inTime<T>(
  clock: Clock,
  ms: number,
  work: Promise<T>,
  signal?: AbortSignal,
): Promise<T | null> {
  const over = new AbortController();
  const either = signal === undefined ? over.signal : AbortSignal.any([signal, over.signal]);
  try {
    return await Promise.race([work, clock.sleep(ms, either).then(() => null)]);
  } finally {
    over.abort();
  }
}
