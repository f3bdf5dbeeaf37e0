import { mkdir, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { connectControl } from '../../node/cli/client.ts';
import type { NodeStatus } from '../../node/listeners/control-contract.ts';
import { recordingName, wav } from './audio.ts';
import type { Ceph } from './ceph.ts';
import type { MailServers } from './exim.ts';
import { type Link, type LinkMode, startLink } from './link.ts';
import type { Namespace, Namespaces } from './namespaces.ts';
import { type NodeUnderTest, prepareNode, type Ran } from './node.ts';
import { freePort, temporaryDirectory } from './process.ts';
import { type Sshd, startSshd } from './sshd.ts';

/** A node that can be told when to die or to stand still; see killable-node.ts. */
const KILLABLE = join(import.meta.dirname, 'killable-node.ts');

/** A source that is all empty is taken for one that is not mounted. */
const UNASKED = recordingName('9001', '9002', '20251027-080000');

const LOG_LINES = 80;

export type NodeId = 'audio' | 'audio2';
type Settings = Readonly<Record<string, string>>;

/** A node of a pair, with the ways that lead to it. */
export interface PairNode extends NodeUnderTest {
  readonly id: NodeId;
  readonly queueDir: string;
  /** Its user's home, where the keys lie that may log in. */
  readonly home: string;
  /** That of its host. @throws where the pair was prepared without */
  sshd(): Sshd;
  /** The peer's way to its RPC, and to its sshd; not in use where the hosts are namespaces. */
  readonly rpc: Link;
  readonly ssh: Link;
  /** Where its peer finds its RPC. */
  readonly way: { readonly host: string; readonly port: number };
}

/** Two nodes as processes: `audio2` begins as master, `audio` has the recordings; either can read the mailbox. */
export interface Pair extends AsyncDisposable {
  readonly audio: PairNode;
  readonly audio2: PairNode;
  readonly nodes: readonly [PairNode, PairNode];
  peerOf(node: PairNode): PairNode;
  /** Addresses: the nodes' mailbox, whom they serve, and their admin. */
  readonly mailbox: string;
  readonly requester: string;
  readonly admin: string;
  /** Starts both (again). */
  start(env?: { readonly [Id in NodeId]?: Settings }): Promise<void>;
  /** Joins them as an operator does; both run. */
  join(): Promise<void>;
  /** Switches the ways of RPC in both directions, those of SSH, or all. */
  setLinks(mode: LinkMode, which?: 'rpc' | 'ssh' | 'all'): Promise<void>;
}

export interface PairOptions {
  readonly servers: MailServers;
  /** Both publish into this bucket; else each on its own web listener. */
  readonly s3?: { readonly ceph: Ceph; readonly bucket: string };
  readonly settings?: { readonly both?: Settings } & { readonly [Id in NodeId]?: Settings };
  /** In place of a directory of its own, in which there is one recording that nobody asks for. */
  readonly recordingsDir?: string;
  /** False for hosts that nothing can be copied to, which are ready sooner. */
  readonly sshd?: boolean;
  /** Hosts of their own for the nodes, in place of this one. */
  readonly namespaces?: Namespaces;
}

let prepared = 0;

/** Prepares a pair; its nodes are neither started nor joined. */
export async function preparePair(options: PairOptions): Promise<Pair> {
  prepared += 1;
  const number = prepared; // others are prepared meanwhile
  const [mailbox, requester, admin] = ['comandos', 'pessoa', 'admin'].map(
    (who) => `${who}-par-${number}@example.test`,
  ) as [string, string, string];
  const common = { EMAIL_SERVICE: mailbox, SMTP_FROM: mailbox, WHITELIST: requester, ADMIN_EMAIL: admin };
  await using stack = new AsyncDisposableStack();
  const hosts = options.namespaces?.hosts ?? [null, null];
  const [forAudio, forAudio2] = (await Promise.all(
    hosts.map((place) => prepareHost(stack, place, options.sshd ?? true)),
  )) as [Host, Host];
  const mail =
    options.namespaces === undefined ? {} : await mailByHub(stack, options.namespaces, options.servers);
  const prepareOne = async (id: NodeId, own: Host, other: Host, settings: Settings): Promise<PairNode> => {
    const node = await prepareNode({
      ...options,
      main: KILLABLE,
      directory: own.directory,
      home: own.home,
      within: own.place?.within ?? [],
      settings: {
        ...common,
        ...mail,
        ...peerSettings(id, own, other),
        ...(options.s3 === undefined ? {} : { S3_PUBLISH_PREFIX: `entregas-par-${number}` }),
        ...settings,
        ...options.settings?.both,
        ...options.settings?.[id],
      },
    });
    stack.use(node);
    const { home, rpc, ssh } = own;
    const sshd = (): Sshd => {
      if (own.sshd === null) throw new Error('this pair has no sshd');
      return own.sshd;
    };
    const queueDir = join(node.stateDir, 'queue');
    return { ...node, id, queueDir, home, sshd, rpc, ssh, way: own.rpcAt };
  };
  const { recordingsDir } = options;
  const recordings = recordingsDir === undefined ? {} : { RECORDINGS_DIR: recordingsDir };
  const audio = await prepareOne('audio', forAudio, forAudio2, {
    MODE: 'slave',
    SOURCES: 'audio',
    ...recordings,
  });
  const searchesNothing = { MODE: 'master', SOURCES: 'none', AUDIOS_FROM: 'audio' };
  const audio2 = await prepareOne('audio2', forAudio2, forAudio, searchesNothing);
  if (recordingsDir === undefined) await writeFile(join(audio.recordingsDir, UNASKED), wav(100));
  const nodes = [audio, audio2] as const;
  const kept = stack.move();
  return {
    ...{ audio, audio2, nodes, mailbox, requester, admin },
    peerOf: (node) => (node.id === 'audio' ? audio2 : audio),
    start: async (env = {}) => {
      await Promise.all(nodes.map((node) => node.start(env[node.id])));
    },
    join: () => joinNodes(audio2, audio),
    setLinks: async (mode, which = 'all') => {
      const ways = nodes.flatMap(({ rpc, ssh }) => ({ rpc: [rpc], ssh: [ssh], all: [rpc, ssh] })[which]);
      await Promise.all(ways.map((way) => way.set(mode)));
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** What a host has before its node. */
interface Host {
  readonly directory: string;
  readonly home: string;
  readonly place: Namespace | null;
  readonly sshd: Sshd | null;
  /** Where its node's RPC listens. */
  readonly rpcListen: Address;
  readonly rpc: Link;
  readonly ssh: Link;
  /** Where its peer finds them. */
  readonly rpcAt: Address;
  readonly sshAt: Address;
}

interface Address {
  readonly host: string;
  readonly port: number;
}

async function prepareHost(
  stack: AsyncDisposableStack,
  place: Namespace | null,
  withSshd: boolean,
): Promise<Host> {
  const directory = stack.use(await temporaryDirectory()).path;
  const home = join(directory, 'home');
  await mkdir(join(home, '.ssh'), { recursive: true, mode: 0o700 });
  const authorizedKeysFile = join(home, '.ssh/authorized_keys');
  const sshd = withSshd ? stack.use(await startSshd({ authorizedKeysFile, place })) : null;
  const rpcListen = { host: place?.linkAddress ?? '127.0.0.1', port: await freePort() };
  const sshListen = { host: sshd?.host ?? '127.0.0.1', port: sshd?.port ?? (await freePort()) };
  const rpc = stack.use(await startLink({ target: rpcListen, port: await freePort() }));
  const ssh = stack.use(await startLink({ target: sshListen, port: await freePort() }));
  const at = place === null ? { rpcAt: rpc, sshAt: ssh } : { rpcAt: rpcListen, sshAt: sshListen };
  return { directory, home, place, sshd, rpcListen, rpc, ssh, ...at };
}

function peerSettings(id: NodeId, own: Host, other: Host): Record<string, string> {
  return {
    NODE_ID: id,
    PEER_ID: id === 'audio' ? 'audio2' : 'audio',
    RPC_LISTEN: `${own.rpcListen.host}:${own.rpcListen.port}`,
    PEER_URL: `https://${other.rpcAt.host}:${other.rpcAt.port}`,
    PEER_SSH_HOST: other.sshAt.host,
    PEER_SSH_PORT: String(other.sshAt.port),
    PEER_SSH_USER: userInfo().username,
    PEER_QUEUE_DIR: join(other.directory, 'state/queue'),
    SSH_HOST_KEYS_DIR: own.sshd?.hostKeysDirectory ?? own.directory,
  };
}

/** The mail servers as namespaces reach them: by ports of the hub's address. */
async function mailByHub(
  stack: AsyncDisposableStack,
  { hubAddress: host }: Namespaces,
  { dovecot, exim }: MailServers,
): Promise<Record<string, string>> {
  const imap = stack.use(await startLink({ target: dovecot.imapPort, host }));
  const smtp = stack.use(await startLink({ target: exim.smtpPort, host }));
  return {
    ...{ IMAP_SERVER: host, IMAP_PORT: String(imap.port) },
    ...{ SMTP_SERVER: host, SMTP_PORT: String(smtp.port) },
  };
}

async function joinNodes(inviter: PairNode, invited: PairNode): Promise<void> {
  const { host, port } = inviter.way;
  const line = invitationIn(await inviter.ctl('pair', 'invite', '--url', `https://${host}:${port}`));
  const accepted = await invited.ctl('pair', 'accept', line);
  expect(accepted.code, accepted.out).toBe(0);
}

/** The line that `pair invite` prints for the other host. */
export function invitationIn({ code, out }: Ran): string {
  expect(code, out).toBe(0);
  const line = /\bparelha-pair-\S+/.exec(out)?.[0];
  if (line === undefined) throw new Error(`no invitation in: ${out}`);
  return line;
}

/** Does a part of a test; where that fails, the error tells what the nodes have said last. */
export async function withLogs<T>({ nodes }: Pair, part: () => Promise<T>): Promise<T> {
  try {
    return await part();
  } catch (error) {
    const said = nodes.map(
      (node) => `--- ${node.id} ---\n${node.child().output().split('\n').slice(-LOG_LINES).join('\n')}`,
    );
    if (error instanceof Error) error.message += `\n${said.join('\n')}`;
    throw error;
  }
}

/** What a node says of itself and of its peer; fails where it does not run. */
export async function statusOf({ stateDir }: NodeUnderTest): Promise<NodeStatus> {
  const control = await connectControl(join(stateDir, 'control.sock'));
  try {
    return await control.call('status', {});
  } finally {
    await control.close();
  }
}
