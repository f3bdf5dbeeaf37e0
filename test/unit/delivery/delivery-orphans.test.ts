import { mkdir, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { AppError } from '../../../node/platform/errors.ts';
import { ABOUT, type DeliveriesWorld, deliveriesWorld, deliveryOf, jobOf } from '../../support/deliveries.ts';
import { JOB, OTHER_JOB } from '../../support/publisher-contract.ts';

const { signal } = new AbortController();
const ONE = 'removed 1 delivery without a record';
const YOUNG = 'removed 0 deliveries without a record, 1 too young to tell';

/** As after the records were lost, but for those of what is delivered from now on. */
async function withoutRecords(world: DeliveriesWorld) {
  world.store.close();
  await rm(join(world.stateDir, 'deliveries.db'));
  return world.reopen();
}

describe('what has no record', () => {
  test.each([
    ['web', 1],
    ['s3', 24 + 24],
  ] as const)(
    'of a publisher of kind %s is removed after %i hours, when no link to it can be alive',
    async (kind, hours) => {
      await using world = await deliveriesWorld(kind);
      await world.store.save(await deliveryOf(world));
      const store = await withoutRecords(world);
      world.clock.advance({ minutes: 30 });
      await store.save(await deliveryOf(world, OTHER_JOB, 100));
      world.clock.advance({ minutes: hours * 60 - 31 });
      expect(await store.sweepOrphans(world.clock.now(), signal)).toBe(YOUNG);
      world.clock.advance({ minutes: 1 });
      expect(await store.sweepOrphans(world.clock.now(), signal)).toBe(ONE);
      expect([...world.publisher.objects.keys()]).toEqual([`${OTHER_JOB}/g.zip`]);
      expect(await store.sweepOrphans(world.clock.now(), signal)).toBe(
        'removed 0 deliveries without a record',
      );
    },
  );

  test('is as young as the newest of it', async () => {
    await using world = await deliveriesWorld();
    await world.publish();
    world.clock.advance({ minutes: 30 });
    await world.publish(JOB, 'a.wav');
    world.clock.advance({ minutes: 59 });
    expect(await world.store.sweepOrphans(world.clock.now(), signal)).toBe(YOUNG);
  });

  test('is not what is being published, was begun and broke off, or was taken back', async () => {
    await using world = await deliveriesWorld();
    const { store, clock } = world;
    await store.begin(JOB, ABOUT, clock.now().add({ hours: 90 }), signal);
    await world.publish();
    await store.begin(OTHER_JOB, ABOUT, clock.now().add({ hours: 90 }), signal);
    await store.revoke(OTHER_JOB, signal);
    await world.publish(OTHER_JOB);
    clock.advance({ hours: 89 });
    expect(await store.sweepOrphans(clock.now(), signal)).toBe('removed 0 deliveries without a record');
    expect(world.publisher.objects.size).toBe(2);
  });

  test('is found among many, page after page', async () => {
    await using world = await deliveriesWorld();
    for (let job = 0; job < 20; job += 1) {
      await world.publish(jobOf(job));
      if (job % 7 !== 0) await world.store.save(await deliveryOf(world, jobOf(job)));
    }
    world.clock.advance({ hours: 1 });
    const said = await world.store.sweepOrphans(world.clock.now(), signal);
    expect([said, world.publisher.objects.size]).toEqual(['removed 3 deliveries without a record', 17]);
  });

  test('and cannot be removed is told of, and does not keep the others; where all fail, the sweep does', async () => {
    await using world = await deliveriesWorld();
    for (let job = 0; job < 8; job += 1) await world.publish(jobOf(job));
    world.clock.advance({ hours: 1 });
    let failing = (job: string): boolean => job === jobOf(3);
    const store = await world.reopen({
      removeJob: async (...args) => {
        if (failing(args[0])) throw new AppError('publish.unavailable', 'away', { retriable: true });
        await world.publisher.removeJob(...args);
      },
    });
    const said = await store.sweepOrphans(world.clock.now(), signal);
    expect(said).toBe('removed 7 deliveries without a record, 1 could not be removed');
    expect(world.lines.join('')).toContain('publish.unavailable');
    for (let job = 0; job < 8; job += 1) await world.publish(jobOf(job));
    world.clock.advance({ hours: 1 });
    failing = () => true;
    await expect(store.sweepOrphans(world.clock.now(), signal)).rejects.toMatchObject({
      code: 'publish.unavailable',
    });
  });

  test('is removed however many there are that are refused', async () => {
    await using world = await deliveriesWorld();
    for (let job = 0; job < 8; job += 1) await world.publish(jobOf(job));
    world.clock.advance({ hours: 1 });
    const store = await world.reopen({
      removeJob: async (...args) => {
        if (args[0] !== jobOf(7)) throw new AppError('publish.refused', 'AccessDenied');
        await world.publisher.removeJob(...args);
      },
    });
    const said = await store.sweepOrphans(world.clock.now(), signal);
    expect(said).toBe('removed 1 delivery without a record, 7 could not be removed');
  });

  test('in the web root is removed too where a bucket is published into now', async () => {
    await using world = await deliveriesWorld('s3');
    const written = world.clock.now();
    const at = written.epochMilliseconds / 1000;
    for (const name of [JOB, OTHER_JOB, 'leia-me']) {
      const folder = join(world.stateDir, 'web/audio-velho', name);
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, 'g.zip'), 'zip');
      await utimes(join(folder, 'g.zip'), at, at);
      await utimes(folder, at, at);
    }
    await (await world.reopen({ name: 'web' })).save(await deliveryOf(world, OTHER_JOB));
    const store = await world.reopen();
    world.clock.advance({ minutes: 59 });
    expect(await store.sweepOrphans(world.clock.now(), signal)).toBe(YOUNG);
    world.clock.advance({ minutes: 2 });
    expect(await store.sweepOrphans(world.clock.now(), signal)).toBe(ONE);
    const left = await readdir(join(world.stateDir, 'web/audio-velho'));
    expect(left.toSorted()).toEqual([OTHER_JOB, 'leia-me'].toSorted());
  });
});
