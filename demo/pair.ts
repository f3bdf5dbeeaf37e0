import { mkdir, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { type Link, startLink } from '../test/support/link.ts';
import { eventually, freePort } from '../test/support/process.ts';
import { hasProgram } from '../test/support/programs.ts';
import { type Sshd, startSshd } from '../test/support/sshd.ts';
import type { NodeStatus } from '../node/listeners/control-contract.ts';
import type { IndexView } from '../node/listeners/control-index.ts';
import { AUTHSERV_ID, type MailServers } from './mail-servers.ts';
import { homeOf, type NodeId, type NodeProcess, startNode } from './node-process.ts';
import { ADDRESSES, PEOPLE } from './person.ts';

const NO_SSHD = 'no sshd on this machine (apt-get install openssh-server brings it)';
const LOOPBACK = '127.0.0.1';
const ROLE_TIMEOUT_MS = 20_000;
const INDEX_TIMEOUT_MS = 20_000;
/** Of the invitation as much as tells it from another; its secret comes later. */
const SHOWN_OF_INVITATION = 'parelha-pair-1-00000000'.length;

export interface PairOptions {
  readonly directory: string;
  readonly servers: MailServers;
  readonly password: string;
  readonly token: string;
  readonly recordings: string;
  readonly timeZone: string;
  readonly hosts: Hosts;
  /** SERVERS_FILE. */
  readonly serversFile: string;
}

/** Two nodes: `audio2` begins with the mailbox, `audio` has the recordings. */
export interface Pair {
  readonly audio: NodeProcess;
  readonly audio2: NodeProcess;
  readonly nodes: readonly [NodeProcess, NodeProcess];
  /** Rejects when one of them ends. */
  readonly ended: Promise<never>;
}

/** What a node's host has before its node. */
interface Host {
  readonly id: NodeId;
  readonly directory: string;
  readonly sshd: Sshd | null;
  readonly rpcPort: number;
  /** The way by which its peer reaches its RPC. */
  readonly rpc: Link;
}

export interface Hosts {
  readonly audio: Host;
  readonly audio2: Host;
  /** Why no files can be copied from one to the other; null where they can. */
  readonly withoutSsh: string | null;
  /** Cuts RPC between the two, in both directions, or joins it again. */
  setRpc(mode: 'pass' | 'cut'): Promise<void>;
}

/** Sets up what lies below and between the nodes: directories, an sshd each, and the ways of RPC. */
export async function startHosts(directory: string, resources: AsyncDisposableStack): Promise<Hosts> {
  let withoutSsh: string | null = hasProgram('sshd') && hasProgram('ssh-keygen') ? null : NO_SSHD;
  const sshdFor = async (authorizedKeysFile: string): Promise<Sshd | null> => {
    if (withoutSsh !== null) return null;
    try {
      return resources.use(await startSshd({ authorizedKeysFile }));
    } catch (error) {
      withoutSsh = (error as Error).message.split('\n', 1)[0] ?? '';
      return null;
    }
  };
  const startHost = async (id: NodeId): Promise<Host> => {
    const own = join(directory, id);
    await mkdir(join(homeOf(own), '.ssh'), { recursive: true, mode: 0o700 });
    const authorizedKeysFile = join(homeOf(own), '.ssh/authorized_keys');
    const sshd = await sshdFor(authorizedKeysFile);
    const rpcPort = await freePort();
    const rpc = resources.use(await startLink({ target: rpcPort, port: await freePort() }));
    return { id, directory: own, sshd, rpcPort, rpc };
  };
  const [audio, audio2] = await Promise.all([startHost('audio'), startHost('audio2')]);
  return {
    ...{ audio, audio2, withoutSsh },
    setRpc: async (mode) => {
      await Promise.all([audio, audio2].map(({ rpc }) => rpc.set(mode)));
    },
  };
}

/** Starts both nodes; they do not know each other yet. */
export async function startPair(options: PairOptions, resources: AsyncDisposableStack): Promise<Pair> {
  const { hosts, directory } = options;
  await writeFile(join(directory, 'tokens.txt'), `${options.token}\n`, { mode: 0o600 });
  const started: NodeProcess[] = [];
  // Both at once: neither waits for the other.
  resources.defer(async () => void (await Promise.all(started.map((node) => node[Symbol.asyncDispose]()))));
  const start = async (own: Host, other: Host, role: Settings): Promise<NodeProcess> => {
    const settings = { ...mailSettings(options), ...(await hostSettings(own, other)), ...role };
    const node = await startNode({ id: own.id, directory: own.directory, settings });
    started.push(node);
    return node;
  };
  const withRecordings = { MODE: 'slave', SOURCES: 'audio', RECORDINGS_DIR: options.recordings };
  const withMailbox = { MODE: 'master', SOURCES: 'none', AUDIOS_FROM: 'audio' };
  const [audio, audio2] = await Promise.all([
    start(hosts.audio, hosts.audio2, withRecordings),
    start(hosts.audio2, hosts.audio, withMailbox),
  ]);
  const ended = Promise.race([audio.ended, audio2.ended]);
  ended.catch(() => undefined); // as those of the nodes
  return { audio, audio2, nodes: [audio, audio2], ended };
}

/** Asks a node for an invitation to the other one; gives the line, and as much of it as others may see. */
export async function invite(inviter: NodeProcess, host: Host): Promise<{ line: string; shown: string }> {
  const printed = await inviter.ctl('pair', 'invite', '--url', `https://${LOOPBACK}:${host.rpc.port}`);
  const line = /^parelha-pair-\S+/m.exec(printed)?.[0];
  if (line === undefined) throw new Error('node-ctl pair invite printed no invitation');
  return { line, shown: `${line.slice(0, SHOWN_OF_INVITATION)}…` };
}

/** Waits until a node is master and watches the mailbox, the other one is slave, and both know it; gives how the master is. */
export async function untilMaster({ nodes, ended }: Pair, id: NodeId): Promise<NodeStatus> {
  const settled = async (): Promise<NodeStatus | null> => {
    const [first, second] = await Promise.all(nodes.map((node) => node.control.call('status', {})));
    if (first === undefined || second === undefined || first.term !== second.term) return null;
    const master = [first, second].find(({ role }) => role === 'master');
    const other = [first, second].find(({ role }) => role === 'slave');
    return master?.nodeId === id && other !== undefined && master.ingest?.state === 'watching'
      ? master
      : null;
  };
  return Promise.race([eventually(`${id} to be master`, settled, ROLE_TIMEOUT_MS, 50), ended]);
}

/** Waits until a node has an index of its recordings. */
export async function untilIndexed({ ended }: Pair, node: NodeProcess): Promise<IndexView> {
  const ready = async (): Promise<IndexView | undefined> => {
    const { indexes } = await node.control.call('status', {});
    return indexes.find(({ state }) => state === 'ready');
  };
  return Promise.race([eventually(`${node.id} to have an index`, ready, INDEX_TIMEOUT_MS, 50), ended]);
}

export type Settings = Readonly<Record<string, string | number>>;

/** The same on both: one mailbox, and who may ask. */
export function mailSettings({
  servers,
  password,
  directory,
  timeZone,
  serversFile,
}: Omit<PairOptions, 'hosts' | 'token' | 'recordings'>): Settings {
  return {
    EMAIL_SERVICE: servers.address,
    EMAIL_PASSWORD: password,
    IMAP_SERVER: LOOPBACK,
    IMAP_PORT: servers.imapPort,
    IMAP_TLS: 'none',
    SENT_MAILBOX: servers.sentMailbox,
    SMTP_SERVER: LOOPBACK,
    SMTP_PORT: servers.smtpPort,
    SMTP_TLS: 'none',
    SMTP_PASSWORD: password,
    WHITELIST: [PEOPLE.ana, PEOPLE.beto, PEOPLE.admin].map(({ address }) => address).join(', '),
    ADMIN_EMAIL: ADDRESSES.admin,
    SENDER_AUTH: AUTHSERV_ID,
    TOKEN_FILE: join(directory, 'tokens.txt'),
    RECORDINGS_TZ: timeZone,
    SERVERS_FILE: serversFile,
    // The disk of a small machine is not to end the demo; one node of it has another word on this.
    DISK_HEADROOM_BYTES: 0,
  };
}

async function hostSettings(own: Host, other: Host): Promise<Settings> {
  const webPort = await freePort();
  return {
    PUBLISH: 'web',
    WEB_LISTEN: `${LOOPBACK}:${webPort}`,
    PUBLIC_URL: `http://${LOOPBACK}:${webPort}`,
    PEER_ID: other.id,
    RPC_LISTEN: `${LOOPBACK}:${own.rpcPort}`,
    PEER_URL: `https://${LOOPBACK}:${other.rpc.port}`,
    PEER_SSH_HOST: LOOPBACK,
    // Without an sshd of ours: a port where nobody is, and never that of the machine's own.
    PEER_SSH_PORT: other.sshd?.port ?? (await freePort()),
    PEER_SSH_USER: userInfo().username,
    PEER_QUEUE_DIR: join(other.directory, 'state/queue'),
    SSH_HOST_KEYS_DIR: own.sshd?.hostKeysDirectory ?? own.directory,
  };
}
