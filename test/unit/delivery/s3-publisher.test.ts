import { Readable } from 'node:stream';
import { http, HttpResponse } from 'msw';
import { setupServer } from 'msw/node';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { HasWarnings } from '../../../node/bucket/credentials.ts';
import type { Publisher } from '../../../node/delivery/publisher.ts';
import { createS3Publisher } from '../../../node/delivery/s3-publisher.ts';
import { silentLog } from '../../../node/platform/log.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { audioObject, bodyOf, JOB, OTHER_JOB } from '../../support/publisher-contract.ts';

/** Behaviour that only AWS shows, played in front of the S3 client. */
const ENDPOINT = 'http://s3.example.test';
const SECRET = 'the-secret-key-of-this-test';
const ANY = `${ENDPOINT}/*`;
const { signal } = new AbortController();
const server = setupServer();
const clock = fixedClock();

beforeAll(() => server.listen({ onUnhandledFrame: 'error' }));
afterEach(() => server.resetHandlers());
afterAll(() => server.close());

function publisherOf(prefix = 'parelha'): Promise<Publisher & HasWarnings> {
  return createS3Publisher({
    bucket: 'bucket',
    region: 'us-east-1',
    endpoint: ENDPOINT,
    credentials: { accessKeyId: 'AKEXAMPLE', secretAccessKey: SECRET },
    prefix,
    nodeId: 'audio',
    clock,
    log: silentLog,
    maxAttempts: 2,
  });
}

