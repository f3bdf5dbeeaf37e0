import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { http, HttpResponse, passthrough } from 'msw';
import { setupServer } from 'msw/node';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../../node/platform/clock.ts';
import { createLog, silentLog } from '../../../node/platform/log.ts';
import { parseLayout } from '../../../node/recordings/bucket-layout.ts';
import { createS3Source, type S3SourceOptions } from '../../../node/recordings/s3-source.ts';
import type { Recording, RecordingQuery, RecordingSource } from '../../../node/recordings/source.ts';
import { recordingName, wav } from '../../support/audio.ts';
import { eventually } from '../../support/process.ts';

/** Behaviour that only AWS shows, played in front of the S3 client. */
const ENDPOINT = 'http://s3.example.test';
const BUCKET = `${ENDPOINT}/gravacoes`;
const OBJECT = `${BUCKET}/*`;
const { signal } = new AbortController();
const server = setupServer();
const NAME = recordingName('1121', '2000', '20251027-080000');
const KEY = `2025/10/27/${NAME}`;

beforeAll(() => server.listen({ onUnhandledFrame: 'error' }));
afterEach(() => server.resetHandlers());
afterAll(() => server.close());

/** What credentials are waited for. */
const CREDENTIALS_MS = 10_000;

/** Sleeps at once where a bucket is waited for, and says for how long it was to. */
function hastyClock(): { readonly clock: typeof systemClock; readonly slept: number[] } {
  const slept: number[] = [];
  const sleep: typeof systemClock.sleep = async (ms, aborted) => {
    if (ms === CREDENTIALS_MS) return systemClock.sleep(ms, aborted);
    slept.push(ms);
  };
  return { clock: { ...systemClock, sleep }, slept };
}

function sourceOf(
  changes: Partial<S3SourceOptions> & { readonly template?: string } = {},
): Promise<RecordingSource> {
  const { template = '{yyyy}/{mm}/{dd}/', ...options } = changes;
  const parsed = parseLayout(template);
  if (!parsed.ok) throw new Error(parsed.fault);
  return createS3Source({
    bucket: 'gravacoes',
    region: 'us-east-1',
    endpoint: ENDPOINT,
    credentials: { accessKeyId: 'AKEXAMPLE', secretAccessKey: 'the-secret-key' },
    prefix: '',
    layout: parsed.layout,
    except: null,
    order: 'origin-dest',
    clock: hastyClock().clock,
    log: silentLog,
    maxAttempts: 1,
    ...options,
  });
}

function query(changes: Partial<RecordingQuery> = {}): RecordingQuery {
  const day = { start: '2025-10-27T00:00:00', end: '2025-10-27T23:59:59' };
  return { extensions: ['1121'], ...day, server: null, ...changes };
}

