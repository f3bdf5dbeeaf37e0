import { createHash, createHmac, type KeyObject, sign } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CLOCK_SKEW_SECONDS, MAX_TOKEN_LIFETIME_SECONDS } from '../../../node/peer/call-token.ts';
import { RPC_MAX_BODY_BYTES } from '../../../protocol/methods.ts';
import { makeMember, makePair, makeTokenKey, type PairMember } from '../../support/pair-credentials.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { eventually } from '../../support/process.ts';
import { rpcHandlers, startRpcPair, type RpcPair } from '../../support/rpc-pair.ts';
import { type RawAnswer, rawConnection, rawRequest, type Shown } from '../../support/rpc-raw.ts';

/** The one answer to whoever is not who he says. */
const BARE = {
  status: 401,
  body: {
    type: 'urn:parelha:problem:rpc.unauthenticated',
    title: 'The call is not authenticated.',
    status: 401,
    code: 'rpc.unauthenticated',
  },
};
const BODY = Buffer.from(JSON.stringify({ id: 'a'.repeat(64) }));
const REQUEST_TIMEOUT_MS = 400;
const OFTEN = { burst: 10_000, perSecond: 10_000 };

const clock = fixedClock();
let pair: RpcPair;
let caller: PairMember;
let called: PairMember;
/** A second token key of the caller's, as while it changes its key. */
const nextKey = makeTokenKey();
let handled = 0;
let nonce: string;
let counter = 1;

const options = {
  clock,
  requestTimeoutMs: REQUEST_TIMEOUT_MS,
  rates: { calls: OFTEN, strangers: OFTEN, failures: OFTEN },
  handlers: {
    'job.get': async () => {
      handled += 1;
      return { report: null };
    },
    'pair.join': async () => {
      handled += 1;
      return rpcHandlers()['pair.join'](undefined as never, undefined as never);
    },
  },
} as const;

beforeAll(async () => {
  const members = await makePair();
  [caller, called] = members;
  const trust = called.credentials.peer()!;
  const tokenKeys = new Map([...trust.tokenKeys, [nextKey.kid, nextKey.publicKey]]);
  called.credentials.setPeer({ ...trust, tokenKeys });
  pair = await startRpcPair({ ...options, pair: members });
  nonce = await offeredNonce();
});
afterAll(() => pair[Symbol.asyncDispose]());
beforeEach(() => {
  handled = 0;
  counter += 1;
});

/** A token in parts, all of it right. */
interface Token {
  readonly header: Record<string, unknown>;
  readonly claims: Record<string, unknown>;
}

function rightToken(): Token {
  const iat = Math.floor(clock.now().epochMilliseconds / 1000);
  return {
    header: { alg: 'EdDSA', typ: 'parelha-rpc+jwt', kid: caller.own.tokenKey.kid },
    claims: {
      iss: 'audio',
      aud: 'audio2',
      iat,
      exp: iat + 10,
      jti: String(counter),
      htm: 'job.get',
      bh: createHash('sha256').update(BODY).digest('base64url'),
      nonce,
    },
  };
}

type Signer = (input: string) => string;

function signedBy(key: KeyObject): Signer {
  return (input) => sign(null, Buffer.from(input), key).toString('base64url');
}

function encode(
  { header, claims }: Token,
  signer: Signer = signedBy(caller.own.tokenKey.privateKey),
): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const input = `${part(header)}.${part(claims)}`;
  return `${input}.${signer(input)}`;
}

function post(
  token: string | null,
  change: { path?: string; body?: Uint8Array; shown?: Shown; port?: number } = {},
): Promise<RawAnswer> {
  const headers = {
    'content-type': 'application/json',
    ...(token === null ? {} : { authorization: `Bearer ${token}` }),
  };
  return rawRequest({
    port: pair.server.port,
    shown: caller.own,
    path: '/rpc/v1/job.get',
    body: BODY,
    headers,
    ...change,
  });
}

async function offeredNonce(): Promise<string> {
  const { claims, header } = rightToken();
  const { headers } = await post(encode({ header, claims: { ...claims, nonce: '' } }));
  return String(headers['parelha-nonce']);
}

