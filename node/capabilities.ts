import { createPermission } from './commands/permission.ts';
import type { Adapters } from './adapters.ts';
import type { Base } from './base.ts';
import { assembleCommands, type Later } from './commands.ts';
import { createRamaisGrammar } from './commands/ramais-grammar.ts';
import { createRamais } from './commands/ramais.ts';
import { openDeliveries } from './delivery/open-deliveries.ts';
import { createAnswers } from './mail/answers.ts';
import { assembleForwarding } from './pair.ts';
import { bytesForDelivery } from './platform/space-watch.ts';
import { assembleSipServers } from './sip-servers.ts';
import { webRoot } from './storage.ts';
import type { Stores } from './stores.ts';

export type Capabilities = Awaited<ReturnType<typeof assembleCapabilities>>;

/** What can be asked for, and what that is done with. */
export async function assembleCapabilities(
  base: Base,
  stores: Stores,
  adapters: Adapters,
  later: () => Later,
) {
  const { config, clock, log } = base;
  const { audit, people, budget, held, resultSpace } = stores;
  const { stateDir, limits, servers, smtp, publish } = config;
  const { timeZone } = config.recordings;
  const { mailer, sent, sources, publisher, links, transcoder } = adapters;
  const deliveryLog = log.with({ room: 'delivery' });
  const deliveries = await openDeliveries({
    ...{ stateDir, publisher, webRoot: webRoot(config), clock, log: deliveryLog },
    presignedHours: publish.publicUrl === null ? publish.linkHours : null,
  });
  base.closing.defer(() => deliveries.close());
  const from = smtp.from.address;
  const answers = createAnswers({ mailer, sent, audit, clock, admins: people.admins, from, budget, held });
  const defaultSource = config.audiosFrom;
  const grammar = createRamaisGrammar({ ...limits, servers, defaultSource, timeZone, clock });
  const { archiveLevel: level } = config;
  const archiving = { level, maxBytes: limits.maxResultBytes, maxFiles: limits.maxResultFiles };
  const fillable = (): Promise<number | null> =>
    publisher.name === 'web' ? bytesForDelivery(resultSpace) : Promise.resolve(null);
  const publishing = { publisher, links, deliveries, transcoder, space: fillable };
  const delivering = { sources, ...publishing, archiving, linkHours: publish.linkHours };
  const handingOver = assembleForwarding(base, stores, adapters);
  const { forwarder } = handingOver;
  const ramais = createRamais({
    ...{ grammar, ...delivering, forwarder, answers, people, audit, clock, timeZone },
  });
  const permission = createPermission(people, config.access.roleCommands);
  const sip = await assembleSipServers(base, stores, adapters);
  const making = { base, stores, adapters, answers, permission, sip, forwarder, later };
  const registry = assembleCommands(ramais, making);
  return { registry, grammar, deliveries, answers, permission, sip, ...handingOver };
}
