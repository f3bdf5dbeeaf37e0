import { access, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SELECT_DUE } from '../../../node/delivery/delivery-rows.ts';
import { AppError } from '../../../node/platform/errors.ts';
import { ABOUT, itemNamed, deliveriesWorld, deliveryOf, jobOf } from '../../support/deliveries.ts';
import { JOB, OTHER_JOB } from '../../support/publisher-contract.ts';

const { signal } = new AbortController();
const AWAY = new AppError('publish.unavailable', 'away', { retriable: true });

describe('the sweep', () => {
  test('removes what has expired, its objects first, and leaves the rest', async () => {
    await using world = await deliveriesWorld();
    const { store, clock, publisher } = world;
    await store.save(await deliveryOf(world, JOB, 1, [itemNamed('a.wav')]));
    await store.save(await deliveryOf(world, OTHER_JOB, 2, [itemNamed('b.wav')]));
    clock.advance({ minutes: 59, seconds: 59, milliseconds: 999 });
    expect(await store.sweepExpired(clock.now(), signal)).toBe('removed 0 expired deliveries');
    expect(publisher.objects.size).toBe(2);
    clock.advance({ milliseconds: 1 });
    expect(await store.sweepExpired(clock.now(), signal)).toBe('removed 1 expired delivery');
    expect([...publisher.objects.keys()]).toEqual([`${OTHER_JOB}/g.zip`]);
    expect([store.summary(JOB), world.rows('deliveries'), world.rows('items'), world.rows('names')]).toEqual([
      ...[null, 1, 1],
      2, // a recording and a ZIP
    ]);
  });

  test('removes what an attempt published that never was completed', async () => {
    await using world = await deliveriesWorld();
    await world.store.begin(JOB, ABOUT, world.clock.now().add({ hours: 1 }), signal);
    await world.publish();
    world.clock.advance({ hours: 1 });
    expect(await world.store.sweepExpired(world.clock.now(), signal)).toBe('removed 1 expired delivery');
    expect(world.publisher.objects.size).toBe(0);
  });

  test('has nothing to do where nothing was ever delivered', async () => {
    await using world = await deliveriesWorld();
    const now = world.clock.now();
    expect(await world.store.sweepExpired(now, signal)).toBe('removed 0 expired deliveries');
    expect(await world.store.sweepOrphans(now, signal)).toBe('removed 0 deliveries without a record');
  });

  test('keeps the record of what could not be removed, goes on with the others, and tries again in ten minutes', async () => {
    await using world = await deliveriesWorld();
    await world.store.save(await deliveryOf(world, JOB, 1));
    await world.store.save(await deliveryOf(world, OTHER_JOB, 1));
    const asked: string[] = [];
    const store = await world.reopen({
      removeJob: async (job): Promise<void> => {
        asked.push(job);
        if (job === JOB) throw AWAY;
      },
    });
    world.clock.advance({ hours: 1 });
    const failed = 'removed 1 expired delivery, 1 could not be removed';
    expect(await store.sweepExpired(world.clock.now(), signal)).toBe(failed);
    expect([store.summary(JOB)?.state, store.summary(OTHER_JOB)]).toEqual(['open', null]);
    expect(world.lines.join('')).toContain('publish.unavailable');
    world.clock.advance({ minutes: 9 });
    expect(await store.sweepExpired(world.clock.now(), signal)).toBe('removed 0 expired deliveries');
    world.clock.advance({ minutes: 1 });
    await store.sweepExpired(world.clock.now(), signal);
    expect(asked).toEqual([JOB, OTHER_JOB, JOB]);
  });

  test('stops at a publisher that is away, and takes up the rest the next time', async () => {
    await using world = await deliveriesWorld();
    for (let job = 0; job < 20; job += 1) await world.store.save(await deliveryOf(world, jobOf(job), 1));
    let away = true;
    let asked = 0;
    const store = await world.reopen({
      removeJob: async (...args): Promise<void> => {
        asked += 1;
        if (away) throw AWAY;
        await world.publisher.removeJob(...args);
      },
    });
    world.clock.advance({ hours: 1 });
    await store.sweepExpired(world.clock.now(), signal);
    expect(asked).toBe(5);
    away = false;
    expect(await store.sweepExpired(world.clock.now(), signal)).toBe('removed 15 expired deliveries');
    world.clock.advance({ minutes: 10 });
    expect(await store.sweepExpired(world.clock.now(), signal)).toBe('removed 5 expired deliveries');
    expect(world.publisher.objects.size).toBe(0);
  });

  test('is not kept from what can be removed by any number that cannot: they are refused, and the publisher is there', async () => {
    await using world = await deliveriesWorld();
    for (let job = 0; job < 20; job += 1) await world.store.save(await deliveryOf(world, jobOf(job), 1));
    const store = await world.reopen({
      removeJob: async (job, ...rest): Promise<void> => {
        if (job !== jobOf(19)) throw new AppError('publish.refused', 'AccessDenied');
        await world.publisher.removeJob(job, ...rest);
      },
    });
    world.clock.advance({ hours: 1 });
    expect(await store.sweepExpired(world.clock.now(), signal)).toBe(
      'removed 1 expired delivery, 19 could not be removed',
    );
  });

  test('ends with the reason of an abort, and nothing is lost', async () => {
    await using world = await deliveriesWorld();
    for (let job = 0; job < 3; job += 1) await world.store.save(await deliveryOf(world, jobOf(job), 1));
    const aborter = new AbortController();
    const reason = new Error('enough');
    const store = await world.reopen({
      removeJob: async () => {
        aborter.abort(reason);
        throw AWAY;
      },
    });
    world.clock.advance({ hours: 1 });
    await expect(store.sweepExpired(world.clock.now(), aborter.signal)).rejects.toBe(reason);
    const later = await world.reopen();
    expect(await later.sweepExpired(world.clock.now(), signal)).toBe('removed 3 expired deliveries');
  });

  test('removes what the web publisher holds also where a bucket is published into now', async () => {
    await using world = await deliveriesWorld();
    await world.store.save(await deliveryOf(world, JOB, 1));
    const folder = join(world.stateDir, 'web/audio', JOB);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'g.zip'), 'zip');
    const store = await world.reopen({ name: 's3', place: 's3://bucket/audio/' });
    world.clock.advance({ hours: 1 });
    expect(await store.sweepExpired(world.clock.now(), signal)).toBe('removed 1 expired delivery');
    await expect(access(folder)).rejects.toMatchObject({ code: 'ENOENT' });
    expect(world.publisher.objects.size).toBe(1);
  });

  test('tells a publisher where the delivery lay, which may not be where it would lie now', async () => {
    await using world = await deliveriesWorld();
    await (await world.reopen({ place: 'old' })).save(await deliveryOf(world, JOB, 1));
    const places: (string | undefined)[] = [];
    const store = await world.reopen({
      place: 'new',
      removeJob: async (_job, _signal, place) => void places.push(place),
    });
    world.clock.advance({ hours: 1 });
    await store.sweepExpired(world.clock.now(), signal);
    expect(places).toEqual(['old']);
  });

  test('tells once what lies in a bucket that is not configured any more, looks daily, and drops its record after 30 days', async () => {
    await using world = await deliveriesWorld();
    const old = await world.reopen({ name: 's3', place: 's3://velho/audio/' });
    await old.save(await deliveryOf(world, JOB, 1));
    await old.save(await deliveryOf(world, OTHER_JOB, 1));
    const store = await world.reopen();
    world.clock.advance({ hours: 1 });
    const kept = 'removed 0 expired deliveries, 2 held by a publisher that is not configured';
    expect(await store.sweepExpired(world.clock.now(), signal)).toBe(kept);
    world.clock.advance({ hours: 23 });
    expect(await store.sweepExpired(world.clock.now(), signal)).toBe('removed 0 expired deliveries');
    world.clock.advance({ hours: 1 });
    expect(await store.sweepExpired(world.clock.now(), signal)).toBe(kept);
    expect(world.lines).toHaveLength(1);
    expect(world.lines[0]).toMatch(/deliveries=2 .*s3:\/\/velho\/audio\//);
    world.clock.advance({ hours: 29 * 24 });
    await store.sweepExpired(world.clock.now(), signal);
    expect([store.summary(JOB), world.publisher.objects.size]).toEqual([null, 2]);
  });

  test('does not take away a delivery that is begun anew while it runs', async () => {
    await using world = await deliveriesWorld();
    await world.store.save(await deliveryOf(world, JOB, 1));
    world.clock.advance({ hours: 1 });
    const removing = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    const store = await world.reopen({
      removeJob: async () => {
        removing.resolve();
        await goOn.promise;
      },
    });
    const sweep = store.sweepExpired(world.clock.now(), signal);
    await removing.promise;
    const begun = store.begin(JOB, ABOUT, world.clock.now().add({ hours: 1 }), signal);
    goOn.resolve();
    await Promise.all([sweep, begun]);
    expect(store.summary(JOB)?.state).toBe('begun');
  });

  test('costs the same however many deliveries are open: requests, and records looked at', async () => {
    const costOf = async (open: number): Promise<object> => {
      await using world = await deliveriesWorld();
      const database = new DatabaseSync(join(world.stateDir, 'deliveries.db'));
      // As `begin` leaves them.
      const insert = database.prepare(
        "INSERT INTO deliveries (job, publisher, place, expires, ends, due) VALUES (?, 'web', 'memory', '2099-01-01T00:00:00Z', 4070908800000, 4070908800000)",
      );
      database.exec('BEGIN');
      for (let job = 0; job < open; job += 1) insert.run(jobOf(job));
      database.exec('COMMIT');
      database.close();
      for (let job = 0; job < 10; job += 1) {
        await world.store.save(await deliveryOf(world, jobOf(1_000_000 + job), 1));
      }
      const cost = { requests: 0 };
      const store = await world.reopen({ removeJob: async () => void (cost.requests += 1) });
      world.clock.advance({ hours: 1 });
      expect(await store.sweepExpired(world.clock.now(), signal)).toBe('removed 10 expired deliveries');
      expect(world.rows('deliveries')).toBe(open);
      const plan = new DatabaseSync(join(world.stateDir, 'deliveries.db'), { readOnly: true });
      const steps = plan.prepare(`EXPLAIN QUERY PLAN ${SELECT_DUE}`).all(0, 100);
      plan.close();
      expect(steps.map(({ detail }) => detail)).toEqual([expect.stringContaining('deliveries_due (due<?)')]);
      return cost;
    };
    const [none, many] = [await costOf(0), await costOf(5_000)];
    expect(none).toEqual({ requests: 10 });
    expect(many).toEqual(none);
  });
});

