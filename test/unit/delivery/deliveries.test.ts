import { mkdir, open, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import type { DeliverySummary } from '../../../node/delivery/deliveries.ts';
import { AppError } from '../../../node/platform/errors.ts';
import { ABOUT, itemNamed, deliveriesWorld, deliveryOf } from '../../support/deliveries.ts';
import { JOB, OTHER_JOB } from '../../support/publisher-contract.ts';

const { signal } = new AbortController();

describe('the records of deliveries', () => {
  test('are read as they were kept, also after a restart; there is none before', async () => {
    await using world = await deliveriesWorld();
    expect(await world.store.read(JOB)).toBeNull();
    const items = [itemNamed('a.wav'), itemNamed('b.wav', { key: null, fault: 'empty' })];
    const delivery = await deliveryOf(world, JOB, 24, items);
    await world.store.save(delivery);
    expect(await world.store.read(JOB)).toEqual(delivery);
    const later = await world.reopen();
    expect([await later.read(JOB), await later.read(OTHER_JOB)]).toEqual([delivery, null]);
  });

  test('lie in one file, for the own user alone', async () => {
    await using world = await deliveriesWorld();
    await world.store.save(await deliveryOf(world));
    const names = await readdir(world.stateDir);
    expect(names.toSorted()).toEqual(['deliveries.db', 'deliveries.db-shm', 'deliveries.db-wal']);
    for (const name of names) expect((await stat(join(world.stateDir, name))).mode & 0o777).toBe(0o600);
  });

  test('tell after a crash whether all was delivered', async () => {
    await using world = await deliveriesWorld();
    const delivery = await deliveryOf(world);
    await world.store.begin(JOB, ABOUT, world.clock.now().add({ hours: 24 }), signal);
    expect(await world.store.alreadyDelivered(JOB, signal)).toBeNull();
    await world.publish();
    await world.store.save(delivery);
    expect(await world.store.alreadyDelivered(JOB, signal)).toEqual(delivery);
    await world.publish(JOB, 'g.zip', 'outro');
    expect(await world.store.alreadyDelivered(JOB, signal)).toBeNull();
    await world.publisher.removeJob(JOB, signal);
    expect(await world.store.alreadyDelivered(JOB, signal)).toBeNull();
  });

  test('of a delivery without anything delivered stand by themselves', async () => {
    await using world = await deliveriesWorld();
    const delivery = { ...(await deliveryOf(world)), zips: [] };
    await world.store.save(delivery);
    expect(await world.store.alreadyDelivered(JOB, signal)).toEqual(delivery);
  });

  test('tell that nothing was delivered where one of several ZIPs is not there whole', async () => {
    await using world = await deliveriesWorld();
    const one = await deliveryOf(world);
    await world.publish(JOB, 'g-2.zip', 'zi');
    const second = { key: `${JOB}/g-2.zip`, fileName: 'g-2.zip', sizeBytes: 2, count: 1 };
    const both = { ...one, zips: [...one.zips, second] };
    await world.store.save(both);
    expect(await world.store.alreadyDelivered(JOB, signal)).toEqual(both);
    world.publisher.objects.delete(second.key);
    expect(await world.store.alreadyDelivered(JOB, signal)).toBeNull();
  });

  test('of an attempt that is begun anew are in place of those before', async () => {
    await using world = await deliveriesWorld();
    await world.store.save(await deliveryOf(world, JOB, 24, [itemNamed('a.wav')]));
    await world.publish(OTHER_JOB);
    await world.store.begin(JOB, ABOUT, world.clock.now().add({ hours: 24 }), signal);
    expect([...world.publisher.objects.keys()]).toEqual([`${OTHER_JOB}/g.zip`]);
    expect([world.rows('deliveries'), world.rows('items'), world.rows('names')]).toEqual([1, 0, 0]);
    const later = await deliveryOf(world, JOB, 24, [itemNamed('b.wav')]);
    await world.store.save(later);
    await world.store.save(later);
    expect(await world.store.read(JOB)).toEqual(later);
    expect(world.store.summary(JOB)?.about).toEqual(ABOUT);
  });

  test('of an attempt that could not be begun anew do not pass for a delivery: some of it may be gone', async () => {
    await using world = await deliveriesWorld();
    await world.publish(JOB, 'a.wav', 'som');
    await world.store.save(await deliveryOf(world, JOB, 24, [itemNamed('a.wav')]));
    const store = await world.reopen({
      removeJob: async () => {
        world.publisher.objects.delete(`${JOB}/a.wav`);
        throw new AppError('publish.unavailable', 'broke off', { retriable: true });
      },
    });
    const begun = store.begin(JOB, ABOUT, world.clock.now().add({ hours: 24 }), signal);
    await expect(begun).rejects.toMatchObject({ code: 'publish.unavailable' });
    expect([...world.publisher.objects.keys()]).toEqual([`${JOB}/g.zip`]);
    expect(await store.alreadyDelivered(JOB, signal)).toBeNull();
  });

  test('of a delivery elsewhere are not read: nobody can make its links', async () => {
    await using world = await deliveriesWorld();
    await world.store.save(await deliveryOf(world));
    const store = await world.reopen({ name: 's3', place: 's3://bucket/audio/' });
    expect([await store.read(JOB), store.summary(JOB)?.state]).toEqual([null, 'elsewhere']);
  });

  test('that cannot be understood are reported and count as none', async () => {
    await using world = await deliveriesWorld();
    await world.store.save(await deliveryOf(world, JOB, 24, [itemNamed('a.wav')]));
    const database = new DatabaseSync(join(world.stateDir, 'deliveries.db'));
    database.exec(`UPDATE items SET item = '{"key":'`);
    database.close();
    expect(await world.store.read(JOB)).toBeNull();
    expect(await world.store.alreadyDelivered(JOB, signal)).toBeNull();
    expect(world.store.find(JOB, 'a.wav')).toBeNull();
    expect(world.store.items(JOB, 0, 10)).toEqual([]);
    expect(world.lines.join('')).toContain('delivery.broken-record');
  });

  test('of the longest result there can be are read back; a longer one is not kept at all', async () => {
    await using world = await deliveriesWorld();
    const item = (length: number) => (_: unknown, index: number) =>
      itemNamed(`${index}.wav`, { key: 'k'.repeat(length), direct: true });
    const base = await deliveryOf(world);
    await world.store.save({ ...base, items: Array.from({ length: 50_000 }, item(300)) });
    expect(world.store.find(JOB, '49999.wav')).toMatchObject({ item: { fileName: '49999.wav' } });
    expect(world.store.items(JOB, 49_999, 500)).toHaveLength(1);
    const store = await world.reopen({}, { maxItemsLength: 1_000_000 });
    const tooLong = { ...base, items: Array.from({ length: 2_500 }, item(300)) };
    await expect(store.save(tooLong)).rejects.toMatchObject({ code: 'delivery.too-large' });
    expect([await store.read(JOB), world.rows('items')]).toEqual([null, 0]);
  });
});

describe('what a delivery holds', () => {
  test('is found by the name in its link: recordings, what was made for playing, ZIPs, the page', async () => {
    await using world = await deliveriesWorld();
    const gsm = itemNamed('a.gsm', { playable: false, playKey: `${JOB}/a.tocar.wav` });
    const direct = itemNamed('b.wav', { key: 'gravacoes/2025/b.wav', direct: true });
    const delivery = await deliveryOf(world, JOB, 24, [
      ...[gsm, direct],
      itemNamed('c.wav', { key: null, fault: 'empty' }),
    ]);
    await world.store.begin(JOB, ABOUT, world.clock.now().add({ hours: 24 }), signal);
    expect([world.store.find(JOB, 'a.gsm'), world.store.find(JOB, 'gravacoes.html')]).toEqual([null, null]);
    await world.store.save(delivery);
    const { find } = world.store;
    expect(find(JOB, 'a.gsm')).toEqual({ kind: 'recording', item: gsm });
    expect(find(JOB, 'a.tocar.wav')).toEqual({ kind: 'playing', item: gsm });
    expect(find(JOB, 'b.wav')).toEqual({ kind: 'recording', item: direct });
    expect(find(JOB, 'g.zip')).toEqual({ kind: 'zip', zip: delivery.zips[0] });
    for (const page of ['gravacoes.html', 'gravacoes-2.html', 'gravacoes-100.html']) {
      expect(find(JOB, page)).toEqual({ kind: 'page' });
    }
    for (const none of ['c.wav', 'x.wav', 'gravacoes-1.html', 'gravacoes-02.html', '', '%', "'"]) {
      expect(find(JOB, none)).toBeNull();
    }
    expect(find(OTHER_JOB, 'a.gsm')).toBeNull();
  });

  test('is given in parts, without what was left out', async () => {
    await using world = await deliveriesWorld();
    const all = Array.from({ length: 25 }, (_, index) =>
      index % 3 === 0
        ? itemNamed(`${index}.wav`, { key: null, fault: 'vanished' })
        : itemNamed(`${index}.wav`),
    );
    await world.store.save(await deliveryOf(world, JOB, 24, all));
    const had = all.filter(({ key }) => key !== null);
    for (const [offset, limit] of [
      [0, 5],
      [5, 5],
      [10, 500],
      [16, 1],
      [15, 10],
      [100, 10],
    ] as const) {
      expect(world.store.items(JOB, offset, limit)).toEqual(had.slice(offset, offset + limit));
    }
    expect(world.store.items(OTHER_JOB, 0, 10)).toEqual([]);
  });

  test('is told of to operators, the youngest first, with how often its links were opened', async () => {
    await using world = await deliveriesWorld();
    expect([world.store.summary(JOB), world.store.list({ open: false, limit: 10 })]).toEqual([
      null,
      { deliveries: [], total: 0 },
    ]);
    const expiresAt = world.clock.now().add({ hours: 24 });
    await world.store.begin(JOB, ABOUT, expiresAt, signal);
    const begun: DeliverySummary = {
      ...{ job: JOB, about: ABOUT, state: 'begun', publisher: 'web', expiresAt, revokedAt: null },
      ...{ recordings: 0, zips: 0, totalBytes: 0, opened: 0, lastOpenedAt: null },
    };
    expect(world.store.summary(JOB)).toEqual(begun);
    const items = [itemNamed('a.wav'), itemNamed('b.wav', { key: null, fault: 'empty' })];
    await world.store.save(await deliveryOf(world, JOB, 2, items));
    await world.store.save(await deliveryOf(world, OTHER_JOB, 1));
    world.store.opened(JOB);
    world.clock.advance({ minutes: 5 });
    world.store.opened(JOB);
    world.store.opened('ef'.repeat(32));
    const { deliveries, total } = world.store.list({ open: true, limit: 10 });
    expect([deliveries.map(({ job }) => job), total]).toEqual([[OTHER_JOB, JOB], 2]);
    expect(deliveries[1]).toMatchObject({
      ...{ state: 'open', recordings: 1, zips: 1, totalBytes: 6 },
      ...{ opened: 2, lastOpenedAt: world.clock.now() },
    });
    expect(world.store.list({ open: true, limit: 1 })).toMatchObject({ total: 2 });
    world.clock.advance({ hours: 1 });
    expect(world.store.list({ open: true, limit: 10 }).deliveries.map(({ job }) => job)).toEqual([JOB]);
    expect(world.store.list({ open: false, limit: 10 }).total).toBe(2);
  });
});

describe('deliveries whose ids begin alike', () => {
  test('are found by that beginning, up to a bound, and no others', async () => {
    await using world = await deliveriesWorld();
    const ids = ['0', '3f9a0', '3f9af', '3f9affff', '3f9b', 'f', 'ffff'].map((start) =>
      start.padEnd(64, '1'),
    );
    const expiresAt = world.clock.now().add({ hours: 1 });
    for (const id of ids) await world.store.begin(id, ABOUT, expiresAt, signal);
    expect(world.store.jobsWith('3f9a', 10)).toEqual(ids.slice(1, 4));
    expect(world.store.jobsWith('ffff', 10)).toEqual(ids.slice(6));
    expect(world.store.jobsWith('', 2)).toEqual(ids.slice(0, 2));
    expect(world.store.jobsWith(ids[4] ?? '', 10)).toEqual([ids[4]]);
    expect(world.store.jobsWith('3f9c', 10)).toEqual([]);
  });
});

describe('a delivery that is taken back', () => {
  test('opens nothing and is gone; its record says so, and it is not made again', async () => {
    await using world = await deliveriesWorld();
    const { store, clock } = world;
    await expect(store.revoke(JOB, signal)).rejects.toMatchObject({ code: 'delivery.unknown' });
    await store.save(await deliveryOf(world, JOB, 24, [itemNamed('a.wav')]));
    await store.save(await deliveryOf(world, OTHER_JOB));
    const at = clock.now();
    expect(await store.revoke(JOB, signal)).toMatchObject({ state: 'revoked', revokedAt: at, recordings: 1 });
    expect([...world.publisher.objects.keys()]).toEqual([`${OTHER_JOB}/g.zip`]);
    expect([await store.read(JOB), store.find(JOB, 'a.wav'), store.items(JOB, 0, 9)]).toEqual([
      null,
      null,
      [],
    ]);
    expect(store.list({ open: true, limit: 9 }).total).toBe(1);
    clock.advance({ minutes: 1 });
    expect(await store.revoke(JOB, signal)).toMatchObject({ revokedAt: at });
    const again = store.begin(JOB, ABOUT, clock.now().add({ hours: 1 }), signal);
    await expect(again).rejects.toMatchObject({ code: 'delivery.revoked', retriable: false });
    // Its links die, and it is known all the same.
    clock.advance({ hours: 48 });
    await store.sweepExpired(clock.now(), signal);
    expect(store.summary(JOB)).toMatchObject({ state: 'revoked', revokedAt: at });
    expect(store.summary(OTHER_JOB)).toBeNull();
    clock.advance({ hours: 400 * 24 });
    await store.sweepExpired(clock.now(), signal);
    expect(store.summary(JOB)).toBeNull();
  });

  test('is revoked where its objects cannot be removed now: the sweep does that, and not before it must', async () => {
    await using world = await deliveriesWorld();
    await world.store.save(await deliveryOf(world, JOB, 24, [itemNamed('a.wav')]));
    let away = true;
    const store = await world.reopen({
      removeJob: async (...args) => {
        if (away) throw new AppError('publish.unavailable', 'away', { retriable: true });
        await world.publisher.removeJob(...args);
      },
    });
    await expect(store.revoke(JOB, signal)).rejects.toMatchObject({ code: 'publish.unavailable' });
    expect([store.summary(JOB)?.state, await store.read(JOB)]).toEqual(['revoked', null]);
    away = false;
    world.clock.advance({ minutes: 10 });
    expect(await store.sweepExpired(world.clock.now(), signal)).toBe('removed 1 expired delivery');
    expect(world.publisher.objects.size).toBe(0);
    expect(await store.sweepExpired(world.clock.now(), signal)).toBe('removed 0 expired deliveries');
    expect([store.summary(JOB)?.state, world.rows('items')]).toEqual(['revoked', 0]);
  });

  test('while it is being published leaves nothing behind, whether or not that ends', async () => {
    await using world = await deliveriesWorld();
    const { store, clock, publisher } = world;
    for (const job of [JOB, OTHER_JOB]) {
      await store.begin(job, ABOUT, clock.now().add({ hours: 48 }), signal);
      await store.revoke(job, signal);
    }
    const delivery = await deliveryOf(world, JOB);
    await expect(store.save(delivery)).rejects.toMatchObject({ code: 'delivery.revoked' });
    expect(publisher.objects.size).toBe(0);
    await world.publish(OTHER_JOB); // and then it crashed
    clock.advance({ hours: 48 });
    await store.sweepExpired(clock.now(), signal);
    expect(publisher.objects.size).toBe(0);
    expect(store.summary(OTHER_JOB)?.state).toBe('revoked');
  });
});

describe('a database of deliveries', () => {
  test('that is no such thing is set aside, and told of', async () => {
    await using world = await deliveriesWorld();
    await world.store.save(await deliveryOf(world));
    expect(world.store.warnings()).toEqual([]);
    const path = join(world.stateDir, 'deliveries.db');
    let { store } = world;
    for (const content of ['not a database', 'nor this']) {
      store.close();
      await writeFile(path, content.repeat(1_000));
      store = await world.reopen();
      expect(store.warnings()).toEqual([expect.stringContaining(`${path}.damaged`)]);
      expect([await store.read(JOB), world.rows('deliveries')]).toEqual([null, 0]);
      await store.save(await deliveryOf(world));
      expect(await store.read(JOB)).not.toBeNull();
    }
    expect((await stat(`${path}.damaged`)).size).toBe(8_000);
    expect(world.lines.join('')).toContain('set aside');
  });

  test('that turns out to be damaged while it is used is set aside then, and the call may be repeated', async () => {
    await using world = await deliveriesWorld();
    await world.store.save(await deliveryOf(world, JOB, 24, [itemNamed('a.wav')]));
    world.store.close();
    const path = join(world.stateDir, 'deliveries.db');
    const size = (await stat(path)).size;
    const store = await world.reopen();
    const garbage = Buffer.alloc(size - 4096, 0xa5);
    await using file = await open(path, 'r+');
    await file.write(garbage, 0, garbage.length, 4096);
    await expect(store.read(JOB)).rejects.toMatchObject({ code: 'delivery.broken-store', retriable: true });
    expect(store.warnings()).toHaveLength(1);
    expect(await store.read(JOB)).toBeNull();
    await store.save(await deliveryOf(world));
    expect(await store.read(JOB)).not.toBeNull();
  });

  test('that can neither be used nor be set aside is tried again whenever it is needed', async () => {
    await using world = await deliveriesWorld();
    await world.store.save(await deliveryOf(world, JOB, 24, [itemNamed('a.wav')]));
    world.store.close();
    const path = join(world.stateDir, 'deliveries.db');
    const { size } = await stat(path);
    const store = await world.reopen();
    await mkdir(`${path}.damaged`); // in the way
    await writeFile(join(`${path}.damaged`, 'a'), '');
    await using file = await open(path, 'r+');
    await file.write(Buffer.alloc(size - 4096, 0xa5), 0, size - 4096, 4096);
    const broken = { code: 'delivery.broken-store', retriable: true };
    await expect(store.read(JOB)).rejects.toMatchObject(broken);
    await expect(store.save(await deliveryOf(world))).rejects.toMatchObject(broken);
    await rm(`${path}.damaged`, { recursive: true });
    await expect(store.read(JOB)).rejects.toMatchObject(broken);
    await store.save(await deliveryOf(world));
    expect(await store.read(JOB)).not.toBeNull();
    expect(store.warnings()).toHaveLength(1);
  });

  test('of a later version is left alone', async () => {
    await using world = await deliveriesWorld();
    world.store.close();
    const database = new DatabaseSync(join(world.stateDir, 'deliveries.db'));
    database.exec('PRAGMA user_version = 2');
    database.close();
    await expect(world.reopen()).rejects.toMatchObject({ code: 'delivery.newer-store', retriable: false });
  });
});
