import { join } from 'node:path';
import type { Adapters } from './adapters.ts';
import type { Base } from './base.ts';
import { createFail2ban } from './servers/fail2ban.ts';
import { openIgnoreExpiry } from './servers/ignore-expiry.ts';
import { createPhones } from './servers/mac-change.ts';
import { createSparingBans } from './servers/sparing-bans.ts';
import type { Stores } from './stores.ts';

export type SipServers = Awaited<ReturnType<typeof assembleSipServers>>;

/** What is done on SIP servers. */
export async function assembleSipServers(
  { config, clock, log }: Base,
  { audit }: Stores,
  { remote }: Adapters,
) {
  const roomLog = log.with({ room: 'servers' });
  const bans = createSparingBans(createFail2ban({ remote, clock }), clock);
  const phones = createPhones({ remote, nodeId: config.nodeId, clock, log: roomLog });
  const path = join(config.stateDir, 'ignored.json');
  const { servers } = config;
  const expiry = await openIgnoreExpiry({ path, servers, bans, clock, audit, log: roomLog });
  return { bans, phones, expiry };
}
