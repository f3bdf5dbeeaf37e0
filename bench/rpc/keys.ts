import { createPrivateKey, createPublicKey } from 'node:crypto';
import type { Credentials } from '../../node/peer/credentials.ts';
import { makePair, type PairMember, trustIn } from '../../test/support/pair-credentials.ts';
import type { Keys, Side } from './contender.ts';

/** Keys and certificates for two nodes. */
export async function makeKeys(): Promise<Keys> {
  const [client, server] = await makePair();
  return { client: toSide(client), server: toSide(server) };
}

function toSide({ id, own, tokenPublicKey }: PairMember): Side {
  const { certificate, certificateKey, tokenKey } = own;
  return {
    id,
    certificate,
    certificateKey,
    kid: tokenKey.kid,
    tokenPrivateKey: tokenKey.privateKey.export({ type: 'pkcs8', format: 'pem' }),
    tokenPublicKey: tokenPublicKey.export({ type: 'spki', format: 'pem' }),
  };
}

/** One side's credentials, with the other as its peer. */
export function credentialsOf(own: Side, peer: Side): Credentials {
  const mine = { ...own, tokenKey: { kid: own.kid, privateKey: createPrivateKey(own.tokenPrivateKey) } };
  const tokenPublicKey = createPublicKey(peer.tokenPublicKey);
  const tokenKey = { kid: peer.kid, privateKey: createPrivateKey(peer.tokenPrivateKey) };
  const trust = trustIn({ id: peer.id, own: { ...peer, tokenKey }, tokenPublicKey });
  return { own: () => mine, peer: () => trust, onChange: () => undefined };
}