function failure(status: number, code: string): HttpResponse<string> {
  const body = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>as told</Message></Error>`;
  return new HttpResponse(body, { status, headers: { 'content-type': 'application/xml' } });
}

const answerXml = (text: string): HttpResponse<string> =>
  new HttpResponse(text, { headers: { 'content-type': 'application/xml' } });

const put = async (publisher: Publisher, megabytes = 0): Promise<number> =>
  publisher.put(
    audioObject(JOB, 'a.wav'),
    megabytes === 0 ? Readable.from([Buffer.from('som')]) : bodyOf(megabytes),
    signal,
  );

describe('what S3 refuses', () => {
  test.each([
    [403, 'AccessDenied', /s3:PutObject/],
    [404, 'NoSuchBucket', /S3_BUCKET/],
    [403, 'InvalidAccessKeyId', /S3_ACCESS_KEY_ID/],
    [403, 'SignatureDoesNotMatch', /S3_SECRET_ACCESS_KEY/],
    [403, 'RequestTimeTooSkewed', /NTP/],
    [301, 'PermanentRedirect', /S3_REGION/],
    [403, 'SomethingNew', /s3:PutObject/],
    [400, 'InvalidArgument', /InvalidArgument/],
  ])('with %i %s is not tried again, and the message says what to do', async (status, code, remedy) => {
    server.use(http.put(ANY, () => failure(status, code)));
    const error = await put(await publisherOf()).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'publish.refused',
      retriable: false,
      message: expect.stringMatching(remedy),
    });
    expect(String(error)).not.toContain(SECRET);
  });

  test('on a look for an object is told apart from an object that is not there', async () => {
    const publisher = await publisherOf();
    server.use(http.head(ANY, () => new HttpResponse(null, { status: 404 })));
    expect(await publisher.size(`${JOB}/a.wav`, signal)).toBeNull();
    server.use(http.head(ANY, () => new HttpResponse(null, { status: 403 })));
    await expect(publisher.size(`${JOB}/a.wav`, signal)).rejects.toMatchObject({ code: 'publish.refused' });
  });
});

describe('what may pass', () => {
  test.each([
    [503, 'SlowDown'],
    [500, 'InternalError'],
    [503, 'ServiceUnavailable'],
    [429, 'TooManyRequests'],
    [400, 'RequestTimeout'],
    [409, 'OperationAborted'],
  ])('%i %s is to be tried again', async (status, code) => {
    server.use(http.put(ANY, () => failure(status, code)));
    await expect(put(await publisherOf())).rejects.toMatchObject({
      code: 'publish.unavailable',
      retriable: true,
    });
  });

  test('a lost connection is to be tried again', async () => {
    server.use(http.put(ANY, () => HttpResponse.error()));
    await expect(put(await publisherOf())).rejects.toMatchObject({
      code: 'publish.unavailable',
      retriable: true,
    });
  });

  test('SlowDown that passes is not noticed', async () => {
    let requests = 0;
    server.use(
      http.put(ANY, async ({ request }) => {
        requests += 1;
        expect(await request.text()).toBe('som');
        return requests === 1
          ? failure(503, 'SlowDown')
          : new HttpResponse(null, { headers: { etag: '"e"' } });
      }),
    );
    expect(await put(await publisherOf())).toBe(3);
    expect(requests).toBe(2);
  });
});

describe('a large upload', () => {
  const uploads = (body: string): HttpResponse<string> =>
    new HttpResponse(`<?xml version="1.0"?>${body}`, { headers: { 'content-type': 'application/xml' } });

  function handlers(calls: string[], complete: () => HttpResponse<string>) {
    const list =
      '<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>' +
      `<Upload><Key>parelha/audio/${JOB}/a.wav</Key><UploadId>old</UploadId></Upload>` +
      `<Upload><Key>parelha/audio/${JOB}/a.wav2</Key><UploadId>other</UploadId></Upload></ListMultipartUploadsResult>`;
    const idOf = (request: Request): string => new URL(request.url).searchParams.get('uploadId') ?? '';
    return [
      http.get(ANY, () => uploads(list)),
      http.post(ANY, ({ request }) => {
        if (idOf(request) !== '') return complete();
        calls.push('create');
        return uploads(
          '<InitiateMultipartUploadResult><UploadId>new</UploadId></InitiateMultipartUploadResult>',
        );
      }),
      http.put(ANY, async ({ request }) => {
        calls.push(`part of ${(await request.arrayBuffer()).byteLength}`);
        return new HttpResponse(null, { headers: { etag: '"e"' } });
      }),
      http.delete(ANY, ({ request }) => {
        calls.push(`end ${idOf(request)}`);
        return new HttpResponse(null, { status: 204 });
      }),
    ];
  }

  test('ends what an earlier attempt left of this key, and nothing else, before it begins', async () => {
    const calls: string[] = [];
    const done = (): HttpResponse<string> =>
      uploads('<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>');
    server.use(...handlers(calls, done));
    expect(await put(await publisherOf(), 6)).toBe(6 * 1024 * 1024);
    expect(calls.slice(0, 2)).toEqual(['end old', 'create']);
    expect(calls.slice(2).toSorted()).toEqual(['part of 1048576', 'part of 5242880']);
  });

  test('whose completion fails is ended, so that its parts are not paid for', async () => {
    const calls: string[] = [];
    server.use(...handlers(calls, () => failure(503, 'SlowDown')));
    await expect(put(await publisherOf(), 6)).rejects.toMatchObject({ code: 'publish.unavailable' });
    expect(calls.at(-1)).toBe('end new');
  });

  test('whose part is refused is ended too', async () => {
    const calls: string[] = [];
    server.use(
      http.put(ANY, () => failure(403, 'AccessDenied')),
      ...handlers(calls, () => failure(500, 'x')),
    );
    await expect(put(await publisherOf(), 30)).rejects.toMatchObject({ code: 'publish.refused' });
    expect(calls).toEqual(['end old', 'create', 'end new']);
  });
});

describe('what is asked of S3', () => {
  test('lies below prefix, node and job; a prefix may be left out', async () => {
    const paths: string[] = [];
    server.use(
      http.put(ANY, ({ request }) => {
        paths.push(new URL(request.url).pathname);
        return new HttpResponse(null, { headers: { etag: '"e"' } });
      }),
    );
    await put(await publisherOf('/a/b/'));
    await put(await publisherOf(''));
    expect(paths).toEqual([`/bucket/a/b/audio/${JOB}/a.wav`, `/bucket/audio/${JOB}/a.wav`]);
  });

  test('removing a job goes through all pages', async () => {
    const names = ['a.wav', 'b.wav', 'c.wav'].map((name) => `parelha/audio/${JOB}/${name}`);
    const left = new Set(names);
    server.use(
      http.get(ANY, ({ request }) => {
        const { searchParams } = new URL(request.url);
        if (searchParams.has('uploads')) return answerXml('<ListMultipartUploadsResult/>');
        expect(searchParams.get('prefix')).toBe(`parelha/audio/${JOB}/`);
        const [first] = left;
        const contents = first === undefined ? '' : `<Contents><Key>${first}</Key></Contents>`;
        return answerXml(
          `<ListBucketResult><IsTruncated>${left.size > 1}</IsTruncated>${contents}</ListBucketResult>`,
        );
      }),
      http.delete(ANY, ({ request }) => {
        left.delete(new URL(request.url).pathname.replace('/bucket/', ''));
        return new HttpResponse(null, { status: 204 });
      }),
    );
    await (await publisherOf()).removeJob(JOB, signal);
    expect([...left]).toEqual([]);
  });

  test('removing a job removes nothing else, whatever a server lists', async () => {
    const removed: string[] = [];
    server.use(
      http.get(ANY, ({ request }) =>
        answerXml(
          new URL(request.url).searchParams.has('uploads')
            ? '<ListMultipartUploadsResult/>'
            : `<ListBucketResult><Contents><Key>other/file</Key></Contents><Contents><Key>parelha/audio/${JOB}/a.wav</Key></Contents></ListBucketResult>`,
        ),
      ),
      http.delete(ANY, ({ request }) => {
        removed.push(new URL(request.url).pathname);
        return new HttpResponse(null, { status: 204 });
      }),
    );
    await (await publisherOf()).removeJob(JOB, signal);
    expect(removed).toEqual([`/bucket/parelha/audio/${JOB}/a.wav`]);
  });

  test('a job that was published with another prefix or NODE_ID is removed from there, not from another bucket', async () => {
    const prefixes: (string | null)[] = [];
    server.use(
      http.get(ANY, ({ request }) => {
        const { searchParams } = new URL(request.url);
        prefixes.push(searchParams.get('prefix'));
        return answerXml(
          searchParams.has('uploads')
            ? '<ListMultipartUploadsResult/>'
            : '<ListBucketResult></ListBucketResult>',
        );
      }),
    );
    const old = await publisherOf('antes');
    const publisher = await publisherOf();
    await publisher.removeJob(JOB, signal, old.place);
    expect(new Set(prefixes)).toEqual(new Set([`antes/audio/${JOB}/`]));
    await expect(
      publisher.removeJob(JOB, signal, old.place.replace('/bucket/', '/outro/')),
    ).rejects.toMatchObject({ code: 'publish.elsewhere' });
  });

  const jobsOf = async (publisher: Publisher): Promise<string[][]> => {
    const pages: string[][] = [];
    for await (const page of publisher.jobs(signal)) pages.push([...page]);
    return pages;
  };

  test('to tell its jobs is a request for each 1,000, of directories alone, and one for uploads', async () => {
    const asked: Record<string, string>[] = [];
    const directory = (name: string): string => `<CommonPrefixes><Prefix>${name}/</Prefix></CommonPrefixes>`;
    server.use(
      http.get(ANY, ({ request }) => {
        const query = Object.fromEntries(new URL(request.url).searchParams);
        asked.push(query);
        if ('uploads' in query) {
          const upload = `<Upload><Key>parelha/audio/${OTHER_JOB}/g.zip</Key><UploadId>u</UploadId></Upload>`;
          return answerXml(`<ListMultipartUploadsResult>${upload}${upload}</ListMultipartUploadsResult>`);
        }
        const isLast = query['continuation-token'] === 'next';
        const more = isLast ? '' : '<NextContinuationToken>next</NextContinuationToken>';
        const strange = [
          'other/file',
          `outro/audio/${JOB}`,
          'parelha/audio/leia-me',
          `parelha/audio2/${JOB}`,
        ];
        const found = isLast ? `parelha/audio/${'1'.repeat(64)}` : `parelha/audio/${JOB}`;
        const all = [...strange, found].map(directory).join('');
        return answerXml(
          `<ListBucketResult><IsTruncated>${!isLast}</IsTruncated>${more}${all}</ListBucketResult>`,
        );
      }),
    );
    expect(await jobsOf(await publisherOf())).toEqual([[JOB], ['1'.repeat(64)], [OTHER_JOB]]);
    expect(asked).toHaveLength(3);
    for (const query of asked) expect(query['prefix']).toBe('parelha/audio/');
    expect(asked.map((query) => query['delimiter'])).toEqual(['/', '/', undefined]);
  });

  test('the newest of a job is its last object, or an upload that was begun later', async () => {
    const entry = (time: string): string =>
      `<Contents><Key>parelha/audio/${JOB}/a</Key><LastModified>${time}</LastModified></Contents>`;
    let uploads = '';
    server.use(
      http.get(ANY, ({ request }) =>
        new URL(request.url).searchParams.has('uploads')
          ? answerXml(`<ListMultipartUploadsResult>${uploads}</ListMultipartUploadsResult>`)
          : answerXml(
              `<ListBucketResult>${entry('2025-10-27T08:00:00.000Z')}${entry('2025-10-27T07:00:00.000Z')}</ListBucketResult>`,
            ),
      ),
    );
    const publisher = await publisherOf();
    expect((await publisher.newestOf(JOB, signal))?.toString()).toBe('2025-10-27T08:00:00Z');
    const initiated = '<Initiated>2025-10-27T09:00:00.000Z</Initiated>';
    uploads = `<Upload><Key>parelha/audio/${JOB}/g.zip</Key><UploadId>u</UploadId>${initiated}</Upload>`;
    expect((await publisher.newestOf(JOB, signal))?.toString()).toBe('2025-10-27T09:00:00Z');
  });

  test('a listing that is refused says what to do', async () => {
    server.use(http.get(ANY, () => failure(403, 'AccessDenied')));
    const publisher = await publisherOf();
    await expect(jobsOf(publisher)).rejects.toMatchObject({ code: 'publish.refused' });
    await expect(publisher.newestOf(JOB, signal)).rejects.toMatchObject({ code: 'publish.refused' });
  });

  test('a link names the object below prefix, node and job, and says how it is shown', async () => {
    const publisher = await publisherOf();
    const link = new URL(
      await publisher.presign!.link(audioObject(JOB, 'a.wav'), clock.now().add({ hours: 24 })),
    );
    expect(link.pathname).toBe(`/bucket/parelha/audio/${JOB}/a.wav`);
    expect(link.searchParams.get('response-content-disposition')).toBe('inline; filename="a.wav"');
    await expect(publisher.presign!.link(audioObject(JOB, 'a.wav'), clock.now())).rejects.toMatchObject({
      code: 'publish.expired',
    });
    expect(publisher.warnings()).toEqual([]);
  });
});
