import { describe, expect, test } from 'vitest';
import { readZip } from '../../../demo/zip-reader.ts';
import { type ArchivingLimits, deliver } from '../../../node/delivery/deliver.ts';
import { recordingObject, zipObject } from '../../../node/delivery/published-object.ts';
import { deliverySchema } from '../../../node/delivery/manifest.ts';
import { refuseWithoutSpace } from '../../../node/delivery/needed-space.ts';
import type { Publisher } from '../../../node/delivery/publisher.ts';
import { WHOLE_MAX_BYTES } from '../../../node/delivery/read-ahead.ts';
import { AppError } from '../../../node/platform/errors.ts';
import { createLog, silentLog } from '../../../node/platform/log.ts';
import type { DirectLinks } from '../../../node/recordings/source.ts';
import { gsm, recordingName, wav, WAV_BYTES_PER_SECOND } from '../../support/audio.ts';
import { allRecordings } from '../../support/delivery.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { createMemoryPublisher } from '../../support/memory-publisher.ts';
import { CONVERTED, createMemoryTranscoder } from '../../support/memory-transcoder.ts';
import { createMemorySource, type MemorySource } from '../../support/memory-source.ts';
import { eventually } from '../../support/process.ts';
import { JOB } from '../../support/publisher-contract.ts';

const FIRST = recordingName('1121', '2000', '20251027-080000');
const SECOND = recordingName('1121', '2001', '20251027-090001');
const THIRD = recordingName('1121', '2002', '20251028-100000');
const FILES = { [FIRST]: wav(200_000, 1), [SECOND]: wav(70_000, 2), [THIRD]: wav(1_000_000, 3) };
const LIMITS = { level: 0, maxBytes: 1_000_000_000, maxFiles: 1000 };
const ZIP = `${JOB}/gravacoes-20251027-0800.zip`;

interface Setup {
  readonly files?: Readonly<Record<string, Buffer>>;
  readonly limits?: Partial<ArchivingLimits>;
  /** Whether the source has links to its recordings where they lie. */
  readonly direct?: boolean;
  /** Bytes that it may fill; null: nobody counts. */
  readonly space?: number | null;
}

async function setup({ files = FILES, limits = {}, direct = false, space = null }: Setup = {}) {
  const clock = fixedClock();
  const links: DirectLinks = {
    link: async ({ key }) => `http://source.example.test/${key}`,
    linksUntil: async (wanted) => wanted,
  };
  const source = createMemorySource(files, direct ? { direct: links } : {});
  const told: string[] = [];
  const logged: string[] = [];
  const log = createLog({ level: 'info', style: 'terminal', write: (line) => logged.push(line.trim()) });
  const publisher = createMemoryPublisher(clock);
  const transcoder = createMemoryTranscoder();
  const recordings = await allRecordings(source);
  const run = (signal = new AbortController().signal, to: Publisher = publisher) =>
    deliver({
      source,
      publisher: to,
      job: JOB,
      recordings,
      expiresAt: clock.now().add({ hours: 24 }),
      archiving: { ...LIMITS, ...limits },
      transcoder,
      space: async () => space,
      clock,
      log,
      signal,
      progress: (text) => told.push(text),
    });
  return { source, publisher, transcoder, recordings, run, told, logged, clock };
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
      zips: [
        {
          key: ZIP,
          fileName: 'gravacoes-20251027-0800.zip',
          sizeBytes: publisher.objects.get(ZIP)?.content.length,
          count: 3,
        },
      ],
      items: recordings.map((recording, index) => ({
        recording,
        key: `${JOB}/${names[index]}`,
        fault: null,
        fileName: names[index],
        seconds: Math.round(((recording.sizeBytes - 44) / WAV_BYTES_PER_SECOND) * 1000) / 1000,
        playable: true,
        playKey: null,
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
    const { source, run, publisher } = await setup({ files: { ...FILES, [SECOND]: Buffer.alloc(44) } });
    source.faults.set(FIRST, 'broken');
    source.files.delete(THIRD);
    const delivery = await run();
    expect(delivery.items.map(({ key, fault }) => [key !== null, fault])).toEqual([
      [true, 'broken'],
      [false, 'empty'],
      [false, 'vanished'],
    ]);
    expect(delivery.zips[0]?.count).toBe(1);
    expect(zipNames(publisher.objects.get(ZIP)?.content)).toEqual([
      '20251027-080000_1121_2000.wav',
      'manifesto.csv',
    ]);
  });

  test('of which nothing can be delivered has no ZIP and tells why', async () => {
    const { source, run, publisher } = await setup();
    for (const key of Object.keys(FILES)) source.faults.set(key, 'unreadable');
    const delivery = await run();
    expect(delivery.zips).toEqual([]);
    expect(delivery.items.map((item) => item.fault)).toEqual(['unreadable', 'unreadable', 'unreadable']);
    expect(publisher.objects.size).toBe(0);
  });

  test('of nothing is an empty one', async () => {
    expect(await (await setup({ files: {} })).run()).toMatchObject({ zips: [], items: [], totalBytes: 0 });
  });

  test('reads again what broke off once', async () => {
    const { source, run } = await setup();
    source.breaks.set(SECOND, 1);
    const delivery = await run();
    expect(delivery.items.map((item) => item.fault)).toEqual([null, null, null]);
    expect(delivery.zips[0]?.count).toBe(3);
    nothingIsOpen(source);
  });

  test('leaves out what breaks off whenever it is read, and makes the ZIP without it', async () => {
    const { source, run, publisher } = await setup();
    source.breaks.set(SECOND, 1000);
    const delivery = await run();
    expect(delivery.items.map((item) => item.fault)).toEqual([null, 'unreadable', null]);
    expect(delivery.zips[0]?.count).toBe(2);
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
    expect((await run()).zips[0]?.count).toBe(3);
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
    const { source, run } = await setup({ files });
    const delivery = await run();
    expect(delivery.zips[0]?.count).toBe(60);
    expect(source.openStreams.most).toBeLessThanOrEqual(4 + 16);
    expect(source.openStreams.most).toBeGreaterThan(2);
  });
});