function expectBare({ status, body, headers }: RawAnswer): void {
  expect({ status, body: JSON.parse(body) as unknown }).toEqual(BARE);
  expect(headers['parelha-nonce']).toBeUndefined();
  expect(handled).toBe(0);
}

const publicPem = (): string => caller.tokenPublicKey.export({ type: 'spki', format: 'pem' });
const without = ({ header, claims }: Token, name: string): Token => ({
  header,
  claims: Object.fromEntries(Object.entries(claims).filter(([claim]) => claim !== name)),
});
const withClaims = ({ header, claims }: Token, change: Token['claims']): Token => ({
  header,
  claims: { ...claims, ...change },
});
const withHeader = ({ header, claims }: Token, change: Token['header']): Token => ({
  header: { ...header, ...change },
  claims,
});
const iatOf = ({ claims }: Token): number => Number(claims['iat']);

/** Tokens that are right in everything but one thing. */
const FORGED: Record<string, (right: Token) => string> = {
  'alg none': (right) => encode(withHeader(right, { alg: 'none' }), () => ''),
  'alg none with a signature': (right) => encode(withHeader(right, { alg: 'none' })),
  'HS256 with the public key as the secret': (right) =>
    encode(withHeader(right, { alg: 'HS256' }), (input) =>
      createHmac('sha256', publicPem()).update(input).digest('base64url'),
    ),
  'HS512 with the public key as the secret, as long as a signature': (right) =>
    encode(withHeader(right, { alg: 'HS512' }), (input) =>
      createHmac('sha512', publicPem()).update(input).digest('base64url'),
    ),
  'alg Ed25519, the other name of the same algorithm': (right) =>
    encode(withHeader(right, { alg: 'Ed25519' })),
  'another typ': (right) => encode(withHeader(right, { typ: 'JWT' })),
  'typ in other letters': (right) => encode(withHeader(right, { typ: 'PARELHA-RPC+JWT' })),
  'no typ': (right) => encode(withHeader(right, { typ: undefined })),
  'an unknown kid': (right) => encode(withHeader(right, { kid: 'unknown' })),
  'no kid': (right) => encode(withHeader(right, { kid: undefined })),
  'a kid that every object has': (right) => encode(withHeader(right, { kid: '__proto__' })),
  'the right kid and another key': (right) => encode(right, signedBy(makeTokenKey().privateKey)),
  'the key of the other kid': (right) => encode(right, signedBy(nextKey.privateKey)),
  'a critical extension that nobody knows': (right) => encode(withHeader(right, { crit: ['x'], x: 1 })),
  'a key of its own in the header': (right) => {
    const own = makeTokenKey();
    const jwk = own.publicKey.export({ format: 'jwk' });
    return encode(withHeader(right, { jwk }), signedBy(own.privateKey));
  },
  'another aud': (right) => encode(withClaims(right, { aud: 'audio3' })),
  'several aud': (right) => encode(withClaims(right, { aud: ['audio2', 'audio3'] })),
  'another iss': (right) => encode(withClaims(right, { iss: 'audio2' })),
  'no iss': (right) => encode(without(right, 'iss')),
  'no aud': (right) => encode(without(right, 'aud')),
  'no iat': (right) => encode(without(right, 'iat')),
  'no exp': (right) => encode(without(right, 'exp')),
  'no jti': (right) => encode(without(right, 'jti')),
  'no nonce': (right) => encode(without(right, 'nonce')),
  'no method': (right) => encode(without(right, 'htm')),
  'no hash of the body': (right) => encode(without(right, 'bh')),
  'exp as text': (right) => encode(withClaims(right, { exp: String(iatOf(right) + 10) })),
  'a jti that is no counter': (right) => encode(withClaims(right, { jti: `0${counter}` })),
  'a jti beyond all counters': (right) => encode(withClaims(right, { jti: '9'.repeat(30) })),
  'another method': (right) => encode(withClaims(right, { htm: 'job.cancel' })),
  'the hash of another body': (right) =>
    encode(withClaims(right, { bh: createHash('sha256').update('{}').digest('base64url') })),
  'a lifetime of more than a minute': (right) =>
    encode(withClaims(right, { exp: iatOf(right) + MAX_TOKEN_LIFETIME_SECONDS + 1 })),
  'an end before its beginning': (right) => encode(withClaims(right, { exp: iatOf(right) - 1 })),
  'expired, by more than the clocks may differ': (right) => {
    const exp = iatOf(right) - CLOCK_SKEW_SECONDS - 1;
    return encode(withClaims(right, { iat: exp - 10, exp }));
  },
  'from the future, by more than the clocks may differ': (right) => {
    const iat = iatOf(right) + CLOCK_SKEW_SECONDS + 1;
    return encode(withClaims(right, { iat, exp: iat + 10 }));
  },
  'nothing signed': () => 'x.y.z',
  'a signature in another spelling': (right) => `${encode(right)}=`,
  'a very long token': (right) => encode(withClaims(right, { padding: 'x'.repeat(3000) })),
};

