import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { setImmediate } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { RPC_MAX_BODY_BYTES } from '../../../protocol/methods.ts';
import { type Clock, systemClock } from '../../../node/platform/clock.ts';
import type { Peer } from '../../../node/peer/peer.ts';
import { createRpcClient } from '../../../node/peer/rpc-client.ts';
import { callJoin } from '../../../node/peer/rpc-join.ts';
import { fingerprintOf } from '../../../node/peer/pins.ts';
import {
  makeMember,
  makePair,
  makeTokenKey,
  type PairMember,
  trustIn,
} from '../../support/pair-credentials.ts';
import { freePort } from '../../support/process.ts';
import { identity, jobReport, peerStatus, startRpcPair } from '../../support/rpc-pair.ts';

const ID = 'a'.repeat(64);

let pair: [PairMember, PairMember];
beforeAll(async () => {
  pair = await makePair();
});

function clientOf(
  [caller, called]: readonly [PairMember, PairMember],
  port: number,
  clock: Clock = systemClock,
): Peer {
  const url = `https://127.0.0.1:${port}`;
  return createRpcClient({
    nodeId: caller.id,
    peerId: called.id,
    url,
    credentials: caller.credentials,
    clock,
  });
}

/** A machine whose clock is off by so much. */
function clockOff(seconds: number): Clock {
  return { ...systemClock, now: () => systemClock.now().add({ seconds }) };
}