describe('a result over the limits', () => {
  const partNames = (count: number): string[] =>
    Array.from({ length: count }, (_, index) => `gravacoes-20251027-0800-parte-${index + 1}-de-${count}.zip`);

  test('becomes several ZIPs in order of time, each whole and with its own manifest', async () => {
    const { run, publisher } = await setup({ limits: { maxBytes: 300_000 } });
    const { zips } = await run();
    expect(zips.map(({ fileName }) => fileName)).toEqual(partNames(2));
    expect(zips.map(({ count }) => count)).toEqual([2, 1]);
    const held = zips.map(({ key }) => readZip(publisher.objects.get(key)?.content ?? Buffer.alloc(0)));
    expect(held.map((entries) => entries.map(({ name }) => name))).toEqual([
      ['20251027-080000_1121_2000.wav', '20251027-090001_1121_2001.wav', 'manifesto-parte-1-de-2.csv'],
      ['20251028-100000_1121_2002.wav', 'manifesto-parte-2-de-2.csv'],
    ]);
    const manifests = held.map((entries) => entries.at(-1)?.content.toString().trim().split('\r\n'));
    expect(manifests.map((lines) => lines?.length)).toEqual([3, 2]);
    expect(
      zips.map(({ key, sizeBytes }) => publisher.objects.get(key)?.content.length === sizeBytes),
    ).toEqual([true, true]);
  });

  test('is divided by number too, and the record of it is one that its schema takes', async () => {
    const { run } = await setup({ limits: { maxFiles: 1 } });
    const delivery = await run();
    expect(delivery.zips.map(({ fileName }) => fileName)).toEqual(partNames(3));
    expect(deliverySchema.parse(JSON.parse(JSON.stringify(delivery)))).toEqual(delivery);
  });

  test('keeps its numbers where nothing can be put into one of the parts', async () => {
    const { run, source, publisher } = await setup({ limits: { maxFiles: 1 } });
    source.faults.set(SECOND, 'unreadable');
    const { zips } = await run();
    expect(zips.map(({ fileName, count }) => [fileName, count])).toEqual(
      partNames(3).map((name, index) => [name, index === 1 ? 0 : 1]),
    );
    expect(zipNames(publisher.objects.get(zips[1]?.key ?? '')?.content)).toEqual([
      'manifesto-parte-2-de-3.csv',
    ]);
  });

  test('of which nothing can be delivered has no ZIPs', async () => {
    const { run, source } = await setup({ limits: { maxFiles: 1 } });
    for (const key of Object.keys(FILES)) source.faults.set(key, 'vanished');
    expect((await run()).zips).toEqual([]);
  });

  test('is not delivered where one of its ZIPs is not', async () => {
    const { run, publisher, source } = await setup({ limits: { maxFiles: 1 } });
    const failure = new AppError('publish.unavailable', 'away', { retriable: true });
    publisher.failPut = (key) => (key.includes('parte-3') ? failure : null);
    await expect(run()).rejects.toBe(failure);
    nothingIsOpen(source);
  });
});

