import { join } from 'node:path';
import type { PeerConfig } from '../../../node/config/shape.ts';
import { createAuthorizedKeys } from '../../../node/pairing/authorized-keys.ts';
import { type Keyring, openKeyring } from '../../../node/pairing/keyring.ts';
import { createPairing, type Pairing } from '../../../node/pairing/pairing.ts';
import type { Join } from '../../../node/pairing/pairing-options.ts';
import type { Peer } from '../../../node/peer/peer.ts';
import { AppError } from '../../../node/platform/errors.ts';
import { silentLog } from '../../../node/platform/log.ts';
import type { RpcHandlers, RpcMethod, RpcParams } from '../../../protocol/methods.ts';
import { type FixedClock, fixedClock } from '../../support/fixed-clock.ts';
import { createMemoryAudit } from '../../support/memory-audit.ts';

/** A node as far as pairing goes: keys on disk, an audit log in memory. */
export interface Side {
  readonly nodeId: string;
  readonly certsDir: string;
  readonly home: string;
  readonly queueDir: string;
  readonly audited: { readonly event: string; readonly [detail: string]: unknown }[];
  keyring: Keyring;
  pairing: Pairing;
  /** Opens everything anew from what is on disk, as a restart does. */
  restart(): Promise<void>;
}

/** Two nodes that reach each other while `linked`; what a call does on the way is for the test to say. */
export interface TwoSides {
  readonly clock: FixedClock;
  readonly audio: Side;
  readonly audio2: Side;
  linked: boolean;
  /** Called before a call reaches the other side, and with its answer; throws to lose one or the other. */
  onCall: (moment: 'request' | 'answer', from: Side, method: RpcMethod) => void;
}

export function peerConfig(
  id: string,
  certsDir: string,
  changes: Partial<PeerConfig['ssh']> = {},
): PeerConfig {
  return {
    id,
    rpc: { url: `https://${id}.example.test:7443`, listen: { host: '0.0.0.0', port: 7443 } },
    ssh: {
      ...{ host: `${id}.example.test`, port: 22, user: null, queueDir: null },
      keyFile: join(certsDir, 'ssh.key'),
      ...changes,
    },
  };
}

interface SideOptions {
  readonly sshUser?: string;
  readonly ssh?: Partial<PeerConfig['ssh']>;
  readonly sshHostKeysDir?: string;
  /** In place of the one that it is. */
  readonly peerId?: string;
}

export async function twoSides(
  directory: string,
  options: { readonly audio?: SideOptions; readonly audio2?: SideOptions } = {},
): Promise<TwoSides> {
  const clock = fixedClock();
  const makeSide = async (nodeId: string, otherId: string, own: SideOptions = {}): Promise<Side> => {
    const root = join(directory, nodeId);
    const side = {
      ...{ nodeId, certsDir: join(root, 'certs'), home: join(root, 'home'), queueDir: join(root, 'queue') },
      audited: [] as Side['audited'],
    } as unknown as { -readonly [K in keyof Side]: Side[K] };
    const peer = peerConfig(own.peerId ?? otherId, side.certsDir, own.ssh);
    side.restart = async () => {
      const keyring = await openKeyring({ directory: side.certsDir, nodeId, peer, clock, log: silentLog });
      side.keyring = keyring;
      side.pairing = createPairing({
        ...{ nodeId, peer, keyring, clock, log: silentLog, queueDir: side.queueDir },
        rpc: rpcOf(() => world, side),
        join: joinOf(() => world),
        authorizedKeys: createAuthorizedKeys(side.home),
        sshUser: own.sshUser ?? 'parelha',
        sshHostKeysDir: own.sshHostKeysDir ?? join(root, 'no-sshd'),
        hostName: `${nodeId}.example.test`,
        audit: createMemoryAudit(side.audited),
      });
    };
    await side.restart();
    return side;
  };
  const world: TwoSides = {
    clock,
    audio: await makeSide('audio', 'audio2', options.audio),
    audio2: await makeSide('audio2', 'audio', options.audio2),
    linked: true,
    onCall: () => undefined,
  };
  return world;
}

/** Joins the two; audio2 invites. */
export async function pairUp({ audio, audio2 }: TwoSides): Promise<void> {
  const { line } = await audio2.pairing.invite({ url: null });
  await audio.pairing.accept(line);
}

const away = (): AppError =>
  new AppError('peer.unreachable', 'the peer cannot be reached', { retriable: true });
const stranger = (): AppError => new AppError('rpc.unauthenticated', 'The call is not authenticated.');

/** `callJoin` of the transport: the certificate that answers must be the one of the fingerprint. */
function joinOf(world: () => TwoSides): Join {
  return async (url, fingerprint, params) => {
    const { linked, audio, audio2 } = world();
    const target = [audio, audio2].find(({ nodeId }) => url.includes(`//${nodeId}.`));
    if (!linked || target === undefined) throw away();
    if (target.keyring.own().fingerprint !== fingerprint)
      throw new AppError('peer.wrong-certificate', 'another certificate answers');
    if (!target.pairing.invitationOpen()) throw stranger();
    return target.pairing.handleJoin(params, { caller: null, signal: new AbortController().signal });
  };
}

/** The authenticated channel: each side must trust what the other one shows at this moment. */
function rpcOf(world: () => TwoSides, from: Side): Pick<Peer, 'call'> {
  const shows = ({ keyring }: Side): { certificate: string; kid: string } => {
    const { certificate, tokenKey } = keyring.own();
    return { certificate, kid: tokenKey.kid };
  };
  const trusts = ({ keyring }: Side, { certificate, kid }: ReturnType<typeof shows>): boolean =>
    keyring.peer()?.certificates.includes(certificate) === true &&
    keyring.peer()?.tokenKeys.has(kid) === true;
  const handlers = (to: Side): Partial<RpcHandlers> => ({
    'pair.join': to.pairing.handleJoin,
    'leadership.get': () => Promise.resolve({} as never),
  });
  return {
    call: async <M extends RpcMethod>(method: M, params: RpcParams<M>) => {
      const { linked, audio, audio2, onCall } = world();
      const to = from.nodeId === audio.nodeId ? audio2 : audio;
      if (!linked) throw away();
      if (!trusts(from, shows(to)))
        throw new AppError('peer.wrong-certificate', 'another certificate answers');
      if (!trusts(to, shows(from))) throw stranger();
      onCall('request', from, method);
      const handler = handlers(to)[method];
      if (handler === undefined) throw new AppError('rpc.unknown-method', method);
      const call = { caller: from.nodeId, signal: new AbortController().signal };
      const answer = await handler(params as never, call);
      onCall('answer', from, method);
      return answer as never;
    },
  };
}

/** Whether a call from one to the other would be heard. */
export async function hears(from: Side, world: TwoSides): Promise<boolean> {
  try {
    await rpcOf(() => world, from).call('leadership.get', {});
    return true;
  } catch (error) {
    if (error instanceof AppError) return false;
    throw error;
  }
}
