import type { PeerStatus } from '../protocol/messages.ts';
import type { Permission } from './commands/permission.ts';
import type { Adapters } from './adapters.ts';
import type { Base } from './base.ts';
import { createAskedJobs } from './commands/asked-jobs.ts';
import { createCancel } from './commands/cancel.ts';
import { createCheckIpGrammar } from './commands/checkip-grammar.ts';
import { createCheckIp } from './commands/checkip.ts';
import type { Command } from './commands/command.ts';
import { createDigest } from './commands/digest.ts';
import { createFailure } from './commands/failure.ts';
import { createHelp } from './commands/help.ts';
import { createMacChangeGrammar } from './commands/macchange-grammar.ts';
import { createMacChange } from './commands/macchange.ts';
import { createNotice } from './commands/notice.ts';
import { createQueueCommand } from './commands/queue-command.ts';
import { createRefusal } from './commands/refusal.ts';
import { createRegistry, type Registry } from './commands/registry.ts';
import { createResend } from './commands/resend.ts';
import { createStatusCommand } from './commands/status.ts';
import { createWhitelistGrammar } from './commands/whitelist-grammar.ts';
import { createWhitelistCommand } from './commands/whitelist.ts';
import type { Forwarder } from './forward/forwarder.ts';
import type { Answers, DigestMails } from './mail/answers.ts';
import type { Worker } from './queue/worker.ts';
import { createMakers } from './servers/oui.ts';
import type { SipServers } from './sip-servers.ts';
import type { Stores } from './stores.ts';

/** What commands ask of parts that are built after them. */
export interface Later {
  readonly cancel: Worker['cancel'];
  readonly status: () => PeerStatus;
}

/** What commands are made with. */
interface Making {
  readonly base: Base;
  readonly stores: Stores;
  readonly adapters: Adapters;
  readonly answers: Answers & DigestMails;
  readonly permission: Permission;
  readonly sip: SipServers;
  /** Null for a node alone. */
  readonly forwarder: Forwarder | null;
  readonly later: () => Later;
}

/** All commands of a node: `ramais`, and a line for each other. */
export function assembleCommands(ramais: Command, making: Making): Registry {
  const registry: Registry = createRegistry([
    ramais,
    ...serverCommands(making),
    ...peopleCommands(making, () => registry),
    ...ownAnswers(making),
  ]);
  return registry;
}

function serverCommands({ base, stores, answers, permission, sip }: Making): Command[] {
  const { config, clock } = base;
  const { audit, spool } = stores;
  const { servers, checkIp } = config;
  const common = { answers, audit, clock, timeZone: config.recordings.timeZone };
  const checkIpGrammar = createCheckIpGrammar(servers);
  const macGrammar = createMacChangeGrammar(servers);
  const { bans, phones, expiry } = sip;
  const makers = createMakers();
  const sending = { mailbox: config.mail.auth.user, tokenRequired: config.access.requireToken };
  const changing = { grammar: macGrammar, phones, makers, permission, acceptor: spool, sending };
  return [
    createCheckIp({ ...common, ...checkIp, grammar: checkIpGrammar, bans, expiry, permission }),
    createMacChange({ ...common, ...changing }),
  ];
}

function peopleCommands(
  { base, stores, adapters, answers, permission, forwarder, later }: Making,
  registry: () => Registry,
): Command[] {
  const { config, log } = base;
  const { people, spool, audit } = stores;
  const { peer } = adapters;
  const { servers, peer: configured, audiosFrom, sources: served } = config;
  const { adminEmail, roleCommands, requireToken: tokenRequired } = config.access;
  const common = { answers, people, audit, acceptor: spool, timeZone: config.recordings.timeZone };
  const asked = createAskedJobs({ spool, peer, log: log.with({ room: 'commands' }) });
  const named = servers.flatMap((server) => server.audiosFrom ?? []);
  const sources = [...new Set([audiosFrom, ...served, ...named])];
  return [
    createWhitelistCommand({ ...common, grammar: createWhitelistGrammar({ servers, adminEmail }) }),
    createStatusCommand({
      ...common,
      ...{ sources, peer, peerId: configured?.id ?? null, status: () => later().status() },
    }),
    createQueueCommand({ ...common, asked }),
    createCancel({ ...common, asked, spool, forwarder, peer, cancel: (...job) => later().cancel(...job) }),
    createResend({ ...common, permission, asked, command: (keyword) => registry().get(keyword) }),
    createHelp({ ...common, roleCommands, registry, mailbox: config.mail.auth.user, tokenRequired }),
  ];
}

/** What the node says by itself. */
function ownAnswers({ base, stores, answers }: Making): Command[] {
  const { nodeId, mail, access, recordings } = base.config;
  const { adminEmail, requireToken: tokenRequired } = access;
  const { timeZone } = recordings;
  return [
    createRefusal({ answers, mailbox: mail.auth.user, adminEmail, tokenRequired }),
    createNotice({ answers, nodeId, timeZone }),
    createFailure(answers),
    createDigest({
      ...{ answers, held: stores.held, clock: base.clock, timeZone },
      isOpen: (job) => stores.spool.get(job) !== undefined,
    }),
  ];
}
