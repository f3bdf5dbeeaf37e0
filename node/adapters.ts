import { join } from 'node:path';
import type { SourceName } from '../protocol/job.ts';
import type { HasWarnings } from './bucket/credentials.ts';
import { createSenderProof } from './access/open-sender-proof.ts';
import type { SenderProof } from './access/sender-proof.ts';
import type { Config } from './config.ts';
import type { BucketSourceConfig } from './config/shape.ts';
import { openTranscoder } from './delivery/open-transcoder.ts';
import type { Publisher } from './delivery/publisher.ts';
import { createS3Publisher } from './delivery/s3-publisher.ts';
import type { Transcoder } from './delivery/transcoder.ts';
import { createWebPublisher } from './delivery/web-publisher.ts';
import type { Dropbox } from './forward/dropbox.ts';
import { createScpDrop } from './forward/scp-drop.ts';
import { removeLeftIndexes } from './indexing/index-files.ts';
import { createIndex } from './indexing/index-thread.ts';
import { createIndexedSource } from './indexing/indexed-source.ts';
import type { Links } from './links/links.ts';
import { createNodeLinks } from './links/node-links.ts';
import { createPresignedLinks } from './links/presigned-links.ts';
import { createImapMailbox } from './mail/imap-mailbox.ts';
import { createImapSentMail } from './mail/imap-sent-mail.ts';
import type { Mailbox, SentMail } from './mail/mailbox.ts';
import type { Mailer } from './mail/mailer.ts';
import { createSmtpMailer } from './mail/smtp-mailer.ts';
import type { Keyring } from './pairing/keyring.ts';
import type { Join } from './pairing/pairing-options.ts';
import type { Credentials } from './peer/credentials.ts';
import type { Peer } from './peer/peer.ts';
import { createRpcClient } from './peer/rpc-client.ts';
import { callJoin } from './peer/rpc-join.ts';
import { type RpcServer, type RpcServerOptions, startRpcServer } from './peer/rpc-server.ts';
import type { Clock } from './platform/clock.ts';
import { messageOf } from './platform/errors.ts';
import type { Log } from './platform/log.ts';
import { bytesForDelivery } from './platform/room-watch.ts';
import type { RoomWatch } from './platform/room.ts';
import { createDiskConfirm, createDiskSource } from './recordings/disk-source.ts';
import type { RecordingIndex } from './recordings/recording-index.ts';
import { createS3Source } from './recordings/s3-source.ts';
import type { RecordingSource } from './recordings/source.ts';
import type { KnownServers } from './servers/known-servers.ts';
import type { ServerKeys } from './servers/server-keys.ts';
import { createSshRemote, type SshRemote } from './servers/ssh-session.ts';

/** A search of a bucket without days waits so long for a listing of all of it: some millions of keys. */
const LISTING_LIMIT_MS = 600_000;

/** The world as a node meets it: everything with an outside. */
export interface Adapters {
  readonly mailbox: Mailbox;
  /** Null where SENT_MAILBOX is none. */
  readonly sent: (SentMail & { close(): Promise<void> }) | null;
  readonly mailer: Mailer;
  readonly sources: ReadonlyMap<SourceName, RecordingSource>;
  readonly publisher: Publisher;
  /** How people get at what is published. */
  readonly links: Links;
  /** Null where nothing is to be converted for playing, or nothing here can do it. */
  readonly transcoder: Transcoder | null;
  /** Of sources that have one; not started yet. */
  readonly indexes: readonly RecordingIndex[];
  /** What an operator should know of all this, as it is now. */
  readonly worldWarnings: () => readonly string[];
  /** Null for a node alone, and where PEER_RPC is off. */
  readonly peer: Peer | null;
  /** Null for a node alone. */
  readonly dropbox: (Dropbox & { close(): Promise<void> }) | null;
  /** Answers the peer; null where there is none that calls. */
  readonly serveRpc: ServeRpc | null;
  readonly joinPair: Join;
  /** The SIP servers. */
  readonly remote: SshRemote;
  /** Whether mails come from whom they name. */
  readonly senderProof: SenderProof;
}

