import type { Clock } from '../platform/clock.ts';

/** So much at once, and so much again each second. */
export interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

/** A token bucket. */
export interface Bucket {
  /** Takes one; false where none is left. */
  take(): boolean;
  isEmpty(): boolean;
}

export function createBucket({ burst, perSecond }: Rate, clock: Clock): Bucket {
  let level = burst;
  let filledMs = clock.monotonicMs();
  const fill = (): void => {
    const nowMs = clock.monotonicMs();
    level = Math.min(burst, level + ((nowMs - filledMs) * perSecond) / 1000);
    filledMs = nowMs;
  };
  return {
    take: () => {
      fill();
      if (level < 1) return false;
      level -= 1;
      return true;
    },
    isEmpty: () => {
      fill();
      return level < 1;
    },
  };
}
