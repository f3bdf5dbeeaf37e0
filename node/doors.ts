import { join } from 'node:path';
import { createAccess } from './access/access.ts';
import { openDoorTokens } from './access/door-token.ts';
import { createTokenStore } from './access/token-store.ts';
import type { Adapters } from './adapters.ts';
import type { Base } from './base.ts';
import type { Capabilities } from './capabilities.ts';
import { createAcceptance } from './ingest/acceptance.ts';
import { createDoubts } from './ingest/doubts.ts';
import { createDropAdmission } from './ingest/drop-admission.ts';
import { createIngest } from './ingest/ingest.ts';
import { createQuarantineDesk } from './ingest/quarantined.ts';
import { createDrops } from './queue/drops.ts';
import type { Stores } from './stores.ts';

export type Doors = Awaited<ReturnType<typeof assembleDoors>>;

/** Where commands come in: the mailbox and the files that others drop. */
export async function assembleDoors(
  base: Base,
  stores: Stores,
  adapters: Adapters,
  capabilities: Capabilities,
) {
  const { config, clock, log, random, closing } = base;
  const { audit, ledger, known, doubtStore, spool, accessStore, people, lockout, quarantine, space } = stores;
  const { registry, permission } = capabilities;
  const { tokenFile, requireToken } = config.access;
  const { maxBytes } = config.mail;
  const accessLog = log.with({ room: 'access' });
  const doorTokens = tokenFile === null ? null : await openDoorTokens(tokenFile, accessLog);
  const tokens = createTokenStore(accessStore, clock);
  const access = createAccess({ people, tokens: doorTokens, stored: tokens, lockout, requireToken });
  const ingestLog = log.with({ room: 'ingest' });
  const deciding = { access, grammar: registry, acceptor: spool, ledger, known, audit, people, permission };
  const keeping = { setAside: stores.asideStore, quarantine, doubts: doubtStore };
  const proof = adapters.senderProof;
  const judging = { ...deciding, ...keeping, proof, space, clock, log: ingestLog, maxBytes };
  const acceptance = createAcceptance(judging);
  const { mailbox } = adapters;
  const ingest = createIngest({
    ...{ mailbox, ledger, known, acceptance, clock, random, maxBytes },
    log: ingestLog,
  });
  closing.defer(() => ingest.stop());
  const drops = assembleDrops(base, stores, adapters, capabilities);
  const doubts = createDoubts({ store: doubtStore, acceptor: spool, ledger, known, audit });
  const quarantineDesk = createQuarantineDesk({ quarantine, acceptance, access, audit });
  return { ingest, drops, doubts, quarantineDesk, tokens, doorTokens };
}

function assembleDrops(
  { config, clock, log, closing }: Base,
  { spool, ledger, audit, setAside, space }: Stores,
  { sources, peer }: Adapters,
  { registry, permission, documents }: Capabilities,
) {
  // A Python peer would drop it here again.
  const forwards = peer !== null;
  const deciding = {
    registry,
    permission,
    acceptor: spool,
    spool,
    ledger,
    audit,
    space,
    sources,
    documents,
    forwards,
  };
  const drops = createDrops({
    directory: join(config.queueDir, 'pending'),
    isOwn: spool.owns,
    admit: createDropAdmission(deciding),
    setAside,
    clock,
    log: log.with({ room: 'drops' }),
  });
  closing.defer(() => drops.stop());
  return drops;
}
