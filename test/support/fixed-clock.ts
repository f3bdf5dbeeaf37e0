import type { Clock } from '../../node/platform/clock.ts';

/** A clock that moves only when told; sleeps end when it has moved past them. */
export interface FixedClock extends Clock {
  advance(duration: Temporal.DurationLike): void;
  set(instant: string): void;
}

export function fixedClock(start = '2026-03-02T12:00:00Z'): FixedClock {
  let now = Temporal.Instant.from(start);
  let monotonicMs = 0;
  const sleepers = new Set<{ readonly atMs: number; readonly wake: () => void }>();
  const wakeDue = (): void => {
    for (const sleeper of sleepers) {
      if (sleeper.atMs > monotonicMs) continue;
      sleepers.delete(sleeper);
      sleeper.wake();
    }
  };
  return {
    now: () => now,
    monotonicMs: () => monotonicMs,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        const fail = (): void => reject(signal?.reason as Error);
        if (signal?.aborted === true) return fail();
        signal?.addEventListener('abort', fail, { once: true });
        sleepers.add({ atMs: monotonicMs + ms, wake: resolve });
        if (ms <= 0) wakeDue();
      }),
    advance: (duration) => {
      monotonicMs += Temporal.Duration.from(duration).total('milliseconds');
      now = now.add(duration);
      wakeDue();
    },
    set: (instant) => {
      now = Temporal.Instant.from(instant);
    },
  };
}
