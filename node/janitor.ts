import type { Clock } from './platform/clock.ts';
import { codeOf, messageOf } from './platform/errors.ts';
import type { Log } from './platform/log.ts';

/** How long what a link opened may outlive it. */
const ROUND_MS = 600_000;
/** A wall clock that gets ahead of the time that has passed by more has leapt: it was set, or the host slept. */
const LEAP_MS = 1_800_000;

/** Something to be tidied again and again. */
export interface Chore {
  readonly name: string;
  /** Done in every round, or in one of so many. */
  readonly everyRounds: number;
  /** A sentence saying what it did. */
  readonly run: (now: Temporal.Instant, signal: AbortSignal) => Promise<string>;
}

export interface JanitorOptions {
  readonly chores: readonly Chore[];
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Removes what has had its time, every ten minutes; a chore that fails, or that takes long, keeps no other from being
 * done. Runs until the signal aborts.
 */
export async function runJanitor({ chores, clock, log }: JanitorOptions, signal: AbortSignal): Promise<void> {
  const repeat = async ({ name, everyRounds, run }: Chore): Promise<void> => {
    let aheadMs = aheadOf(clock);
    let rounds = 0;
    for (;;) {
      // Not at once: a clock that is wrong at start-up is usually set right within minutes.
      await clock.sleep(ROUND_MS, signal).catch(() => undefined); // Rejects on abort alone.
      if (signal.aborted) return;
      const leapMs = aheadOf(clock) - aheadMs;
      aheadMs += leapMs;
      if (leapMs > LEAP_MS) {
        log.warn('the clock has leapt forward: tidying up waits, should it be set right', { chore: name });
        continue;
      }
      const isTurn = rounds % everyRounds === 0;
      rounds += 1;
      if (!isTurn) continue;
      try {
        log.debug(await run(clock.now(), signal));
      } catch (error) {
        if (signal.aborted) return;
        const facts = { chore: name, code: codeOf(error), reason: messageOf(error) };
        log.warn('tidying up did not succeed; again later', facts);
      }
    }
  };
  await Promise.all(chores.map(repeat));
}

/** By how much the wall clock is ahead of the time that has passed since an origin of its own. */
function aheadOf(clock: Clock): number {
  return clock.now().epochMilliseconds - clock.monotonicMs();
}
