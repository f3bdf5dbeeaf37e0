import { join } from 'node:path';
import { createPermission } from './commands/permission.ts';
import { type Adapters, webRoot } from './adapters.ts';
import type { Base } from './base.ts';
import { assembleCommands, type Later } from './commands.ts';
import { createRamaisGrammar } from './commands/ramais-grammar.ts';
import { createRamais } from './commands/ramais.ts';
import { createDeliveryStore } from './delivery/delivery-store.ts';
import { createAnswers } from './mail/answers.ts';
import { assembleForwarding } from './pair.ts';
import { assembleSipServers } from './sip-servers.ts';
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
  const { audit, people, budget, held } = stores;
  const { stateDir, limits, servers, smtp } = config;
  const { timeZone } = config.recordings;
  const { mailer, sent, sources, publisher } = adapters;
  const directory = join(stateDir, 'deliveries');
  const deliveries = createDeliveryStore({
    directory,
    publisher,
    webRoot: webRoot(config),
    log: log.with({ room: 'delivery' }),
  });
  const from = smtp.from.address;
  const answers = createAnswers({ mailer, sent, audit, clock, admins: people.admins, from, budget, held });
  const defaultSource = config.audiosFrom;
  const grammar = createRamaisGrammar({ ...limits, servers, defaultSource, timeZone, clock });
  const { archiveLevel: level, publish } = config;
  const archiving = { level, maxBytes: limits.maxResultBytes, maxFiles: limits.maxResultFiles };
  const delivering = { sources, publisher, deliveries, archiving, linkHours: publish.linkHours };
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
