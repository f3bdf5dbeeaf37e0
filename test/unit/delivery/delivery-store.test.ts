import { access, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { createDeliveryStore, type DeliveryStore } from '../../../node/delivery/delivery-store.ts';
import type { Delivery } from '../../../node/delivery/manifest.ts';
import type { Publisher } from '../../../node/delivery/publisher.ts';
import { AppError } from '../../../node/platform/errors.ts';
import { createLog } from '../../../node/platform/log.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { createMemoryPublisher } from '../../support/memory-publisher.ts';
import { temporaryDirectory } from '../../support/process.ts';
import { audioObject, JOB, OTHER_JOB } from '../../support/publisher-contract.ts';

const { signal } = new AbortController();

async function setup() {
  const temporary = await temporaryDirectory();
  const directory = join(temporary.path, 'deliveries');
  const clock = fixedClock();
  const publisher = createMemoryPublisher(clock);
  const lines: string[] = [];
  const log = createLog({ level: 'warn', style: 'terminal', write: (line) => lines.push(line) });
  /** A store of the same directory, as after a restart with another publisher. */
  const storeOf = (change: Partial<Publisher>): DeliveryStore =>
    createDeliveryStore({ directory, publisher: { ...publisher, ...change }, log });
  return {
    store: storeOf({}),
    storeOf,
    publisher,
    clock,
    directory,
    lines,
    [Symbol.asyncDispose]: () => temporary[Symbol.asyncDispose](),
  };
}

async function deliveryOf(made: Awaited<ReturnType<typeof setup>>, job = JOB, hours = 24): Promise<Delivery> {
  const key = `${job}/g.zip`;
  await made.publisher.put(
    { ...audioObject(job, 'g.zip'), key },
    Readable.from([Buffer.from('zip')]),
    signal,
  );
  return {
    job,
    expiresAt: made.clock.now().add({ hours }).toString(),
    zips: [{ key, fileName: 'g.zip', sizeBytes: 3, count: 1 }],
    items: [],
    totalBytes: 0,
  };
}

describe('the records of deliveries', () => {
  test('are read as they were kept; there is none before', async () => {
    await using made = await setup();
    expect(await made.store.read(JOB)).toBeNull();
    const delivery = await deliveryOf(made);
    await made.store.save(delivery);
    expect(await made.store.read(JOB)).toEqual(delivery);
    expect(await made.store.read(OTHER_JOB)).toBeNull();
  });

  test('tell after a crash whether all was delivered', async () => {
    await using made = await setup();
    const delivery = await deliveryOf(made);
    await made.store.begin(JOB, made.clock.now().add({ hours: 24 }), signal);
    expect(await made.store.alreadyDelivered(JOB, signal)).toBeNull();
    await made.store.save(delivery);
    expect(await made.store.alreadyDelivered(JOB, signal)).toEqual(delivery);
    await made.publisher.put(audioObject(JOB, 'g.zip'), Readable.from([Buffer.from('outro')]), signal);
    expect(await made.store.alreadyDelivered(JOB, signal)).toBeNull();
    await made.publisher.removeJob(JOB, signal);
    expect(await made.store.alreadyDelivered(JOB, signal)).toBeNull();
  });

  test('of a delivery without anything delivered stand by themselves', async () => {
    await using made = await setup();
    const delivery = { ...(await deliveryOf(made)), zips: [] };
    await made.store.save(delivery);
    expect(await made.store.alreadyDelivered(JOB, signal)).toEqual(delivery);
  });

  test('tell that nothing was delivered where one of several ZIPs is not there whole', async () => {
    await using made = await setup();
    const one = await deliveryOf(made);
    const key = `${JOB}/g-2.zip`;
    await made.publisher.put(
      { ...audioObject(JOB, 'g-2.zip'), key },
      Readable.from([Buffer.from('zi')]),
      signal,
    );
    const second = { key, fileName: 'g-2.zip', sizeBytes: 2, count: 1 };
    const both = { ...one, zips: [...one.zips, second] };
    await made.store.save(both);
    expect(await made.store.alreadyDelivered(JOB, signal)).toEqual(both);
    made.publisher.objects.delete(key);
    expect(await made.store.alreadyDelivered(JOB, signal)).toBeNull();
  });

  test('of a first version, which had one ZIP or none, are read as they would be written now', async () => {
    await using made = await setup();
    const delivery = await deliveryOf(made);
    await made.store.save(delivery);
    const path = join(made.directory, `${JOB}.json`);
    const { zips, ...kept } = delivery;
    const record = { ...(JSON.parse(await readFile(path, 'utf8')) as object), version: 1 };
    await writeFile(path, JSON.stringify({ ...record, manifest: { ...kept, zip: zips[0] } }));
    expect(await made.store.read(JOB)).toEqual(delivery);
    expect(await made.store.alreadyDelivered(JOB, signal)).toEqual(delivery);
    await writeFile(path, JSON.stringify({ ...record, manifest: { ...kept, zip: null } }));
    expect(await made.store.read(JOB)).toEqual({ ...delivery, zips: [] });
    await writeFile(path, JSON.stringify({ ...record, manifest: null }));
    expect(await made.store.read(JOB)).toBeNull();
    made.clock.advance({ hours: 24 });
    expect(await made.store.sweepExpired(made.clock.now(), signal)).toBe('removed 1 expired delivery');
    expect(made.publisher.objects.size).toBe(0);
  });

  test('of the longest result there can be are read back; a longer one is not kept at all', async () => {
    await using made = await setup();
    const item = (keyLength: number) => {
      const key = 'k'.repeat(keyLength);
      const recording = {
        key,
        origin: '1121',
        destination: '2000',
        startedAt: 's',
        sizeBytes: 1,
        format: 'wav',
      };
      return { recording, key, direct: true as const, fault: null, fileName: 'a.wav' };
    };
    const longest = { ...(await deliveryOf(made)), items: Array.from({ length: 50_000 }, () => item(300)) };
    await made.store.save(longest);
    expect((await made.store.read(JOB))?.items).toHaveLength(50_000);
    const tooLong = { ...longest, items: Array.from({ length: 50_000 }, () => item(1_400)) };
    await expect(made.store.save(tooLong)).rejects.toMatchObject({ code: 'delivery.too-large' });
  });

  test('that cannot be understood are reported and count as none', async () => {
    await using made = await setup();
    await made.store.save(await deliveryOf(made));
    await writeFile(join(made.directory, `${JOB}.json`), '{"version":1');
    expect(await made.store.read(JOB)).toBeNull();
    expect(await made.store.alreadyDelivered(JOB, signal)).toBeNull();
    expect(made.lines.join('')).toContain('delivery.broken-record');
  });
});

describe('the sweep', () => {
  test('removes what has expired, its objects first, and leaves the rest', async () => {
    await using made = await setup();
    await made.store.save(await deliveryOf(made, JOB, 1));
    await made.store.save(await deliveryOf(made, OTHER_JOB, 2));
    expect(await made.store.sweepExpired(made.clock.now(), signal)).toBe(
      'removed 0 expired deliveries, 2 still open',
    );
    made.clock.advance({ hours: 1 });
    expect(await made.store.sweepExpired(made.clock.now(), signal)).toBe(
      'removed 1 expired delivery, 1 still open',
    );
    expect([...made.publisher.objects.keys()]).toEqual([`${OTHER_JOB}/g.zip`]);
    expect(await readdir(made.directory)).toEqual([`${OTHER_JOB}.json`]);
  });

  test('removes what an attempt published that never was completed', async () => {
    await using made = await setup();
    await deliveryOf(made);
    await made.store.begin(JOB, made.clock.now().add({ hours: 1 }), signal);
    made.clock.advance({ hours: 1 });
    expect(await made.store.sweepExpired(made.clock.now(), signal)).toBe('removed 1 expired delivery');
    expect(made.publisher.objects.size).toBe(0);
  });

  test('removes what an attempt that broke off left behind when the next one begins', async () => {
    await using made = await setup();
    const expiresAt = made.clock.now().add({ hours: 1 });
    await made.store.begin(JOB, expiresAt, signal);
    await deliveryOf(made, JOB, 1);
    await deliveryOf(made, OTHER_JOB, 1);
    await made.store.begin(JOB, expiresAt, signal);
    expect([...made.publisher.objects.keys()]).toEqual([`${OTHER_JOB}/g.zip`]);
  });

  test('has nothing to do where nothing was ever delivered', async () => {
    await using made = await setup();
    expect(await made.store.sweepExpired(made.clock.now(), signal)).toBe('removed 0 expired deliveries');
  });

  test('keeps the record of what could not be removed, and goes on with the others', async () => {
    await using made = await setup();
    await made.store.save(await deliveryOf(made, JOB, 1));
    await made.store.save(await deliveryOf(made, OTHER_JOB, 1));
    const store = made.storeOf({
      removeJob: async (job: string): Promise<void> => {
        if (job === JOB) throw new AppError('publish.unavailable', 'away', { retriable: true });
      },
    });
    made.clock.advance({ hours: 1 });
    expect(await store.sweepExpired(made.clock.now(), signal)).toBe(
      'removed 1 expired delivery, 1 could not be removed',
    );
    expect(await readdir(made.directory)).toEqual([`${JOB}.json`]);
    expect(made.lines.join('')).toContain('publish.unavailable');
  });

  test('removes what the web publisher holds also where a bucket is published into now', async () => {
    await using made = await setup();
    await made.store.save(await deliveryOf(made, JOB, 1));
    const folder = join(made.directory, '../web/audio', JOB);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'g.zip'), 'zip');
    const store = made.storeOf({ name: 's3', place: 's3://bucket/audio/' });
    expect(await store.read(JOB)).toBeNull();
    made.clock.advance({ hours: 1 });
    expect(await store.sweepExpired(made.clock.now(), signal)).toBe('removed 1 expired delivery');
    await expect(access(folder)).rejects.toMatchObject({ code: 'ENOENT' });
    expect(made.publisher.objects.size).toBe(1);
  });

  test('tells a publisher where the delivery lay, which may not be where it would lie now', async () => {
    await using made = await setup();
    await made.storeOf({ place: 'old' }).save(await deliveryOf(made, JOB, 1));
    const places: (string | undefined)[] = [];
    const store = made.storeOf({
      place: 'new',
      removeJob: async (_job, _signal, place) => void places.push(place),
    });
    expect(await store.read(JOB)).toBeNull();
    expect(await store.alreadyDelivered(JOB, signal)).toBeNull();
    made.clock.advance({ hours: 1 });
    await store.sweepExpired(made.clock.now(), signal);
    expect(places).toEqual(['old']);
  });

  test('tells once what lies in a bucket that is not configured any more, and drops its record after 30 days', async () => {
    await using made = await setup();
    const old = made.storeOf({ name: 's3', place: 's3://velho/audio/' });
    await old.save(await deliveryOf(made, JOB, 1));
    await old.save(await deliveryOf(made, OTHER_JOB, 1));
    made.clock.advance({ hours: 1 });
    const kept = 'removed 0 expired deliveries, 2 held by a publisher that is not configured';
    expect(await made.store.sweepExpired(made.clock.now(), signal)).toBe(kept);
    expect(await made.store.sweepExpired(made.clock.now(), signal)).toBe(kept);
    expect(made.lines).toHaveLength(1);
    expect(made.lines[0]).toMatch(/deliveries=2/);
    expect(made.lines[0]).toContain('s3://velho/audio/');
    made.clock.advance({ hours: 30 * 24 });
    await made.store.sweepExpired(made.clock.now(), signal);
    expect(await readdir(made.directory)).toEqual([]);
    expect(made.publisher.objects.size).toBe(2);
  });

  test('does not take away a delivery that is begun anew while it runs', async () => {
    await using made = await setup();
    await made.store.save(await deliveryOf(made, JOB, 1));
    made.clock.advance({ hours: 1 });
    const removing = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    const store = made.storeOf({
      removeJob: async () => {
        removing.resolve();
        await goOn.promise;
      },
    });
    const sweep = store.sweepExpired(made.clock.now(), signal);
    await removing.promise;
    const begun = store.begin(JOB, made.clock.now().add({ hours: 1 }), signal);
    goOn.resolve();
    await Promise.all([sweep, begun]);
    expect(await readdir(made.directory)).toEqual([`${JOB}.json`]);
  });

  test('passes over files that are no records and reports broken ones', async () => {
    await using made = await setup();
    await made.store.save(await deliveryOf(made, JOB, 1));
    await writeFile(join(made.directory, 'leia-me.txt'), '');
    await writeFile(join(made.directory, `${OTHER_JOB}.json`), '[]');
    made.clock.advance({ hours: 1 });
    expect(await made.store.sweepExpired(made.clock.now(), signal)).toBe(
      'removed 1 expired delivery, 1 could not be removed',
    );
  });
});
