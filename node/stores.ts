import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { openLockout } from './access/lockout.ts';
import { openAccessStore } from './access/open-access-store.ts';
import { createPeople } from './access/people-store.ts';
import { openQuarantine } from './access/quarantine.ts';
import { openAudit, type OpenedAudit } from './audit.ts';
import type { Config } from './config.ts';
import { openDoubtStore } from './ingest/doubt-store.ts';
import { createKnown } from './ingest/known.ts';
import { openLedger } from './ingest/ledger.ts';
import { openReplica } from './ingest/replica.ts';
import { openHeldMail } from './mail/held-mail.ts';
import { openReplyBudget } from './mail/reply-budget.ts';
import { openKeyring } from './pairing/keyring.ts';
import type { Clock } from './platform/clock.ts';
import { createDiskUse } from './platform/space-use.ts';
import type { Log } from './platform/log.ts';
import { openSpaceWatch } from './platform/space-watch.ts';
import { loadSecretKey } from './platform/secret-key.ts';
import { createSetAside } from './platform/set-aside.ts';
import { ownDirectory } from './queue/owner.ts';
import { openSpool } from './queue/spool.ts';
import { openKnownServers } from './servers/known-servers.ts';
import { createServerKeys } from './servers/server-keys.ts';

export type Stores = Awaited<ReturnType<typeof openStores>>;

/** Opens what a node keeps on disk, as its one owner; `closing` closes it. @throws AppError `spool.owned` */
export async function openStores(config: Config, clock: Clock, log: Log, closing: AsyncDisposableStack) {
  const { stateDir, nodeId, queueDir } = config;
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  // First of all: what is opened below mends what a crash left, and must not find it in another's hands.
  const owner = ownDirectory(join(stateDir, 'owner.lock'));
  closing.defer(() => owner[Symbol.dispose]());
  const audit = await openAudit(join(stateDir, 'audit'), nodeId, clock, log.with({ room: 'audit' }));
  const ledgerLog = log.with({ room: 'ledger' });
  const ledger = await openLedger({ path: join(stateDir, 'ledger.jsonl'), clock, log: ledgerLog });
  closing.defer(() => ledger.close());
  const replica = await openReplica({ path: join(stateDir, 'ledger-peer.jsonl'), clock, log: ledgerLog });
  closing.defer(() => replica.close());
  const known = createKnown(ledger, replica);
  const directory = join(stateDir, 'doubts');
  const doubtStore = await openDoubtStore({ directory, clock, audit, log: log.with({ room: 'ingest' }) });
  const asideStore = createSetAside(join(stateDir, 'set-aside'));
  const setAside = async (path: string, reason: string): Promise<void> => {
    await asideStore.file(path, reason);
  };
  const spoolLog = log.with({ room: 'spool' });
  // The own ledger alone: what the peer has accepted is not here.
  const acceptedEarlier = ledger.accepted;
  const spool = await openSpool({
    directory: queueDir,
    sealKey: await loadSecretKey(join(stateDir, 'spool.key')),
    nodeId,
    clock,
    log: spoolLog,
    acceptedEarlier,
    setAside,
  });
  closing.defer(() => spool.close());
  const diskLog = log.with({ room: 'disk' });
  const headroomBytes = config.diskHeadroomBytes;
  const space = await openSpaceWatch({
    directories: [stateDir, queueDir],
    headroomBytes,
    clock,
    log: diskLog,
  });
  // The queue may lie on a smaller disk, of which what is delivered takes nothing.
  const resultSpace = await openSpaceWatch({ directories: [stateDir], headroomBytes, clock, log: diskLog });
  const diskUse = createDiskUse({ stateDir, queueDir, clock, log: diskLog });
  const peer = config.peer;
  const keyring =
    peer === null
      ? null
      : await openKeyring({
          directory: config.certsDir,
          nodeId,
          peer,
          clock,
          log: log.with({ room: 'pairing' }),
        });
  return {
    ...(await openAccess(config, clock, log, audit)),
    keyring,
    audit,
    ledger,
    replica,
    known,
    doubtStore,
    spool,
    space,
    resultSpace,
    diskUse,
    linkKey: await loadSecretKey(join(stateDir, 'link.key')),
    asideStore,
    setAside,
  };
}

/** Who may ask for what, how often and by which words; and by what this node and the SIP servers know one another. */
async function openAccess(config: Config, clock: Clock, log: Log, audit: OpenedAudit) {
  const { stateDir, nodeId, serverLogin, serversFile } = config;
  const { whitelist, adminEmail, repliesPerSender: perSender, repliesPerDay: perDay } = config.access;
  const inState = (name: string): string => join(stateDir, name);
  const accessLog = log.with({ room: 'access' });
  const accessStore = await openAccessStore({ path: inState('access.json'), nodeId, clock });
  return {
    accessStore,
    people: createPeople({ store: accessStore, whitelist, adminEmail }),
    lockout: await openLockout({ path: inState('lockout.json'), clock, log: accessLog }),
    quarantine: await openQuarantine({ directory: inState('quarantine'), clock, audit, log: accessLog }),
    knownServers: await openKnownServers(inState('known_servers.json'), clock),
    serverKeys: createServerKeys({ nodeId, ...serverLogin, serversFile }),
    held: await openHeldMail({ directory: inState('held'), log: log.with({ room: 'mail' }) }),
    budget: await openReplyBudget({ audit, clock, perSender, perDay }),
  };
}
