import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { openAudit } from './audit.ts';
import type { Config } from './config.ts';
import { openLedger } from './ingest/ledger.ts';
import type { Clock } from './platform/clock.ts';
import type { Log } from './platform/log.ts';
import { createSetAside } from './platform/set-aside.ts';
import { openSpool } from './queue/spool.ts';

export type Stores = Awaited<ReturnType<typeof openStores>>;

/** Opens what a node keeps on disk, as its one owner; `closing` closes it. @throws AppError `spool.owned` */
export async function openStores(config: Config, clock: Clock, log: Log, closing: AsyncDisposableStack) {
  const { stateDir, nodeId, queueDir } = config;
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const audit = await openAudit(join(stateDir, 'audit'), nodeId, clock);
  const ledgerLog = log.with({ room: 'ledger' });
  const ledger = await openLedger({ path: join(stateDir, 'ledger.jsonl'), clock, log: ledgerLog });
  closing.defer(() => ledger.close());
  const asideStore = createSetAside(join(stateDir, 'set-aside'));
  const setAside = async (path: string, reason: string): Promise<void> => {
    await asideStore.file(path, reason);
  };
  const spoolLog = log.with({ room: 'spool' });
  const acceptedEarlier = ledger.find;
  const spool = await openSpool({
    directory: queueDir,
    nodeId,
    clock,
    log: spoolLog,
    acceptedEarlier,
    setAside,
  });
  closing.defer(() => spool.close());
  return { audit, ledger, spool, asideStore, setAside };
}
