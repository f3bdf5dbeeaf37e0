import { homedir, hostname, userInfo } from 'node:os';
import { join } from 'node:path';
import type { PeerStatus } from '../protocol/messages.ts';
import { createAccessHandlers, createAccessReplicator } from './access/access-replicator.ts';
import { recordsOf } from './access/people-store.ts';
import type { Permission } from './commands/permission.ts';
import type { Adapters, RpcServer, ServeRpc } from './adapters.ts';
import type { Base } from './base.ts';
import { noticeJob } from './commands/answer-jobs.ts';
import type { Registry } from './commands/registry.ts';
import { createDropDocuments, type DropDocuments } from './forward/drop-document.ts';
import { createHolds, type Holds } from './forward/forward-holds.ts';
import { createForwarder, type Forwarder } from './forward/forwarder.ts';
import { createJobHandlers } from './forward/job-handlers.ts';
import { openSettlements, type Settlements } from './forward/settlements.ts';
import type { Ingest } from './ingest/ingest.ts';
import { createLedgerHandlers } from './ingest/replica.ts';
import { createReplicator, type Replicator } from './ingest/replicator.ts';
import { createLeadership, type Leadership } from './leadership/leadership.ts';
import { openRoleStore } from './leadership/role-store.ts';
import { createAuthorizedKeys } from './pairing/authorized-keys.ts';
import { createPairing, type Pairing } from './pairing/pairing.ts';
import type { Worker } from './queue/worker.ts';
import type { Stores } from './stores.ts';

export interface PairOptions extends Base {
  readonly stores: Stores;
  readonly adapters: Adapters;
  readonly registry: Registry;
  readonly permission: Permission;
  readonly worker: Worker;
  readonly ingest: Ingest;
  readonly forwarder: Forwarder | null;
  readonly holds: Holds;
  readonly settlements: Settlements | null;
}

/** What is told of this node. */
export interface Told {
  status(): PeerStatus;
  ready(): Promise<boolean>;
}

/** What makes one of two nodes. */
export interface Pair {
  readonly leadership: Leadership;
  /** Null for a node alone. */
  readonly pairing: Pairing | null;
  /** Null where no peer takes the ledger's copy. */
  readonly replicator: Replicator | null;
  /** Begins to answer the peer, and then to have a role; `closing` ends both. */
  start(told: Told, closing: AsyncDisposableStack): Promise<void>;
}

/** Puts together what a node is to its peer; of a node alone, its role. */
export async function assemblePair(options: PairOptions): Promise<Pair> {
  const { stores, adapters, clock, log, random, closing } = options;
  const peer = adapters.peer;
  const replicator =
    peer === null
      ? null
      : createReplicator({ ledger: stores.ledger, peer, clock, random, log: log.with({ room: 'ledger' }) });
  closing.defer(() => replicator?.stop());
  const telling = assembleTelling(options);
  const leadership = await assembleLeadership(options, replicator);
  const pairing = assemblePairing(options);
  return {
    ...{ leadership, pairing, replicator },
    start: async (told, until) => {
      const stopping = new AbortController();
      until.defer(() => stopping.abort());
      const { settlements } = options;
      if (pairing !== null && adapters.serveRpc !== null && settlements !== null) {
        const hurry = (): void => {
          settlements.hurry();
          telling?.hurry();
        };
        const answering = { serveRpc: adapters.serveRpc, settlements, leadership, pairing, hurry };
        const listener = await listen(options, answering, told);
        until.defer(() => listener.close());
      }
      settlements?.start();
      replicator?.run(stopping.signal).catch(options.fail);
      telling?.run(stopping.signal).catch(options.fail);
      pairing?.run(stopping.signal).catch(options.fail);
      await leadership.start();
      until.defer(() => leadership.stop());
    },
  };
}

/** Tells the peer who may ask; null for a node alone. */
function assembleTelling({ config, stores, adapters, clock, log, random, closing }: PairOptions) {
  const { peer } = adapters;
  if (peer === null) return null;
  const telling = createAccessReplicator({
    ...{ store: stores.accessStore, nodeId: config.nodeId, peer, clock, random },
    log: log.with({ room: 'access' }),
  });
  closing.defer(() => telling.stop());
  return telling;
}

