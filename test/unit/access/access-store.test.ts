import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RPC_METHODS } from '../../../protocol/methods.ts';
import type { AccessRecord, AccessStore } from '../../../node/access/access-store.ts';
import { isNewer, openAccessStore } from '../../../node/access/open-access-store.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { createMemoryAccessStore } from '../../support/memory-access-store.ts';
import { temporaryDirectory } from '../../support/process.ts';

async function onDisk(nodeId = 'audio', maxRecords?: number, maxBytes?: number) {
  const directory = await temporaryDirectory();
  const clock = fixedClock();
  const path = join(directory.path, 'access.json');
  const open = () =>
    openAccessStore({
      ...{ path, nodeId, clock },
      ...(maxRecords === undefined ? {} : { maxRecords }),
      ...(maxBytes === undefined ? {} : { maxBytes }),
    });
  return {
    ...{ path, clock, open, store: await open() },
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
}

const inMemory = async () => ({
  store: createMemoryAccessStore('audio'),
  [Symbol.asyncDispose]: async () => undefined,
});

function record(change: Partial<AccessRecord> = {}): AccessRecord {
  const at = '2026-03-02T11:00:00Z';
  const key = 'person:ana@example.com';
  return {
    key,
    version: 1,
    node: 'audio2',
    at,
    by: 'admin@example.com',
    value: { role: 'operador' },
    ...change,
  };
}

describe.each([
  ['on disk', onDisk],
  ['in memory', inMemory],
])('an access store %s', (_, make) => {
  test('gives the last word on a key, with a version that grows', async () => {
    await using made = await make();
    const { store } = made;
    expect(store.get('person:ana@example.com')).toBeNull();
    await store.put('person:ana@example.com', { role: 'operador' }, 'admin@example.com');
    const last = await store.put('person:ana@example.com', null, 'node-ctl');
    expect(last).toMatchObject({ version: 2, node: 'audio', by: 'node-ctl', value: null });
    expect(store.get('person:ana@example.com')).toEqual(last);
  });

  test('lists what begins so, by key, removed ones too', async () => {
    await using made = await make();
    const { store } = made;
    for (const key of ['token:b', 'person:b@x.example', 'person:a@x.example']) await store.put(key, 1, 'x');
    await store.put('person:b@x.example', null, 'x');
    expect(store.list('person:').map(({ key, value }) => [key, value])).toEqual([
      ['person:a@x.example', 1],
      ['person:b@x.example', null],
    ]);
    expect(store.list('')).toHaveLength(3);
  });

  test('takes over what is newer alone, and tells of it', async () => {
    await using made = await make();
    const { store } = made;
    const told: string[] = [];
    store.onChange(({ node, version }) => told.push(`${node} ${version}`));
    await store.put('person:ana@example.com', { role: 'admin' }, 'x');
    expect(await store.merge([record({ version: 2 }), record({ key: 'token:a' })])).toHaveLength(2);
    expect(await store.merge([record({ version: 2 }), record({ version: 1 })])).toEqual([]);
    expect(store.get('person:ana@example.com')).toMatchObject({ version: 2, node: 'audio2' });
    expect(told).toEqual(['audio 1', 'audio2 2', 'audio2 1']);
  });

  test('gives the next version after what the peer has said', async () => {
    await using made = await make();
    await made.store.merge([record({ version: 41 })]);
    expect((await made.store.put('person:ana@example.com', null, 'x')).version).toBe(42);
  });
});

describe('two nodes', () => {
  const arbitrary = fc.record({
    key: fc.constantFrom('person:a@x.example', 'person:b@x.example'),
    version: fc.integer({ min: 1, max: 3 }),
    node: fc.constantFrom('audio', 'audio2'),
    at: fc.constantFrom('2026-03-02T11:00:00Z', '2026-03-02T11:00:00.001Z'),
    by: fc.constant('x'),
    value: fc.constantFrom(null, 1, { a: 1, b: 2 }),
  });
  const state = (store: AccessStore) => JSON.stringify(store.list(''));

  test('come to the same, in whichever order they hear of the same changes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(arbitrary, { maxLength: 12 }), fc.array(fc.nat()), async (records, order) => {
        const [one, other] = [createMemoryAccessStore('audio'), createMemoryAccessStore('audio2')];
        await one.merge(records);
        const shuffled = records.toSorted(
          (a, b) => (order[records.indexOf(a)] ?? 0) - (order[records.indexOf(b)] ?? 0),
        );
        for (const each of shuffled) await other.merge([each]);
        expect(state(other)).toBe(state(one));
      }),
      { numRuns: 200 },
    );
  });

  test('never both hold that theirs is newer', () => {
    fc.assert(
      fc.property(arbitrary, arbitrary, (a, b) => {
        expect(isNewer(a, b) && isNewer(b, a)).toBe(false);
      }),
    );
  });
});