/** Something with the peer's certificate that answers as a test likes. */
async function impersonate(
  answer: (incoming: IncomingMessage, outgoing: ServerResponse) => void,
): Promise<{ port: number; requests: string[] } & AsyncDisposable> {
  const [, { own }] = pair;
  const requests: string[] = [];
  const server = createServer({ cert: own.certificate, key: own.certificateKey }, (incoming, outgoing) => {
    requests.push(incoming.url ?? '');
    answer(incoming, outgoing);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

describe('a call', () => {
  test('goes through with a clock that differs by less than half a minute, and not with one that differs by more', async () => {
    await using world = await startRpcPair({ pair });
    for (const seconds of [-29, 29]) {
      expect(await world.client({ clock: clockOff(seconds) }).call('node.status', {})).toEqual(peerStatus);
    }
    for (const seconds of [-45, 32]) {
      await expect(world.client({ clock: clockOff(seconds) }).call('node.status', {})).rejects.toMatchObject({
        code: 'rpc.unauthenticated',
        retriable: true,
      });
    }
  });

  test('goes through 64 at a time, from the first on, and each is worked once', async () => {
    const handled: string[] = [];
    await using world = await startRpcPair({
      pair,
      handlers: {
        'job.get': async ({ id }) => {
          handled.push(id);
          return { report: jobReport(id) };
        },
      },
    });
    const ids = Array.from({ length: 640 }, (_, index) => index.toString(16).padStart(64, '0'));
    const waiting = [...ids];
    const runner = async (): Promise<void> => {
      for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
        expect((await world.peer.call('job.get', { id })).report?.id).toBe(id);
      }
    };
    await Promise.all(Array.from({ length: 64 }, runner));
    expect(handled.toSorted()).toEqual(ids);
  });

  test('goes through after a restart of the caller, and after one of the peer, 64 at a time', async () => {
    const port = await freePort();
    {
      await using world = await startRpcPair({ pair, port });
      const calls = (peer: Peer) =>
        Promise.all(Array.from({ length: 64 }, () => peer.call('job.get', { id: ID })));
      await calls(world.peer);
      await calls(world.client());
      await calls(world.peer);
    }
    const client = clientOf(pair, port);
    for (let restart = 0; restart < 3; restart += 1) {
      await using _ = await startRpcPair({ pair, port });
      await Promise.all(Array.from({ length: 64 }, () => client.call('job.get', { id: ID })));
    }
    await client.close();
  });

  test('is made again where a kept connection has died, if that does no more', async () => {
    const sockets = new Set<Socket>();
    await using server = await impersonate((incoming, outgoing) => {
      if (sockets.has(incoming.socket)) incoming.socket.destroy();
      else outgoing.end(JSON.stringify(peerStatus));
      sockets.add(incoming.socket);
    });
    const client = clientOf(pair, server.port);
    await client.call('node.status', {});
    await setImmediate(); // the connection is free again
    await client.call('node.status', {});
    expect(server.requests).toHaveLength(3);
    await setImmediate();
    await expect(client.call('pair.join', { secret: null, identity })).rejects.toMatchObject({
      code: 'peer.unreachable',
    });
    expect(server.requests).toHaveLength(4);
    await client.close();
  });

  test('ends after its time, whatever the peer does', async () => {
    await using server = await impersonate((_, outgoing) => outgoing.write('{'));
    const client = clientOf(pair, server.port);
    await expect(client.call('node.status', {}, { timeoutMs: 80 })).rejects.toMatchObject({
      code: 'peer.timeout',
      retriable: true,
      message: expect.stringContaining('80 ms') as string,
    });
    await client.close();
  });

  test('ends when its caller gives up, with the reason', async () => {
    await using server = await impersonate(() => undefined);
    const client = clientOf(pair, server.port);
    const reason = new Error('enough');
    await expect(client.call('node.status', {}, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const giving = new AbortController();
    const call = client.call('node.status', {}, { signal: giving.signal });
    setTimeout(() => giving.abort(reason), 30);
    await expect(call).rejects.toBe(reason);
    expect(client.contact().lastError).toBeNull();
    await client.close();
  });

  test('is refused beyond what can wait', async () => {
    await using server = await impersonate(() => undefined);
    const client = clientOf(pair, server.port);
    const calls = Array.from({ length: 513 }, () => client.call('node.status', {}, { timeoutMs: 200 }));
    const codes = (await Promise.allSettled(calls)).map(
      (end) => (end as { reason: { code: string } }).reason.code,
    );
    expect(new Set(codes.slice(0, 512))).toEqual(new Set(['peer.timeout']));
    expect(codes[512]).toBe('peer.busy');
    await client.close();
  });

  test('that is too large is not sent, and is refused for good', async () => {
    await using server = await impersonate(() => undefined);
    const client = clientOf(pair, server.port);
    const params = { id: 'x'.repeat(RPC_MAX_BODY_BYTES) };
    await expect(client.call('job.get', params)).rejects.toMatchObject({
      code: 'rpc.too-large',
      retriable: false,
    });
    expect(server.requests).toEqual([]);
    await client.close();
  });

  test('is not made where the two are not paired', async () => {
    const alone = await makeMember('audio');
    const other = await makeMember('audio3');
    const client = clientOf([alone, pair[1]], 1);
    await expect(client.call('node.status', {})).rejects.toMatchObject({
      code: 'peer.not-paired',
      retriable: true,
    });
    alone.credentials.setPeer(trustIn(other));
    await expect(client.call('node.status', {})).rejects.toMatchObject({ code: 'peer.not-paired' });
  });
});

describe('an answer', () => {
  const answered = async (status: number, body: string) => {
    await using server = await impersonate((_, outgoing) => {
      outgoing.statusCode = status;
      outgoing.end(body);
    });
    const client = clientOf(pair, server.port);
    try {
      return await client.call('job.get', { id: ID });
    } finally {
      await client.close();
    }
  };

  test('may hold what only a newer peer knows', async () => {
    const outcome = { kind: 'done', at: '2026-03-02T12:00:00Z', summary: 'sent', newer: 1 };
    const report = { ...jobReport(ID), outcome, newer: 1 };
    const { newer: _, ...known } = outcome;
    expect(await answered(200, JSON.stringify({ report, newer: 1 }))).toEqual({
      report: { ...jobReport(ID), outcome: known },
    });
  });

  test.each([
    ['no JSON', 200, '{'],
    ['nothing', 200, ''],
    ['not the result', 200, '{"report":{}}'],
    ['no problem', 500, 'oops'],
    ['a problem without a code', 404, '{"status":404}'],
    ['a redirect', 302, '{}'],
    ['too long', 200, JSON.stringify({ report: null, padding: 'x'.repeat(RPC_MAX_BODY_BYTES) })],
  ])('that is %s is a bad one', async (_, status, body) => {
    await expect(answered(status, body)).rejects.toMatchObject({ code: 'peer.bad-answer', retriable: true });
  });

  test.each([
    [400, false],
    [401, true],
    [403, true],
    [404, true],
    [409, false],
    [413, false],
    [422, false],
    [429, true],
    [500, true],
    [503, true],
  ])('with status %i and a code of a newer peer is tried again: %s', async (status, retriable) => {
    const body = JSON.stringify({
      type: 'about:blank',
      title: 'New',
      status,
      code: 'job.newer',
      detail: 'why',
    });
    await expect(answered(status, body)).rejects.toMatchObject({
      code: 'peer.problem',
      message: 'job.newer: why',
      retriable,
    });
  });
});

describe('who answers', () => {
  test('has the pinned certificate, or hears nothing', async () => {
    const impostor = await makeMember('audio2');
    let heard = 0;
    const server = createTlsServer(
      { cert: impostor.own.certificate, key: impostor.own.certificateKey },
      (socket) => socket.on('data', ({ length }) => (heard += length)).on('error', () => undefined),
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const client = clientOf(pair, port);
    const wrong = { code: 'peer.wrong-certificate', retriable: true };
    await expect(client.call('node.status', {})).rejects.toMatchObject(wrong);
    const fingerprint = fingerprintOf(new X509Certificate(pair[1].own.certificate));
    const params = { secret: 'secret', identity };
    await expect(callJoin({ url: `https://127.0.0.1:${port}`, fingerprint, params })).rejects.toMatchObject(
      wrong,
    );
    expect(heard).toBe(0);
    await client.close();
    server.close();
  });

  test('may have either of two certificates while it changes them', async () => {
    const [caller, called] = await makePair();
    const next = await makeMember('audio2');
    const trust = trustIn(called);
    caller.credentials.setPeer({ ...trust, certificates: [next.own.certificate, ...trust.certificates] });
    await using world = await startRpcPair({ pair: [caller, called] });
    await world.peer.call('node.status', {});
    called.credentials.setOwn({ ...called.own, ...next.own, tokenKey: called.own.tokenKey });
    await using again = await startRpcPair({ pair: [caller, called] });
    await again.peer.call('node.status', {});
  });

  test('knows the caller by its new key as soon as the caller signs with it', async () => {
    const [caller, called] = await makePair();
    await using world = await startRpcPair({ pair: [caller, called] });
    await world.peer.call('node.status', {});
    const { kid, privateKey, publicKey } = makeTokenKey();
    const trust = trustIn(caller);
    called.credentials.setPeer({ ...trust, tokenKeys: new Map([...trust.tokenKeys, [kid, publicKey]]) });
    await world.peer.call('node.status', {});
    caller.credentials.setOwn({ ...caller.own, tokenKey: { kid, privateKey } });
    await world.peer.call('node.status', {});
    called.credentials.setPeer({ ...trust, tokenKeys: new Map([[kid, publicKey]]) });
    await world.peer.call('node.status', {});
  });

  test('is nobody where nothing listens, and where nothing answers in TLS', async () => {
    const client = clientOf(pair, await freePort());
    await expect(client.call('node.status', {})).rejects.toMatchObject({
      code: 'peer.unreachable',
      retriable: true,
    });
    await client.close();
  });
});

describe('contact', () => {
  test('tells when the peer last answered, how fast, and what went wrong since', async () => {
    const port = await freePort();
    const client = clientOf(pair, port);
    expect(client.contact()).toEqual({ lastAnswerAt: null, latencyMs: null, lastError: null });
    await expect(client.call('node.status', {})).rejects.toThrow();
    expect(client.contact()).toMatchObject({ lastAnswerAt: null, lastError: { code: 'peer.unreachable' } });
    {
      await using _ = await startRpcPair({ pair, port });
      await client.call('node.status', {});
      expect(client.contact()).toMatchObject({ lastError: null, latencyMs: expect.any(Number) as number });
      // A refusal of the peer's is an answer too.
      await expect(client.call('job.cancel', { id: ID })).rejects.toThrow();
      expect(client.contact().lastError).toBeNull();
    }
    await expect(client.call('node.status', {})).rejects.toThrow();
    const { lastAnswerAt, lastError } = client.contact();
    expect(lastError?.code).toBe('peer.unreachable');
    expect(Temporal.Instant.compare(lastAnswerAt!, lastError!.at)).toBeLessThanOrEqual(0);
    await client.close();
  });
});

describe('pair.join at a node that is known by its fingerprint', () => {
  test('is answered with its identity while it has invited, and with its refusal otherwise', async () => {
    let invited = true;
    await using world = await startRpcPair({
      pair,
      invitationOpen: () => invited,
      handlers: { 'pair.join': async () => ({ identity }) },
    });
    const fingerprint = fingerprintOf(new X509Certificate(world.called.own.certificate));
    const join = () => callJoin({ url: world.url, fingerprint, params: { secret: 'secret', identity } });
    expect(await join()).toEqual({ identity });
    invited = false;
    await expect(join()).rejects.toMatchObject({ code: 'rpc.unauthenticated' });
  });
});
