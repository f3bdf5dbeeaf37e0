import type { Readable } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';
import { makeClient, type S3Account } from '../bucket/client.ts';
import { type HasWarnings, watchCredentials } from '../bucket/credentials.ts';
import { dispositionOf } from '../bucket/disposition.ts';
import { explainS3, failureOf, isNotFound } from '../bucket/errors.ts';
import { createPresigner } from '../bucket/presign.ts';
import { loadS3Sdk, type S3Sdk } from '../bucket/sdk.ts';
import { mapBounded } from '../platform/concurrency.ts';
import type { Clock } from '../platform/clock.ts';
import { destroyOnAbort } from '../platform/destroy-on-abort.ts';
import { AppError } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { checkJobId, checkNodeId, parseKey } from './object-key.ts';
import type { PublishedObject, Publisher } from './publisher.ts';
import { PART_BYTES, planUpload, putParts, putWhole, readBeginning } from './s3-upload.ts';

const DELETES_AT_A_TIME = 8;
/** Of one listing; S3 gives 1,000 entries a page. */
const MAX_PAGES = 200;

export interface S3PublisherOptions extends S3Account {
  readonly bucket: string;
  /** S3_PUBLISH_PREFIX, without slashes at its ends; may be empty. */
  readonly prefix: string;
  readonly nodeId: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** What the parts of this publisher share. */
interface Bucket {
  readonly sdk: S3Sdk;
  readonly client: S3Client;
  readonly name: string;
}

/**
 * Results in a bucket under presigned links. A link made with temporary credentials dies with these, if that is
 * earlier. Errors: `publish.unavailable` (retriable) and `publish.refused`, which says what to do.
 */
export async function createS3Publisher(options: S3PublisherOptions): Promise<Publisher & HasWarnings> {
  const sdk = await loadS3Sdk();
  const client = makeClient(sdk, options);
  const bucket: Bucket = { sdk, client, name: options.bucket };
  const presigner = createPresigner({ ...options, sdk, client, use: 'publish' });
  const prefix = options.prefix.replaceAll(/^\/+|\/+$/g, '');
  const base = `${prefix === '' ? '' : `${prefix}/`}${checkNodeId(options.nodeId)}/`;
  const keyOf = (key: string): string => {
    const { job, name } = parseKey(key);
    return `${base}${job}/${name}`;
  };
  const within = `${options.endpoint?.replace(/\/+$/, '') ?? 's3:/'}/${options.bucket}/`;
  return {
    name: 's3',
    place: within + base,
    put: async (object, body, signal, expectedBytes) => {
      try {
        return await put(bucket, keyOf(object.key), object, body, signal, expectedBytes);
      } catch (error) {
        signal.throwIfAborted();
        throw explainS3(error, 'store the result', 'publish');
      } finally {
        body.destroy();
      }
    },
    size: (key, signal) => size(bucket, keyOf(key), signal),
    link: async (object, expiresAt) => presigner.link(keyOf(object.key), object, expiresAt),
    linksUntil: presigner.linksUntil,
    ...watchCredentials({ ...options, client, use: 'publish' }),
    removeJob: async (jobId, signal, place = within + base) => {
      if (!place.startsWith(within)) {
        throw new AppError(
          'publish.elsewhere',
          `the results lie in ${place}, which is not configured any more`,
        );
      }
      try {
        await removeAll(bucket, `${place.slice(within.length)}${checkJobId(jobId)}/`, signal);
      } catch (error) {
        signal.throwIfAborted();
        throw explainS3(error, 'remove results', 'publish');
      }
    },
  };
}

async function put(
  bucket: Bucket,
  key: string,
  object: PublishedObject,
  body: Readable,
  signal: AbortSignal,
  expectedBytes?: number,
): Promise<number> {
  signal.throwIfAborted();
  const { sdk, client, name } = bucket;
  using _ = destroyOnAbort(body, signal);
  const target = {
    Bucket: name,
    Key: key,
    ContentType: object.contentType,
    ContentDisposition: dispositionOf(object),
  };
  const { whole, rest } = await readBeginning(body, PART_BYTES);
  if (whole !== null) return await putWhole(sdk, client, target, whole, signal);
  // What an earlier attempt left unfinished is paid for and seen by nobody.
  await abortUploads(bucket, key, (found) => found === key, signal);
  return await putParts(sdk, client, target, rest, planUpload(expectedBytes), signal);
}

async function size(bucket: Bucket, key: string, signal: AbortSignal): Promise<number | null> {
  const command = new bucket.sdk.HeadObjectCommand({ Bucket: bucket.name, Key: key });
  try {
    const { ContentLength } = await bucket.client.send(command, { abortSignal: signal });
    return ContentLength ?? null;
  } catch (error) {
    signal.throwIfAborted();
    if (isNotFound(error)) return null;
    throw explainS3(error, 'look for a result', 'publish');
  }
}

async function removeAll(bucket: Bucket, prefix: string, signal: AbortSignal): Promise<void> {
  const { sdk, client, name } = bucket;
  await abortUploads(bucket, prefix, (found) => found.startsWith(prefix), signal);
  for (let page = 0; page < MAX_PAGES; page += 1) {
    // What is listed is removed before the next listing, so the first page is always the next one.
    const listing = new sdk.ListObjectsV2Command({ Bucket: name, Prefix: prefix });
    const { Contents = [], IsTruncated } = await client.send(listing, { abortSignal: signal });
    // Whatever a server makes of the prefix, nothing else is removed.
    const keys = Contents.flatMap(({ Key }) => (Key?.startsWith(prefix) === true ? [Key] : []));
    // One by one: DeleteObjects wants checksums that not every server knows, and not every server has it.
    await mapBounded(keys, DELETES_AT_A_TIME, async (Key) => {
      await client.send(new sdk.DeleteObjectCommand({ Bucket: name, Key }), { abortSignal: signal });
    });
    if (IsTruncated !== true) return;
  }
  throw new AppError('publish.unavailable', `more than ${MAX_PAGES} pages of results below ${prefix}`, {
    retriable: true,
  });
}

async function abortUploads(
  bucket: Bucket,
  prefix: string,
  isOurs: (key: string) => boolean,
  signal: AbortSignal,
): Promise<void> {
  const { sdk, client, name } = bucket;
  let marker: { KeyMarker?: string; UploadIdMarker?: string } = {};
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const listing = new sdk.ListMultipartUploadsCommand({ Bucket: name, Prefix: prefix, ...marker });
    const answer = await client.send(listing, { abortSignal: signal });
    const uploads = (answer.Uploads ?? []).filter(({ Key }) => Key !== undefined && isOurs(Key));
    await mapBounded(uploads, DELETES_AT_A_TIME, async ({ Key, UploadId }) => {
      const command = new sdk.AbortMultipartUploadCommand({ Bucket: name, Key, UploadId });
      await client.send(command, { abortSignal: signal }).catch((error: unknown) => {
        // Ended meanwhile: that is what was wanted.
        if (failureOf(error).name !== 'NoSuchUpload') throw error;
      });
    });
    if (answer.IsTruncated !== true || answer.NextKeyMarker === undefined) return;
    marker = {
      KeyMarker: answer.NextKeyMarker,
      ...(answer.NextUploadIdMarker === undefined ? {} : { UploadIdMarker: answer.NextUploadIdMarker }),
    };
  }
}
