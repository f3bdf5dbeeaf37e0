import type { PeerStatus } from '../protocol/messages.ts';
import { PROTOCOL_VERSION } from '../protocol/methods.ts';
import type { DoorTokens } from './access/door-token.ts';
import type { Lockout } from './access/lockout.ts';
import type { ChangeablePeople } from './access/people.ts';
import type { TokenStore } from './access/token-store.ts';
import type { Adapters } from './adapters.ts';
import type { AuditLog } from './audit.ts';
import { createLinkOpenings } from './audit/link-openings.ts';
import type { Config } from './config.ts';
import type { OpenedDeliveries } from './delivery/open-deliveries.ts';
import type { Doubts } from './ingest/doubts.ts';
import type { Ingest } from './ingest/ingest.ts';
import type { QuarantineDesk } from './ingest/quarantined.ts';
import type { Replicator } from './ingest/replicator.ts';
import type { Leadership } from './leadership/leadership.ts';
import type { NodeStatus } from './listeners/control-contract.ts';
import { createAuditControl } from './listeners/control-audit.ts';
import { diskView, spaceWarnings } from './listeners/space-view.ts';
import { createDoubtControl } from './listeners/control-doubts.ts';
import { createIndexControl } from './listeners/control-index.ts';
import { createLeadershipControl } from './listeners/control-leadership.ts';
import { createLinkControl } from './listeners/control-links.ts';
import { createMacControl } from './listeners/control-mac.ts';
import { pairingControl } from './listeners/control-pairing.ts';
import { createPeopleControl } from './listeners/control-people.ts';
import { createQuarantineControl } from './listeners/control-quarantine.ts';
import { createServerControl } from './listeners/control-servers.ts';
import { createTokenControl } from './listeners/control-tokens.ts';
import { openControlSocket } from './listeners/control.ts';
import { ingestView, type Readiness, readinessOf } from './listeners/health.ts';
import { createLinkOpener } from './links/open-link.ts';
import { createNodeLinks } from './links/node-links.ts';
import { createPageOpener } from './links/open-page.ts';
import { listenPublic } from './listeners/listen-public.ts';
import { lookAtPeer } from './listeners/peer-view.ts';
import { createPublicApp } from './listeners/public.ts';
import type { HeldMail } from './mail/held-mail.ts';
import { type OperationsOptions, createOperations, queueStatus } from './operations.ts';
import type { Pairing } from './pairing/pairing.ts';
import type { Peer } from './peer/peer.ts';
import type { Clock } from './platform/clock.ts';
import type { DiskUseMeter } from './platform/space-use.ts';
import { AppError } from './platform/errors.ts';
import type { Log } from './platform/log.ts';
import type { RecordingIndex } from './recordings/recording-index.ts';
import type { KnownServers } from './servers/known-servers.ts';
import type { ServerKeys } from './servers/server-keys.ts';
import type { SipServers } from './sip-servers.ts';
import { webRoot } from './storage.ts';

export interface ServeOptions extends Omit<OperationsOptions, 'status' | 'record' | 'timeZone'> {
  readonly config: Config;
  readonly version: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Of the configuration. */
  readonly warnings: readonly string[];
  /** Of what is outside, as it is now. */
  readonly worldWarnings: () => readonly string[];
  readonly deliveries: OpenedDeliveries;
  readonly linkKey: Buffer;
  /** Answers that wait for a digest. */
  readonly held: Pick<HeldMail, 'warnings'>;
  readonly diskUse: Pick<DiskUseMeter, 'last'>;
  readonly indexes: readonly RecordingIndex[];
  readonly audit: AuditLog;
  readonly people: ChangeablePeople;
  readonly tokens: TokenStore;
  /** Of TOKEN_FILE; null where there is none. */
  readonly doorTokens: DoorTokens | null;
  readonly lockout: Lockout;
  readonly quarantineDesk: QuarantineDesk;
  readonly remote: Adapters['remote'];
  readonly sip: SipServers;
  readonly knownServers: KnownServers;
  readonly serverKeys: ServerKeys;
  readonly ingest: Ingest;
  readonly doubts: Doubts;
  readonly leadership: Leadership;
  /** Null for a node alone. */
  readonly pairing: Pairing | null;
  readonly replicator: Replicator | null;
  /** Null where there is none that can be asked. */
  readonly peer: Peer | null;
  readonly closing: AsyncDisposableStack;
}

/** How the node is, for whoever asks from outside. */
export interface Served {
  status(): PeerStatus;
  ready(): Promise<Readiness>;
}

/** Opens the public listener and the control socket. @throws AppError `control.in-use`, `listen.failed` */
export async function serve(options: ServeOptions): Promise<Served> {
  const { config, clock, log, audit, ingest, leadership, closing } = options;
  const { publish } = config;
  const ready = (): Promise<Readiness> =>
    readinessOf(config.queueDir, leadership.master() ? ingest.status() : null);
  if (publish.webListen !== null) {
    const publicLog = log.with({ room: 'public' });
    const app = createPublicApp({ ...publicSide(options, publicLog), log: publicLog, ready });
    const listener = await listenPublic(app, publish.webListen);
    closing.defer(() => listener.close());
    log.info('links are answered', { at: `${listener.host}:${listener.port}` });
  }
  const startedMs = clock.monotonicMs();
  const status = (): PeerStatus => ownStatus(options, (clock.monotonicMs() - startedMs) / 1000);
  const record: OperationsOptions['record'] = (event) => audit.record({ ...event, by: 'node-ctl' });
  const control = {
    ...createOperations({
      ...options,
      ingest: pausable(options),
      timeZone: config.recordings.timeZone,
      record,
      status: () => wholeStatus(options, status()),
    }),
    ...createLeadershipControl({ leadership, peerId: config.peer?.id ?? null, record }),
    ...pairingControl(options.pairing),
    ...createDoubtControl(options.doubts),
    ...createLinkControl(options),
    ...accessControl(options, record),
    ...serversControl(options),
    ...createIndexControl(options.indexes, {
      sources: config.sources,
      wanted: config.recordings.index,
      flatBucket: config.recordings.bucket?.layout.kind === 'flat',
    }),
  };
  const socketLog = log.with({ room: 'control' });
  const socket = await openControlSocket({ path: config.controlSocket, control, log: socketLog });
  closing.defer(() => socket.close());
  return { status, ready };
}

