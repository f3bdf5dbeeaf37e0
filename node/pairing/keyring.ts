import { dirname } from 'node:path';
import type { Identity } from '../../protocol/messages.ts';
import type { PeerConfig } from '../config/shape.ts';
import type { Credentials, PeerTrust } from '../peer/credentials.ts';
import type { Clock } from '../platform/clock.ts';
import { writeDurable } from '../platform/durable.ts';
import { AppError, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { openKeyDirectory, readPrivate } from './keyring-files.ts';
import { type Identities, openIdentities } from './keyring-identities.ts';
import { makeSshKey, publicKeyOf } from '../platform/openssh-keys.ts';
import { openTrustStore, type PeerRecord, type TrustStore } from './trust-store.ts';

export interface KeyringOptions {
  /** CERTS_DIR. */
  readonly directory: string;
  readonly nodeId: string;
  readonly peer: PeerConfig;
  readonly clock: Clock;
  readonly log: Log;
}

/** This node's keys and what it trusts, with the acts that pairing and rotation are made of. */
export interface Keyring extends Credentials, Identities {
  own(): ReturnType<Identities['own']>;
  /** The SSH key with which this node drops files, as `type base64`. */
  readonly sshUserKey: string;
  /** What is trusted, whether or not it is the peer of the configuration; null where nobody is. */
  record(): PeerRecord | null;
  /** Trusts the peer as it says it is; on disk when it resolves. */
  trust(identity: Identity, how: 'paired' | 'renewed'): Promise<void>;
  /** Ends the acceptance of the peer's old certificate and key where its time is over; tells whether it did. */
  retireOld(): Promise<boolean>;
  /** Trusts nobody. */
  forget(): Promise<void>;
}

/**
 * Opens the keys in CERTS_DIR (made 0700), making at first what is missing. What is there is never written over.
 * @throws AppError `key.unusable` where a key is damaged or others can read it, `pair.damaged` for peer.json
 */
export async function openKeyring(options: KeyringOptions): Promise<Keyring> {
  const { directory, nodeId, peer, clock, log } = options;
  await openKeyDirectory(directory);
  const listeners = new Set<() => void>();
  const changed = (): void => {
    for (const listener of listeners) listener();
  };
  const store = await openTrustStore(directory, clock);
  const record = store.record();
  if (record !== null && record.id !== peer.id) {
    log.warn('paired with another node than PEER_ID says: it is not trusted', { paired: record.id });
  }
  const identities = await openIdentities({
    ...{ directory, nodeId, clock },
    beforeFirst: (path) => refuseSecondIdentity(record, path),
    onChange: changed,
  });
  return {
    ...identities,
    sshUserKey: await openSshKey(peer.ssh.keyFile, directory, nodeId),
    peer: trustedPeer(peer, store),
    onChange: (listener) => {
      listeners.add(listener);
    },
    record: store.record,
    trust: async (identity, how) => {
      await store.trust(identity, peer.ssh, how);
      changed();
    },
    retireOld: async () => {
      const retired = await store.retireOld();
      if (retired) changed();
      return retired;
    },
    forget: async () => {
      await store.forget(peer.ssh);
      changed();
    },
  };
}

/** A paired node whose keys are gone would be a stranger to its peer: that is for people to know. */
function refuseSecondIdentity(record: PeerRecord | null, path: string): void {
  if (record === null) return;
  throw new AppError(
    'key.unusable',
    `${path} is missing, and ${record.id} knows this node by it; put it back from a copy, ` +
      'or move peer.json beside it away to have new keys made, and pair again',
  );
}

/**
 * What counts of what is trusted: the peer of the configuration alone, which may name another user or directory than
 * the peer told. A Python peer, which never pairs, is known by the configuration and known_hosts. Made once a change.
 */
function trustedPeer(peer: PeerConfig, store: TrustStore): () => PeerTrust | null {
  const { ssh } = peer;
  const serve = (of: PeerTrust): PeerTrust => ({
    ...of,
    sshUser: ssh.user ?? of.sshUser,
    queueDir: ssh.queueDir ?? of.queueDir,
    /** Looked up each time, since people edit known_hosts while a node runs. */
    get sshHostKeys() {
      const { keys, revoked } = store.knownHostKeys(ssh);
      return [...new Set([...keys, ...of.sshHostKeys])].filter((key) => !revoked.includes(key));
    },
  });
  const unpaired: PeerTrust | null =
    peer.rpc === null
      ? serve({
          ...{ peerId: peer.id, certificates: [], tokenKeys: new Map() },
          ...{ sshHostKeys: [], sshUser: '', queueDir: '' },
        })
      : null;
  let served: { readonly of: PeerTrust; readonly trust: PeerTrust } | null = null;
  return () => {
    const of = store.trusted();
    if (of === null || of.peerId !== peer.id) return unpaired;
    if (served?.of !== of) served = { of, trust: serve(of) };
    return served.trust;
  };
}

/** The public half of the SSH key, which is made where it is missing from CERTS_DIR, and nowhere else. */
async function openSshKey(path: string, certsDir: string, nodeId: string): Promise<string> {
  let text = await readPrivate(path);
  if (text === null) {
    if (dirname(path) !== certsDir) {
      const remedy = `make it with: ssh-keygen -t ed25519 -N '' -f ${path}`;
      throw new AppError('key.unusable', `PEER_SSH_KEY: ${path} is not there; ${remedy}`);
    }
    text = await makeSshKey(`parelha:${nodeId}`);
    await writeDurable(path, text);
  }
  try {
    return await publicKeyOf(text);
  } catch (error) {
    throw new AppError(
      'key.unusable',
      `${path} is no SSH key that can be used without a passphrase: ${messageOf(error)}; ` +
        'put it back from a copy, or move it away to have another made, and pair again',
      { cause: error },
    );
  }
}