export type { RpcServer } from './peer/rpc-server.ts';
export type ServeRpc = (
  options: Omit<RpcServerOptions, 'nodeId' | 'host' | 'port' | 'credentials'>,
) => Promise<RpcServer>;

/** Where the web publisher keeps what the public listener serves. */
export function webRoot(config: Config): string {
  return join(config.stateDir, 'web');
}

/** By which others are known, and this node to them; and what there is room for. */
interface Trusted {
  /** Null for a node alone. */
  readonly keyring: Keyring | null;
  readonly knownServers: Pick<KnownServers, 'trusted'>;
  readonly serverKeys: Pick<ServerKeys, 'loginOf'>;
  /** Signs the links that this node answers. */
  readonly linkKey: Buffer;
  /** On the disk of STATE_DIR. */
  readonly room: RoomWatch;
}

/** The adapters that a configuration asks for. Nothing is connected to yet. */
export async function createAdapters(
  config: Config,
  { keyring, knownServers, serverKeys, linkKey, room }: Trusted,
  clock: Clock,
  log: Log,
): Promise<Adapters> {
  const { nodeId, mail, smtp } = config;
  const imap = { ...mail, ...mail.auth, clock, log: log.with({ room: 'mail' }) };
  const storage = await createStorage(config, clock, log);
  return {
    mailbox: createImapMailbox(imap),
    sent: mail.sentMailbox === 'none' ? null : createImapSentMail({ ...imap, sentMailbox: mail.sentMailbox }),
    mailer: createSmtpMailer({
      ...smtp,
      login: smtp.auth,
      from: smtp.from.address,
      ...(smtp.from.name === '' ? {} : { fromName: smtp.from.name }),
      nodeId,
      clock,
      log: log.with({ room: 'mail' }),
    }),
    ...storage,
    links: createLinks(config, linkKey, storage.publisher),
    transcoder: await createTranscoder(config, room, clock, log.with({ room: 'delivery' })),
    ...createPairAdapters(config, keyring, clock),
    remote: createSshRemote({ loginOf: serverKeys.loginOf, trusted: knownServers.trusted, clock }),
    senderProof: createSenderProof(config.access.senderAuth, { clock }),
  };
}

function createPairAdapters(
  { nodeId, peer: configured, certsDir }: Config,
  credentials: Credentials | null,
  clock: Clock,
): Pick<Adapters, 'peer' | 'dropbox' | 'serveRpc' | 'joinPair'> {
  const joinPair: Join = (url, fingerprint, params) => callJoin({ url, fingerprint, params });
  if (configured === null || credentials === null) {
    return { peer: null, dropbox: null, serveRpc: null, joinPair };
  }
  const { id: peerId, rpc, ssh } = configured;
  const knownHostsFile = join(certsDir, 'known_hosts');
  return {
    peer: rpc === null ? null : createRpcClient({ nodeId, peerId, url: rpc.url, credentials, clock }),
    dropbox: createScpDrop({ ...ssh, peerId, credentials, knownHostsFile }),
    serveRpc:
      rpc === null ? null : (options) => startRpcServer({ nodeId, ...rpc.listen, credentials, ...options }),
    joinPair,
  };
}

/** Where recordings come from and where results go. */
async function createStorage(
  config: Config,
  clock: Clock,
  log: Log,
): Promise<Pick<Adapters, 'sources' | 'indexes' | 'publisher' | 'worldWarnings'>> {
  const { dir, bucket } = config.recordings;
  const sources = new Map<SourceName, RecordingSource>();
  const indexes: RecordingIndex[] = [];
  const watched: HasWarnings[] = [];
  const roomLog = log.with({ room: 'recordings' });
  if (config.sources.includes('audio') && dir !== null) {
    const { source, index } = createDisk(config, dir, clock, roomLog);
    sources.set('audio', source);
    if (index !== null) indexes.push(index);
  }
  if (bucket !== null) {
    const { source, index, warnings } = await createBucket(config, bucket, clock, roomLog);
    sources.set('s3', source);
    if (index !== null) indexes.push(index);
    watched.push({ warnings });
  }
  removeLeft(indexDirectory(config.stateDir), indexes, roomLog);
  const publisher = await createPublisher(config, clock, log.with({ room: 'delivery' }));
  if ('warnings' in publisher) watched.push(publisher);
  // Source and publisher often have the same credentials.
  const worldWarnings = (): string[] => [
    ...new Set(watched.flatMap((one) => one.warnings())),
    ...indexes.flatMap((index) => {
      const { state, source, message } = index.status();
      return state === 'failed' ? [`the index of ${source} is not in use: ${message}`] : [];
    }),
  ];
  return { sources, indexes, publisher, worldWarnings };
}

