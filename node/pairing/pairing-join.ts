import type { Identity } from '../../protocol/messages.ts';
import type { RpcCall, RpcParams, RpcResult } from '../../protocol/methods.ts';
import type { Fingerprint } from '../peer/credentials.ts';
import { fingerprintOf } from '../peer/pins.ts';
import { AppError, codeOf, messageOf } from '../platform/errors.ts';
import { type OpenInvitation, parseInvitation } from './invitation.ts';
import { checkIdentity } from './pairing-identity.ts';
import { noteFailure, ownIdentity, type PairingOptions, pendingOf, requirePeer } from './pairing-options.ts';

/** Every refusal says this and no more: who calls is a stranger. */
const REFUSAL = 'pairing is refused';

type How = 'accept' | 'invitation' | 'renewal';

export interface Joined {
  readonly peerId: string;
  readonly fingerprint: Fingerprint;
  /** What is not as it should be, though the two are joined. */
  readonly notes: readonly string[];
}

/** Both ends of `pair.join`. `oneAtATime` keeps changes of what is trusted apart. */
export function createJoining(
  options: PairingOptions,
  invitation: OpenInvitation,
  oneAtATime: <T>(work: () => Promise<T>) => Promise<T>,
) {
  const { nodeId, keyring, audit, log } = options;

  /** Trusts the other side and lets its files in; the first is on disk before anything else is done. */
  async function trust(other: Identity, by: How): Promise<string[]> {
    // It may have been forgotten while its renewal was looked at.
    if (by === 'renewal' && keyring.record()?.id !== other.nodeId)
      throw new AppError('pair.refused', REFUSAL);
    await keyring.trust(other, by === 'renewal' ? 'renewed' : 'paired');
    const notes = await noteFailure(log, () =>
      options.authorizedKeys.install(other.nodeId, other.sshUserKey, pendingOf(options)),
    );
    const certificates = other.certificates.map(fingerprintOf);
    await audit.record({ event: 'pair.joined', peer: other.nodeId, by, certificates });
    log.info('joined', { peer: other.nodeId, by });
    return notes;
  }

  /** Whether somebody may be trusted as it says it is; null, or why not, which is for this side alone. */
  async function whyRefused(
    { secret, identity }: RpcParams<'pair.join'>,
    caller: string | null,
    found: { other: Identity | null },
  ): Promise<string | null> {
    const isPeer = identity.nodeId === options.peer.id;
    const renews = caller !== null && secret === null;
    if (renews && (!isPeer || caller !== identity.nodeId || keyring.record()?.id !== caller)) {
      return 'a renewal that is not the peer’s';
    }
    if (!renews && invitation.current() === null) return 'no invitation is open';
    let damage: string | null = null;
    try {
      found.other = await checkIdentity(identity);
    } catch (error) {
      damage = messageOf(error);
    }
    if (renews) return damage;
    if (invitation.redeem(secret ?? '', isPeer && damage === null)) return null;
    return damage ?? (isPeer ? 'wrong secret' : `it calls itself ${identity.nodeId}, which is not PEER_ID`);
  }

  async function handleJoin(
    params: RpcParams<'pair.join'>,
    { caller }: RpcCall,
  ): Promise<RpcResult<'pair.join'>> {
    const found: { other: Identity | null } = { other: null };
    const reason = await whyRefused(params, caller, found);
    const { other } = found;
    if (reason !== null || other === null) {
      log.warn('pairing refused', { reason, tries: invitation.current()?.triesLeft });
      throw new AppError('pair.refused', REFUSAL);
    }
    const by = caller !== null && params.secret === null ? 'renewal' : 'invitation';
    await oneAtATime(() => trust(other, by));
    return { identity: await ownIdentity(options) };
  }

  async function accept(line: string): Promise<Joined> {
    const peer = requirePeer(options);
    const { nodeId: inviter, url, fingerprint, secret } = parseInvitation(line);
    if (inviter === nodeId) {
      throw new AppError('pair.wrong-node', 'this node printed the line itself; accept it on the other host');
    }
    if (inviter !== peer.id) {
      throw new AppError(
        'pair.wrong-node',
        `${inviter} invites, but PEER_ID is ${peer.id}: correct one of them`,
      );
    }
    const params = { secret, identity: await ownIdentity(options) };
    const answer = await options.join(url, fingerprint, params).catch((error: unknown) => {
      throw explained(error, inviter);
    });
    const other = await checkIdentity(answer.identity);
    if (other.nodeId !== inviter || !other.certificates.map(fingerprintOf).includes(fingerprint)) {
      throw new AppError('pair.refused', `${url} answered as another node than the invitation is of`);
    }
    const notes = await oneAtATime(() => trust(other, 'accept'));
    if (peer.rpc.url !== url) {
      notes.push(`the invitation is for ${url}, but PEER_URL is ${peer.rpc.url}: calls go to the latter`);
    }
    return { peerId: inviter, fingerprint, notes };
  }

  return { accept, handleJoin };
}

/** A refusal tells a stranger nothing; the person at this end is told what it can mean. */
function explained(error: unknown, inviter: string): unknown {
  if (!['pair.refused', 'rpc.unauthenticated'].includes(codeOf(error))) return error;
  return new AppError(
    'pair.refused',
    `${inviter} refuses: the line is older than ten minutes, has been used, or ${inviter} was restarted since, ` +
      `or its PEER_ID is not this node’s NODE_ID; its log says which. Print a new line there: node-ctl pair invite`,
    { cause: error },
  );
}