describe('a source with links to its recordings', () => {
  test('has nothing published but the ZIP; what could be read is heard where it lies', async () => {
    const { run, publisher, source } = await setup({ direct: true });
    source.faults.set(FIRST, 'broken').set(SECOND, 'archived');
    const delivery = await run();
    expect([...publisher.objects.keys()]).toEqual([ZIP]);
    expect(delivery.items.map(({ key, direct, fault }) => [key, direct, fault])).toEqual([
      [FIRST, true, 'broken'],
      [null, undefined, 'archived'],
      [THIRD, true, null],
    ]);
    expect(delivery.totalBytes).toBe(1_200_000);
    expect(delivery.zips[0]?.count).toBe(2);
    expect(deliverySchema.parse(JSON.parse(JSON.stringify(delivery)))).toEqual(delivery);
  });

  test('has a recording left out that breaks off whenever it is read, large or small', async () => {
    const files = { ...FILES, [SECOND]: wav(WHOLE_MAX_BYTES + 1) };
    const { run, source } = await setup({ files, direct: true });
    source.breaks.set(FIRST, 1000).set(SECOND, 1000);
    const { items, zips } = await run();
    expect(items.map(({ fault }) => fault)).toEqual(['unreadable', 'unreadable', null]);
    expect(zips[0]?.count).toBe(1);
    nothingIsOpen(source);
  });
});

test.each([true, false])(
  'a recording in cold storage is listed and not opened (direct: %s)',
  async (direct) => {
    const { source, publisher, recordings, clock } = await setup({ direct });
    const asked: string[] = [];
    const open: MemorySource['open'] = (recording, signal) => {
      asked.push(recording.key);
      return source.open(recording, signal);
    };
    const delivery = await deliver({
      source: { ...source, open },
      publisher,
      job: JOB,
      recordings: recordings.map((one) => (one.key === SECOND ? { ...one, archived: true } : one)),
      expiresAt: clock.now().add({ hours: 24 }),
      archiving: LIMITS,
      transcoder: null,
      space: async () => null,
      clock,
      log: silentLog,
      signal: new AbortController().signal,
    });
    expect(delivery.items.map(({ fault }) => fault)).toEqual([null, 'archived', null]);
    expect(asked).not.toContain(SECOND);
  },
);