interface Searched {
  readonly source: RecordingSource;
  /** Null where it has none. */
  readonly index: RecordingIndex | null;
}

function createDisk({ recordings, stateDir }: Config, root: string, clock: Clock, log: Log): Searched {
  const { order } = recordings;
  const base = createDiskSource({ root, order, clock, log });
  if (!recordings.index) return { source: base, index: null };
  const directory = indexDirectory(stateDir);
  const index = createIndex({ source: 'audio', directory, keeper: { kind: 'disk', root }, clock, log });
  const confirm = createDiskConfirm(root);
  return { source: createIndexedSource({ base, index, order, confirm, clock, log }), index };
}

async function createBucket(
  { recordings, stateDir, publish }: Config,
  bucket: BucketSourceConfig,
  clock: Clock,
  log: Log,
): Promise<Searched & HasWarnings> {
  const { order } = recordings;
  const isShared = publish.s3?.bucket === bucket.bucket;
  const except = isShared ? (publish.s3?.publishPrefix ?? null) : null;
  const base = await createS3Source({ ...bucket, except, order, clock, log });
  const { warnings } = base;
  // A dated layout tells which keys a day can have: those are listed.
  if (!recordings.index || bucket.layout.kind !== 'flat') return { source: base, index: null, warnings };
  const { layout: _layout, bucket: name, prefix, ...account } = bucket;
  const options = { account, bucket: name, prefix, except };
  const directory = indexDirectory(stateDir);
  const keeper = { kind: 's3', options } as const;
  const settleLimitMs = LISTING_LIMIT_MS;
  const index = createIndex({ source: 's3', directory, keeper, settleLimitMs, clock, log });
  return { source: createIndexedSource({ base, index, order, clock, log }), index, warnings };
}

/** What is left of an index that the configuration no longer asks for takes room and nothing else. */
function removeLeft(directory: string, indexes: readonly RecordingIndex[], log: Log): void {
  try {
    for (const source of removeLeftIndexes(
      directory,
      indexes.map((index) => index.source),
    )) {
      log.info('removed the index of a source that has none any more', { source });
    }
  } catch (error) {
    log.warn('an index that is not used any more could not be removed', { cause: messageOf(error) });
  }
}

function indexDirectory(stateDir: string): string {
  return join(stateDir, 'index');
}

async function createPublisher(
  { publish, nodeId, ...config }: Config,
  clock: Clock,
  log: Log,
): Promise<Publisher | (Publisher & HasWarnings)> {
  if (publish.kind === 's3') {
    return createS3Publisher({ ...publish.s3, prefix: publish.s3.publishPrefix, nodeId, clock, log });
  }
  return createWebPublisher({ root: webRoot({ ...config, publish, nodeId }), nodeId });
}

/** Links of this node where it can be reached; else those that the bucket answers. */
function createLinks(
  { nodeId, publish: { publicUrl } }: Config,
  linkKey: Buffer,
  publisher: Publisher,
): Links {
  if (publicUrl !== null) return createNodeLinks({ nodeId, linkKey, publicUrl });
  if (publisher.presign === null) throw new Error('a publisher that gives no links needs a PUBLIC_URL');
  return createPresignedLinks(publisher.presign);
}

async function createTranscoder(
  config: Config,
  watch: RoomWatch,
  clock: Clock,
  log: Log,
): Promise<Transcoder | null> {
  if (!config.publish.transcode) return null;
  const directory = join(config.stateDir, 'tmp', 'playing');
  // What is published elsewhere is converted here all the same.
  const room = () => bytesForDelivery(watch);
  return openTranscoder({ directory, path: process.env['PATH'] ?? '', clock, log, room });
}