async function assembleLeadership(
  { config, stores, adapters, clock, log, ingest, fail }: PairOptions,
  replicator: Replicator | null,
): Promise<Leadership> {
  const { nodeId, mode, stateDir } = config;
  const { ledger, audit, spool } = stores;
  const untilClosed = new AbortController().signal;
  return createLeadership({
    self: { nodeId, mode, peerId: config.peer?.id ?? null },
    store: await openRoleStore(join(stateDir, 'role.json'), nodeId),
    inbox: {
      open: () => {
        ingest.run(untilClosed).catch(fail);
      },
      close: ingest.stop,
    },
    ledger: {
      flush: async (signal) => replicator?.flush(signal),
      watermark: ledger.latestWatermark,
      adopt: ledger.adopt,
      requireRescan: ledger.requireRescan,
    },
    peer: adapters.peer,
    clock,
    log: log.with({ room: 'leadership' }),
    record: (event) => audit.record(event),
    alert: async (kind, _sentence, term) => {
      await spool.accept(noticeJob(kind, `${nodeId} ${term}`, { term: String(term) }));
    },
  });
}

function assemblePairing({ config, stores, adapters, clock, log }: PairOptions): Pairing | null {
  if (config.peer === null || stores.keyring === null) return null;
  return createPairing({
    ...{ nodeId: config.nodeId, peer: config.peer, keyring: stores.keyring },
    ...{ rpc: adapters.peer, join: adapters.joinPair },
    authorizedKeys: createAuthorizedKeys(homedir()),
    queueDir: config.queueDir,
    sshUser: userInfo().username,
    sshHostKeysDir: config.sshHostKeysDir,
    hostName: hostname(),
    audit: stores.audit,
    clock,
    log: log.with({ room: 'pairing' }),
  });
}

/** What a node that answers its peer has. */
interface Answering {
  readonly serveRpc: ServeRpc;
  readonly settlements: Settlements;
  readonly leadership: Leadership;
  readonly pairing: Pairing;
  /** The peer is there: what waits for it goes out. */
  readonly hurry: () => void;
}

/** Answers the peer. @throws AppError `listen.failed` */
async function listen(
  options: PairOptions,
  { serveRpc, settlements, leadership, pairing, hurry }: Answering,
  told: Told,
): Promise<RpcServer> {
  const { stores, adapters, registry, permission, worker, holds, forwarder, clock } = options;
  const log = options.log.with({ room: 'rpc' });
  const { spool, ledger, audit, replica, space } = stores;
  const listener = await serveRpc({
    handlers: {
      ...createLedgerHandlers(replica),
      ...createAccessHandlers(stores.accessStore),
      ...leadership.handlers,
      'leadership.get': (params, call) => {
        // It asks every few seconds: after an outage, this is the first that is heard of it.
        hurry();
        return leadership.handlers['leadership.get'](params, call);
      },
      ...createJobHandlers({
        ...{
          registry,
          permission,
          sources: adapters.sources,
          spool,
          ledger,
          audit,
          space,
          holds,
          settlements,
        },
        cancel: worker.cancel,
        noteSettled: async (settled, by) => forwarder?.noteSettled(settled, by) ?? 'unknown',
      }),
      'node.status': async () => told.status(),
      'pair.join': pairing.handleJoin,
    },
    invitationOpen: pairing.invitationOpen,
    ready: told.ready,
    clock,
    log,
  });
  log.info('the peer is answered', { at: `${listener.host}:${listener.port}` });
  return listener;
}

/** What takes jobs to the peer, and proves those that it drops here; both null for a node alone. */
export function assembleForwarding(
  { config, clock, log, random, closing }: Base,
  { audit, spool, keyring, accessStore }: Pick<Stores, 'audit' | 'spool' | 'keyring' | 'accessStore'>,
  { peer, dropbox }: Pick<Adapters, 'peer' | 'dropbox'>,
): { readonly forwarder: Forwarder | null; readonly documents: DropDocuments | null } {
  if (config.peer === null || keyring === null || dropbox === null) {
    return { forwarder: null, documents: null };
  }
  const { nodeId } = config;
  const { timeZone } = config.recordings;
  const peerId = config.peer.id;
  const documents = createDropDocuments({ nodeId, peerId, credentials: keyring, timeZone, clock });
  const forwarder = createForwarder({
    ...{ peerId, peer, dropbox, document: documents.print, spool, audit, clock, random },
    log: log.with({ room: 'forward' }),
    standingOf: (requester) => recordsOf(accessStore, requester),
  });
  closing.defer(() => forwarder.close());
  return { forwarder, documents };
}

/** What is kept of the jobs that the peer hands over; `settlements` null where nobody is told how they ended. */
export async function assembleTaking(
  { config, clock, log, random, closing }: Base,
  peer: Adapters['peer'],
): Promise<{ readonly holds: Holds; readonly settlements: Settlements | null }> {
  const holds = createHolds(clock);
  closing.defer(() => holds.close());
  if (peer === null) return { holds, settlements: null };
  const directory = join(config.stateDir, 'settlements');
  const forwardLog = log.with({ room: 'forward' });
  const settlements = await openSettlements({ directory, peer, clock, random, log: forwardLog });
  closing.defer(() => settlements.stop());
  return { holds, settlements };
}
