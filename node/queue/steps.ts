import type { Job, StepRecord } from '../../protocol/job.ts';
import type { Clock } from '../platform/clock.ts';

/** A value that JSON keeps as it is. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** An effect on the world that must not be repeated. */
export interface Effect<T extends Json> {
  /**
   * Asked when an intent is found without its done (a crash, or an attempt that broke off): whether the effect
   * happened all the same. Null where it did not, or where nobody can tell and repeating is safe.
   */
  happened(intentAt: Temporal.Instant): Promise<T | null>;
  perform(): Promise<T>;
}

/** An effect that may be repeated, as twice is the same as once: nobody has to find out whether it happened. */
export function repeatable<T extends Json>(perform: () => Promise<T>): Effect<T> {
  return { happened: () => Promise.resolve(null), perform };
}

/** Told of each word as it is on disk; tests end the process here. */
export type StepObserver = (jobId: string, step: string, word: 'intent' | 'done') => void;

export interface StepStore {
  /** Puts a step's word on disk, fsynced, and resolves with the job as it is then. */
  recordStep(jobId: string, name: string, record: StepRecord): Promise<Job>;
  get(jobId: string): Job | undefined;
}

/**
 * Carries out a step of a job once: intent on disk, effect, done on disk. A step that is done gives its stored
 * result; one with an intent alone first looks whether it happened.
 */
export async function runStep<T extends Json>(
  store: StepStore,
  clock: Clock,
  observe: StepObserver,
  jobId: string,
  name: string,
  effect: Effect<T>,
): Promise<T> {
  const earlier = store.get(jobId)?.steps[name];
  if (earlier?.doneAt != null) return (earlier.result ?? null) as T;

  const intentAt = earlier?.intentAt ?? clock.now().toString();
  let result: T | null = null;
  if (earlier === undefined) {
    await store.recordStep(jobId, name, { intentAt, doneAt: null });
    observe(jobId, name, 'intent');
  } else {
    result = await effect.happened(Temporal.Instant.from(intentAt));
  }
  result ??= await effect.perform();
  await store.recordStep(jobId, name, { intentAt, doneAt: clock.now().toString(), result: result as never });
  observe(jobId, name, 'done');
  return result;
}
