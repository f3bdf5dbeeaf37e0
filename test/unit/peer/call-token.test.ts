import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { CompactSign, decodeJwt, decodeProtectedHeader } from 'jose';
import { describe, expect, test } from 'vitest';
import {
  CLOCK_SKEW_SECONDS,
  signCallToken,
  type TokenCall,
  TOKEN_LIFETIME_SECONDS,
  verifyCallToken,
} from '../../../node/peer/call-token.ts';
import { makeTokenKey } from '../../support/pair-credentials.ts';

const NOW = Temporal.Instant.from('2026-03-02T12:00:00.750Z');
const key = makeTokenKey();
const keys = new Map([[key.kid, key.publicKey]]);
const call: TokenCall = { from: 'audio', to: 'audio2', method: 'job.get', body: Buffer.from('{"id":"1"}') };
const serial = { nonce: 'n0nce', counter: 7 };

describe('a call token', () => {
  test('names the call it is for, and is short-lived', () => {
    const token = signCallToken(key, call, serial, NOW);
    expect(decodeProtectedHeader(token)).toEqual({ alg: 'EdDSA', typ: 'parelha-rpc+jwt', kid: key.kid });
    const iat = Math.floor(NOW.epochMilliseconds / 1000);
    expect(decodeJwt(token)).toEqual({
      iss: 'audio',
      aud: 'audio2',
      iat,
      exp: iat + TOKEN_LIFETIME_SECONDS,
      jti: '7',
      htm: 'job.get',
      bh: createHash('sha256').update(call.body).digest('base64url'),
      nonce: 'n0nce',
    });
  });

  test('is byte for byte the one that jose signs', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array(), fc.string(), fc.integer({ min: 1 }), async (body, nonce, counter) => {
        const ours = signCallToken(key, { ...call, body }, { nonce, counter }, NOW);
        const [, payload = ''] = ours.split('.');
        const theirs = await new CompactSign(Buffer.from(payload, 'base64url'))
          .setProtectedHeader({ alg: 'EdDSA', typ: 'parelha-rpc+jwt', kid: key.kid })
          .sign(key.privateKey);
        expect(ours).toBe(theirs);
      }),
    );
  });

  test('is accepted for its call and gives its serial, whatever the body', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array(), fc.integer({ min: 1, max: 1e15 - 1 }), async (body, counter) => {
        const token = signCallToken(key, { ...call, body }, { nonce: 'x', counter }, NOW);
        expect(await verifyCallToken(token, { ...call, body, keys, now: NOW })).toEqual({
          nonce: 'x',
          counter,
        });
      }),
    );
  });

  test('is refused with any character of it changed', async () => {
    const token = signCallToken(key, call, serial, NOW);
    const position = fc.nat({ max: token.length - 1 });
    const character = fc.constantFrom(...'ABCxyz019-_.=/ ');
    await fc.assert(
      fc.asyncProperty(position, character, async (at, other) => {
        fc.pre(token[at] !== other);
        const changed = token.slice(0, at) + other + token.slice(at + 1);
        await expect(verifyCallToken(changed, { ...call, keys, now: NOW })).rejects.toMatchObject({
          code: 'rpc.unauthenticated',
        });
      }),
      { numRuns: 300 },
    );
  });

  test.each(['', 'x', '..', 'a.b.c', '{}', 'A'.repeat(4000), 'e30.e30.'])(
    'is refused where it is none: %j',
    async (token) => {
      await expect(verifyCallToken(token, { ...call, keys, now: NOW })).rejects.toMatchObject({
        code: 'rpc.unauthenticated',
        retriable: true,
      });
    },
  );

  test('is accepted while the clocks are within the skew, and no further', async () => {
    const token = signCallToken(key, call, serial, NOW);
    const at = (seconds: number) =>
      verifyCallToken(token, { ...call, keys, now: NOW.add({ seconds }) }).then(
        () => 'accepted',
        () => 'refused',
      );
    // The server's clock is behind, so the token comes from its future: `iat` lacks the fraction of a second.
    expect(await at(-CLOCK_SKEW_SECONDS + 1)).toBe('accepted');
    expect(await at(-CLOCK_SKEW_SECONDS - 1)).toBe('refused');
    // The server's clock is ahead.
    expect(await at(TOKEN_LIFETIME_SECONDS + CLOCK_SKEW_SECONDS - 1)).toBe('accepted');
    expect(await at(TOKEN_LIFETIME_SECONDS + CLOCK_SKEW_SECONDS)).toBe('refused');
  });

  test('is accepted under either of two keys while the caller changes its key', async () => {
    const next = makeTokenKey();
    const both = new Map([...keys, [next.kid, next.publicKey]]);
    for (const each of [key, next]) {
      const token = signCallToken(each, call, serial, NOW);
      expect(await verifyCallToken(token, { ...call, keys: both, now: NOW })).toEqual(serial);
    }
  });
});
