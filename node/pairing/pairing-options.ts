import type { Identity } from '../../protocol/messages.ts';
import type { RpcParams, RpcResult } from '../../protocol/methods.ts';
import type { Audit } from '../audit.ts';
import type { PeerConfig } from '../config/shape.ts';
import type { Fingerprint } from '../peer/credentials.ts';
import type { Peer } from '../peer/peer.ts';
import type { Clock } from '../platform/clock.ts';
import { AppError, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import type { AuthorizedKeys } from './authorized-keys.ts';
import type { Keyring } from './keyring.ts';
import { readHostKeys } from './host-keys.ts';

/** Calls `pair.join` of a node that shows a certificate with this fingerprint, and of no other. */
export type Join = (
  url: string,
  fingerprint: Fingerprint,
  params: RpcParams<'pair.join'>,
) => Promise<RpcResult<'pair.join'>>;

export interface PairingOptions {
  readonly nodeId: string;
  readonly peer: PeerConfig;
  readonly keyring: Keyring;
  /** The authenticated channel to the peer; null where there is none. */
  readonly rpc: Pick<Peer, 'call'> | null;
  readonly join: Join;
  readonly authorizedKeys: AuthorizedKeys;
  /** Of this node, as the peer is told: where and as whom it drops files. */
  readonly queueDir: string;
  readonly sshUser: string;
  readonly sshHostKeysDir: string;
  /** This machine's name, for the URL of a listener on all addresses. */
  readonly hostName: string;
  readonly audit: Audit;
  readonly clock: Clock;
  readonly log: Log;
}

/** A peer that can be paired with. */
export type RpcPeer = PeerConfig & { readonly rpc: NonNullable<PeerConfig['rpc']> };

/** @throws AppError `pair.not-configured` */
export function requirePeer({ peer }: PairingOptions): RpcPeer {
  if (peer.rpc === null) {
    const what =
      'PEER_RPC is off: such a peer is not paired with; put its host keys into known_hosts in CERTS_DIR';
    throw new AppError('pair.not-configured', what);
  }
  return { ...peer, rpc: peer.rpc };
}

/** Where files are dropped for this node. */
export function pendingOf({ queueDir }: Pick<PairingOptions, 'queueDir'>): string {
  return `${queueDir}/pending`;
}

/** What this node tells the other side of itself. */
export async function ownIdentity(options: PairingOptions): Promise<Identity> {
  const { nodeId, keyring, queueDir, sshUser } = options;
  return {
    nodeId,
    url: null,
    ...(await keyring.offered()),
    sshHostKeys: await readHostKeys(options.sshHostKeysDir),
    sshUserKey: keyring.sshUserKey,
    sshUser,
    queueDir,
  };
}

/** Changes authorized_keys. Where that fails all else is done all the same, and a person is told. */
export async function noteFailure(log: Log, work: () => Promise<void>): Promise<string[]> {
  try {
    await work();
    return [];
  } catch (error) {
    log.warn('authorized_keys stays as it is', { reason: messageOf(error) });
    return [`the peer’s SSH key could not be put into or out of authorized_keys: ${messageOf(error)}`];
  }
}
