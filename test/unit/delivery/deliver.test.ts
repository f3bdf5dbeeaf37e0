import { describe, expect, test } from 'vitest';
import { readZip } from '../../../demo/zip-reader.ts';
import { deliver, recordingObject, zipObject } from '../../../node/delivery/deliver.ts';
import { deliverySchema } from '../../../node/delivery/manifest.ts';
import type { Publisher } from '../../../node/delivery/publisher.ts';
import { AppError } from '../../../node/platform/errors.ts';
import { recordingName, wav } from '../../support/audio.ts';
import { allRecordings } from '../../support/delivery.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { createMemoryPublisher } from '../../support/memory-publisher.ts';
import { createMemorySource, type MemorySource } from '../../support/memory-source.ts';
import { JOB } from '../../support/publisher-contract.ts';

const FIRST = recordingName('1121', '2000', '20251027-080000');
const SECOND = recordingName('1121', '2001', '20251027-090001');
const THIRD = recordingName('1121', '2002', '20251028-100000');
const FILES = { [FIRST]: wav(200_000, 1), [SECOND]: wav(70_000, 2), [THIRD]: wav(1_000_000, 3) };
const ZIP = `${JOB}/gravacoes-20251027-0800.zip`;

async function setup(files: Readonly<Record<string, Buffer>> = FILES) {
  const clock = fixedClock();
  const source = createMemorySource(files);
  const publisher = createMemoryPublisher(clock);
  const recordings = await allRecordings(source);
  const run = (signal = new AbortController().signal, to: Publisher = publisher) =>
    deliver({
      source,
      publisher: to,
      job: JOB,
      recordings,
      expiresAt: clock.now().add({ hours: 24 }),
      signal,
    });
  return { source, publisher, recordings, run };
}

function zipNames(zip: Buffer | undefined): string[] {
  return readZip(zip ?? Buffer.alloc(0)).map((entry) => entry.name);
}

function nothingIsOpen(source: MemorySource): void {
  expect(source.openStreams.now).toBe(0);
}

