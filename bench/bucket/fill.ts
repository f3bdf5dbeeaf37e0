import { PutBucketAclCommand } from '@aws-sdk/client-s3';
import { Pool } from 'undici';
import type { Ceph } from '../../test/support/ceph.ts';

/** More only queue before the one object store. */
const PUTS_AT_A_TIME = 16;
const CONTENT = 'RIFF';

/**
 * Makes a bucket of objects of four bytes. Open to all while it is filled: unsigned, an object costs its maker a
 * tenth and the gateway a verification less, and a Ceph of two cores takes about a thousand a second. Gives the seconds.
 */
export async function fillBucket(ceph: Ceph, bucket: string, keys: Iterable<string>): Promise<number> {
  const begun = performance.now();
  await ceph.makeBucket(bucket);
  await putObjects(ceph, bucket, keys);
  return (performance.now() - begun) / 1000;
}

/** Puts more of them into a bucket that is there. */
export async function putObjects(ceph: Ceph, bucket: string, keys: Iterable<string>): Promise<void> {
  await ceph.client.send(new PutBucketAclCommand({ Bucket: bucket, ACL: 'public-read-write' }));
  const pool = new Pool(ceph.endpoint, { connections: PUTS_AT_A_TIME });
  const queue = keys[Symbol.iterator]();
  const putNext = async (): Promise<void> => {
    for (let next = queue.next(); next.done !== true; next = queue.next()) {
      const path = `/${bucket}/${next.value}`;
      const { statusCode, body } = await pool.request({ method: 'PUT', path, body: CONTENT });
      await body.dump();
      if (statusCode !== 200) throw new Error(`PUT ${path}: ${statusCode}`);
    }
  };
  await Promise.all(Array.from({ length: PUTS_AT_A_TIME }, putNext));
  await pool.close();
  await ceph.client.send(new PutBucketAclCommand({ Bucket: bucket, ACL: 'private' }));
}
