import { subscribe } from 'node:diagnostics_channel';
import type { ClientRequest } from 'node:http';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { parseArgs } from 'node:util';
import { createAdapters } from '../../node/adapters.ts';
import { webRoot } from '../../node/storage.ts';
import { loadConfig } from '../../node/config.ts';
import { openDeliveries } from '../../node/delivery/open-deliveries.ts';
import { createLog } from '../../node/platform/log.ts';
import { fixedClock } from './fixed-clock.ts';
import { NO_TRUST } from './no-trust.ts';

/**
 * Sweeps the deliveries of a node once, in its own STATE_DIR and with its own publisher, at the instant that NOW says: a
 * node's links live for hours at least. The node must be down. It prints what each sweep said, and kills itself with
 * SIGKILL at the moment that KILL_AT names:
 *
 *   before      objects are about to be removed
 *   amid        some of them are being removed: files by the kernel, or the second request that removes an object
 *   after       all are gone, and the record is not yet
 */
const killAt = process.env['KILL_AT'];
const now = Temporal.Instant.from(process.env['NOW'] ?? '');
const { signal } = new AbortController();
const die = (): void => void process.kill(process.pid, 'SIGKILL');

function watchRemovals(): void {
  const { rm } = fs.promises;
  fs.promises.rm = (...args) => {
    const removing = rm(...args);
    setImmediate(die);
    return removing;
  };
  syncBuiltinESMExports();
  let removals = 0;
  subscribe('http.client.request.start', (message) => {
    const { request } = message as { request: ClientRequest };
    if (request.method === 'DELETE') removals += 1;
    if (removals === 2) die();
  });
}

if (killAt === 'amid') watchRemovals();
const { values } = parseArgs({ options: { config: { type: 'string', default: '' } } });
const { config } = await loadConfig({ file: values.config, env: {} });
const log = createLog({ level: 'warn', style: 'terminal', write: (line) => process.stdout.write(line) });
const clock = fixedClock(now.toString());
const { publisher } = await createAdapters(config, NO_TRUST, clock, log);
const deliveries = await openDeliveries({
  stateDir: config.stateDir,
  webRoot: webRoot(config),
  presignedHours: config.publish.publicUrl === null ? config.publish.linkHours : null,
  publisher: {
    ...publisher,
    removeJob: async (...args) => {
      if (killAt === 'before') die();
      await publisher.removeJob(...args);
      if (killAt === 'after') die();
    },
  },
  ...{ clock, log },
});
process.stdout.write(`${await deliveries.sweepExpired(now, signal)}\n`);
process.stdout.write(`${await deliveries.sweepOrphans(now, signal)}\n`);
deliveries.close();
process.exit(0);
