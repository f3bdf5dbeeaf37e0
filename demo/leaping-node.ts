import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { loadConfig } from '../node/config.ts';
import { createNode } from '../node/node.ts';
import { type Clock, systemClock } from '../node/platform/clock.ts';
import { createLog } from '../node/platform/log.ts';

/**
 * A node as node/main.ts runs it, whose clock leaps forward by each duration (`PT3H`) that comes as a line on its standard
 * input: what people get after a quarter of an hour, or after hours, can be looked at now.
 */
function leapingClock(): { clock: Clock; leap(by: Temporal.Duration): void } {
  let aheadMs = 0;
  const sleepers = new Set<AbortController>();
  const monotonicMs = (): number => systemClock.monotonicMs() + aheadMs;
  return {
    leap: (by) => {
      aheadMs += by.total('milliseconds');
      for (const sleeper of sleepers) sleeper.abort();
    },
    clock: {
      now: () => systemClock.now().add({ milliseconds: aheadMs }),
      monotonicMs,
      sleep: async (ms, signal) => {
        const until = monotonicMs() + ms;
        do {
          const leapt = new AbortController();
          sleepers.add(leapt);
          const either = signal === undefined ? leapt.signal : AbortSignal.any([signal, leapt.signal]);
          await systemClock.sleep(Math.max(0, until - monotonicMs()), either).catch(() => undefined);
          sleepers.delete(leapt);
          signal?.throwIfAborted();
        } while (monotonicMs() < until);
      },
    },
  };
}

process.umask(0o077);
const { values } = parseArgs({ options: { config: { type: 'string', default: '' } } });
const { config, warnings } = await loadConfig({ file: values.config, env: process.env });
const log = createLog({
  level: config.logLevel,
  style: 'terminal',
  write: (line) => process.stdout.write(line),
});
const { clock, leap } = leapingClock();
const input = createInterface({ input: process.stdin });
input.on('line', (line) => leap(Temporal.Duration.from(line)));
const stopped = Promise.withResolvers<undefined>();
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stopped.resolve(undefined));
{
  await using node = await createNode(config, { log, warnings, clock });
  await node.start();
  await Promise.race([stopped.promise, node.failed]);
}
input.close();
