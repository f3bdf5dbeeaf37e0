import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createAccessHandlers, createAccessReplicator } from '../../../node/access/access-replicator.ts';
import type { AccessStore } from '../../../node/access/access-store.ts';
import { silentLog } from '../../../node/platform/log.ts';
import { systemClock } from '../../../node/platform/clock.ts';
import { AppError } from '../../../node/platform/errors.ts';
import { createMemoryAccessStore } from '../../support/memory-access-store.ts';
import { createMemoryPeer, type MemoryPeer } from '../../support/memory-peer.ts';
import { eventually } from '../../support/process.ts';
import type { RpcHandlers } from '../../../protocol/methods.ts';

const VALUE = { role: 'operador', extensions: null, servers: null };
let here: AccessStore;
let there: AccessStore;
let peer: MemoryPeer;
let handlers: Partial<RpcHandlers>;
let stop: (() => Promise<void>)[];

beforeEach(() => {
  here = createMemoryAccessStore('audio');
  there = createMemoryAccessStore('audio2');
  handlers = createAccessHandlers(there);
  peer = createMemoryPeer({ id: 'audio2', caller: 'audio', handlers: () => handlers });
  stop = [];
});
afterEach(async () => {
  for (const each of stop) await each();
});

function run(fullMs = 60_000) {
  const common = { store: here, nodeId: 'audio', clock: systemClock, log: silentLog, random: () => 0 };
  const replicator = createAccessReplicator({ ...common, peer, fullMs });
  const running = replicator.run(new AbortController().signal);
  stop.push(async () => {
    await replicator.stop();
    await running;
  });
  return replicator;
}
const known = (key: string) => eventually(key, async () => there.get(key), 5_000, 5);

describe('the peer', () => {
  test('is told all at the start, and each change at once', async () => {
    await here.put('person:ana@example.com', VALUE, 'x');
    run();
    await known('person:ana@example.com');
    await here.put('person:bia@example.com', VALUE, 'x');
    await known('person:bia@example.com');
    expect(peer.calls).toHaveLength(2);
    expect(peer.calls[1]?.params).toMatchObject({ records: [{ key: 'person:bia@example.com' }] });
  });

  test('is told all again from time to time, as its disk may have been put back', async () => {
    await here.put('person:ana@example.com', VALUE, 'x');
    run(20);
    await known('person:ana@example.com');
    there = createMemoryAccessStore('audio2');
    handlers = createAccessHandlers(there);
    await known('person:ana@example.com');
  });

  test('that was away is told what changed meanwhile, at once where it is heard of again', async () => {
    peer.link = 'down';
    const replicator = run();
    await here.put('person:ana@example.com', VALUE, 'x');
    await eventually('a call in vain', async () => peer.calls.length > 1 || null, 5_000, 5);
    await here.put('person:ana@example.com', null, 'x');
    peer.link = 'up';
    replicator.hurry();
    expect(await known('person:ana@example.com')).toMatchObject({ version: 2, value: null });
  });

  test('does not hear its own word back', async () => {
    run();
    await eventually('a first look', async () => peer.calls.length === 0 || null);
    await here.merge([{ ...(await there.put('token:a', 1, 'x')) }]);
    await here.put('token:b', 1, 'x');
    await known('token:b');
    expect(JSON.stringify(peer.calls)).not.toContain('token:a');
  });

  test('is told of very many in pages that a call can hold', async () => {
    for (let at = 0; at < 1_200; at += 1) await here.put(`token:${at}`, 'x'.repeat(700), 'x');
    run();
    await eventually('all of them', async () => there.list('').length === 1_200 || null, 10_000);
    const sizes = peer.calls.map(({ params }) => JSON.stringify(params).length);
    expect(Math.max(...sizes)).toBeLessThan(1_000_000);
    expect(sizes.length).toBeGreaterThan(2);
  });

  test('of before an upgrade, which does not know the call, does not stop anything', async () => {
    handlers = {};
    run();
    await here.put('person:ana@example.com', VALUE, 'x');
    await eventually('a call', async () => peer.calls.length > 0 || null);
    handlers = createAccessHandlers(there);
    await here.put('person:bia@example.com', VALUE, 'x');
    await known('person:bia@example.com');
    await known('person:ana@example.com');
  });
});

test('what cannot be put on disk is not acknowledged', async () => {
  const full = { merge: () => Promise.reject(new AppError('access.unwritable', 'no space left on device')) };
  const call = { signal: new AbortController().signal, caller: 'audio' };
  await expect(createAccessHandlers(full)['access.put']({ records: [] }, call)).rejects.toMatchObject({
    code: 'rpc.unavailable',
  });
  await expect(
    createAccessHandlers(full)['access.put']({ records: [] }, { ...call, caller: null }),
  ).rejects.toMatchObject({ code: 'rpc.unauthenticated' });
});
