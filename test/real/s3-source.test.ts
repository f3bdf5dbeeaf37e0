import { randomUUID } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect } from 'vitest';
import { makeClient } from '../../node/bucket/client.ts';
import { createLister } from '../../node/bucket/lister.ts';
import { loadS3Sdk } from '../../node/bucket/sdk.ts';
import type { IndexWriter } from '../../node/indexing/index-database.ts';
import { beginIndex, openIndex, openReader } from '../../node/indexing/index-files.ts';
import { createIndexedSource } from '../../node/indexing/indexed-source.ts';
import { createS3Keeper } from '../../node/indexing/s3-keeper.ts';
import { mapBounded } from '../../node/platform/concurrency.ts';
import { systemClock } from '../../node/platform/clock.ts';
import { silentLog } from '../../node/platform/log.ts';
import { parseLayout } from '../../node/recordings/bucket-layout.ts';
import { createS3Source } from '../../node/recordings/s3-source.ts';
import type { RecordingQuery, RecordingSource } from '../../node/recordings/source.ts';
import { recordingName, wav } from '../support/audio.ts';
import { type Ceph, startCeph } from '../support/ceph.ts';
import { type FixedClock, fixedClock } from '../support/fixed-clock.ts';
import { temporaryDirectory } from '../support/process.ts';
import { needs } from '../support/requirements.ts';
import { sourceContract } from '../support/source-contract.ts';

const { describe, test } = needs('ceph');
const { signal } = new AbortController();
const BUCKET = 'gravacoes';
const PUTS_AT_A_TIME = 24;
let ceph: Ceph;
/** Of several pages, all of one day. Put once, since that takes Ceph some seconds; tests leave it as they found it. */
let large: Place;
const MANY = 3500;

/** A place of its own below the bucket, so that tests do not see one another. */
async function placeWith(files: Readonly<Record<string, Buffer>> = {}) {
  const prefix = `t ${randomUUID()}`;
  const put = async (some: Readonly<Record<string, Buffer>>): Promise<void> => {
    await mapBounded(Object.entries(some), PUTS_AT_A_TIME, async ([key, Body]) => {
      await ceph.client.send(new PutObjectCommand({ Bucket: BUCKET, Key: `${prefix}/${key}`, Body }));
    });
  };
  const remove = async (keys: readonly string[]): Promise<void> => {
    await mapBounded(keys, PUTS_AT_A_TIME, async (key) => {
      await ceph.client.send(new DeleteObjectCommand({ Bucket: BUCKET, Key: `${prefix}/${key}` }));
    });
  };
  await put(files);
  return { prefix, put, remove, except: null };
}

type Place = Awaited<ReturnType<typeof placeWith>>;

const account = () => ({
  region: ceph.region,
  endpoint: ceph.endpoint,
  credentials: { accessKeyId: ceph.accessKey, secretAccessKey: ceph.secretKey },
});

function sourceAt(
  { prefix }: Pick<Place, 'prefix'>,
  template: string,
  except: string | null = null,
): Promise<RecordingSource> {
  const parsed = parseLayout(template);
  if (!parsed.ok) throw new Error(parsed.fault);
  return createS3Source({
    ...account(),
    bucket: BUCKET,
    prefix,
    layout: parsed.layout,
    except,
    order: 'origin-dest',
    clock: systemClock,
    log: silentLog,
  });
}

