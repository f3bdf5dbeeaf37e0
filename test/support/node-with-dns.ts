import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { createSenderProof } from '../../node/access/open-sender-proof.ts';
import { loadConfig } from '../../node/config.ts';
import { createNode } from '../../node/node.ts';
import { systemClock } from '../../node/platform/clock.ts';
import { createLog } from '../../node/platform/log.ts';
import { type Zone, zoneLookup } from './signed-mail.ts';

/**
 * A node as node/main.ts runs it, with a DNS of its own: the TXT records of the file DNS_ZONE, read anew for each
 * question. Nothing else can be looked up.
 */
process.umask(0o077);
const { values } = parseArgs({ options: { config: { type: 'string' } } });
const { config, warnings } = await loadConfig({ file: values.config ?? '', env: process.env });
const log = createLog({
  level: config.logLevel,
  style: 'terminal',
  write: (line) => process.stdout.write(line),
});
const senderProof = createSenderProof(config.access.senderAuth, {
  clock: systemClock,
  lookup: async (name, type) => {
    const zone = JSON.parse(await readFile(process.env['DNS_ZONE'] ?? '', 'utf8')) as Zone;
    return zoneLookup(zone)(name, type);
  },
});
const stopped = Promise.withResolvers<undefined>();
process.once('SIGTERM', () => stopped.resolve(undefined));
await using node = await createNode(config, { log, warnings, adapters: { senderProof } });
await node.start();
await Promise.race([stopped.promise, node.failed]);
