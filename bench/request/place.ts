import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { mapBounded } from '../../node/platform/concurrency.ts';
import type { Ceph } from '../../test/support/ceph.ts';
import { makeVoiceFiles } from '../archive/voice-files.ts';
import { fillBucket } from '../bucket/fill.ts';
import { datedKeys } from '../bucket/keys.ts';

/** Recordings of a megabyte that the request finds: of extension 1121, on one day. */
export const ASKED = 500;
export const REQUEST = 'RAMAIS=1121 INICIO=27/10/2025 08:00 FIM=27/10/2025 09:59';
const DAY = '2025/10/27';
const FILES_AT_A_TIME = 32;
const PUTS_AT_A_TIME = 4;

/** Names of the recordings that nobody asks for, by day. */
function* otherKeys(count: number): Generator<string> {
  for (const key of datedKeys(count)) if (!key.includes('-1121-')) yield key;
}

/** A tree by day: what is asked for among so many others, which are empty files. */
export async function fillDisk(root: string, count: number): Promise<void> {
  await makeVoiceFiles(join(root, DAY), ASKED);
  const made = new Set<string>();
  await mapBounded([...otherKeys(count - ASKED)], FILES_AT_A_TIME, async (key) => {
    const directory = dirname(join(root, key));
    if (!made.has(directory)) await mkdir(directory, { recursive: true });
    made.add(directory);
    await writeFile(join(root, key), '');
  });
}

/** The same in a bucket. */
export async function fillRecordingsBucket(
  ceph: Ceph,
  bucket: string,
  directory: string,
  count: number,
): Promise<void> {
  await fillBucket(ceph, bucket, otherKeys(count - ASKED));
  const names = await makeVoiceFiles(directory, ASKED);
  await mapBounded(names, PUTS_AT_A_TIME, async (name) => {
    const Body = await readFile(join(directory, name));
    await ceph.client.send(new PutObjectCommand({ Bucket: bucket, Key: `${DAY}/${name}`, Body }));
  });
}