function failure(status: number, code: string): HttpResponse<string> {
  const body = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>as told</Message></Error>`;
  return new HttpResponse(body, { status, headers: { 'content-type': 'application/xml' } });
}

interface Entry {
  readonly key: string;
  readonly size?: number;
  readonly more?: string;
}

function listing(entries: readonly Entry[], rest = '<IsTruncated>false</IsTruncated>'): HttpResponse<string> {
  const contents = entries.map(
    ({ key, size = 100, more = '' }) => `<Contents><Key>${key}</Key><Size>${size}</Size>${more}</Contents>`,
  );
  return new HttpResponse(`<ListBucketResult>${contents.join('')}${rest}</ListBucketResult>`, {
    headers: { 'content-type': 'application/xml' },
  });
}

/** Answers listings with those entries that begin with the prefix asked for; tells what was asked. */
function bucketOf(entries: readonly Entry[]) {
  const asked: URLSearchParams[] = [];
  const handler = http.get(BUCKET, ({ request }) => {
    const { searchParams } = new URL(request.url);
    asked.push(searchParams);
    const prefix = searchParams.get('prefix') ?? '';
    const below = entries.filter(({ key }) => key.startsWith(prefix));
    if (searchParams.get('delimiter') !== '/') return listing(below);
    const directories = new Set(
      below
        .map(({ key }) => /^[^/]*\//.exec(key.slice(prefix.length))?.[0] ?? '')
        .filter((one) => one !== ''),
    );
    const rest = [...directories].map(
      (one) => `<CommonPrefixes><Prefix>${prefix}${one}</Prefix></CommonPrefixes>`,
    );
    return listing([], rest.join(''));
  });
  return { asked, handler, prefixes: () => asked.map((each) => each.get('prefix')) };
}

const recording = (changes: Partial<Recording> = {}): Recording => ({
  key: KEY,
  origin: '1121',
  destination: '2000',
  startedAt: '2025-10-27T08:00:00',
  sizeBytes: 100,
  format: 'wav',
  ...changes,
});

async function contentOf(source: RecordingSource, changes: Partial<Recording> = {}): Promise<Buffer> {
  const opened = await source.open(recording(changes), signal);
  if (typeof opened === 'string') throw new Error(opened);
  return buffer(opened.stream);
}

describe('what is listed', () => {
  test('are the directories of the days asked for and of their neighbours, and nothing else', async () => {
    const bucket = bucketOf([{ key: `monitor/${KEY}` }]);
    server.use(bucket.handler);
    const found = await (await sourceOf({ prefix: 'monitor' })).find(query(), signal);
    expect(new Set(bucket.prefixes())).toEqual(new Set([26, 27, 28].map((day) => `monitor/2025/10/${day}/`)));
    expect(found).toEqual({ recordings: [recording()], narrowedByServer: null, unreadable: [] });
  });

  test('goes on through all pages, with what each page says is next', async () => {
    const pages = new Map([
      [null, listing([{ key: `2025/10/27/${recordingName('1121', '1', '20251027-080000')}` }], next('one'))],
      ['one', listing([], next('two &amp; a half'))],
      ['two & a half', listing([{ key: `2025/10/27/${recordingName('1121', '2', '20251027-080001')}` }])],
    ]);
    server.use(
      http.get(BUCKET, ({ request }) => {
        const { searchParams } = new URL(request.url);
        if (searchParams.get('prefix') !== '2025/10/27/') return listing([]);
        return pages.get(searchParams.get('continuation-token')) ?? failure(400, 'InvalidArgument');
      }),
    );
    const { recordings } = await (await sourceOf()).find(query(), signal);
    expect(recordings.map(({ destination }) => destination)).toEqual(['1', '2']);
  });

  test('of a month in one directory is that directory once', async () => {
    const bucket = bucketOf([{ key: `2025-10/${NAME}` }]);
    server.use(bucket.handler);
    const source = await sourceOf({ template: '{yyyy}-{mm}' });
    await source.find(query({ start: '2025-10-02T00:00:00', end: '2025-10-30T00:00:00' }), signal);
    expect(bucket.prefixes()).toEqual(['2025-10/']);
  });

  test('of companies are the days of each of them, the companies being asked for once', async () => {
    const bucket = bucketOf([{ key: `a/20251027/${NAME}` }, { key: `b c/20251027/x/${NAME}` }]);
    server.use(bucket.handler);
    const found = await (await sourceOf({ template: '{any}/{yyyy}{mm}{dd}' })).find(query(), signal);
    expect(found.recordings.map(({ key }) => key)).toEqual([`a/20251027/${NAME}`, `b c/20251027/x/${NAME}`]);
    expect(bucket.asked.filter((each) => each.has('delimiter'))).toHaveLength(1);
    expect(bucket.asked).toHaveLength(1 + 2 * 3);
  });

  test('of a flat bucket is all of it but the results that are published in it', async () => {
    const starts: (string | null)[] = [];
    server.use(
      http.get(BUCKET, ({ request }) => {
        starts.push(new URL(request.url).searchParams.get('start-after'));
        if (starts.length > 1) return listing([{ key: `parelhas/${NAME}` }]);
        return listing([{ key: NAME }, { key: `parelha/audio/x/${NAME}` }], next('parelha/audio/y'));
      }),
    );
    const found = await (await sourceOf({ template: 'flat', except: 'parelha' })).find(query(), signal);
    expect(found.recordings.map(({ key }) => key)).toEqual([NAME, `parelhas/${NAME}`]);
    expect(starts).toEqual([null, 'parelha/\u{10FFFF}']);
  });

  test('passes over what is no recording: markers of folders, other files, other extensions', async () => {
    const keys = ['2025/10/27/', '2025/10/27/notas-1121-.txt', KEY.replace('1121', '11210'), KEY];
    server.use(bucketOf(keys.map((key) => ({ key }))).handler);
    const { recordings } = await (await sourceOf()).find(query(), signal);
    expect(recordings.map(({ key }) => key)).toEqual([KEY]);
  });
});

function next(token: string): string {
  return `<IsTruncated>true</IsTruncated><NextContinuationToken>${token}</NextContinuationToken>`;
}

describe('SERVER', () => {
  const entries = [{ key: `GV1P/2025-10/${NAME}` }, { key: `gv2p/2025-10/${NAME}` }];

  test('restricts the search to the directory of its name, in any case of letters', async () => {
    const bucket = bucketOf(entries);
    server.use(bucket.handler);
    const source = await sourceOf({ template: '{server}/{yyyy}-{mm}/' });
    const found = await source.find(query({ server: 'gv1p' }), signal);
    expect(found.recordings.map(({ key }) => key)).toEqual([`GV1P/2025-10/${NAME}`]);
    expect(found.narrowedByServer).toBe(true);
    expect(bucket.prefixes()).toEqual(['', 'GV1P/2025-10/']);
    expect((await source.find(query(), signal)).recordings).toHaveLength(2);
  });

  test('that has no directory has no recordings, where the layout tells servers apart', async () => {
    server.use(bucketOf(entries).handler);
    const lines: string[] = [];
    const log = createLog({ level: 'warn', style: 'terminal', write: (line) => lines.push(line) });
    const source = await sourceOf({ template: '{server}/{yyyy}-{mm}/', log });
    expect(await source.find(query({ server: 'gv3p' }), signal)).toEqual({
      recordings: [],
      narrowedByServer: true,
      unreadable: [],
    });
    expect(lines.join('')).toContain('GV1P/ gv2p/');
  });

  test('narrows by directory or system name elsewhere, and says where neither tells servers apart', async () => {
    server.use(bucketOf([{ key: `2025/10/27/GV1P/${NAME}` }, { key: KEY }]).handler);
    const source = await sourceOf();
    const found = await source.find(query({ server: 'gv1p' }), signal);
    expect(found.recordings.map(({ key }) => key)).toEqual([`2025/10/27/GV1P/${NAME}`]);
    expect(await source.find(query({ server: 'gv9p' }), signal)).toMatchObject({
      recordings: [{}, {}],
      narrowedByServer: false,
    });
  });
});

describe('a listing that fails', () => {
  test('is tried again after SlowDown, and nobody notices', async () => {
    let requests = 0;
    server.use(
      http.get(BUCKET, () => {
        requests += 1;
        return requests <= 2 ? failure(503, 'SlowDown') : listing([{ key: KEY }]);
      }),
    );
    const { clock, slept } = hastyClock();
    const source = await sourceOf({ template: '{yyyy}/', clock });
    expect((await source.find(query(), signal)).recordings).toHaveLength(1);
    expect([requests, slept]).toEqual([3, [1000, 4000]]);
  });

  test('for ever is given up after a bounded number of tries, to be taken up later', async () => {
    let requests = 0;
    server.use(
      http.get(BUCKET, () => {
        requests += 1;
        return failure(503, 'SlowDown');
      }),
    );
    const { clock, slept } = hastyClock();
    const source = await sourceOf({ template: '{yyyy}/', clock, maxAttempts: 2 });
    await expect(source.find(query(), signal)).rejects.toMatchObject({
      code: 'recordings.unavailable',
      retriable: true,
      message: expect.stringContaining('SlowDown'),
    });
    expect([requests, slept]).toEqual([6, [1000, 4000]]);
  });

  test.each([
    [403, 'AccessDenied', /s3:GetObject and s3:ListBucket/],
    [404, 'NoSuchBucket', /S3_RECORDINGS_BUCKET/],
    [403, 'InvalidAccessKeyId', /S3_ACCESS_KEY_ID/],
  ])('with %i %s is refused with what to do about it', async (status, code, remedy) => {
    server.use(http.get(BUCKET, () => failure(status, code)));
    const { clock, slept } = hastyClock();
    await expect((await sourceOf({ clock })).find(query(), signal)).rejects.toMatchObject({
      code: 'recordings.refused',
      retriable: false,
      message: expect.stringMatching(remedy),
    });
    expect(slept).toEqual([]);
  });

  test('for one of the directories alone is told of, and the others are searched', async () => {
    server.use(
      http.get(BUCKET, ({ request }) =>
        new URL(request.url).searchParams.get('prefix') === '2025/10/28/'
          ? failure(403, 'AccessDenied')
          : listing([{ key: KEY }]),
      ),
    );
    const found = await (await sourceOf()).find(query(), signal);
    expect(found).toMatchObject({ unreadable: ['2025/10/28/'], recordings: [{}, {}] });
  });

  test('half-way through its body is tried again', async () => {
    let requests = 0;
    server.use(
      http.get(BUCKET, () => {
        requests += 1;
        return requests === 1 ? new HttpResponse('<ListBucketResult><Contents>') : listing([{ key: KEY }]);
      }),
    );
    const found = await (await sourceOf({ template: '{yyyy}/' })).find(query(), signal);
    expect([requests, found.recordings.length]).toEqual([2, 1]);
  });

  test('because the server knows nothing of cold storage is asked without it, now and afterwards', async () => {
    const asked: boolean[] = [];
    server.use(
      http.get(BUCKET, ({ request }) => {
        const asks = request.headers.get('x-amz-optional-object-attributes') === 'RestoreStatus';
        asked.push(asks);
        return asks ? failure(501, 'NotImplemented') : listing([{ key: KEY }]);
      }),
    );
    const source = await sourceOf({ template: '{yyyy}/' });
    for (let search = 0; search < 2; search += 1) await source.find(query(), signal);
    expect(asked).toEqual([true, false, false]);
  });

  test('to find anything at all says that the settings may be wrong, in place of that nothing was recorded', async () => {
    server.use(bucketOf([]).handler);
    await expect((await sourceOf()).find(query(), signal)).rejects.toMatchObject({
      code: 'recordings.unavailable',
      message: expect.stringContaining('S3_RECORDINGS_PREFIX'),
    });
    const lines: string[] = [];
    const log = createLog({ level: 'warn', style: 'terminal', write: (line) => lines.push(line) });
    server.use(bucketOf([{ key: `outro/${NAME}` }]).handler);
    expect((await (await sourceOf({ log })).find(query(), signal)).recordings).toEqual([]);
    expect(lines.join('')).toMatch(/S3_RECORDINGS_LAYOUT.*outro\//);
  });

  test('because a page leads to itself is no listing that goes on for ever', async () => {
    let requests = 0;
    server.use(
      http.get(BUCKET, () => {
        requests += 1;
        return listing([{ key: KEY }], next('round'));
      }),
    );
    await expect((await sourceOf({ template: '{yyyy}/' })).find(query(), signal)).rejects.toMatchObject({
      code: 'recordings.unavailable',
      message: expect.stringContaining('does not come further'),
    });
    expect(requests).toBeLessThan(10);
  });

  test('of too many recordings is refused', async () => {
    const keys = [0, 1, 2].map((second) => ({
      key: `2025/10/27/${recordingName('1121', '2', `20251027-08000${second}`)}`,
    }));
    server.use(bucketOf(keys).handler);
    await expect((await sourceOf({ maxRecordings: 2 })).find(query(), signal)).rejects.toMatchObject({
      code: 'recordings.too-many',
    });
  });
});

describe('cold storage', () => {
  const restored =
    '<RestoreStatus><IsRestoreInProgress>false</IsRestoreInProgress><RestoreExpiryDate>2027-01-01T00:00:00Z</RestoreExpiryDate></RestoreStatus>';

  test.each([
    ['<StorageClass>GLACIER</StorageClass>', true],
    ['<StorageClass>DEEP_ARCHIVE</StorageClass>', true],
    ['<StorageClass>GLACIER_IR</StorageClass>', undefined],
    [`<StorageClass>GLACIER</StorageClass>${restored}`, undefined],
  ])('is recognised by %s: archived is %s', async (more, archived) => {
    server.use(
      bucketOf([{ key: KEY, more }]).handler,
      http.get(OBJECT, () => new HttpResponse(wav(100), { headers: { etag: '"e"' } })),
    );
    const source = await sourceOf();
    const { recordings } = await source.find(query(), signal);
    expect(recordings.map((one) => one.archived)).toEqual([archived]);
    const opened = await source.open(recordings[0]!, signal);
    expect(typeof opened === 'string' ? opened : opened.fault).toBe(archived === true ? 'archived' : null);
    if (typeof opened !== 'string') opened.stream.destroy();
  });

  test('of which the listing says nothing shows when it is opened', async () => {
    server.use(http.get(OBJECT, () => failure(403, 'InvalidObjectState')));
    expect(await (await sourceOf()).open(recording(), signal)).toBe('archived');
  });
});

/** A server whose one object is answered by `answer`, which may cut the connection off. */
async function serving(
  answer: (from: number, response: ServerResponse, request: number) => void,
  options: Partial<S3SourceOptions> = {},
) {
  const ranges: (string | undefined)[] = [];
  const web = createServer((request, response) => {
    const { range } = request.headers;
    ranges.push(range);
    answer(Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0), response, ranges.length);
  });
  web.listen(0, '127.0.0.1');
  await once(web, 'listening');
  const { port } = web.address() as AddressInfo;
  server.use(http.all(`http://127.0.0.1:${port}/*`, () => passthrough()));
  const source = await sourceOf({ endpoint: `http://127.0.0.1:${port}`, ...options });
  const dispose = (): void => {
    web.closeAllConnections();
    web.close();
  };
  return { source, ranges, [Symbol.dispose]: dispose };
}