describe('a token that is right in everything but', () => {
  test.each(Object.keys(FORGED))('%s', async (name) => {
    expectBare(await post(FORGED[name]!(rightToken())));
    // And nothing of it was used up: the right one is accepted.
    expect((await post(encode(rightToken()))).status).toBe(200);
    expect(handled).toBe(1);
  });
});

describe('a token that is right', () => {
  test('is accepted from a clock that differs by less than the skew, either way, and for a whole minute', async () => {
    const iat = iatOf(rightToken());
    for (const change of [
      { iat: iat + CLOCK_SKEW_SECONDS - 1, exp: iat + CLOCK_SKEW_SECONDS + 9 },
      { iat: iat - CLOCK_SKEW_SECONDS - 9, exp: iat - CLOCK_SKEW_SECONDS + 1 },
      { exp: iat + MAX_TOKEN_LIFETIME_SECONDS },
    ]) {
      counter += 1;
      expect((await post(encode(withClaims(rightToken(), change)))).status).toBe(200);
    }
    expect(handled).toBe(3);
  });

  test('is accepted under either of two keys', async () => {
    const right = withHeader(rightToken(), { kid: nextKey.kid });
    expect((await post(encode(right, signedBy(nextKey.privateKey)))).status).toBe(200);
  });

  test('is accepted once', async () => {
    const token = encode(rightToken());
    expect((await post(token)).status).toBe(200);
    const again = await post(token);
    expect(again.status).toBe(401);
    expect(JSON.parse(again.body)).toMatchObject({ code: 'rpc.replayed' });
    expect(handled).toBe(1);
  });

  test('is accepted once, however many come at the same time', async () => {
    const token = encode(rightToken());
    const answers = await Promise.all(Array.from({ length: 20 }, () => post(token)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(handled).toBe(1);
  });

  test('is not accepted again after a restart of the server, and no other of its kind', async () => {
    const token = encode(rightToken());
    expect((await post(token)).status).toBe(200);
    await using restarted = await startRpcPair({ ...options, pair: [caller, called] });
    const { port } = restarted.server;
    const again = await post(token, { port });
    expect(again.status).toBe(401);
    expect(JSON.parse(again.body)).toMatchObject({ code: 'rpc.use-nonce' });
    expect(handled).toBe(1);
    // A fresh call goes through after one round trip, also from a clock that is behind the restart.
    nonce = String(again.headers['parelha-nonce']);
    const iat = iatOf(rightToken()) - CLOCK_SKEW_SECONDS;
    const fresh = encode(withClaims(rightToken(), { iat, exp: iat + 10 }));
    expect((await post(fresh, { port })).status).toBe(200);
    nonce = await offeredNonce();
  });

  test('is not accepted with another body, nor at another method', async () => {
    const token = encode(rightToken());
    expectBare(await post(token, { body: Buffer.from(JSON.stringify({ id: 'b'.repeat(64) })) }));
    expectBare(await post(token, { body: Buffer.from(`${BODY.toString()} `) }));
    expectBare(await post(token, { path: '/rpc/v1/job.cancel' }));
    expectBare(await post(token, { path: '/rpc/v1/no.such.method' }));
    expect((await post(token)).status).toBe(200);
  });

  test('is not enough: none is answered to without the certificate', async () => {
    const stranger = await makeMember('audio');
    for (const shown of [null, stranger.own, called.own]) {
      expectBare(await post(encode(rightToken()), { shown }));
    }
    expect((await post(encode(rightToken()))).status).toBe(200);
  });

  test('is needed: the certificate alone is not enough', async () => {
    expectBare(await post(null));
    expectBare(await post(null, { path: '/rpc/v1/pair.join' }));
  });
});

describe('a caller without the certificate', () => {
  test('gets one and the same answer, whatever it asks for', async () => {
    const { port } = pair.server;
    const answers = await Promise.all([
      ...['/', '/rpc/v1/job.get', '/rpc/v1/pair.join', '/rpc/v1/none', '/%00', '/rpc/v1/../healthz'].flatMap(
        (path) =>
          ['POST', 'GET', 'PUT', 'DELETE', 'OPTIONS'].map((verb) =>
            rawRequest({ port, shown: null, path, verb }),
          ),
      ),
      rawRequest({ port, shown: null, path: '/rpc/v1/pair.join', body: Buffer.from('{') }),
      rawRequest({ port, shown: null, path: '/healthz', verb: 'POST' }),
      rawRequest({ port, shown: null, path: '/', headers: { host: 'a b' } }),
      rawRequest({ port, shown: null, path: '/', headers: { expect: '100-continue' } }),
      rawRequest({ port, shown: null, path: '/', headers: { expect: 'miracles' } }),
    ]);
    for (const answer of answers) expectBare(answer);
    const shapes = answers.map(({ headers, body }) => JSON.stringify([{ ...headers, date: '' }, body]));
    expect(new Set(shapes).size).toBe(1);
  });

  test('hears from the health pages no more than up or not', async () => {
    const ask = (path: string) => rawRequest({ port: pair.server.port, shown: null, path, verb: 'GET' });
    expect(await ask('/healthz')).toMatchObject({ status: 200, body: 'ok' });
    expect(await ask('/readyz')).toMatchObject({ status: 200, body: 'ready' });
  });
});

describe('a body', () => {
  const announce = (length: number): string =>
    `POST /rpc/v1/job.get HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`;

  test.each([['of 10 MB'], ['of one byte too many']])('%s is refused before it is there', async (size) => {
    const length = size === 'of 10 MB' ? 10_485_760 : RPC_MAX_BODY_BYTES + 1;
    for (const shown of [caller.own, null]) {
      const socket = await rawConnection(pair.server.port, shown);
      let heard = '';
      socket.on('data', (chunk) => (heard += String(chunk)));
      socket.write(announce(length) + 'x'.repeat(1000));
      const status = shown === null ? '401' : '413';
      await eventually('an answer', () => heard.startsWith(`HTTP/1.1 ${status} `));
      await eventually('the end of the connection', () => socket.destroyed, 5_000);
    }
    expect(handled).toBe(0);
  });

  test('without a length is refused', async () => {
    const socket = await rawConnection(pair.server.port, caller.own);
    let heard = '';
    socket.on('data', (chunk) => (heard += String(chunk)));
    socket.write('POST /rpc/v1/job.get HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n');
    await eventually('an answer', () => heard.startsWith('HTTP/1.1 400 '));
    socket.destroy();
  });

  test.each([['slow headers'], ['a slow body'], ['nothing at all']])(
    '%s end the connection',
    async (what) => {
      for (const shown of [caller.own, null]) {
        const socket = await rawConnection(pair.server.port, shown);
        const started = performance.now();
        if (what === 'slow headers') socket.write('POST /rpc/v1/job.get HTTP/1.1\r\nHost: x\r\nA: ');
        if (what === 'a slow body') socket.write(announce(BODY.length));
        const drip = setInterval(() => socket.write('x'), 50);
        if (what === 'nothing at all') clearInterval(drip);
        socket.resume();
        await eventually('the end of the connection', () => socket.destroyed, 5_000);
        clearInterval(drip);
        expect(performance.now() - started).toBeLessThan(10 * REQUEST_TIMEOUT_MS);
      }
      expect(handled).toBe(0);
    },
  );
});
