import { hash, type KeyObject, sign } from 'node:crypto';
import { base64url, errors, jwtVerify } from 'jose';
import * as z from 'zod';
import { AppError, messageOf } from '../platform/errors.ts';
import type { SigningKey } from './credentials.ts';

/** Media type of the token, so that no other token of the same key passes for one (RFC 8725 section 3.11). */
export const TOKEN_TYPE = 'parelha-rpc+jwt';
/** EdDSA with Ed25519 (RFC 8037), and nothing that the token may choose (RFC 8725 section 3.1). */
export const TOKEN_ALGORITHM = 'EdDSA';
/** Ours are valid for so long: sent at once, they need no more than the way. */
export const TOKEN_LIFETIME_SECONDS = 10;
/** A token that claims to be valid for longer is refused. */
export const MAX_TOKEN_LIFETIME_SECONDS = 60;
/** So far may two clocks be apart. */
export const CLOCK_SKEW_SECONDS = 30;
const MAX_TOKEN_LENGTH = 2048;
/**
 * Three parts in base64url (RFC 7515 section 7.1), the last a signature of 64 bytes in its one spelling: a decoder that
 * passes over blanks and spare bits lets a signature be written in many ways.
 */
const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]{85}[AQgw]$/;

/** The call that a token is for. */
export interface TokenCall {
  /** Node ids: of the caller, and of the node that is called. */
  readonly from: string;
  readonly to: string;
  readonly method: string;
  readonly body: Uint8Array;
}

/** What a server goes by that verifies a token. */
export interface TokenExpectation extends Omit<TokenCall, 'body'> {
  /** May still be on its way: the signature is of its hash alone, and is verified meanwhile. */
  readonly body: Uint8Array | Promise<Uint8Array>;
  readonly keys: ReadonlyMap<string, KeyObject>;
  readonly now: Temporal.Instant;
}

/** What makes a token one of its kind. */
export interface TokenSerial {
  /** The server's word; empty where the caller has none yet. */
  readonly nonce: string;
  /** Counted by the caller under the nonce, from 1. */
  readonly counter: number;
}

/** Claims besides `iss`, `aud` and `exp`, which jose checks. `jti` has one spelling, so a counter has one token. */
const claimsSchema = z.object({
  aud: z.string(),
  iat: z.int().nonnegative(),
  exp: z.int().nonnegative(),
  jti: z.string().regex(/^[1-9]\d{0,14}$/),
  htm: z.string(),
  bh: z.string(),
  nonce: z.string().max(64),
});

const REQUIRED_CLAIMS = ['iss', 'aud', 'iat', 'exp', 'jti', 'htm', 'bh', 'nonce'];

/**
 * Signs a token for one call: a JWS in compact form (RFC 7515 section 7.1). Made by hand of jose's parts and
 * `node:crypto`'s Ed25519, since jose signs in a thread of its own, and the way there and back takes twice as long as
 * the signature. (RFC 8032 signatures are deterministic: it is byte for byte what jose makes, which a test asserts.)
 */
export function signCallToken(
  key: SigningKey,
  call: TokenCall,
  serial: TokenSerial,
  now: Temporal.Instant,
): string {
  const iat = Math.floor(now.epochMilliseconds / 1000);
  const claims = {
    iss: call.from,
    aud: call.to,
    iat,
    exp: iat + TOKEN_LIFETIME_SECONDS,
    jti: String(serial.counter),
    htm: call.method,
    bh: bodyHash(call.body),
    nonce: serial.nonce,
  };
  const header = { alg: TOKEN_ALGORITHM, typ: TOKEN_TYPE, kid: key.kid };
  const input = `${base64url.encode(JSON.stringify(header))}.${base64url.encode(JSON.stringify(claims))}`;
  const signature = sign(null, Buffer.from(input), key.privateKey);
  return `${input}.${base64url.encode(signature)}`;
}

/**
 * Checks a token against the call it came with: everything but whether it was used before, which is for the nonce
 * windows to say, last. @throws AppError `rpc.unauthenticated`; its message is for the log and not for the caller.
 * What the body rejects with, where it does not come
 */
export async function verifyCallToken(token: string, expected: TokenExpectation): Promise<TokenSerial> {
  if (token.length > MAX_TOKEN_LENGTH || !COMPACT.test(token)) throw refusal('it is not a signed token');
  const [{ claims, typ }, body] = await Promise.all([verified(token, expected), expected.body]);
  if (typ !== TOKEN_TYPE) throw refusal('its typ is another');
  const { iat, exp, htm, bh, nonce, jti } = claims;
  const now = expected.now.epochMilliseconds / 1000;
  if (iat > now + CLOCK_SKEW_SECONDS) throw refusal('it was made in the future');
  if (exp <= iat || exp - iat > MAX_TOKEN_LIFETIME_SECONDS) throw refusal('its lifetime is out of bounds');
  if (htm !== expected.method) throw refusal('it is for another method');
  if (bh !== bodyHash(body)) throw refusal('it is for another body');
  return { nonce, counter: Number(jti) };
}

async function verified(token: string, { from, to, keys, now }: TokenExpectation) {
  try {
    const { payload, protectedHeader } = await jwtVerify(
      token,
      ({ kid }) => {
        const key = kid === undefined ? undefined : keys.get(kid);
        if (key === undefined) throw refusal('its kid is not known');
        return key;
      },
      {
        algorithms: [TOKEN_ALGORITHM],
        typ: TOKEN_TYPE,
        issuer: from,
        audience: to,
        requiredClaims: REQUIRED_CLAIMS,
        clockTolerance: CLOCK_SKEW_SECONDS,
        currentDate: new Date(now.epochMilliseconds),
      },
    );
    const claims = claimsSchema.safeParse(payload);
    if (!claims.success) throw refusal(`a claim is malformed: ${claims.error.issues[0]?.path.join('.')}`);
    return { claims: claims.data, typ: protectedHeader.typ };
  } catch (error) {
    if (error instanceof AppError) throw error;
    if (error instanceof errors.JOSEError) throw refusal(messageOf(error), error);
    // WebCrypto and jose throw TypeErrors and DOMExceptions of their own at what is malformed enough.
    throw refusal(`it cannot be verified: ${messageOf(error)}`, error);
  }
}

function refusal(why: string, cause?: unknown): AppError {
  return new AppError('rpc.unauthenticated', `the token is refused: ${why}`, { retriable: true, cause });
}

/** SHA-256 of the bytes as they are sent, as base64url. */
function bodyHash(body: Uint8Array): string {
  return hash('sha256', body, 'base64url');
}
