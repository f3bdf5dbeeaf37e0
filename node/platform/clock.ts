import { setTimeout as sleepFor } from 'node:timers/promises';

/** Time as a parameter: nothing outside `platform/` reads the machine's clock. */
export interface Clock {
  /** The wall clock, which an operator or NTP may set back. */
  now(): Temporal.Instant;
  /** Milliseconds from an arbitrary origin; never goes back. For durations. */
  monotonicMs(): number;
  /** Resolves after `ms`; rejects with the signal's reason when it aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Temporal.Now.instant(),
  monotonicMs: () => performance.now(),
  sleep: async (ms, signal) => {
    try {
      await sleepFor(ms, undefined, signal === undefined ? {} : { signal });
    } catch (error) {
      signal?.throwIfAborted(); // its reason, instead of the AbortError that Node makes around it
      throw error;
    }
  },
};
