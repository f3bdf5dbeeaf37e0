import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { openAudit } from './audit.ts';
import type { Config } from './config.ts';
import { openDoubtStore } from './ingest/doubt-store.ts';
import { createKnown } from './ingest/known.ts';
import { openLedger } from './ingest/ledger.ts';
import { openReplica } from './ingest/replica.ts';
import { openKeyring } from './pairing/keyring.ts';
import type { Clock } from './platform/clock.ts';
import type { Log } from './platform/log.ts';
import { loadSecretKey } from './platform/secret-key.ts';
import { createSetAside } from './platform/set-aside.ts';
import { ownDirectory } from './queue/owner.ts';
import { openSpool } from './queue/spool.ts';

export type Stores = Awaited<ReturnType<typeof openStores>>;

/** Opens what a node keeps on disk, as its one owner; `closing` closes it. @throws AppError `spool.owned` */
export async function openStores(config: Config, clock: Clock, log: Log, closing: AsyncDisposableStack) {
  const { stateDir, nodeId, queueDir } = config;
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  // First of all: what is opened below mends what a crash left, and must not find it in another's hands.
  const owner = ownDirectory(join(stateDir, 'owner.lock'));
  closing.defer(() => owner[Symbol.dispose]());
  const audit = await openAudit(join(stateDir, 'audit'), nodeId, clock);
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
  return { keyring, audit, ledger, replica, known, doubtStore, spool, asideStore, setAside };
}
