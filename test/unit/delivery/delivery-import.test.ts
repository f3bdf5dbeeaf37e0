import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Delivery } from '../../../node/delivery/manifest.ts';
import { ABOUT, itemNamed, deliveriesWorld, deliveryOf } from '../../support/deliveries.ts';
import { JOB, OTHER_JOB } from '../../support/publisher-contract.ts';

const { signal } = new AbortController();

/** Puts a record as it lay in a file of its own. */
async function putRecord(stateDir: string, job: string, content: object | string): Promise<string> {
  const directory = join(stateDir, 'deliveries');
  await mkdir(directory, { recursive: true });
  const path = join(directory, `${job}.json`);
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

/** As the second version of a record held them. */
function withoutSound(delivery: Delivery): object {
  const items = delivery.items.map((item) => ({
    ...item,
    seconds: undefined,
    playable: undefined,
    playKey: undefined,
  }));
  return { ...delivery, items }; // What is undefined is not in the JSON.
}

describe('records that lie as files', () => {
  test('are taken over when the database is opened, and their files removed', async () => {
    await using world = await deliveriesWorld();
    const item = itemNamed('a.wav', { seconds: null });
    const delivery = await deliveryOf(world, JOB, 1, [item]);
    const { expiresAt } = delivery;
    const record = { version: 2, job: JOB, publisher: 'web', place: 'memory', expiresAt };
    await putRecord(world.stateDir, JOB, { ...record, manifest: withoutSound(delivery) });
    await putRecord(world.stateDir, OTHER_JOB, { ...record, job: OTHER_JOB, manifest: null });
    const store = await world.reopen();
    expect(await store.alreadyDelivered(JOB, signal)).toEqual(delivery);
    expect(store.find(JOB, 'a.wav')).toEqual({ kind: 'recording', item });
    expect([store.summary(JOB)?.about, store.summary(OTHER_JOB)?.state]).toEqual([null, 'begun']);
    expect(await readdir(world.stateDir)).not.toContain('deliveries');
    await world.publish(OTHER_JOB);
    world.clock.advance({ hours: 1 });
    const again = await world.reopen();
    expect(await again.sweepExpired(world.clock.now(), signal)).toBe('removed 2 expired deliveries');
    expect(world.publisher.objects.size).toBe(0);
  });

  test('of a first version, which had one ZIP or none and no place, are read as they would be written now', async () => {
    await using world = await deliveriesWorld();
    const { zips, ...kept } = await deliveryOf(world);
    const record = { version: 1, publisher: 'web', expiresAt: kept.expiresAt };
    await putRecord(world.stateDir, JOB, { ...record, job: JOB, manifest: { ...kept, zip: zips[0] } });
    const other = { ...kept, job: OTHER_JOB, zip: null };
    await putRecord(world.stateDir, OTHER_JOB, { ...record, job: OTHER_JOB, manifest: other });
    const store = await world.reopen();
    expect(await store.alreadyDelivered(JOB, signal)).toEqual({ ...kept, zips });
    expect(await store.read(OTHER_JOB)).toEqual({ ...kept, job: OTHER_JOB, zips: [] });
  });

  test('that a crash left behind after they were taken over do not come again', async () => {
    await using world = await deliveriesWorld();
    const delivery = await deliveryOf(world, JOB, 24, [itemNamed('a.wav')]);
    await world.store.save(delivery);
    const { expiresAt } = delivery;
    const record = { version: 2, job: JOB, publisher: 'web', place: 'memory', expiresAt, manifest: null };
    await putRecord(world.stateDir, JOB, record);
    const store = await world.reopen();
    expect(await store.read(JOB)).toEqual(delivery);
    expect(await readdir(world.stateDir)).not.toContain('deliveries');
  });

  test('that an earlier version wrote since, after a downgrade, count; what was taken back stays so', async () => {
    await using world = await deliveriesWorld();
    const expires = world.clock.now().add({ hours: 24 });
    for (const job of [JOB, OTHER_JOB]) await world.store.begin(job, ABOUT, expires, signal);
    await world.store.revoke(OTHER_JOB, signal);
    const delivery = await deliveryOf(world, JOB, 24, [itemNamed('a.wav')]);
    const { expiresAt } = delivery;
    const record = { version: 2, publisher: 'web', place: 'memory', expiresAt };
    await putRecord(world.stateDir, JOB, { ...record, job: JOB, manifest: delivery });
    const other = { ...delivery, job: OTHER_JOB };
    await putRecord(world.stateDir, OTHER_JOB, { ...record, job: OTHER_JOB, manifest: other });
    const store = await world.reopen();
    expect(await store.read(JOB)).toEqual(delivery);
    expect(store.summary(OTHER_JOB)?.state).toBe('revoked');
  });

  test('and cannot be understood open nothing, and what they published goes when no link to it can be alive', async () => {
    await using world = await deliveriesWorld();
    await world.publish();
    const path = await putRecord(world.stateDir, JOB, '{"version":1');
    const at = world.clock.now().epochMilliseconds / 1000;
    await utimes(path, at, at);
    const store = await world.reopen();
    expect([await store.read(JOB), store.summary(JOB)?.state]).toEqual([null, 'begun']);
    expect(world.lines.join('')).toContain('delivery.broken-record');
    world.clock.advance({ hours: 8 * 24 - 1 });
    await store.sweepExpired(world.clock.now(), signal);
    await store.sweepOrphans(world.clock.now(), signal);
    expect(world.publisher.objects.size).toBe(1);
    world.clock.advance({ hours: 1 });
    await store.sweepExpired(world.clock.now(), signal);
    expect(world.publisher.objects.size).toBe(0);
  });

  test('are alone taken: what else lies there stays', async () => {
    await using world = await deliveriesWorld();
    const path = await putRecord(world.stateDir, 'leia-me', 'nada');
    const { expiresAt } = await deliveryOf(world);
    const record = { version: 2, job: JOB, publisher: 'web', expiresAt, manifest: null };
    await putRecord(world.stateDir, JOB, record);
    await world.reopen();
    expect(await readdir(join(world.stateDir, 'deliveries'))).toEqual(['leia-me.json']);
    expect(path).toContain('leia-me.json');
  });
});
