import type { DeliveryStore } from './delivery/delivery-store.ts';
import type { Clock } from './platform/clock.ts';
import { codeOf, messageOf } from './platform/errors.ts';
import type { Log } from './platform/log.ts';
import type { Spool } from './queue/spool.ts';

/** How long what a link pointed at may outlive it. */
const ROUND_MS = 600_000;
const HOURS_PER_DAY = 24;

export interface JanitorOptions {
  readonly deliveries: DeliveryStore;
  readonly spool: Spool;
  /** SPOOL_DAYS. */
  readonly spoolDays: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** Removes what has had its time: deliveries whose links are dead, and old jobs. Runs until the signal aborts. */
export async function runJanitor(options: JanitorOptions, signal: AbortSignal): Promise<void> {
  const { deliveries, spool, clock, log } = options;
  for (;;) {
    // Not at once: a clock that is wrong at start-up is usually set right within minutes.
    await clock.sleep(ROUND_MS, signal).catch(() => undefined); // Rejects on abort alone.
    if (signal.aborted) return;
    try {
      const now = clock.now();
      log.debug(await deliveries.sweepExpired(now, signal));
      const removed = await spool.purge(now.subtract({ hours: options.spoolDays * HOURS_PER_DAY }), signal);
      if (removed > 0) log.info('old jobs were removed from the spool', { removed });
    } catch (error) {
      if (signal.aborted) return;
      log.warn('tidying up did not succeed; again later', { code: codeOf(error), reason: messageOf(error) });
    }
  }
}