describe('on disk', () => {
  test('it is as it was after a restart, and only its owner reads it', async () => {
    await using made = await onDisk();
    await made.store.put('person:ana@example.com', { role: 'consulta', extensions: ['1121'] }, 'x');
    await made.store.merge([record({ key: 'token:3f9a', version: 7 })]);
    const again = await made.open();
    expect(again.list('')).toEqual(made.store.list(''));
    expect((await stat(made.path)).mode & 0o777).toBe(0o600);
  });

  test.each([
    '',
    '{"version":1,',
    '{"version":1,"records":[{"key":"person:a@x"}]}',
    '{"version":9,"records":[]}',
  ])('a file that cannot be read lets nobody in: %s', async (content) => {
    await using made = await onDisk();
    await writeFile(made.path, content);
    await expect(made.open()).rejects.toMatchObject({ code: 'access.damaged' });
  });

  test('a change that cannot be written is no change', async () => {
    await using made = await onDisk();
    const path = join(`${made.path}.d`, 'access.json');
    const store = await openAccessStore({ path, nodeId: 'audio', clock: made.clock });
    const told: string[] = [];
    store.onChange(({ key }) => told.push(key));
    await expect(store.put('token:a', 2, 'x')).rejects.toMatchObject({
      code: 'access.unwritable',
      retriable: true,
    });
    expect([store.get('token:a'), told]).toEqual([null, []]);
    await mkdir(`${made.path}.d`);
    expect(await store.put('token:a', 2, 'x')).toMatchObject({ version: 1 });
  });

  test.each([
    ['without a kind', 'ana@example.com', 'x'],
    ['with a blank', 'person:ana maria', 'x'],
    ['by somebody with an endless name', 'person:ana@example.com', 'x'.repeat(321)],
  ])('a record %s, which could not be read back, is not written', async (_, key, by) => {
    await using made = await onDisk();
    await expect(made.store.put(key, 1, by)).rejects.toMatchObject({ code: 'access.invalid' });
    expect((await made.open()).list('')).toEqual([]);
  });

  test('it holds so many and no more, and what is there can still be changed', async () => {
    await using made = await onDisk('audio', 2);
    await made.store.put('token:a', 1, 'x');
    await made.store.put('token:b', 1, 'x');
    await expect(made.store.put('token:c', 1, 'x')).rejects.toMatchObject({ code: 'access.too-many' });
    await made.store.put('token:a', 2, 'x');
    expect(made.store.get('token:a')?.value).toBe(2);
  });

  test('it grows to no size that could not be read at the next start, whoever tells of how much', async () => {
    await using made = await onDisk('audio', 100, 2_000);
    await made.store.put('token:a', 'x'.repeat(1_000), 'x');
    const large = record({ key: 'token:b', value: 'x'.repeat(1_000) });
    await expect(made.store.merge([large])).rejects.toMatchObject({ code: 'access.too-many' });
    expect((await made.open()).list('')).toHaveLength(1);
    await made.store.put('token:a', null, 'x');
    expect(await made.store.merge([large])).toHaveLength(1);
  });

  test('the peer cannot have the last word for ever, by a version that nothing can come after', async () => {
    await using made = await onDisk();
    const last = record({ version: Number.MAX_SAFE_INTEGER, value: { role: 'admin' } });
    expect(await made.store.merge([last, record({ key: 'token:a' })])).toHaveLength(1);
    expect(await made.store.put(last.key, null, 'x')).toMatchObject({ version: 1 });
  });

  test('an instant that cannot be read is not taken over, where it would stop all later changes', async () => {
    await using made = await onDisk();
    await made.store.put('token:a', 1, 'x');
    const wrong = record({ key: 'token:a', version: 2, at: '2026-03-02T11:00:00.1234567890Z', value: null });
    await expect(made.store.merge([wrong])).rejects.toMatchObject({ code: 'access.invalid' });
    expect(RPC_METHODS['access.put'].params.safeParse({ records: [wrong] }).success).toBe(false);
    expect(await made.store.put('token:b', 1, 'x')).toMatchObject({ version: 1 });
  });

  test('a removal is forgotten after 400 days, that of a person never', async () => {
    await using made = await onDisk();
    await made.store.put('token:a', null, 'x');
    await made.store.put('person:a@x.example', null, 'x');
    const old = made.store.get('token:a');
    made.clock.advance({ hours: 401 * 24 });
    await made.store.put('token:b', 1, 'x');
    expect(made.store.list('').map(({ key }) => key)).toEqual(['person:a@x.example', 'token:b']);
    // The peer may still tell of it.
    expect(await made.store.merge(old === null ? [] : [old])).toEqual([]);
  });
});
