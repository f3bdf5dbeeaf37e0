import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  webcrypto,
  X509Certificate,
} from 'node:crypto';
import { calculateJwkThumbprint } from 'jose';
import type { Fingerprint, OwnCredentials } from '../peer/credentials.ts';
import { fingerprintOf } from '../peer/pins.ts';
import { AppError } from '../platform/errors.ts';

/** How long a certificate stands: it is pinned, so that its end would only be a trap; keys are changed by rotation. */
const VALID_YEARS = 20;
/** It begins a day ago, for a peer whose clock lags. */
export const VALID_BEFORE_HOURS = 24;
const SERIAL_BYTES = 16;
const CURVE = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const SIGNING = { name: 'ECDSA', hash: 'SHA-256' } as const;

/** What the file of a node's identity holds, read. */
export interface OwnIdentity extends OwnCredentials {
  readonly fingerprint: Fingerprint;
  /** When its certificate was made. */
  readonly madeAt: Temporal.Instant;
}

/** The public half of a call-token key, as peers exchange it (RFC 8037 section 2). */
export interface TokenJwk {
  readonly kty: 'OKP';
  readonly crv: 'Ed25519';
  readonly x: string;
  readonly kid: string;
}

/** The JWK of an Ed25519 key, of the private one too, with its RFC 7638 thumbprint as `kid`. */
export async function tokenJwk(key: KeyObject): Promise<TokenJwk> {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  const { x = '' } = publicKey.export({ format: 'jwk' }) as { x?: string };
  const jwk = { kty: 'OKP', crv: 'Ed25519', x } as const;
  return { ...jwk, kid: await calculateJwkThumbprint(jwk) };
}

/**
 * Makes a node's identity: a TLS key (ECDSA P-256) with its self-signed certificate, and an Ed25519 key for call
 * tokens, as one PEM file, so that they are exchanged by one rename.
 */
export async function makeIdentity(nodeId: string, now: Temporal.Instant): Promise<string> {
  // Loaded here, since a node makes a certificate once in years; the first is what the second needs to load.
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  const keys = await webcrypto.subtle.generateKey(CURVE, true, ['sign', 'verify']);
  const from = now.subtract({ hours: VALID_BEFORE_HOURS });
  const until = from.toZonedDateTimeISO('UTC').add({ years: VALID_YEARS });
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: randomSerial(),
      name: `CN=${nodeId}`,
      notBefore: new Date(from.epochMilliseconds),
      notAfter: new Date(until.epochMilliseconds),
      signingAlgorithm: SIGNING,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.ExtendedKeyUsageExtension([
          x509.ExtendedKeyUsage.serverAuth,
          x509.ExtendedKeyUsage.clientAuth,
        ]),
        // Both have the same subject while two are trusted: OpenSSL then finds the right one by its key's identifier.
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
        await x509.AuthorityKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  );
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  const tlsKey = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
  const { privateKey: tokenKey } = generateKeyPairSync('ed25519');
  return `${pemOf(tlsKey)}${certificate.toString('pem').trim()}\n${pemOf(tokenKey)}`;
}

/** Positive and without leading zeros, of at most 20 octets (RFC 5280 section 4.1.2.2). */
function randomSerial(): string {
  const bytes = randomBytes(SERIAL_BYTES);
  bytes[0] = 0x40 | ((bytes[0] ?? 0) & 0x3f);
  return bytes.toString('hex');
}

function pemOf(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' });
}

const PEM_BLOCK = /-----BEGIN ([A-Z ]+)-----[\s\S]+?-----END \1-----/g;

/** Reads what {@link makeIdentity} made. @throws AppError `key.unusable` where a part is missing or does not fit */
export async function readIdentity(path: string, text: string): Promise<OwnIdentity> {
  const unusable = (what: string, cause?: unknown): AppError =>
    new AppError(
      'key.unusable',
      `${path} ${what}; put it back from a copy, or move it away to have new keys made, and pair again`,
      { cause },
    );
  try {
    const blocks = [...text.matchAll(PEM_BLOCK)].map(([pem, kind]) => ({ pem, kind }));
    const keys = blocks.filter(({ kind }) => kind === 'PRIVATE KEY').map(({ pem }) => createPrivateKey(pem));
    const certificate = blocks.find(({ kind }) => kind === 'CERTIFICATE')?.pem;
    const tlsKey = keys.find(({ asymmetricKeyType }) => asymmetricKeyType === 'ec');
    const tokenKey = keys.find(({ asymmetricKeyType }) => asymmetricKeyType === 'ed25519');
    if (certificate === undefined || tlsKey === undefined || tokenKey === undefined || blocks.length !== 3) {
      throw unusable('does not hold a TLS key, its certificate and a token key');
    }
    const parsed = new X509Certificate(certificate);
    if (!parsed.checkPrivateKey(tlsKey)) throw unusable('holds a certificate of another key');
    return {
      certificate: `${certificate}\n`,
      certificateKey: pemOf(tlsKey),
      tokenKey: { kid: (await tokenJwk(tokenKey)).kid, privateKey: tokenKey },
      fingerprint: fingerprintOf(parsed),
      madeAt: Temporal.Instant.fromEpochMilliseconds(parsed.validFromDate.getTime()).add({
        hours: VALID_BEFORE_HOURS,
      }),
    };
  } catch (error) {
    throw error instanceof AppError ? error : unusable('holds a damaged key or certificate', error);
  }
}