/** The index of a place, kept by a keeper whose clock moves only when told. */
async function indexOf({ prefix }: Pick<Place, 'prefix'>, clock: FixedClock = fixedClock()) {
  const directory = await temporaryDirectory();
  const begin = () =>
    createS3Keeper({ account: account(), bucket: BUCKET, prefix, except: null, clock, log: silentLog });
  let keeper = begin();
  const builder = beginIndex(directory.path, 's3');
  let progress = 0;
  await keeper.build(builder, ({ files }) => (progress = files), signal);
  builder.complete();
  let writer: IndexWriter = builder;
  keeper.adopt(writer);
  return {
    clock,
    get keeper() {
      return keeper;
    },
    get writer() {
      return writer;
    },
    directory: directory.path,
    progress: () => progress,
    /** What a restart of the node makes of it. */
    restart: async () => {
      await keeper[Symbol.asyncDispose]();
      writer[Symbol.dispose]();
      writer = openIndex(directory.path, 's3')!;
      keeper = begin();
      keeper.adopt(writer);
    },
    keys: () => {
      using reader = openReader(directory.path, 's3', writer.serial);
      const all = { extensions: ['1121'], start: '2000-01-01T00:00:00', end: '2100-01-01T00:00:00' };
      return reader
        .query(all)
        .map(({ key }) => key)
        .toSorted();
    },
    [Symbol.asyncDispose]: async () => {
      await keeper[Symbol.asyncDispose]();
      writer[Symbol.dispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}

/** Settled anew before each search, as the index of a node is. */
async function indexedSourceAt(place: Place) {
  const base = await sourceAt(place, 'flat');
  const index = await indexOf(place);
  const clock = index.clock;
  const access = {
    settle: async (range: Parameters<typeof index.keeper.settle>[0], asked: AbortSignal) => {
      asked.throwIfAborted();
      clock.advance({ hours: 1 });
      await index.keeper.settle(range, asked);
      return { reader: openReader(index.directory, 's3', index.writer.serial), unreadable: [] };
    },
    present: () => openReader(index.directory, 's3', index.writer.serial),
    gone: (keys: readonly string[]) => index.keeper.gone(keys),
    broken: (error: unknown) => {
      throw error;
    },
  };
  const source = createIndexedSource({ base, index: access, order: 'origin-dest', clock, log: silentLog });
  return { source, index, [Symbol.asyncDispose]: index[Symbol.asyncDispose] };
}

const stamp = (second: number): string => {
  const [hour, minute] = [Math.floor(second / 3600), Math.floor((second % 3600) / 60)];
  return `20251027-${[hour, minute, second % 60].map((part) => String(part).padStart(2, '0')).join('')}`;
};

/** Recordings of one day, all of extension 1121. */
function manyNames(count: number): string[] {
  return Array.from({ length: count }, (_, index) =>
    recordingName('1121', `${2000 + (index % 977)}`, stamp(index)),
  );
}

function query(changes: Partial<RecordingQuery> = {}): RecordingQuery {
  const day = { start: '2025-10-27T00:00:00', end: '2025-10-27T23:59:59' };
  return { extensions: ['1121'], ...day, server: null, ...changes };
}

const ODD_UNIQUES = [
  'gv1p-1761548400.7',
  'São João',
  'a b  c',
  'a+b',
  '100%25%20%zz',
  '-20200101-010101-x',
  'ímpar-\u{1F600}-2',
  `"aspas" & <tags> 'x'`,
  'a=b?c#d;e,f:g@h$i!j*k(l)m[n]{o}|p\\q^r`s~t',
];

describe('on a Ceph S3 gateway', () => {
  beforeAll(async () => {
    ceph = await startCeph();
    await ceph.makeBucket(BUCKET);
    large = await placeWith(
      Object.fromEntries(manyNames(MANY).map((name) => [`2025/10/27/${name}`, Buffer.from('x')])),
    );
  });
  afterAll(async () => {
    await ceph.end();
  });

  for (const template of ['flat', '{yyyy}/{mm}/{dd}/']) {
    sourceContract(`a bucket laid out as ${template}`, async (files) => {
      const dated = ([key, content]: [string, Buffer]): [string, Buffer] => [dayOf(key) + key, content];
      const place = await placeWith(
        Object.fromEntries(Object.entries(files).map(template === 'flat' ? (one) => one : dated)),
      );
      const source = await sourceAt(place, template);
      return {
        source: template === 'flat' ? source : undated(source),
        [Symbol.asyncDispose]: async () => undefined,
      };
    });
  }

  sourceContract('an indexed bucket', async (files) => {
    // A bucket without a single object is refused, as that of a wrong name would be.
    const place = await placeWith({ ...files, 'leia-me.txt': Buffer.from('x') });
    return indexedSourceAt(place);
  });

  test('3,500 keys of one day are found, through four pages', async () => {
    const source = await sourceAt(large, '{yyyy}/{mm}/{dd}/');
    const { recordings } = await source.find(query(), signal);
    expect(recordings.map(({ key }) => key.slice(11))).toEqual(manyNames(MANY));
    expect(await source.measure(query(), signal)).toEqual({ count: MANY, bytes: MANY });
  });

  test('odd names are found, opened, and opened by a link that serves parts', async () => {
    const keys = ODD_UNIQUES.map(
      (unique, index) => `Áudios + cia/2025-10/${recordingName('1121', '2000', stamp(index), unique)}`,
    );
    const contents = keys.map((_, index) => wav(500 + index, index));
    const place = await placeWith(Object.fromEntries(keys.map((key, index) => [key, contents[index]!])));
    const source = await sourceAt(place, 'Áudios + cia/{yyyy}-{mm}');
    const { recordings } = await source.find(query(), signal);
    expect(recordings.map(({ key }) => key)).toEqual(keys);
    for (const [index, recording] of recordings.entries()) {
      const opened = await source.open(recording, signal);
      if (typeof opened === 'string') throw new Error(`${recording.key}: ${opened}`);
      expect(opened.fault).toBeNull();
      expect((await buffer(opened.stream)).equals(contents[index]!)).toBe(true);
      const as = {
        fileName: `ligação ${index}.wav`,
        contentType: 'audio/wav',
        disposition: 'inline',
      } as const;
      const link = await source.direct!.link(recording, as, systemClock.now().add({ hours: 1 }));
      const answer = await fetch(link!, { headers: { range: 'bytes=8-11' } });
      expect([answer.status, await answer.text()]).toEqual([206, 'WAVE']);
      expect(answer.headers.get('content-type')).toBe('audio/wav');
      expect(answer.headers.get('content-disposition')).toMatch(
        /^inline; filename="ligacao \d+\.wav"; filename\*=UTF-8''/,
      );
    }
  });

  test('a call over midnight, and a day named by a clock in UTC, are found in the neighbouring directory', async () => {
    const evening = recordingName('1121', '2000', '20251027-233000');
    const morning = recordingName('1121', '2001', '20251027-000500');
    const far = recordingName('1121', '2002', '20251027-120000');
    const files = {
      [`20251028/${evening}`]: wav(100),
      [`20251026/${morning}`]: wav(100),
      [`20251030/${far}`]: wav(100),
    };
    const place = await placeWith(files);
    const { recordings } = await (await sourceAt(place, '{yyyy}{mm}{dd}')).find(query(), signal);
    expect(recordings.map(({ destination }) => destination)).toEqual(['2001', '2000']);
  });

  test('odd keys are found and read, and each has a link that opens it or none', async () => {
    const name = recordingName('1121', '2000', '20251027-080000');
    const linked = [
      '/',
      '//x//',
      'a b+c%2F',
      '\u0001\u001B[31m\n',
      '\u202Ex',
      `<b>&"'`,
      'a?b#c',
      '%2e%2e',
      '...',
      '=1+1',
    ];
    const unlinked = ['..', '.', 'a/../b', 'a/.'];
    const folders = [...linked, ...unlinked].map((folder) => `${folder}/`).concat(`${'y'.repeat(900)}/`);
    const sizes = new Map(folders.map((folder, index) => [folder + name, 100 + index]));
    const place = await placeWith(Object.fromEntries([...sizes].map(([key, size]) => [key, wav(size)])));
    const source = await sourceAt(place, 'flat');
    const { recordings } = await source.find(query(), signal);
    expect(new Set(recordings.map(({ key }) => key))).toEqual(new Set(sizes.keys()));
    const as = { fileName: 'a.wav', contentType: 'audio/wav', disposition: 'inline' } as const;
    const without: string[] = [];
    for (const recording of recordings) {
      const opened = await source.open(recording, signal);
      if (typeof opened === 'string') throw new Error(opened);
      expect((await buffer(opened.stream)).length).toBe(sizes.get(recording.key));
      const link = await source.direct!.link(recording, as, systemClock.now().add({ hours: 1 }));
      if (link === null) without.push(recording.key.slice(0, -name.length - 1));
      else expect((await (await fetch(link)).bytes()).length).toBe(sizes.get(recording.key));
    }
    expect(without.toSorted()).toEqual(unlinked.toSorted());
  });

  test('SERVER is a directory of the layout, in any case of letters, before or after the date', async () => {
    const name = recordingName('1121', '2000', '20251027-080000');
    const servers = ['GV1P', 'gv2p', 'gv1'];
    const files = servers.flatMap((server) => [
      [`${server}/2025-10/${name}`, wav(100)],
      [`x/2025/${server}/${name}`, wav(100)],
    ]);
    const place = await placeWith(Object.fromEntries(files) as Record<string, Buffer>);
    for (const [template, key] of [
      ['{server}/{yyyy}-{mm}/', `GV1P/2025-10/${name}`],
      ['x/{yyyy}/{server}/', `x/2025/GV1P/${name}`],
    ] as const) {
      const source = await sourceAt(place, template);
      const found = await source.find(query({ server: 'gv1p' }), signal);
      expect([found.recordings.map((one) => one.key), found.narrowedByServer]).toEqual([[key], true]);
      expect((await source.find(query(), signal)).recordings).toHaveLength(3);
      expect(await source.find(query({ server: 'gv9p' }), signal)).toMatchObject({
        recordings: [],
        narrowedByServer: true,
      });
    }
  });

  test('published results in the same bucket are never searched, however many there are', async () => {
    const name = recordingName('1121', '2000', '20251027-080000');
    const results = manyNames(1100).map((each) => [`parelha/audio/${each}`, Buffer.from('x')]);
    const place = await placeWith({
      ...Object.fromEntries(results),
      [name]: wav(100),
      [`zz/${name}`]: wav(100),
    });
    const source = await sourceAt(place, 'flat', `${place.prefix}/parelha`);
    const { recordings } = await source.find(query(), signal);
    expect(recordings.map(({ key }) => key)).toEqual([name, `zz/${name}`]);
  });

  test('a bucket that is not there, and one that is empty, say what to check', async () => {
    const place = await placeWith();
    await expect((await sourceAt(place, 'flat')).find(query(), signal)).rejects.toMatchObject({
      code: 'recordings.unavailable',
      message: expect.stringContaining('S3_RECORDINGS_PREFIX'),
    });
    const parsed = { kind: 'flat' } as const;
    const options = {
      ...account(),
      prefix: '',
      layout: parsed,
      except: null,
      clock: systemClock,
      log: silentLog,
    };
    const nowhere = await createS3Source({ ...options, bucket: 'not-there', order: 'origin-dest' });
    await expect(nowhere.find(query(), signal)).rejects.toMatchObject({
      code: 'recordings.refused',
      message: expect.stringContaining('S3_RECORDINGS_BUCKET'),
    });
  });

  describe('the index of a flat bucket', () => {
    const today = { first: '2026-03-01', last: '2026-03-03' };
    const old = { first: '2025-10-26', last: '2025-10-28' };

    test('holds all of it, through many pages, and then follows what is put and removed', async () => {
      const keys = manyNames(MANY).map((name) => `2025/10/27/${name}`);
      await large.put({ 'empresa/a b/leia.txt': Buffer.from('x'), 'empresa/': Buffer.alloc(0) });
      await using index = await indexOf(large);
      expect([index.keys(), index.progress()]).toEqual([keys.toSorted(), MANY]);

      const [gone = '', grown = '', ...others] = keys;
      const names = manyNames(2);
      const added = [`empresa/a b/${names[0]}`, `zz/${names[1]}`, recordingName('1121', '1', stamp(80_000))];
      await large.put(Object.fromEntries([...added, grown].map((key) => [key, wav(300)])));
      await large.remove([gone]);
      index.clock.advance({ seconds: 1 });
      expect(await index.keeper.settle(today, signal)).toMatch(/ 3 new, 1 gone$/);
      expect(index.keys()).toEqual([grown, ...others, ...added].toSorted());
      using reader = openReader(index.directory, 's3', index.writer.serial);
      const asked = { extensions: ['1121'], start: '2025-10-27T00:00:01', end: '2025-10-27T00:00:01' };
      expect(reader.query(asked)).toContainEqual({ key: grown, sizeBytes: 300, archived: false });

      await large.remove(added);
      await large.put({ [gone]: Buffer.from('x'), [grown]: Buffer.from('x') });
      expect(await index.keeper.sweep(signal)).toBeNull();
      index.clock.advance({ hours: 2 });
      expect(await index.keeper.sweep(signal)).toMatch(/ 1 new, 3 gone$/);
      expect(index.keys()).toEqual(keys.toSorted());
      index.clock.advance({ seconds: 1 });
      expect(await index.keeper.audit(signal)).toMatchObject({ missing: 0, stale: 0, files: MANY });
    });

    test('is listed again for the days that can still get recordings, and for older ones after some minutes', async () => {
      const place = await placeWith({ [recordingName('1121', '2000', stamp(1))]: wav(100) });
      await using index = await indexOf(place);
      const second = recordingName('1121', '2000', stamp(2));
      await place.put({ [second]: wav(100) });
      expect(await index.keeper.settle(old, signal)).toBeNull();
      index.clock.advance({ minutes: 6 });
      expect(await index.keeper.settle(old, signal)).toMatch(/ 1 new, 0 gone$/);
      index.clock.advance({ seconds: 1 });
      expect(await index.keeper.settle(today, signal)).toMatch(/ 0 new, 0 gone$/);
      index.clock.advance({ seconds: 1 });
      const together = await Promise.all([1, 2, 3].map(() => index.keeper.settle(today, signal)));
      expect(new Set(together).size).toBe(1);
    });

    test('goes on with a listing that broke off, after a restart too', async () => {
      await using index = await indexOf(large);
      const added = [recordingName('1121', '1', stamp(80_000)), `zz/${recordingName('1121', '2', stamp(1))}`];
      await large.put(Object.fromEntries(added.map((key) => [key, wav(100)])));
      index.clock.advance({ minutes: 6 });
      const { writer } = index;
      const setFact = writer.setFact.bind(writer);
      let pages = 0;
      Object.assign(writer, {
        setFact: (name: string, value: string | null) => {
          pages += 1;
          if (pages > 2) throw new Error('the power went');
          setFact(name, value);
        },
      });
      await expect(index.keeper.settle(old, signal)).rejects.toThrow('the power went');
      await index.restart();
      const sentence = await index.keeper.settle(old, signal);
      const listed = Number(/: (\d+) objects/.exec(sentence ?? '')?.[1]);
      expect(listed).toBeGreaterThan(0);
      expect(listed).toBeLessThan(MANY);
      expect(index.keys()).toHaveLength(MANY + added.length);
      expect(await index.keeper.settle(old, signal)).toBeNull();
      await large.remove(added);
    });

    test('of a bucket that is empty or away is not built, and says why', async () => {
      const place = await placeWith();
      await expect(indexOf(place)).rejects.toMatchObject({ code: 'recordings.unavailable' });
    });
  });

  test('keys of all kinds are listed in the order of their bytes, page by page', async () => {
    const letters = ['a', 'é', '\uFF5E', '\u{1F600}', '+', '%', ' '];
    const keys = letters.flatMap((one) =>
      letters.flatMap((two) => letters.map((three) => `${one}${two}${three}.x`)),
    );
    const place = await placeWith(Object.fromEntries(keys.map((key) => [key, Buffer.from('x')])));
    const sdk = await loadS3Sdk();
    const lister = createLister({
      sdk,
      client: makeClient(sdk, account()),
      bucket: BUCKET,
      clock: systemClock,
    });
    const prefix = `${place.prefix}/`;
    const listed: string[] = [];
    let token: string | null = null;
    do {
      const page = await lister.page({ prefix, token, limit: 50 }, signal);
      listed.push(...page.objects.map(({ key }) => key.slice(prefix.length)));
      ({ token } = page);
    } while (token !== null);
    expect(listed).toEqual(keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
    const after = await lister.page({ prefix, after: `${prefix}é`, limit: 1 }, signal);
    expect(after.objects[0]?.key).toBe(`${prefix}é  .x`);
  });
});

/** Where a name's day lies; what has no day lies in that of the others. */
function dayOf(key: string): string {
  const [, year, month, day] = /-(\d{4})(\d{2})(\d{2})-\d{6}-/.exec(key) ?? [null, '2025', '10', '27'];
  return `${year}/${month}/${day}/`;
}

/** As if the recordings lay below the day, so that the contract knows their keys again. */
function undated(source: RecordingSource): RecordingSource {
  return {
    ...source,
    find: async (asked, aborted) => {
      const found = await source.find(asked, aborted);
      return { ...found, recordings: found.recordings.map((one) => ({ ...one, key: one.key.slice(11) })) };
    },
    open: (recording, aborted) =>
      source.open({ ...recording, key: dayOf(recording.key) + recording.key }, aborted),
  };
}
