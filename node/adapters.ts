import { join } from 'node:path';
import { createSenderProof } from './access/open-sender-proof.ts';
import type { SenderProof } from './access/sender-proof.ts';
import type { Config } from './config.ts';
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
import type { SpaceWatch } from './platform/space.ts';
import type { KnownServers } from './servers/known-servers.ts';
import type { ServerKeys } from './servers/server-keys.ts';
import { createSshRemote, type SshRemote } from './servers/ssh-session.ts';
import { createStorage, type Storage } from './storage.ts';

/** The world as a node meets it: everything with an outside. */
export interface Adapters extends Storage {
  readonly mailbox: Mailbox;
  /** Null where SENT_MAILBOX is none. */
  readonly sent: (SentMail & { close(): Promise<void> }) | null;
  readonly mailer: Mailer;
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

/** By which others are known, and this node to them; and what there is room for. */
interface Trusted {
  /** Null for a node alone. */
  readonly keyring: Keyring | null;
  readonly knownServers: Pick<KnownServers, 'trusted'>;
  readonly serverKeys: Pick<ServerKeys, 'loginOf'>;
  /** Signs the links that this node answers. */
  readonly linkKey: Buffer;
  /** On the disk of STATE_DIR. */
  readonly space: SpaceWatch;
}

/** The adapters that a configuration asks for. Nothing is connected to yet. */
export async function createAdapters(
  config: Config,
  { keyring, knownServers, serverKeys, linkKey, space }: Trusted,
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
    ...(await createStorage(config, { linkKey, space }, clock, log)),
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