describe('a delivery', () => {
  test('publishes each recording under its name in the ZIP, and the ZIP', async () => {
    const { publisher, run, recordings, source } = await setup();
    const delivery = await run();
    const names = [
      '20251027-080000_1121_2000.wav',
      '20251027-090001_1121_2001.wav',
      '20251028-100000_1121_2002.wav',
    ];
    expect([...publisher.objects.keys()].toSorted()).toEqual([...names.map((name) => `${JOB}/${name}`), ZIP]);
    expect(delivery).toEqual({
      job: JOB,
      expiresAt: '2026-03-03T12:00:00Z',
      zip: {
        key: ZIP,
        fileName: 'gravacoes-20251027-0800.zip',
        sizeBytes: publisher.objects.get(ZIP)?.content.length,
        count: 3,
      },
      items: recordings.map((recording, index) => ({
        recording,
        key: `${JOB}/${names[index]}`,
        fault: null,
        fileName: names[index],
      })),
      totalBytes: 1_270_000,
    });
    expect(publisher.objects.get(`${JOB}/${names[1]}`)?.content.equals(wav(70_000, 2))).toBe(true);
    expect(zipNames(publisher.objects.get(ZIP)?.content)).toEqual([...names, 'manifesto.csv']);
    nothingIsOpen(source);
  });

  test('is JSON that its schema takes back', async () => {
    const delivery = await (await setup()).run();
    expect(deliverySchema.parse(JSON.parse(JSON.stringify(delivery)))).toEqual(delivery);
  });

  test('plays recordings in the browser and saves the ZIP', () => {
    expect(recordingObject(JOB, 'a.mp3')).toMatchObject({ contentType: 'audio/mpeg', disposition: 'inline' });
    expect(zipObject(JOB, 'a.zip')).toMatchObject({
      contentType: 'application/zip',
      disposition: 'attachment',
    });
  });

  test('lists what has a fault and delivers the rest', async () => {
    const { source, run, publisher } = await setup({ ...FILES, [SECOND]: Buffer.alloc(44) });
    source.faults.set(FIRST, 'broken');
    source.files.delete(THIRD);
    const delivery = await run();
    expect(delivery.items.map(({ key, fault }) => [key !== null, fault])).toEqual([
      [true, 'broken'],
      [false, 'empty'],
      [false, 'vanished'],
    ]);
    expect(delivery.zip?.count).toBe(1);
    expect(zipNames(publisher.objects.get(ZIP)?.content)).toEqual([
      '20251027-080000_1121_2000.wav',
      'manifesto.csv',
    ]);
  });

  test('of which nothing can be delivered has no ZIP and tells why', async () => {
    const { source, run, publisher } = await setup();
    for (const key of Object.keys(FILES)) source.faults.set(key, 'unreadable');
    const delivery = await run();
    expect(delivery.zip).toBeNull();
    expect(delivery.items.map((item) => item.fault)).toEqual(['unreadable', 'unreadable', 'unreadable']);
    expect(publisher.objects.size).toBe(0);
  });

  test('of nothing is an empty one', async () => {
    expect(await (await setup({})).run()).toMatchObject({ zip: null, items: [], totalBytes: 0 });
  });

  test('reads again what broke off once', async () => {
    const { source, run } = await setup();
    source.breaks.set(SECOND, 1);
    const delivery = await run();
    expect(delivery.items.map((item) => item.fault)).toEqual([null, null, null]);
    expect(delivery.zip?.count).toBe(3);
    nothingIsOpen(source);
  });

  test('leaves out what breaks off whenever it is read, and makes the ZIP without it', async () => {
    const { source, run, publisher } = await setup();
    source.breaks.set(SECOND, 1000);
    const delivery = await run();
    expect(delivery.items.map((item) => item.fault)).toEqual([null, 'unreadable', null]);
    expect(delivery.zip?.count).toBe(2);
    const zip = readZip(publisher.objects.get(ZIP)?.content ?? Buffer.alloc(0));
    expect(zip.at(-1)?.content.toString()).toContain('Não incluída: não foi possível ler o arquivo');
    nothingIsOpen(source);
  });

  test('fails with the publisher, and nothing of it goes on', async () => {
    const { publisher, run, source } = await setup();
    const failure = new AppError('publish.unavailable', 'away', { retriable: true });
    publisher.failPut = (key) => (key.includes('2001') ? failure : null);
    await expect(run()).rejects.toBe(failure);
    nothingIsOpen(source);
    const count = publisher.objects.size;
    await new Promise((resolve) => setImmediate(resolve));
    expect(publisher.objects.size).toBe(count);
    publisher.failPut = (key) => (key.endsWith('.zip') ? failure : null);
    await expect(run()).rejects.toBe(failure);
    publisher.failPut = null;
    expect((await run()).zip?.count).toBe(3);
    nothingIsOpen(source);
  });

  test('ends with the reason of an abort, everything closed', async () => {
    const { publisher, run, source } = await setup();
    const aborter = new AbortController();
    const reason = new Error('enough');
    const stalling: Publisher = {
      ...publisher,
      put: async (object, body, signal) => {
        if (object.key.endsWith('.zip')) setImmediate(() => aborter.abort(reason));
        return publisher.put(object, body, signal);
      },
    };
    await expect(run(aborter.signal, stalling)).rejects.toBe(reason);
    await expect(run(AbortSignal.abort(reason))).rejects.toBe(reason);
    nothingIsOpen(source);
  });

  test('publishes a bounded number of recordings at a time', async () => {
    const files: Record<string, Buffer> = {};
    for (let index = 0; index < 60; index += 1)
      files[recordingName('1121', `${2000 + index}`, '20251027-080000')] = wav(90_000);
    const { source, run } = await setup(files);
    const delivery = await run();
    expect(delivery.zip?.count).toBe(60);
    expect(source.openStreams.most).toBeLessThanOrEqual(5);
    expect(source.openStreams.most).toBeGreaterThan(2);
  });
});
