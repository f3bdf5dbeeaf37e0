import { generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import type { Credentials, OwnCredentials, PeerTrust } from '../../node/peer/credentials.ts';

/** Credentials in memory, which a test can change. */
export interface MemoryCredentials extends Credentials {
  setOwn(own: OwnCredentials): void;
  setPeer(trust: PeerTrust | null): void;
}

/** A node as the other one is told of it. */
export interface PairMember {
  readonly id: string;
  readonly own: OwnCredentials;
  readonly tokenPublicKey: KeyObject;
  readonly credentials: MemoryCredentials;
}

/** A self-signed certificate with its key, as nodes make theirs. */
export async function makeTlsIdentity(
  name: string,
): Promise<{ certificate: string; certificateKey: string }> {
  // Heavy, and not for every test that imports this file.
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const nowMs = Date.now();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    notBefore: new Date(nowMs - 60_000),
    notAfter: new Date(nowMs + 86_400_000),
    signingAlgorithm: algorithm,
    keys,
  });
  const key = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
  const certificateKey = `-----BEGIN PRIVATE KEY-----\n${Buffer.from(key).toString('base64')}\n-----END PRIVATE KEY-----\n`;
  return { certificate: certificate.toString('pem'), certificateKey };
}

/** A key for call tokens. */
export function makeTokenKey(): { kid: string; privateKey: KeyObject; publicKey: KeyObject } {
  return { kid: randomUUID().slice(0, 8), ...generateKeyPairSync('ed25519') };
}

/** A node's own credentials, and none of a peer yet. */
export async function makeMember(id: string): Promise<PairMember> {
  const { publicKey, kid, privateKey } = makeTokenKey();
  const own: OwnCredentials = { ...(await makeTlsIdentity(id)), tokenKey: { kid, privateKey } };
  return { id, own, tokenPublicKey: publicKey, credentials: memoryCredentials(own) };
}

/** Two nodes that trust each other: `audio` and `audio2` unless named otherwise. */
export async function makePair(first = 'audio', second = 'audio2'): Promise<[PairMember, PairMember]> {
  const pair = await Promise.all([makeMember(first), makeMember(second)]);
  const [one, other] = pair;
  one.credentials.setPeer(trustIn(other));
  other.credentials.setPeer(trustIn(one));
  return pair;
}

/** What a node's peer keeps of it. */
export function trustIn({ id, own, tokenPublicKey }: Omit<PairMember, 'credentials'>): PeerTrust {
  return {
    peerId: id,
    certificates: [own.certificate],
    tokenKeys: new Map([[own.tokenKey.kid, tokenPublicKey]]),
    sshHostKeys: [],
    sshUser: 'parelha',
    queueDir: '/var/lib/parelha/queue',
  };
}

function memoryCredentials(initial: OwnCredentials): MemoryCredentials {
  const listeners: (() => void)[] = [];
  let own = initial;
  let peer: PeerTrust | null = null;
  const tell = (): void => {
    for (const listener of listeners) listener();
  };
  return {
    own: () => own,
    peer: () => peer,
    onChange: (listener) => listeners.push(listener),
    setOwn: (changed) => {
      own = changed;
      tell();
    },
    setPeer: (trust) => {
      peer = trust;
      tell();
    },
  };
}