/** Sends the object from a byte on; only `most` bytes of it, and then nothing is ever sent on this connection. */
function sendObject(
  response: ServerResponse,
  content: Buffer,
  from: number,
  etag: string,
  most = Infinity,
): void {
  const rest = content.subarray(from);
  const range = { 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` };
  const headers = { 'content-length': rest.length, etag, ...(from === 0 ? {} : range) };
  response.writeHead(from === 0 ? 200 : 206, headers);
  if (most >= rest.length) response.end(rest);
  else response.write(rest.subarray(0, most), () => setImmediate(() => response.destroy()));
}

function sendError(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { 'content-type': 'application/xml' });
  response.end(`<?xml version="1.0"?><Error><Code>${code}</Code></Error>`);
}

describe('a recording that is opened', () => {
  const content = wav(200_000, 3);

  test('and breaks off in the middle goes on from there', async () => {
    using made = await serving((from, response, request) =>
      sendObject(response, content, from, '"e"', request <= 2 ? 70_000 : Infinity),
    );
    expect((await contentOf(made.source)).equals(content)).toBe(true);
    expect(made.ranges).toEqual([undefined, 'bytes=70000-', 'bytes=140000-']);
  });

  test('and brings nothing any more goes on by another request', async () => {
    using made = await serving(
      (from, response) => {
        if (from > 0) return sendObject(response, content, from, '"e"');
        response.writeHead(200, { 'content-length': content.length, etag: '"e"' });
        response.write(content.subarray(0, 70_000));
      },
      { idleMs: 50 },
    );
    expect((await contentOf(made.source)).equals(content)).toBe(true);
    expect(made.ranges).toEqual([undefined, 'bytes=70000-']);
  });

  test('and waits to be read has not broken off', async () => {
    const long = wav(2_000_000);
    // A busy machine may itself be silent for a part of a second: the silence that counts must be longer than that.
    using made = await serving((from, response) => sendObject(response, long, from, '"e"'), {
      idleMs: 1_000,
    });
    const opened = await made.source.open(recording(), signal);
    if (typeof opened === 'string') throw new Error(opened);
    await systemClock.sleep(2_100); // that nothing happens can only be waited for
    expect((await buffer(opened.stream)).equals(long)).toBe(true);
    expect(made.ranges).toEqual([undefined]);
  });

  test('and breaks off again and again fails, to be tried later', async () => {
    using made = await serving((from, response) => sendObject(response, content, from, '"e"', 100));
    await expect(contentOf(made.source)).rejects.toMatchObject({
      code: 'recordings.unreadable',
      retriable: true,
    });
    expect(made.ranges).toHaveLength(5);
  });

  test.each([
    [
      'replaced',
      (from: number, response: ServerResponse) => sendObject(response, content, from, `"${from}"`, 70_000),
    ],
    [
      'removed',
      (from: number, response: ServerResponse) =>
        from === 0 ? sendObject(response, content, 0, '"e"', 70_000) : sendError(response, 404, 'NoSuchKey'),
    ],
  ])('and is %s before it could go on fails, rather than to be made of two', async (how, answer) => {
    using made = await serving(answer);
    await expect(contentOf(made.source)).rejects.toMatchObject({
      code: 'recordings.replaced',
      retriable: true,
      message: expect.stringContaining(how),
    });
  });

  test('that fails before anybody reads it tells who reads it then', async () => {
    using made = await serving((from, response) =>
      from === 0 ? sendObject(response, content, 0, '"e"', 70_000) : sendError(response, 403, 'AccessDenied'),
    );
    const opened = await made.source.open(recording(), signal);
    if (typeof opened === 'string') throw new Error(opened);
    await eventually('it to fail', () => opened.stream.destroyed);
    await expect(buffer(opened.stream)).rejects.toMatchObject({ code: 'recordings.refused' });
  });

  test('ends its request when nobody reads it any more', async () => {
    using made = await serving((from, response) => sendObject(response, wav(20_000_000), from, '"e"'));
    const opened = await made.source.open(recording(), signal);
    if (typeof opened === 'string') throw new Error(opened);
    opened.stream.destroy();
    await once(opened.stream, 'close');
    expect(made.ranges).toEqual([undefined]);
  });

  test.each([
    ['vanished', () => failure(404, 'NoSuchKey')],
    ['unreadable', () => failure(403, 'AccessDenied')],
    // Encrypted with a key that was disabled, or that only the customer has (SSE-C).
    ['unreadable', () => failure(400, 'KMS.DisabledException')],
    ['unreadable', () => failure(400, 'InvalidRequest')],
    ['empty', () => new HttpResponse(Buffer.alloc(44), { headers: { 'content-length': '44' } })],
    ['empty', () => new HttpResponse(null, { headers: { 'content-length': '0' } })],
  ])('is %s where S3 says so', async (fault, answer) => {
    server.use(http.get(OBJECT, answer));
    expect(await (await sourceOf()).open(recording(), signal)).toBe(fault);
  });

  test('while S3 says to slow down is waited for, as a listing is', async () => {
    let requests = 0;
    server.use(
      http.get(OBJECT, () => {
        requests += 1;
        if (requests <= 2) return failure(503, 'SlowDown');
        return new HttpResponse(wav(100), { headers: { etag: '"e"', 'content-length': '100' } });
      }),
    );
    const { clock, slept } = hastyClock();
    expect(await (await sourceOf({ clock })).open(recording(), signal)).toMatchObject({ fault: null });
    expect(slept).toEqual([1000, 4000]);
  });

  test('whose header does not fit its size is broken, and never growing; other formats are not judged', async () => {
    const odd = Buffer.concat([wav(100), Buffer.alloc(3)]);
    server.use(
      http.get(OBJECT, () => new HttpResponse(odd, { headers: { etag: '"e"', 'content-length': '103' } })),
    );
    const source = await sourceOf();
    for (const [format, fault] of [
      ['wav', 'broken'],
      ['gsm', null],
    ] as const) {
      const opened = await source.open(recording({ format }), signal);
      if (typeof opened === 'string') throw new Error(opened);
      expect([opened.fault, opened.sizeBytes]).toEqual([fault, 103]);
      expect((await buffer(opened.stream)).equals(odd)).toBe(true);
    }
  });

  test.each([
    ['recordings.unavailable', 503, 'SlowDown'],
    ['recordings.unavailable', 400, 'KMS.ThrottlingException'],
    ['recordings.refused', 403, 'ExpiredToken'],
    ['recordings.refused', 404, 'NoSuchBucket'],
  ])('is no fault of the recording where it fails with %s', async (code, status, name) => {
    server.use(http.get(OBJECT, () => failure(status, name)));
    await expect((await sourceOf()).open(recording(), signal)).rejects.toMatchObject({ code });
  });
});

describe('the numbers before a search', () => {
  test('are those of the search', async () => {
    server.use(
      bucketOf([
        { key: KEY, size: 250 },
        { key: `2025/10/28/${NAME}`, size: 100 },
      ]).handler,
    );
    const source = await sourceOf({ clock: systemClock });
    expect(await source.measure(query(), signal)).toEqual({ count: 2, bytes: 350 });
  });

  test('are not told where there is much to be listed, or it fails', async () => {
    server.use(http.get(BUCKET, () => listing([{ key: KEY }], next('again'))));
    const source = await sourceOf({ clock: systemClock });
    expect(await source.measure(query(), signal)).toBeNull();
    server.use(http.get(BUCKET, () => failure(403, 'AccessDenied')));
    expect(await source.measure(query(), signal)).toBeNull();
  });

  test('are not waited for long', async () => {
    server.use(http.get(BUCKET, () => new Promise<never>(() => undefined)));
    const source = await sourceOf({ clock: hastyClock().clock });
    expect(await source.measure(query(), signal)).toBeNull();
    const reason = new Error('enough');
    await expect(source.measure(query(), AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});

describe('what is near', () => {
  const at = (stamp: string): string => recordingName('1121', '2000', stamp);
  const keyed = (stamp: string): Entry => {
    return { key: `${stamp.slice(0, 4)}/${stamp.slice(4, 6)}/${stamp.slice(6, 8)}/${at(stamp)}` };
  };

  test('is looked for in the directories of a week on each side', async () => {
    const stamps = ['20251019-080000', '20251020-000000', '20251103-235959', '20251104-080000'];
    const bucket = bucketOf(stamps.map(keyed));
    server.use(bucket.handler);
    const source = await sourceOf({ clock: systemClock });
    const near = await source.nearby(query(), signal);
    expect(near).toMatchObject({
      extensions: [
        { before: { startedAt: '2025-10-20T00:00:00' }, after: { startedAt: '2025-11-03T23:59:59' } },
      ],
      days: { first: '2025-10-20', last: '2025-11-03' },
    });
    // A day more is listed at each end, for calls over midnight.
    expect(bucket.prefixes()).toHaveLength(2 * 9);
  });

  test('is not known of a flat bucket, nor where a day cannot be listed, nor after some time', async () => {
    const flat = await sourceOf({ template: 'flat', clock: systemClock });
    expect(await flat.nearby(query(), signal)).toBeNull();
    server.use(http.get(BUCKET, () => failure(403, 'AccessDenied')));
    const closed = await sourceOf({ clock: systemClock });
    expect(await closed.nearby(query(), signal)).toBeNull();
    server.use(bucketOf([keyed('20251020-080000')]).handler);
    expect(await (await sourceOf()).nearby(query(), signal)).toBeNull(); // its clock is hasty
  });
});

test('a link opens the object where it lies', async () => {
  const source = await sourceOf({ prefix: 'monitor', clock: systemClock });
  const as = { fileName: 'a b.wav', contentType: 'audio/wav', disposition: 'inline' } as const;
  const inAnHour = systemClock.now().add({ hours: 1 });
  const link = new URL((await source.direct?.link(recording(), as, inAnHour)) ?? '');
  expect(link.pathname).toBe(`/gravacoes/monitor/${KEY}`);
  expect(link.searchParams.get('response-content-type')).toBe('audio/wav');
  expect(await source.direct?.linksUntil(inAnHour)).toEqual(inAnHour);
});
