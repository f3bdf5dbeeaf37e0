import { connect as connectPlain } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { once } from 'node:events';
import { beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../../node/platform/clock.ts';
import { AppError } from '../../../node/platform/errors.ts';
import { createLog } from '../../../node/platform/log.ts';
import { createCallSerials } from '../../../node/peer/call-serials.ts';
import { signCallToken } from '../../../node/peer/call-token.ts';
import { startRpcServer } from '../../../node/peer/rpc-server.ts';
import {
  makeMember,
  makePair,
  makeTlsIdentity,
  type PairMember,
  trustIn,
} from '../../support/pair-credentials.ts';
import { eventually } from '../../support/process.ts';
import {
  identity,
  jobReport,
  peerStatus,
  type RpcPair,
  rpcHandlers,
  startRpcPair,
} from '../../support/rpc-pair.ts';
import { rawConnection, rawRequest } from '../../support/rpc-raw.ts';

const ID = 'a'.repeat(64);
let pair: [PairMember, PairMember];
beforeAll(async () => {
  pair = await makePair();
});

function recordingLog() {
  const lines: string[] = [];
  return { lines, log: createLog({ level: 'debug', style: 'terminal', write: (line) => lines.push(line) }) };
}

describe('a call', () => {
  test('reaches its handler with checked parameters and the id of the peer, and its result comes back', async () => {
    const calls: unknown[] = [];
    await using world = await startRpcPair({
      pair,
      handlers: {
        'job.get': async (params, { caller }) => {
          calls.push([params, caller]);
          return { report: jobReport(params.id) };
        },
      },
    });
    expect(await world.peer.call('job.get', { id: ID })).toEqual({ report: jobReport(ID) });
    expect(await world.peer.call('node.status', {})).toEqual(peerStatus);
    expect(calls).toEqual([[{ id: ID }, 'audio']]);
  });

  test('with fields that this node does not know is worked without them', async () => {
    const calls: unknown[] = [];
    await using world = await startRpcPair({
      pair,
      handlers: {
        'job.get': async (params) => {
          calls.push(params);
          return { report: null };
        },
      },
    });
    await world.peer.call('job.get', { id: ID, newer: true } as never);
    expect(calls).toEqual([{ id: ID }]);
  });

  test('whose parameters do not fit is refused for good, and the fields are named', async () => {
    await using world = await startRpcPair({ pair });
    await expect(world.peer.call('job.get', { id: 'no' })).rejects.toMatchObject({
      code: 'rpc.invalid',
      retriable: false,
      message: expect.stringContaining('id:') as string,
    });
    await expect(world.peer.call('job.get', [] as never)).rejects.toMatchObject({ code: 'rpc.invalid' });
  });

  test('of a method that is not there says so to who is known', async () => {
    await using world = await startRpcPair({ pair });
    const { caller, called, server } = world;
    const serials = createCallSerials();
    const call = async (method: string) => {
      const body = Buffer.from('{}');
      const serial = serials.next();
      const token = signCallToken(
        caller.own.tokenKey,
        { from: caller.id, to: called.id, method, body },
        serial,
        systemClock.now(),
      );
      const headers = { authorization: `Bearer ${token}` };
      const asked = { port: server.port, shown: caller.own, path: `/rpc/v1/${method}`, headers, body };
      const answer = await rawRequest(asked);
      const nonce = answer.headers['parelha-nonce'];
      if (nonce !== undefined) serials.learn(serial, String(nonce));
      return answer;
    };
    expect((await call('job.frobnicate')).status).toBe(401);
    for (const method of ['job.frobnicate', '__proto__', 'toString']) {
      const { status, body } = await call(method);
      expect({ status, body: JSON.parse(body) as unknown }).toMatchObject({
        status: 404,
        body: { code: 'rpc.unknown-method' },
      });
    }
  });

  test('that fails with a problem of the table is answered with it, final or not as its status says', async () => {
    await using world = await startRpcPair({
      pair,
      handlers: {
        'job.get': async () => {
          throw new AppError('job.conflict', 'known with another request');
        },
        'job.cancel': async () => {
          throw new AppError('rpc.unavailable', 'the disk is full');
        },
      },
    });
    await expect(world.peer.call('job.get', { id: ID })).rejects.toMatchObject({
      code: 'job.conflict',
      retriable: false,
      message: 'known with another request',
    });
    await expect(world.peer.call('job.cancel', { id: ID })).rejects.toMatchObject({
      code: 'rpc.unavailable',
      retriable: true,
    });
  });

  test('that fails otherwise says no more than that, and the log here says why', async () => {
    const { lines, log } = recordingLog();
    await using world = await startRpcPair({
      pair,
      log,
      handlers: {
        'job.get': async () => {
          throw new Error('secret path /srv/x');
        },
        'job.cancel': async () => {
          throw new AppError('spool.unwritable', 'secret path /srv/y');
        },
        'node.status': async () => ({ ...peerStatus, term: -1 }),
      },
    });
    const failed = { code: 'rpc.failed', retriable: true, message: 'The node failed at the call.' };
    await expect(world.peer.call('job.get', { id: ID })).rejects.toMatchObject(failed);
    await expect(world.peer.call('job.cancel', { id: ID })).rejects.toMatchObject(failed);
    await expect(world.peer.call('node.status', {})).rejects.toMatchObject(failed);
    const text = lines.join('');
    for (const reason of ['/srv/x', '/srv/y', 'term:']) expect(text).toContain(reason);
  });

  test('is told to end when its caller hangs up', async () => {
    const ended = Promise.withResolvers<unknown>();
    await using world = await startRpcPair({
      pair,
      handlers: {
        'job.get': (_, { signal }) =>
          new Promise((_resolve, reject) => {
            signal.addEventListener('abort', () => {
              ended.resolve(signal.reason);
              reject(signal.reason as Error);
            });
          }),
      },
    });
    await expect(world.peer.call('job.get', { id: ID }, { timeoutMs: 100 })).rejects.toMatchObject({
      code: 'peer.timeout',
    });
    expect(await ended.promise).toMatchObject({ code: 'rpc.hung-up' });
  });
});

describe('pair.join of a caller who is not known', () => {
  test('is heard while an invitation is open, and at no other time', async () => {
    let invited = true;
    const calls: unknown[] = [];
    await using world = await startRpcPair({
      pair,
      invitationOpen: () => invited,
      handlers: {
        'pair.join': async ({ secret }, { caller }) => {
          calls.push([secret, caller]);
          return { identity };
        },
      },
    });
    const join = () =>
      rawRequest({
        port: world.server.port,
        shown: null,
        path: '/rpc/v1/pair.join',
        body: Buffer.from(JSON.stringify({ secret: 's', identity })),
      });
    expect(JSON.parse((await join()).body)).toEqual({ identity });
    expect(calls).toEqual([['s', null]]);
    const get = rawRequest({
      port: world.server.port,
      shown: null,
      path: '/rpc/v1/job.get',
      body: Buffer.from('{}'),
    });
    expect((await get).status).toBe(401);
    invited = false;
    expect((await join()).status).toBe(401);
    expect(calls).toHaveLength(1);
  });

  test('of the peer itself carries its id, invitation or not', async () => {
    const calls: unknown[] = [];
    await using world = await startRpcPair({
      pair,
      handlers: {
        'pair.join': async (_, { caller }) => {
          calls.push(caller);
          return { identity };
        },
      },
    });
    await world.peer.call('pair.join', { secret: null, identity });
    expect(calls).toEqual(['audio']);
  });
});

describe('health', () => {
  test('is told to anybody: up or not, and no more', async () => {
    let ready = false;
    await using world = await startRpcPair({ pair, ready: () => ready });
    const { port } = world.server;
    for (const shown of [null, world.caller.own]) {
      const ask = (path: string) => rawRequest({ port, shown, path, verb: 'GET' });
      ready = false;
      expect(await ask('/healthz')).toMatchObject({ status: 200, body: 'ok' });
      expect(await ask('/readyz')).toMatchObject({ status: 503, body: 'not ready' });
      ready = true;
      expect(await ask('/readyz')).toMatchObject({ status: 200, body: 'ready' });
    }
  });
});

describe('limits', () => {
  test('hold for the peer: a loop is told to wait', async () => {
    await using world = await startRpcPair({ pair, rates: { calls: { burst: 5, perSecond: 0 } } });
    const calls = Array.from({ length: 8 }, () => world.peer.call('node.status', {}));
    const codes = (await Promise.allSettled(calls)).map((end) =>
      end.status === 'fulfilled' ? 'done' : (end.reason as AppError).code,
    );
    expect(codes).toContain('rpc.too-many');
  });

  test('hold for callers who are not known, and leave the peer alone', async () => {
    await using world = await startRpcPair({ pair, rates: { strangers: { burst: 2, perSecond: 0 } } });
    const ask = (path: string) => rawRequest({ port: world.server.port, shown: null, path, verb: 'GET' });
    expect((await ask('/healthz')).status).toBe(200);
    expect((await ask('/x')).status).toBe(401);
    expect([(await ask('/x')).status, (await ask('/healthz')).status]).toEqual([429, 429]);
    await world.peer.call('node.status', {});
  });

  test('hold for tokens that are refused', async () => {
    await using world = await startRpcPair({ pair, rates: { failures: { burst: 2, perSecond: 0 } } });
    const { port } = world.server;
    const ask = () =>
      rawRequest({ port, shown: world.caller.own, path: '/rpc/v1/job.get', body: Buffer.from('{}') });
    expect([(await ask()).status, (await ask()).status, (await ask()).status]).toEqual([401, 401, 429]);
  });

  test('hold for connections, and callers who say nothing keep the peer out neither before nor after TLS', async () => {
    await using world = await startRpcPair({ pair });
    const { port } = world.server;
    const silent = Array.from({ length: 150 }, () =>
      connectPlain(port, '127.0.0.1').on('error', () => undefined),
    );
    const strangers = await Promise.all(
      Array.from({ length: 20 }, () => rawConnection(port, null).catch(() => null)),
    );
    await eventually('strangers beyond the bound to be cut', () => {
      return strangers.filter((socket) => socket === null || socket.destroyed).length >= 4;
    });
    await world.peer.call('node.status', {});
    for (const socket of [...silent, ...strangers]) socket?.destroy();
  });

  test('hold for each host: one that floods keeps neither a slow peer out, nor a stranger of elsewhere', async () => {
    await using world = await startRpcPair({ pair });
    const { port } = world.server;
    const slow = connectPlain(port, '127.0.0.1');
    await once(slow, 'connect');
    const flood = Array.from({ length: 150 }, () =>
      connectPlain({ port, host: '127.0.0.1', localAddress: '127.0.0.2' }).on('error', () => undefined),
    );
    await eventually('the flood to be cut', () => flood.filter(({ destroyed }) => destroyed).length >= 80);
    const { certificate: cert, certificateKey: key } = world.caller.own;
    const peer = connect({ socket: slow, cert, key, rejectUnauthorized: false });
    await once(peer, 'secureConnect');

    const elsewhere = await rawConnection(port, null);
    const strangers = await Promise.all(
      Array.from({ length: 40 }, () => rawConnection(port, null, '127.0.0.2').catch(() => null)),
    );
    await eventually('strangers beyond the bound to be cut', () => {
      return strangers.filter((socket) => socket === null || socket.destroyed).length >= 25;
    });
    elsewhere.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
    const [answer] = (await once(elsewhere, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1.1 200/);
    for (const socket of [...flood, ...strangers, elsewhere, peer]) socket?.destroy();
  });
});

describe('TLS', () => {
  test('is 1.3 or nothing', async () => {
    await using world = await startRpcPair({ pair });
    const { port } = world.server;
    const { certificate: cert, certificateKey: key } = world.caller.own;
    const socket = connect({ port, cert, key, maxVersion: 'TLSv1.2', rejectUnauthorized: false });
    await expect(once(socket, 'secureConnect')).rejects.toThrow(/version/);
  });

  test('is a whole handshake each time', async () => {
    await using world = await startRpcPair({ pair });
    const { port } = world.server;
    const first = connect({ port, rejectUnauthorized: false });
    const session = Promise.race([
      once(first, 'session').then(([given]) => given as Buffer),
      once(first, 'secureConnect').then(() => first.getSession()),
    ]);
    const resumed = connect({ port, rejectUnauthorized: false, session: await session });
    await once(resumed, 'secureConnect');
    expect(resumed.isSessionReused()).toBe(false);
    first.destroy();
    resumed.destroy();
  });
});

/** A connection that the server knows as the caller's. */
async function keptConnection({ server, caller }: RpcPair): Promise<TLSSocket> {
  const socket = await rawConnection(server.port, caller.own);
  socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
  await once(socket, 'data');
  return socket;
}

describe('a change of credentials', () => {
  test('cuts the connections of a certificate that is not trusted any more', async () => {
    await using world = await startRpcPair({ pair: await makePair() });
    await world.peer.call('node.status', {});
    const kept = await keptConnection(world);
    world.called.credentials.setPeer(null);
    await eventually('the connection to be cut', () => kept.destroyed);
    await expect(world.peer.call('node.status', {})).rejects.toMatchObject({ code: 'rpc.unauthenticated' });
  });

  test('keeps the connections of one that still is, while there are two', async () => {
    await using world = await startRpcPair({ pair: await makePair() });
    const kept = await keptConnection(world);
    const next = await makeTlsIdentity('audio');
    const trust = trustIn(world.caller);
    const certificates = [next.certificate, ...trust.certificates];
    world.called.credentials.setPeer({ ...trust, certificates });
    await world.peer.call('node.status', {});
    expect(kept.destroyed).toBe(false);
    world.caller.credentials.setOwn({ ...world.caller.own, ...next });
    await world.peer.call('node.status', {});
    world.called.credentials.setPeer({ ...trust, certificates: [next.certificate] });
    await eventually('the connection of the old one to be cut', () => kept.destroyed);
    await world.peer.call('node.status', {});
  });

  test('shows this node’s new certificate to who connects next', async () => {
    await using world = await startRpcPair({ pair: await makePair() });
    const next = await makeTlsIdentity('audio2');
    const trust = trustIn(world.called);
    world.caller.credentials.setPeer({ ...trust, certificates: [next.certificate] });
    await expect(world.peer.call('node.status', {})).rejects.toMatchObject({
      code: 'peer.wrong-certificate',
    });
    world.called.credentials.setOwn({ ...world.called.own, ...next });
    await world.peer.call('node.status', {});
  });
});

describe('closing', () => {
  test('lets a call that runs finish and takes no other', async () => {
    const begun = Promise.withResolvers<void>();
    const finish = Promise.withResolvers<void>();
    await using world = await startRpcPair({
      pair,
      handlers: {
        'job.get': async () => {
          begun.resolve();
          await finish.promise;
          return { report: null };
        },
      },
    });
    const running = world.peer.call('job.get', { id: ID });
    await begun.promise;
    const closing = world.server.close();
    await expect(world.client().call('node.status', {})).rejects.toMatchObject({ code: 'peer.unreachable' });
    finish.resolve();
    expect(await running).toEqual({ report: null });
    await closing;
  });

  test('cuts a call that does not end, and tells it', async () => {
    const begun = Promise.withResolvers<AbortSignal>();
    await using world = await startRpcPair({
      pair,
      handlers: {
        'job.get': async (_, { signal }) => {
          begun.resolve(signal);
          return new Promise(() => undefined);
        },
      },
    });
    const running = world.peer.call('job.get', { id: ID });
    const signal = await begun.promise;
    const [end] = await Promise.allSettled([running, world.server.close()]);
    expect(end).toMatchObject({ status: 'rejected', reason: { code: 'peer.unreachable' } });
    expect(signal.reason).toMatchObject({ code: 'rpc.unavailable' });
  });

  test('is not hindered by callers who stay', async () => {
    const world = await startRpcPair({ pair });
    const sockets = [
      await rawConnection(world.server.port, null),
      connectPlain(world.server.port, '127.0.0.1'),
    ];
    for (const socket of sockets) socket.on('error', () => undefined);
    await world.peer.call('node.status', {});
    await world.server.close();
    await world[Symbol.asyncDispose]();
  });
});

test('an address that is taken is told', async () => {
  await using world = await startRpcPair({ pair });
  const { id, credentials } = await makeMember('audio2');
  const starting = startRpcServer({
    nodeId: id,
    host: '127.0.0.1',
    port: world.server.port,
    credentials,
    handlers: rpcHandlers(),
    invitationOpen: () => false,
    ready: () => true,
    clock: systemClock,
    log: recordingLog().log,
  });
  await expect(starting).rejects.toMatchObject({ code: 'listen.failed' });
});
