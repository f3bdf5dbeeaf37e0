import type { RpcCall, RpcParams, RpcResult } from '../../protocol/methods.ts';
import type { Fingerprint } from '../peer/credentials.ts';
import { AppError } from '../platform/errors.ts';
import { createKeyedMutex } from '../platform/mutex.ts';
import { createOpenInvitation, formatInvitation, listenerUrl } from './invitation.ts';
import { createJoining, type Joined } from './pairing-join.ts';
import {
  noteFailure,
  ownIdentity,
  type PairingOptions,
  pendingOf,
  requirePeer,
  type RpcPeer,
} from './pairing-options.ts';
import { createRotation, type Rotated } from './pairing-rotation.ts';
import { type PairStatus, pairStatus } from './pairing-status.ts';

/** Two nodes are joined, stay so while their keys change, and are parted. */
export interface Pairing {
  /**
   * Opens an invitation, in place of one that is open; `line` is its secret. It closes after ten minutes, five wrong
   * tries, its use, or a restart. @throws AppError `pair.not-configured`, `request.invalid`
   */
  invite(how: { readonly url: string | null }): Promise<Invited>;
  /**
   * Joins the node that printed the line. Both have it on disk when this resolves; a failure may leave the other one
   * joined, which a new invitation mends. @throws AppError `pair.not-configured`, `pair.bad-line`, `pair.wrong-node`,
   * `pair.refused`, those of `join`
   */
  accept(line: string): Promise<Joined>;
  /** What `pair.join` does. @throws AppError `pair.refused`, always with the same words */
  handleJoin(params: RpcParams<'pair.join'>, call: RpcCall): Promise<RpcResult<'pair.join'>>;
  invitationOpen(): boolean;
  status(): Promise<PairStatus>;
  /**
   * Changes this node's certificate and token key. @throws AppError `pair.not-paired`, `pair.peer-away` and
   * `pair.refused` (nothing has changed), `pair.unfinished` (it goes on by itself)
   */
  rotate(): Promise<Rotated>;
  /** Trusts nobody any more. */
  remove(): Promise<Removed>;
  /** Takes a rotation that stopped half-way on, and ends what the peer's has left over, until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

export interface Invited {
  readonly line: string;
  readonly peerId: string;
  readonly url: string;
  readonly fingerprint: Fingerprint;
  readonly expiresAt: Temporal.Instant;
}

export interface Removed {
  /** Null where nobody was trusted. */
  readonly peerId: string | null;
  readonly notes: readonly string[];
}

export function createPairing(options: PairingOptions): Pairing {
  const { keyring, audit, clock, log } = options;
  const invitation = createOpenInvitation(clock);
  const inTurn = createKeyedMutex();
  /** What operators and the cycle do; they may wait for the peer, which may be calling here meanwhile. */
  const asOperator = <T>(work: () => Promise<T>): Promise<T> => inTurn('operator', work);
  /** What changes whom this node trusts; waits for nobody. */
  const asTrust = <T>(work: () => Promise<T>): Promise<T> => inTurn('trust', work);
  const joining = createJoining(options, invitation, asTrust);
  const rotation = createRotation({ ...options, identity: () => ownIdentity(options) });

  async function remove(): Promise<Removed> {
    const known = keyring.record()?.id ?? null;
    invitation.close();
    const notes: string[] = [];
    for (const id of new Set([known, options.peer.id])) {
      if (id !== null) notes.push(...(await noteFailure(log, () => options.authorizedKeys.remove(id))));
    }
    await rotation.giveUp();
    await keyring.forget();
    if (known !== null) await audit.record({ event: 'pair.removed', peer: known });
    return { peerId: known, notes };
  }

  return {
    invite: async ({ url: asked }) => {
      const peer = requirePeer(options);
      const url = asked === null ? defaultUrl(options, peer) : listenerUrl(asked);
      if (url === null) {
        const what = 'url: must be https, host and port, as https://audio.example.com:7443';
        throw new AppError('request.invalid', what);
      }
      const { nodeId } = options;
      const { fingerprint } = keyring.own();
      const { secret, expiresAt } = invitation.open();
      await audit.record({ event: 'pair.invited', peer: peer.id, url, until: expiresAt.toString() });
      const line = formatInvitation({ nodeId, url, fingerprint, secret });
      return { line, peerId: peer.id, url, fingerprint, expiresAt };
    },
    accept: (line) => asOperator(() => joining.accept(line)),
    handleJoin: joining.handleJoin,
    invitationOpen: () => invitation.current() !== null,
    status: () =>
      pairStatus({ ...options, pendingDir: pendingOf(options), invitation: invitation.current() }),
    rotate: () => asOperator(rotation.rotate),
    remove: () => asOperator(() => asTrust(remove)),
    run: (signal) => rotation.run(signal, asOperator),
  };
}

/** Where the RPC listener can be reached, as far as it is known here. */
function defaultUrl({ hostName }: PairingOptions, { rpc: { listen } }: RpcPeer): string | null {
  const host = ['0.0.0.0', '::'].includes(listen.host) ? hostName : listen.host;
  return listenerUrl(`https://${host.includes(':') ? `[${host}]` : host}:${listen.port}`);
}
