import { join } from 'node:path';
import type { SourceName } from '../protocol/job.ts';
import type { Config } from './config.ts';
import type { Publisher } from './delivery/publisher.ts';
import { createS3Publisher } from './delivery/s3-publisher.ts';
import { createWebPublisher } from './delivery/web-publisher.ts';
import type { Dropbox } from './forward/dropbox.ts';
import { createScpDrop } from './forward/scp-drop.ts';
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
import type { Log } from './platform/log.ts';
import { loadSecretKey } from './platform/secret-key.ts';
import { createDiskSource } from './recordings/disk-source.ts';
import type { RecordingSource } from './recordings/source.ts';

/** The world as a node meets it: everything with an outside. */
export interface Adapters {
  readonly mailbox: Mailbox;
  /** Null where SENT_MAILBOX is none. */
  readonly sent: (SentMail & { close(): Promise<void> }) | null;
  readonly mailer: Mailer;
  readonly sources: ReadonlyMap<SourceName, RecordingSource>;
  readonly publisher: Publisher;
  /** Null for a node alone, and where PEER_RPC is off. */
  readonly peer: Peer | null;
  /** Null for a node alone. */
  readonly dropbox: (Dropbox & { close(): Promise<void> }) | null;
  /** Answers the peer; null where there is none that calls. */
  readonly serveRpc: ServeRpc | null;
  readonly joinPair: Join;
}

export type { RpcServer } from './peer/rpc-server.ts';
export type ServeRpc = (
  options: Omit<RpcServerOptions, 'nodeId' | 'host' | 'port' | 'credentials'>,
) => Promise<RpcServer>;

/** Signs the links of the web publisher; made at the first start. */
export function linkKeyPath(config: Config): string {
  return join(config.stateDir, 'link.key');
}

/** Where the web publisher keeps what the public listener serves. */
export function webRoot(config: Config): string {
  return join(config.stateDir, 'web');
}

/** The adapters that a configuration asks for. Nothing is connected to yet. */
export async function createAdapters(
  config: Config,
  keyring: Keyring | null,
  clock: Clock,
  log: Log,
): Promise<Adapters> {
  const { nodeId, mail, smtp } = config;
  const imap = { ...mail, ...mail.auth, clock, log: log.with({ room: 'mail' }) };
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
    sources: createSources(config, clock, log),
    publisher: await createPublisher(config, clock),
    ...createPairAdapters(config, keyring, clock),
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

function createSources(config: Config, clock: Clock, log: Log): Map<SourceName, RecordingSource> {
  const { dir, order } = config.recordings;
  const sources = new Map<SourceName, RecordingSource>();
  if (config.sources.includes('audio') && dir !== null) {
    sources.set(
      'audio',
      createDiskSource({ root: dir, order, clock, log: log.with({ room: 'recordings' }) }),
    );
  }
  if (config.sources.includes('s3')) {
    log.warn('this version cannot search a bucket yet: requests for the source s3 are refused');
  }
  return sources;
}

async function createPublisher(
  { publish, nodeId, stateDir, ...config }: Config,
  clock: Clock,
): Promise<Publisher> {
  if (publish.kind === 's3') {
    return createS3Publisher({ ...publish.s3, prefix: publish.s3.publishPrefix, nodeId, clock });
  }
  const whole = { ...config, publish, nodeId, stateDir };
  const linkKey = await loadSecretKey(linkKeyPath(whole));
  return createWebPublisher({ root: webRoot(whole), nodeId, publicUrl: publish.publicUrl, linkKey });
}
