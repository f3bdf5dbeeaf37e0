import type { Clock } from '../platform/clock.ts';

const DAY_MS = 86_400_000;
/** Strangers that are answered within a day: whoever owns a domain has any number of addresses. */
const MAX_A_DAY = 20;

/** How many strangers are answered. A restart forgets: the budget of all answers holds besides. */
export interface StrangerQuota {
  /** Whether this one may be answered now; counts each address once a day. */
  mayAnswer(address: string): boolean;
}

export function createStrangerQuota(clock: Clock, maxADay = MAX_A_DAY): StrangerQuota {
  const answered = new Map<string, number>();
  return {
    mayAnswer: (address) => {
      const nowMs = clock.now().epochMilliseconds;
      for (const [one, atMs] of answered) if (nowMs - atMs >= DAY_MS) answered.delete(one);
      if (answered.has(address)) return true;
      if (answered.size >= maxADay) return false;
      answered.set(address, nowMs);
      return true;
    },
  };
}