/** What can happen to deliveries; numbers say to which job. */
const act = fc.oneof(
  fc.record({ kind: fc.constantFrom('begin', 'save', 'revoke', 'publish'), job: fc.nat(4) }),
  fc.record({ kind: fc.constantFrom('sweep', 'orphans', 'restart', 'fail', 'mend'), job: fc.constant(0) }),
  fc.record({ kind: fc.constant('wait'), job: fc.nat(90) }),
);

type Act = typeof act extends fc.Arbitrary<infer T> ? T : never;

/** What is delivered anew has no links from then on, also where what it had published cannot be removed yet. */
const BEGUN_IN_VAIN: Act[] = [
  { kind: 'begin', job: 0 },
  { kind: 'save', job: 0 },
  { kind: 'fail', job: 0 },
  { kind: 'begin', job: 0 },
];

test('whatever happens, nothing complete is gone before its links die, and with sweeps nothing is there an hour after', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(act, { minLength: 5, maxLength: 40 }), async (acts) => {
      await using world = await deliveriesWorld();
      const { clock, publisher } = world;
      let failing = false;
      const change: Partial<typeof publisher> = {
        removeJob: async (...args) => {
          if (failing) throw AWAY;
          await publisher.removeJob(...args);
        },
      };
      let store = await world.reopen(change);
      /** When the links of what is complete die. */
      const alive = new Map<string, Temporal.Instant>();
      const now = (): Temporal.Instant => clock.now();
      const deeds: Record<string, (job: string, number: number) => Promise<unknown>> = {
        begin: async (job) => {
          alive.delete(job);
          await store.begin(job, ABOUT, now().add({ hours: 4 }), signal);
        },
        save: async (job) => {
          if (store.summary(job)?.state !== 'begun') return;
          await world.publish(job);
          await store.save({ ...(await deliveryOf(world, job, 2)) });
          alive.set(job, now().add({ hours: 2 }));
        },
        publish: async (job) => {
          if (store.summary(job)?.state === 'begun') await world.publish(job, 'a.wav');
        },
        revoke: async (job) => {
          if (store.summary(job) !== null) alive.delete(job);
          await store.revoke(job, signal);
        },
        sweep: () => store.sweepExpired(now(), signal),
        orphans: () => store.sweepOrphans(now(), signal),
        restart: async () => (store = await world.reopen(change)),
        fail: async () => (failing = true),
        mend: async () => (failing = false),
        wait: async (_job, minutes) => clock.advance({ minutes }),
      };
      for (const { kind, job } of acts) {
        await deeds[kind]?.(jobOf(job), job).catch((error: unknown) => {
          if (!(error instanceof AppError)) throw error;
        });
        for (const [one, until] of alive) {
          if (Temporal.Instant.compare(now(), until) >= 0) alive.delete(one);
          else expect(await store.alreadyDelivered(one, signal)).not.toBeNull();
        }
      }
      failing = false;
      clock.advance({ hours: 4 });
      await store.sweepExpired(now(), signal);
      clock.advance({ minutes: 10 });
      await store.sweepExpired(now(), signal);
      expect([...publisher.objects.keys()]).toEqual([]);
    }),
    { numRuns: 15, examples: [[BEGUN_IN_VAIN]] },
  );
});
