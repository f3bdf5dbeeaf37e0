import { createHash } from 'node:crypto';
import type { PeerConfig } from '../config/shape.ts';
import type { Fingerprint } from '../peer/credentials.ts';
import { fingerprintOf } from '../peer/pins.ts';
import { messageOf } from '../platform/errors.ts';
import type { AuthorizedKeys, LineState } from './authorized-keys.ts';
import type { Keyring } from './keyring.ts';
import { type RotationState, rotationState } from './pairing-rotation.ts';

/** What this node shows, whom it trusts, and what is under way. */
export interface PairStatus {
  readonly nodeId: string;
  readonly own: {
    readonly fingerprint: Fingerprint;
    readonly madeAt: Temporal.Instant;
    readonly tokenKey: string;
    /** As `ssh-keygen -l` shows it. */
    readonly sshUserKey: string;
  };
  /** PEER_ID. */
  readonly configuredPeer: string;
  /** Whom it trusts; null where it is not paired. Trusted only where it is the configured peer. */
  readonly paired: {
    readonly peerId: string;
    readonly pairedAt: Temporal.Instant;
    readonly renewedAt: Temporal.Instant | null;
    readonly certificates: readonly Fingerprint[];
    readonly tokenKeys: readonly string[];
    readonly sshUser: string;
    readonly queueDir: string;
  } | null;
  /** The SSH host keys that a drop at the peer accepts, as `ssh-keygen -l` shows them. */
  readonly sshHostKeys: readonly string[];
  readonly invitation: { readonly expiresAt: Temporal.Instant; readonly triesLeft: number } | null;
  readonly rotation: RotationState;
  readonly authorizedKeys: { readonly path: string; readonly state: LineState | 'unreadable' };
  /** What an operator should look at, each with what to do. */
  readonly problems: readonly string[];
}

export interface PairStatusOptions {
  readonly nodeId: string;
  readonly peer: PeerConfig;
  readonly keyring: Keyring;
  readonly authorizedKeys: AuthorizedKeys;
  readonly pendingDir: string;
  readonly invitation: PairStatus['invitation'];
}

/** Looks at everything that pairing has to do with; what cannot be read is among the problems. */
export async function pairStatus(options: PairStatusOptions): Promise<PairStatus> {
  const { nodeId, peer, keyring, invitation } = options;
  const own = keyring.own();
  const record = keyring.record();
  const problems: string[] = [];
  if (record !== null && record.id !== peer.id) {
    problems.push(`paired with ${record.id}, but PEER_ID is ${peer.id}: nobody is trusted`);
  }
  const authorizedKeys = await lineOf(options, problems);
  const rotation = rotationState(keyring);
  if (rotation === 'announcing') {
    problems.push(
      'new keys wait for the peer; it is asked every minute, and at once by node-ctl pair rotate',
    );
  }
  return {
    nodeId,
    own: {
      fingerprint: own.fingerprint,
      madeAt: own.madeAt,
      tokenKey: own.tokenKey.kid,
      sshUserKey: sshFingerprint(keyring.sshUserKey),
    },
    configuredPeer: peer.id,
    paired:
      record === null
        ? null
        : {
            peerId: record.id,
            pairedAt: Temporal.Instant.from(record.pairedAt),
            renewedAt: record.renewedAt === null ? null : Temporal.Instant.from(record.renewedAt),
            certificates: record.certificates.map(fingerprintOf),
            tokenKeys: record.tokenKeys.map(({ kid }) => kid),
            sshUser: keyring.peer()?.sshUser ?? record.sshUser,
            queueDir: keyring.peer()?.queueDir ?? record.queueDir,
          },
    sshHostKeys: hostKeysOf(keyring, problems).map(sshFingerprint),
    ...{ invitation, rotation, authorizedKeys, problems },
  };
}

async function lineOf(
  { keyring, authorizedKeys, pendingDir }: PairStatusOptions,
  problems: string[],
): Promise<PairStatus['authorizedKeys']> {
  const { path } = authorizedKeys;
  const record = keyring.record();
  if (record === null) return { path, state: 'missing' };
  try {
    const state = await authorizedKeys.state(record.id, record.sshUserKey, pendingDir);
    if (state !== 'installed') {
      problems.push(`${record.id} cannot drop files here, its line in ${path} is ${state}: pair again`);
    }
    return { path, state };
  } catch (error) {
    problems.push(messageOf(error));
    return { path, state: 'unreadable' };
  }
}

function hostKeysOf(keyring: Keyring, problems: string[]): readonly string[] {
  const trust = keyring.peer();
  if (trust === null) return [];
  try {
    const keys = trust.sshHostKeys;
    if (keys.length === 0) {
      problems.push(
        `no SSH host key of ${trust.peerId} is known, so nothing can be dropped there: ` +
          'add it to known_hosts in CERTS_DIR (ssh-keyscan shows it; compare it on the host itself)',
      );
    }
    return keys;
  } catch (error) {
    problems.push(messageOf(error));
    return [];
  }
}

/** `ED25519 SHA256:…`, as OpenSSH shows a key. */
function sshFingerprint(key: string): string {
  const [type = '', base64 = ''] = key.split(' ');
  const hash = createHash('sha256').update(Buffer.from(base64, 'base64')).digest('base64').replace(/=+$/, '');
  return `${type} SHA256:${hash}`;
}