describe('recordings that browsers cannot play', () => {
  const GSM = recordingName('1121', '2003', '20251029-110000', '1761548400.9', 'gsm');
  const BASE = '20251029-110000_1121_2003';
  const MIXED = { [FIRST]: wav(200_000, 1), [GSM]: gsm(500) };

  test.each([false, true])(
    'are converted beside the original, which is in the ZIP (direct: %s)',
    async (direct) => {
      const { run, publisher, source, transcoder } = await setup({ files: MIXED, direct });
      const delivery = await run();
      const playKey = `${JOB}/${BASE}.tocar.wav`;
      expect(delivery.items).toMatchObject([
        { playable: true, playKey: null },
        { key: direct ? GSM : `${JOB}/${BASE}.gsm`, playable: false, seconds: 10, playKey },
      ]);
      expect(publisher.objects.get(playKey)).toMatchObject({
        object: {
          key: playKey,
          fileName: `${BASE}.tocar.wav`,
          contentType: 'audio/wav',
          disposition: 'inline',
        },
        content: Buffer.concat([CONVERTED, gsm(500)]),
      });
      const entries = readZip(publisher.objects.get(ZIP)!.content);
      expect(entries.find(({ name }) => name === `${BASE}.gsm`)?.content.equals(gsm(500))).toBe(true);
      expect(entries.at(-1)?.content.toString()).toContain('"0:00:10"');
      expect(transcoder.asked).toEqual(['gsm']);
      expect(deliverySchema.parse(delivery)).toEqual(delivery);
      nothingIsOpen(source);
    },
  );

  test('have names of their own where others are called alike', async () => {
    const wav49 = recordingName('1121', '2003', '20251029-110000');
    const content = wav(200_000);
    content.writeUInt16LE(0x31, 20);
    const { run } = await setup({ files: { [GSM]: gsm(500), [wav49]: content } });
    const { items } = await run();
    const [first, second] = items.map(({ playKey }) => playKey ?? '').toSorted((a, b) => (a < b ? -1 : 1));
    expect(first).toMatch(/\.(?:gsm|wav)\.tocar\.wav$/);
    expect(second).toBe(`${JOB}/${BASE}.tocar.wav`);
  });

  test('are delivered as they are where they cannot be converted', async () => {
    const { run, transcoder, publisher } = await setup({ files: MIXED });
    transcoder.unknown.add('gsm');
    const { items, zips } = await run();
    expect(items[1]).toMatchObject({ key: `${JOB}/${BASE}.gsm`, playable: false, playKey: null });
    expect(zips[0]?.count).toBe(2);
    expect(publisher.objects.size).toBe(3);
  });

  test('are delivered as they are where what was made of them cannot be published', async () => {
    const { run, publisher, logged } = await setup({ files: MIXED });
    publisher.failPut = (key) =>
      key.includes('.tocar.') ? new AppError('publish.unavailable', 'full') : null;
    const { items } = await run();
    expect(items[1]).toMatchObject({ key: `${JOB}/${BASE}.gsm`, playKey: null });
    expect(logged.join()).toMatch(/could not be published.*publish\.unavailable/);
  });

  test('are not converted where that would fill the disk', async () => {
    const { run, transcoder } = await setup({ files: MIXED, space: (200_000 + 16_500) * 2 });
    transcoder.unknown.clear();
    expect((await run()).items[1]?.playKey).toBe(`${JOB}/${BASE}.tocar.wav`);
    const tight = await setup({ files: { [GSM]: gsm(500) }, space: 16_500 * 2 });
    expect((await tight.run()).items[0]?.playKey).toBeNull();
    expect(tight.transcoder.asked).toEqual([]);
  });

  test('are converted two at a time, whatever their number, while the rest goes on', async () => {
    const names = Array.from({ length: 9 }, (_, index) =>
      recordingName('1121', `200${index}`, '20251029-110000', '1761548400.9', 'gsm'),
    );
    const files = Object.fromEntries(names.map((name) => [name, gsm(500)]));
    const { run, transcoder, publisher } = await setup({ files });
    const held = Promise.withResolvers<void>();
    transcoder.hold = held.promise;
    const delivered = run();
    await eventually('all else', () => publisher.objects.size === 10);
    expect(transcoder.running.now).toBe(2);
    held.resolve();
    const { items } = await delivered;
    expect(items.every(({ playKey }) => playKey !== null)).toBe(true);
    expect(transcoder.running).toEqual({ now: 0, most: 2 });
  });

  test('are not waited for long when all else is delivered', async () => {
    const { run, transcoder, publisher, clock, source } = await setup({ files: MIXED });
    transcoder.hold = new Promise(() => undefined);
    let isDone = false;
    const delivered = run().finally(() => (isDone = true));
    await eventually('all else', () => publisher.objects.size === 3);
    await eventually('the end', () => {
      if (!isDone) clock.advance({ minutes: 1 });
      return isDone;
    });
    expect((await delivered).items[1]).toMatchObject({ key: `${JOB}/${BASE}.gsm`, playKey: null });
    expect(transcoder.running.now).toBe(0);
    nothingIsOpen(source);
  });

  test('end with a delivery that fails or is cancelled', async () => {
    const failing = await setup({ files: MIXED });
    failing.transcoder.hold = new Promise(() => undefined);
    failing.publisher.failPut = (key) =>
      key.endsWith('.zip') ? new AppError('publish.unavailable', 'no') : null;
    await expect(failing.run()).rejects.toMatchObject({ code: 'publish.unavailable' });
    expect(failing.transcoder.running.now).toBe(0);

    await eventually('all to be closed', () => failing.source.openStreams.now === 0);

    const cancelled = await setup({ files: MIXED });
    cancelled.transcoder.hold = new Promise(() => undefined);
    const aborter = new AbortController();
    const delivered = cancelled.run(aborter.signal);
    await eventually('a conversion', () => cancelled.transcoder.running.now === 1);
    aborter.abort(new Error('cancelled'));
    await expect(delivered).rejects.toThrow('cancelled');
    expect(cancelled.transcoder.running.now).toBe(0);
    await eventually('all to be closed', () => cancelled.source.openStreams.now === 0);
  });
});

