import type { Identity, JobReport, PeerStatus } from '../../protocol/messages.ts';
import type { RpcHandlers } from '../../protocol/methods.ts';
import { type Clock, systemClock } from '../../node/platform/clock.ts';
import { AppError } from '../../node/platform/errors.ts';
import { type Log, silentLog } from '../../node/platform/log.ts';
import type { Peer } from '../../node/peer/peer.ts';
import { createRpcClient } from '../../node/peer/rpc-client.ts';
import { type RpcServer, type RpcServerOptions, startRpcServer } from '../../node/peer/rpc-server.ts';
import { makePair, type PairMember } from './pair-credentials.ts';

const AT = '2026-03-02T12:00:00Z';

export const peerStatus: PeerStatus = {
  nodeId: 'audio2',
  version: '0.1.0',
  protocol: 1,
  role: 'master',
  term: 3,
  since: AT,
  now: AT,
  uptimeSeconds: 12,
  mailbox: { state: 'watching', lastMailAt: null, lastError: null },
  queue: { paused: false, lanes: [], completed: 0, failed: 0 },
  sources: ['s3'],
  warnings: [],
};

/** What a node tells of itself when it pairs, in form. */
export const identity: Identity = {
  nodeId: 'audio',
  url: null,
  certificates: ['x'],
  tokenKeys: [{ kty: 'OKP', crv: 'Ed25519', x: 'x', kid: 'k' }],
  sshHostKeys: [],
  sshUserKey: '',
  sshUser: 'parelha',
  queueDir: '/q',
};

export function jobReport(id: string): JobReport {
  return { id, digest: 'd'.repeat(64), state: 'pending', position: 1, lastError: null, outcome: null };
}

/** Handlers that know every job and refuse the rest, unless told otherwise. */
export function rpcHandlers(change: Partial<RpcHandlers> = {}): RpcHandlers {
  const refuse = async (): Promise<never> => {
    throw new AppError('rpc.unavailable', 'not in this test', { retriable: true });
  };
  return {
    'node.status': async () => peerStatus,
    'job.submit': refuse,
    'job.get': async ({ id }) => ({ report: jobReport(id) }),
    'job.cancel': refuse,
    'job.list': refuse,
    'access.put': refuse,
    'job.settled': refuse,
    'ledger.append': refuse,
    'leadership.get': refuse,
    'leadership.handoff': refuse,
    'pair.join': refuse,
    ...change,
  };
}

/** `audio` calls `audio2`. */
export interface RpcPair extends AsyncDisposable {
  readonly caller: PairMember;
  readonly called: PairMember;
  readonly server: RpcServer;
  readonly url: string;
  readonly peer: Peer;
  /** Another client of the caller's, as after a restart of it, or with a clock of its own. */
  client(options?: { clock?: Clock }): Peer;
}

export interface RpcPairOptions extends Partial<Omit<RpcServerOptions, 'handlers'>> {
  readonly handlers?: Partial<RpcHandlers>;
  readonly log?: Log;
  /** In place of a pair of its own, which takes some milliseconds to make. */
  readonly pair?: readonly [PairMember, PairMember];
}

/** A server and a client on the loopback address, over real TLS. */
export async function startRpcPair(options: RpcPairOptions = {}): Promise<RpcPair> {
  const [caller, called] = options.pair ?? (await makePair());
  const server = await startRpcServer({
    nodeId: called.id,
    host: '127.0.0.1',
    port: 0,
    credentials: called.credentials,
    invitationOpen: () => false,
    ready: () => true,
    clock: systemClock,
    log: silentLog,
    ...options,
    handlers: rpcHandlers(options.handlers),
  });
  const url = `https://127.0.0.1:${server.port}`;
  const clients: Peer[] = [];
  const client: RpcPair['client'] = ({ clock = systemClock } = {}) => {
    const made = createRpcClient({
      nodeId: caller.id,
      peerId: called.id,
      url,
      credentials: caller.credentials,
      clock,
    });
    clients.push(made);
    return made;
  };
  return {
    caller,
    called,
    server,
    url,
    peer: client(),
    client,
    [Symbol.asyncDispose]: async () => {
      await Promise.all(clients.map((each) => each.close()));
      await server.close();
    },
  };
}
