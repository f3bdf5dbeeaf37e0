import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import {
  CreateMultipartUploadCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  NoSuchKey,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect } from 'vitest';
import { createPresigner } from '../../node/bucket/presign.ts';
import { loadS3Sdk } from '../../node/bucket/sdk.ts';
import { deliver } from '../../node/delivery/deliver.ts';
import { createS3Publisher } from '../../node/delivery/s3-publisher.ts';
import { AppError } from '../../node/platform/errors.ts';
import { systemClock } from '../../node/platform/clock.ts';
import { silentLog } from '../../node/platform/log.ts';
import { recordingName, wav } from '../support/audio.ts';
import { type Ceph, startCeph } from '../support/ceph.ts';
import { allRecordings, readZip, testZip } from '../support/delivery.ts';
import { createMemorySource } from '../support/memory-source.ts';
import { eventually } from '../support/process.ts';
import {
  audioObject,
  bodyOf,
  JOB,
  OTHER_JOB,
  presignContract,
  publisherContract,
} from '../support/publisher-contract.ts';
import { needs } from '../support/requirements.ts';

const { describe, test } = needs('ceph', 'unzip', 'python');
const { signal } = new AbortController();
const BUCKET = 'parelha';
let ceph: Ceph;

/** A publisher of its own prefix, so that tests do not see one another. */
async function harness() {
  const prefix = `t/${randomUUID()}`;
  const publisher = await createS3Publisher({
    bucket: BUCKET,
    region: ceph.region,
    endpoint: ceph.endpoint,
    credentials: { accessKeyId: ceph.accessKey, secretAccessKey: ceph.secretKey },
    prefix,
    nodeId: 'audio',
    clock: systemClock,
    log: silentLog,
  });
  return {
    publisher,
    presign: publisher.presign!,
    prefix,
    now: () => systemClock.now(),
    inAnHour: systemClock.now().add({ hours: 1 }),
    content: async (key: string): Promise<Buffer | null> => {
      try {
        const Key = `${prefix}/audio/${key}`;
        const { Body } = await ceph.client.send(new GetObjectCommand({ Bucket: BUCKET, Key }));
        return Buffer.from((await Body?.transformToByteArray()) ?? []);
      } catch (error) {
        if (error instanceof NoSuchKey) return null;
        throw error;
      }
    },
    fetch: async (url: string) => {
      const answer = await fetch(url);
      const body = Buffer.from(await answer.arrayBuffer());
      const contentType = answer.headers.get('content-type');
      return {
        status: answer.status,
        body,
        contentType,
        disposition: answer.headers.get('content-disposition'),
      };
    },
    /** Keys below the prefix: objects, and uploads that were begun and not ended. */
    keys: async () => {
      const objects = await ceph.client.send(new ListObjectsV2Command({ Bucket: BUCKET, Prefix: prefix }));
      const uploads = await ceph.client.send(
        new ListMultipartUploadsCommand({ Bucket: BUCKET, Prefix: prefix }),
      );
      return {
        objects: (objects.Contents ?? []).map(({ Key }) => Key),
        uploads: (uploads.Uploads ?? []).map(({ Key }) => Key),
      };
    },
    /** Begins an upload and leaves it with one part, as a crash does. */
    leaveUpload: async (key: string) => {
      const target = { Bucket: BUCKET, Key: key };
      const { UploadId } = await ceph.client.send(new CreateMultipartUploadCommand(target));
      await ceph.client.send(
        new UploadPartCommand({ ...target, UploadId, PartNumber: 1, Body: Buffer.alloc(100) }),
      );
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}

describe('on a Ceph S3 gateway', () => {
  beforeAll(async () => {
    ceph = await startCeph();
    await ceph.makeBucket(BUCKET);
  });
  afterAll(async () => {
    await ceph.end();
  });

  publisherContract(describe, 's3', harness);
  presignContract(describe, 's3', harness);

  test('everything lies below prefix, node and job', async () => {
    await using made = await harness();
    await made.publisher.put(audioObject(JOB, 'a.wav'), bodyOf(1), signal);
    expect((await made.keys()).objects).toEqual([`${made.prefix}/audio/${JOB}/a.wav`]);
  });

  test('a link opens until it expires, is refused then, and cannot be altered to live longer or open another', async () => {
    await using made = await harness();
    const object = audioObject(JOB, 'a.wav');
    await made.publisher.put(object, bodyOf(1), signal);
    await made.publisher.put(audioObject(OTHER_JOB, 'a.wav'), bodyOf(1), signal);
    const link = await made.presign.link(object, systemClock.now().add({ seconds: 3 }));
    expect((await made.fetch(link)).status).toBe(200);
    expect((await made.fetch(link.replace(/X-Amz-Expires=\d+/, 'X-Amz-Expires=9999'))).status).toBe(403);
    expect((await made.fetch(link.replaceAll(JOB, OTHER_JOB))).status).toBe(403);
    expect((await made.fetch(link.split('?')[0] ?? '')).status).toBe(403);
    await eventually('the link to be refused', async () => (await made.fetch(link)).status === 403);
  });

  test('a link to what lies under an odd key opens it, and has it saved under its name', async () => {
    const bucket = { sdk: await loadS3Sdk(), client: ceph.client, bucket: BUCKET, clock: systemClock };
    const presigner = createPresigner({ ...bucket, use: 'recordings' });
    for (const fileName of ['ligação "1" + 2%.wav', "it's (1)*; x=1.wav", '通話 🎧.wav']) {
      const key = `odd/${randomUUID()}/${fileName}`;
      await ceph.client.send(new PutObjectCommand({ Bucket: BUCKET, Key: key, Body: fileName }));
      const as = { fileName, contentType: 'audio/wav', disposition: 'inline' } as const;
      const answer = await fetch(await presigner.link(key, as, systemClock.now().add({ hours: 1 })));
      expect([answer.status, await answer.text()]).toEqual([200, fileName]);
      const saved = /filename\*=UTF-8''(.*)$/.exec(answer.headers.get('content-disposition') ?? '')?.[1];
      expect(decodeURIComponent(saved ?? '')).toBe(fileName);
    }
  });

  test('a link serves parts, so that a browser can seek', async () => {
    await using made = await harness();
    const object = audioObject(JOB, 'a.wav');
    await made.publisher.put(object, Readable.from([Buffer.from('0123456789')]), signal);
    const link = await made.presign.link(object, made.inAnHour);
    const answer = await fetch(link, { headers: { range: 'bytes=2-4' } });
    expect([answer.status, await answer.text()]).toEqual([206, '234']);
  });

  test('a large upload that breaks off or is aborted leaves no parts behind', async () => {
    await using made = await harness();
    const failure = new AppError('recordings.shrunk', 'shrunk');
    const broken = Readable.from(
      (async function* body() {
        yield* bodyOf(14);
        throw failure;
      })(),
    );
    await expect(made.publisher.put(audioObject(JOB, 'a.wav'), broken, signal)).rejects.toBe(failure);
    const aborter = new AbortController();
    let chunks = 0;
    const stalled = new Readable({
      read() {
        chunks += 1;
        if (chunks <= 14 * 16) this.push(Buffer.alloc(65_536));
        else aborter.abort(new Error('enough'));
      },
    });
    await expect(made.publisher.put(audioObject(JOB, 'b.wav'), stalled, aborter.signal)).rejects.toThrow(
      'enough',
    );
    expect(await made.keys()).toEqual({ objects: [], uploads: [] });
  });

  test('a large upload ends what a crash left of the same key, and leaves other keys alone', async () => {
    await using made = await harness();
    const base = `${made.prefix}/audio/${JOB}`;
    await made.leaveUpload(`${base}/g.zip`);
    await made.leaveUpload(`${base}/g.zip.other`);
    await made.publisher.put(audioObject(JOB, 'g.zip'), bodyOf(12), signal);
    expect(await made.keys()).toEqual({ objects: [`${base}/g.zip`], uploads: [`${base}/g.zip.other`] });
  });

  test('removing a job removes its objects and its unfinished uploads, and no other', async () => {
    await using made = await harness();
    const other = `${made.prefix}/audio/${OTHER_JOB}/g.zip`;
    for (const name of ['a.wav', 'b.wav'])
      await made.publisher.put(audioObject(JOB, name), bodyOf(1), signal);
    await made.leaveUpload(`${made.prefix}/audio/${JOB}/g.zip`);
    await made.leaveUpload(other);
    await made.publisher.removeJob(JOB, signal);
    expect(await made.keys()).toEqual({ objects: [], uploads: [other] });
  });

  test('a job is known by an unfinished upload alone, and of no other is told', async () => {
    await using made = await harness();
    const { publisher, prefix } = made;
    await made.leaveUpload(`${prefix}/audio/${JOB}/g.zip`);
    await made.leaveUpload(`${prefix}/audio2/${OTHER_JOB}/g.zip`);
    for (const Key of [`${prefix}/audio2/${OTHER_JOB}/a.wav`, `${prefix}/${OTHER_JOB}/a.wav`]) {
      await ceph.client.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body: 'som' }));
    }
    const found: string[] = [];
    for await (const page of publisher.jobs(signal)) found.push(...page);
    expect(found).toEqual([JOB]);
    expect(await publisher.newestOf(JOB, signal)).not.toBeNull();
    await publisher.removeJob(JOB, signal);
    expect(await publisher.newestOf(JOB, signal)).toBeNull();
  });

  test('a bucket that is not there, and a wrong secret, are refused with what to do', async () => {
    const options = {
      region: ceph.region,
      endpoint: ceph.endpoint,
      prefix: 'x',
      nodeId: 'audio',
      clock: systemClock,
      log: silentLog,
    };
    const right = { accessKeyId: ceph.accessKey, secretAccessKey: ceph.secretKey };
    const nowhere = await createS3Publisher({ ...options, bucket: 'not-there', credentials: right });
    await expect(nowhere.put(audioObject(JOB, 'a.wav'), bodyOf(1), signal)).rejects.toMatchObject({
      code: 'publish.refused',
      message: expect.stringContaining('S3_BUCKET'),
    });
    const wrong = { ...right, secretAccessKey: 'x'.repeat(40) };
    const stranger = await createS3Publisher({ ...options, bucket: BUCKET, credentials: wrong });
    await expect(stranger.put(audioObject(JOB, 'a.wav'), bodyOf(1), signal)).rejects.toMatchObject({
      code: 'publish.refused',
      message: expect.stringContaining('S3_SECRET_ACCESS_KEY'),
    });
  });

  test('a server that is away is to be tried again', async () => {
    const publisher = await createS3Publisher({
      bucket: BUCKET,
      region: ceph.region,
      endpoint: 'http://127.0.0.1:9',
      credentials: { accessKeyId: 'x', secretAccessKey: 'y' },
      prefix: 'x',
      nodeId: 'audio',
      clock: systemClock,
      log: silentLog,
      maxAttempts: 2,
    });
    await expect(publisher.put(audioObject(JOB, 'a.wav'), bodyOf(1), signal)).rejects.toMatchObject({
      code: 'publish.unavailable',
      retriable: true,
    });
  });

  test('a delivery comes out as it went in, in a ZIP that Info-ZIP and Python find sound', async () => {
    await using made = await harness();
    const files: Record<string, Buffer> = {};
    for (let index = 0; index < 12; index += 1) {
      files[recordingName('1121', `${2000 + index}`, `20251027-0800${10 + index}`)] = wav(
        900_000 + index,
        index,
      );
    }
    const source = createMemorySource(files);
    const recordings = await allRecordings(source);
    const { publisher } = made;
    const delivery = await deliver({
      source,
      publisher,
      job: JOB,
      recordings,
      expiresAt: made.inAnHour,
      archiving: { level: 0, maxBytes: 1_000_000_000, maxFiles: 1000 },
      transcoder: null,
      space: () => Promise.resolve(null),
      clock: systemClock,
      log: silentLog,
      signal,
    });
    const [published] = delivery.zips;
    expect(delivery.zips).toHaveLength(1);
    const zip = {
      key: published!.key,
      fileName: 'g.zip',
      contentType: 'application/zip',
      disposition: 'attachment',
    } as const;
    const { body } = await made.fetch(await made.presign.link(zip, made.inAnHour));
    expect(await testZip(body)).toContain('No errors detected');
    const entries = await readZip(body);
    expect(entries.size).toBe(13);
    for (const { recording, fileName, key } of delivery.items) {
      const original = files[recording.key]!;
      expect(entries.get(fileName)?.equals(original)).toBe(true);
      const single = await made.fetch(await made.presign.link(audioObject(JOB, fileName), made.inAnHour));
      expect([key, single.body.equals(original)]).toEqual([`${JOB}/${fileName}`, true]);
    }
    expect(await publisher.size(published!.key, signal)).toBe(published!.sizeBytes);
  });
});
