import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { mapBounded } from '../../node/platform/concurrency.ts';
import type { Ceph } from '../../test/support/ceph.ts';
import { eventually } from '../../test/support/process.ts';
import { LARGE_REQUEST, type World } from './world.ts';

/** What our node does at a time: recordings beside the ZIP, and parts of the ZIP. */
const SINGLES_AT_A_TIME = 4;
const PARTS_AT_A_TIME = 2;
const PART_BYTES = 5 * 1024 * 1024;

/** One object of a delivery, as a file. */
interface Delivered {
  readonly name: string;
  readonly path: string;
}

/** Puts one object where a delivery goes, in the plainest way. */
export type PlainPut = (object: Delivered, round: number) => Promise<void>;

/** A request for a hundred recordings: from EXISTS to the 250 for the result. `number` counts the mails so far. */
export async function ours(world: World, number: number): Promise<number> {
  const [messageId = ''] = await world.request(1, LARGE_REQUEST);
  const existsMs = await world.existsMs(number);
  const result = await world.answer(messageId, 'result');
  const completed = join(world.node.stateDir, 'queue/completed');
  await eventually('the job to be filed', async () => (await readdir(completed)).length >= number);
  return result.repliedMs - existsMs;
}

/** The identical objects put by a plain program at the same concurrency: the ZIP beside the recordings. */
export async function peer(objects: readonly Delivered[], round: number, put: PlainPut): Promise<number> {
  const zips = objects.filter(({ name }) => name.endsWith('.zip'));
  const singles = objects.filter(({ name }) => !name.endsWith('.zip'));
  const begunMs = performance.now();
  await Promise.all([
    mapBounded(singles, SINGLES_AT_A_TIME, (object) => put(object, round)),
    mapBounded(zips, 1, (object) => put(object, round)),
  ]);
  return performance.now() - begunMs;
}

/** As the SDK's documentation does it: one request for a small object, parts for a large one. */
export function s3Put({ client }: Ceph, bucket: string): PlainPut {
  return async ({ name, path }, round) => {
    const { size } = await stat(path);
    const target = { Bucket: bucket, Key: `peer/${round}/${name}`, Body: createReadStream(path) };
    if (size <= PART_BYTES) {
      await client.send(new PutObjectCommand({ ...target, ContentLength: size }));
      return;
    }
    const parts = { partSize: PART_BYTES, queueSize: PARTS_AT_A_TIME };
    await new Upload({ client, params: target, ...parts }).done();
  };
}

/** A copy in a directory that survives a power cut, as a delivery must. */
export function filePut(directory: string): PlainPut {
  return async ({ name, path }, round) => {
    const target = join(directory, String(round), name);
    await mkdir(join(directory, String(round)), { recursive: true });
    {
      await using file = await open(`${target}.tmp`, 'wx');
      await file.writeFile(createReadStream(path));
      await file.sync();
    }
    await rename(`${target}.tmp`, target);
    await using parent = await open(join(directory, String(round)));
    await parent.sync();
  };
}

/** What the node has put on the web, as files. */
export async function webObjects(world: World): Promise<Delivered[]> {
  const base = join(world.node.stateDir, 'web/audio');
  const [job = ''] = await readdir(base);
  const names = await readdir(join(base, job));
  return names.map((name) => ({ name, path: join(base, job, name) }));
}

/** What the node has put into the bucket, fetched back into files. */
export async function s3Objects({ client }: Ceph, bucket: string, directory: string): Promise<Delivered[]> {
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket }));
  await mkdir(directory, { recursive: true });
  return mapBounded(Contents, SINGLES_AT_A_TIME, async ({ Key = '' }) => {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key }));
    const name = Key.slice(Key.lastIndexOf('/') + 1);
    await writeFile(join(directory, name), (await Body?.transformToByteArray()) ?? new Uint8Array());
    return { name, path: join(directory, name) };
  });
}
