import type { Clock } from './clock.ts';

/**
 * What work comes to, where that is nice to have and no more: null where it fails, or takes longer than `ms`; then the
 * signal that it was given aborts. Rejects with the reason of `signal` alone.
 */
export async function bestEffort<T>(
  clock: Clock,
  ms: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T | null> {
  signal.throwIfAborted();
  const late = new AbortController();
  const over = new AbortController();
  const bell = clock.sleep(ms, over.signal).then(
    () => late.abort(new Error('it takes too long')),
    () => undefined, // the work was over first
  );
  try {
    return await work(AbortSignal.any([signal, late.signal]));
  } catch {
    signal.throwIfAborted();
    return null; // whoever needs it, and not only likes to have it, tells what is wrong
  } finally {
    over.abort();
    await bell;
  }
}