/** What is opened by links: those of this node, also where new ones are the bucket's. */
function publicSide(
  { config, linkKey, deliveries, publisher, sources, audit, clock }: ServeOptions,
  log: Log,
) {
  const shared = { deliveries, publisher, sources, clock };
  const { nodeId } = config;
  // Inside the page links are relative to it.
  const beside = createNodeLinks({ nodeId, linkKey, publicUrl: null });
  return {
    root: webRoot(config),
    openLink: createLinkOpener({ ...shared, linkKey, nodeId }),
    openPage: createPageOpener({ ...shared, links: beside }),
    opened: createLinkOpenings(audit, clock, log, (job) => deliveries.opened(job)),
  };
}

/** Who may ask, by what, and what came of it. */
function accessControl(options: ServeOptions, record: OperationsOptions['record']) {
  const { config, clock, audit, people, spool, tokens, doorTokens, lockout, quarantineDesk } = options;
  const servers = config.servers.map(({ id }) => id);
  const { requireToken } = config.access;
  return {
    ...createPeopleControl({ people, servers, audit, acceptor: spool }),
    ...createTokenControl({ tokens, doorTokens, lockout, people, requireToken, clock, record }),
    ...createQuarantineControl(quarantineDesk),
    ...createAuditControl(audit),
  };
}

function serversControl({ config, remote, sip, knownServers, serverKeys, audit }: ServeOptions) {
  const { servers, serversFile, serverLogin } = config;
  const { user } = serverLogin;
  const { bans, phones } = sip;
  const trusting = { known: knownServers, keys: serverKeys, audit };
  return {
    ...createServerControl({ servers, serversFile, user, remote, scan: remote, bans, ...trusting }),
    ...createMacControl({ servers, phones, audit }),
  };
}

/** What an operator should know, of the configuration and as it is now. */
function warningsOf(options: ServeOptions): string[] {
  const { warnings, worldWarnings, held, space, deliveries } = options;
  const ofDisk = [...spaceWarnings(space.last()), ...deliveries.warnings()];
  return [...warnings, ...worldWarnings(), ...ofDisk, ...held.warnings(), ...doorWarnings(options)];
}

/** What waits for a person at the door. */
function doorWarnings({ quarantineDesk, lockout }: ServeOptions): string[] {
  const kept = quarantineDesk.list().length;
  const locks = lockout.list().length;
  return [
    ...(kept > 0 ? [`mails whose sender is not proved: ${kept} (node-ctl quarantine list)`] : []),
    ...(locks > 0 ? [`locked out after wrong tokens: ${locks} (node-ctl lockout list)`] : []),
  ];
}

/** What this node says of itself, to its peer too. */
function ownStatus(options: ServeOptions, uptimeSeconds: number): PeerStatus {
  const { config, version, clock, ingest, leadership, sources } = options;
  const { role, term, since } = leadership.view();
  return {
    ...{ nodeId: config.nodeId, version, protocol: PROTOCOL_VERSION, role, term, since, uptimeSeconds },
    now: clock.now().toString(),
    mailbox: readsMailbox(options) ? ingestView(ingest.status()) : null,
    queue: queueStatus(options),
    sources: [...sources.keys()],
    warnings: [...warningsOf(options), ...leadership.explain()],
  };
}

/** The same with what only this host's operator is told, and how the peer is. */
async function wholeStatus(options: ServeOptions, own: PeerStatus): Promise<NodeStatus> {
  const { config, clock, ingest, leadership, peer, publisher, replicator, indexes, space, diskUse } = options;
  const ledgerBehind = replicator?.status().behind ?? 0;
  const peerId = config.peer?.id ?? null;
  return {
    ...{ nodeId: own.nodeId, version: own.version, mode: config.mode },
    ...{ role: own.role, term: own.term, since: own.since, uptimeSeconds: own.uptimeSeconds },
    ingest: readsMailbox(options) ? ingestView(ingest.status()) : null,
    leadership: leadership.explain(),
    peer: peerId === null ? null : await lookAtPeer({ peerId, peer, clock, ledgerBehind }),
    queue: queueStatus(options),
    sources: own.sources,
    publisher: publisher.name,
    indexes: indexes.map((index) => index.status()),
    stateDir: config.stateDir,
    disk: diskView(await space.look(), diskUse.last()),
    warnings: warningsOf(options),
  };
}

/** The taking of mails, which only a master does. */
function pausable({ ingest, leadership }: ServeOptions): OperationsOptions['ingest'] {
  const own = (): Ingest => {
    if (leadership.master()) return ingest;
    throw new AppError(
      'job.wrong-state',
      'this node is not master and reads no mailbox: ask its peer’s node-ctl',
    );
  };
  return { pause: () => own().pause(), resume: () => own().resume() };
}

function readsMailbox({ leadership, ingest }: ServeOptions): boolean {
  return leadership.master() || ingest.status().state !== 'stopped';
}