describe('a delivery that does not fit on its disk', () => {
  test.each([
    ['singly and in a ZIP', false, 2 * 1_270_000],
    ['in a ZIP alone', true, 1_270_000],
  ])('is refused before anything is published (%s)', async (_, direct, needed) => {
    const { run, publisher, source } = await setup({ direct, space: needed - 1 });
    await expect(run()).rejects.toMatchObject({ code: 'publish.no-space', retriable: true });
    expect(publisher.objects.size).toBe(0);
    expect(source.openStreams.most).toBe(0);
    await expect((await setup({ direct, space: needed })).run()).resolves.toMatchObject({ job: JOB });
  });

  test('does not count what will only be listed', async () => {
    const { recordings } = await setup();
    const archived = recordings.map((one) => ({ ...one, archived: true as const }));
    await refuseWithoutSpace({ source: { direct: null }, recordings: archived, space: async () => 0 });
  });
});

describe('how far it is', () => {
  test('is told in files and bytes of both branches, up to the end', async () => {
    const files = { [FIRST]: wav(20_000_000, 1), [SECOND]: wav(7_000_000, 2), [THIRD]: wav(1_000_000, 3) };
    const { run, told } = await setup({ files, limits: { maxFiles: 2 } });
    await run();
    expect(told).toContainEqual(expect.stringContaining('(part 1 of 2)'));
    expect(told.at(-1)).toBe(
      'published 3 of 3 recordings, 28 of 28 MB; ZIP 3 of 3 recordings, 28 of 28 MB (part 2 of 2)',
    );
  });

  test('is that of the ZIP alone where nothing is published singly', async () => {
    const { run, told } = await setup({ direct: true });
    await run();
    expect(told.at(-1)).toBe('ZIP 3 of 3 recordings, 1270 of 1270 kB');
  });

  test('counts a ZIP that is begun anew from its beginning', async () => {
    const { run, told, source } = await setup({ files: { ...FILES, [SECOND]: wav(WHOLE_MAX_BYTES + 1) } });
    source.breaks.set(SECOND, 3);
    await run();
    expect(told.at(-1)).toMatch(/ZIP 3 of 3 recordings, (\d+) of \d+ kB$/);
    expect(told.every((text) => !/ZIP [4-9] of 3/.test(text))).toBe(true);
  });

  test('stands in the log every five seconds while it works, and no longer', async () => {
    const { publisher, run, logged, clock } = await setup();
    const slow = Promise.withResolvers<void>();
    const waiting: Publisher = {
      ...publisher,
      put: async (object, body, signal) => {
        if (object.key.endsWith('.zip')) await slow.promise;
        return publisher.put(object, body, signal);
      },
    };
    const delivered = run(new AbortController().signal, waiting);
    await eventually('the singles to be there', () => publisher.objects.size === 3);
    expect(logged).toEqual([]);
    for (const expected of [1, 2]) {
      clock.advance({ seconds: 5 });
      await eventually('a line', () => logged.length === expected);
    }
    expect(logged[1]).toMatch(
      /delivering: published 3 of 3 recordings, 1270 of 1270 kB; ZIP \d of 3 recordings/,
    );
    slow.resolve();
    await delivered;
    clock.advance({ seconds: 60 });
    await new Promise((resolve) => setImmediate(resolve));
    expect(logged).toHaveLength(2);
  });
});
