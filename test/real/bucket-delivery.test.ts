import { DeleteObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect } from 'vitest';
import { linksOf } from '../../node/commands/ramais-links.ts';
import { deliver } from '../../node/delivery/deliver.ts';
import { createS3Publisher } from '../../node/delivery/s3-publisher.ts';
import { createPresignedLinks } from '../../node/links/presigned-links.ts';
import { systemClock } from '../../node/platform/clock.ts';
import { silentLog } from '../../node/platform/log.ts';
import { createS3Source } from '../../node/recordings/s3-source.ts';
import { recordingName, wav } from '../support/audio.ts';
import { type Ceph, startCeph } from '../support/ceph.ts';
import { ABOUT, openDeliveriesIn } from '../support/deliveries.ts';
import { temporaryDirectory } from '../support/process.ts';
import { JOB, OTHER_JOB } from '../support/publisher-contract.ts';
import { needs } from '../support/requirements.ts';

const { describe, test } = needs('ceph');
const { signal } = new AbortController();
const BUCKET = 'parelha';
const NAME = recordingName('1121', '2000', '20251027-080000');
const QUERY = { start: '2025-10-27T00:00:00', end: '2025-10-27T23:59:59', server: null };
let ceph: Ceph;

const account = () => ({
  region: ceph.region,
  endpoint: ceph.endpoint,
  credentials: { accessKeyId: ceph.accessKey, secretAccessKey: ceph.secretKey },
  clock: systemClock,
  log: silentLog,
});

/** A node whose recordings and results lie in one bucket, in prefixes that may contain one another. */
async function nodeWith(recordings: string, results: string) {
  const temporary = await temporaryDirectory();
  const source = await createS3Source({
    ...account(),
    bucket: BUCKET,
    prefix: recordings,
    layout: { kind: 'flat' },
    except: results,
    order: 'origin-dest',
  });
  const publisher = await createS3Publisher({
    ...account(),
    bucket: BUCKET,
    prefix: results,
    nodeId: 'audio',
  });
  const store = await openDeliveriesIn(temporary.path, publisher, systemClock);
  const links = createPresignedLinks(publisher.presign!);
  const dispose = async (): Promise<void> => {
    store.close();
    await temporary[Symbol.asyncDispose]();
  };
  return { source, publisher, store, links, [Symbol.asyncDispose]: dispose };
}

/** Every object of the bucket by its key, with what changes when it is written again. */
async function objects(): Promise<Map<string, string>> {
  const { Contents = [] } = await ceph.client.send(new ListObjectsV2Command({ Bucket: BUCKET }));
  return new Map(
    Contents.map(({ Key, ETag, LastModified }) => [Key!, `${ETag} ${LastModified!.toISOString()}`]),
  );
}

describe('a delivery of what lies in the bucket into which results are published', () => {
  beforeAll(async () => {
    ceph = await startCeph();
    await ceph.makeBucket(BUCKET);
  });
  afterAll(async () => {
    await ceph.end();
  });

  test.each([
    ['', 'parelha'],
    ['gravacoes', 'gravacoes/parelha'],
    ['parelha2', 'parelha'],
  ])('below %j and %j copies nothing, and leaves every recording as it was', async (prefix, results) => {
    const root = prefix === '' ? '' : `${prefix}/`;
    const searched = [NAME, `2025/${NAME}`, `parelha2/audio/${JOB}/${NAME}`].map((key) => root + key);
    // Nobody's, and near to what is removed.
    const near = [
      `audio/${JOB}x/${NAME}`,
      `audio/x${JOB}/${NAME}`,
      `${JOB}/${NAME}`,
      `audio/${OTHER_JOB}/a.wav`,
    ];
    const around = near.map((key) => `${results}/${key}`);
    for (const [index, Key] of [...searched, ...around].entries()) {
      await ceph.client.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body: wav(100 + index, index) }));
    }
    const before = await objects();
    await using node = await nodeWith(prefix, results);
    const { recordings } = await node.source.find({ extensions: ['1121'], ...QUERY }, signal);
    expect(recordings.map(({ key }) => root + key).toSorted()).toEqual(searched.toSorted());

    const expiresAt = systemClock.now().add({ hours: 1 });
    // A crash between the two leaves the first one's ZIP behind.
    for (let attempt = 1; attempt <= 2; attempt += 1) {
      await node.store.begin(JOB, ABOUT, expiresAt, signal);
      const delivery = await deliver({
        source: node.source,
        publisher: node.publisher,
        job: JOB,
        recordings,
        expiresAt,
        archiving: { level: 0, maxBytes: 1_000_000, maxFiles: 2 },
        transcoder: null,
        space: () => Promise.resolve(null),
        clock: systemClock,
        log: silentLog,
        signal,
      });
      if (attempt === 2) await node.store.save(delivery);
    }
    const delivery = (await node.store.alreadyDelivered(JOB, signal))!;
    const added = [...(await objects()).keys()].filter((key) => !before.has(key));
    expect(added.toSorted()).toEqual(
      [1, 2].map((part) => `${results}/audio/${JOB}/gravacoes-20251027-0800-parte-${part}-de-2.zip`),
    );

    const links = await linksOf(node.links, delivery, node.source.direct, 100);
    expect(links.recordings).toHaveLength(searched.length);
    for (const { url, sizeBytes, fileName } of links.recordings) {
      const answer = await fetch(url!);
      expect(answer.headers.get('content-disposition')).toBe(`inline; filename="${fileName}"`);
      expect([answer.status, (await answer.bytes()).length]).toEqual([200, sizeBytes]);
    }

    const after = expiresAt.add({ milliseconds: 1 });
    expect(await node.store.sweepExpired(after, signal)).toBe('removed 1 expired delivery');
    expect(await objects()).toEqual(before);
    // Of what has no record, only what lies as this node's own does is anybody's of it.
    const orphans = await node.store.sweepOrphans(after.add({ hours: 48 }), signal);
    expect(orphans).toBe('removed 1 delivery without a record');
    const orphan = `${results}/audio/${OTHER_JOB}/a.wav`;
    expect([...(await objects()).keys()]).toEqual([...before.keys()].filter((key) => key !== orphan));
    for (const Key of before.keys()) await ceph.client.send(new DeleteObjectCommand({ Bucket: BUCKET, Key }));
  });
});
