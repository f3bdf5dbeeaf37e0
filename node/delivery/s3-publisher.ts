import type { Readable } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';
import { mapBounded } from '../platform/concurrency.ts';
import type { Clock } from '../platform/clock.ts';
import { AppError } from '../platform/errors.ts';
import { checkJobId, checkNodeId, parseKey } from './object-key.ts';
import type { PublishedObject, Publisher } from './publisher.ts';
import { explainS3, failureOf, isNotFound } from './s3-errors.ts';
import { loadS3Sdk, type S3Sdk } from './s3-sdk.ts';
import { PART_BYTES, putParts, putWhole, readBeginning } from './s3-upload.ts';

/** The longest that SigV4 lets a signed link live (AWS, "Authenticating Requests: Using Query Parameters"). */
const MAX_LINK_SECONDS = 7 * 24 * 60 * 60;
const DELETES_AT_A_TIME = 8;
/** Of one listing; S3 gives 1,000 entries a page. */
const MAX_PAGES = 200;
const CONNECT_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 60_000;
const MAX_SOCKETS = 32;
const DEFAULT_ATTEMPTS = 4;

export interface S3PublisherOptions {
  readonly bucket: string;
  readonly region: string;
  /** S3_ENDPOINT of a server other than AWS; null for AWS. */
  readonly endpoint: string | null;
  /** Null: the SDK's default chain (environment, profile, role of the host). */
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string } | null;
  /** S3_PUBLISH_PREFIX, without slashes at its ends; may be empty. */
  readonly prefix: string;
  readonly nodeId: string;
  readonly clock: Clock;
  /** Tries of one request, the first included. */
  readonly maxAttempts?: number;
}

/** What the parts of this publisher share. */
interface Bucket {
  readonly sdk: S3Sdk;
  readonly client: S3Client;
  readonly name: string;
  readonly clock: Clock;
}

/**
 * Results in a bucket under presigned links. A link made with temporary credentials dies with these, if that is
 * earlier. Errors: `publish.unavailable` (retriable) and `publish.refused`, which says what to do.
 */
export async function createS3Publisher(options: S3PublisherOptions): Promise<Publisher> {
  const sdk = await loadS3Sdk();
  const bucket: Bucket = {
    sdk,
    client: makeClient(sdk, options),
    name: options.bucket,
    clock: options.clock,
  };
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
    put: async (object, body, signal) => {
      try {
        return await put(bucket, keyOf(object.key), object, body, signal);
      } catch (error) {
        signal.throwIfAborted();
        throw explainS3(error, 'store the result');
      } finally {
        body.destroy();
      }
    },
    size: (key, signal) => size(bucket, keyOf(key), signal),
    link: (object, expiresAt) => link(bucket, keyOf(object.key), object, expiresAt),
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
        throw explainS3(error, 'remove results');
      }
    },
  };
}

function makeClient(sdk: S3Sdk, options: S3PublisherOptions): S3Client {
  return new sdk.S3Client({
    region: options.region,
    ...(options.endpoint === null ? {} : { endpoint: options.endpoint, forcePathStyle: true }),
    ...(options.credentials === null ? {} : { credentials: options.credentials }),
    maxAttempts: options.maxAttempts ?? DEFAULT_ATTEMPTS,
    // Trailing checksums are refused by servers other than AWS (Ceph: 411).
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // Asking first costs a round trip for each part, and parts are small.
    expectContinueHeader: false,
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      throwOnRequestTimeout: true,
      httpAgent: { keepAlive: true, maxSockets: MAX_SOCKETS },
      httpsAgent: { keepAlive: true, maxSockets: MAX_SOCKETS },
    },
  });
}

async function put(
  bucket: Bucket,
  key: string,
  object: PublishedObject,
  body: Readable,
  signal: AbortSignal,
): Promise<number> {
  signal.throwIfAborted();
  const { sdk, client, name } = bucket;
  const stop = (): void => {
    body.destroy(signal.reason as Error);
  };
  signal.addEventListener('abort', stop, { once: true });
  try {
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
    return await putParts(sdk, client, target, rest, signal);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

async function size(bucket: Bucket, key: string, signal: AbortSignal): Promise<number | null> {
  const command = new bucket.sdk.HeadObjectCommand({ Bucket: bucket.name, Key: key });
  try {
    const { ContentLength } = await bucket.client.send(command, { abortSignal: signal });
    return ContentLength ?? null;
  } catch (error) {
    signal.throwIfAborted();
    if (isNotFound(error)) return null;
    throw explainS3(error, 'look for a result');
  }
}

async function link(
  bucket: Bucket,
  key: string,
  object: PublishedObject,
  expiresAt: Temporal.Instant,
): Promise<string> {
  const now = bucket.clock.now();
  const seconds = Math.floor(now.until(expiresAt).total('seconds'));
  if (seconds < 1)
    throw new AppError('publish.expired', `a link that ended at ${expiresAt.toString()} cannot be made`);
  const command = new bucket.sdk.GetObjectCommand({
    Bucket: bucket.name,
    Key: key,
    ResponseContentType: object.contentType,
    ResponseContentDisposition: dispositionOf(object),
    ResponseCacheControl: 'private, no-store',
  });
  try {
    return await bucket.sdk.getSignedUrl(bucket.client, command, {
      expiresIn: Math.min(seconds, MAX_LINK_SECONDS),
      signingDate: new Date(now.epochMilliseconds),
    });
  } catch (error) {
    throw explainS3(error, 'sign a link');
  }
}

/** File names are ours: letters, digits, `.`, `_` and `-`, so quoting is all it takes (RFC 6266). */
function dispositionOf(object: PublishedObject): string {
  return `${object.disposition}; filename="${object.fileName.replaceAll(/[^A-Za-z0-9._ -]/g, '_')}"`;
}

async function removeAll(bucket: Bucket, prefix: string, signal: AbortSignal): Promise<void> {
  const { sdk, client, name } = bucket;
  await abortUploads(bucket, prefix, (found) => found.startsWith(prefix), signal);
  for (let page = 0; page < MAX_PAGES; page += 1) {
    // What is listed is removed before the next listing, so the first page is always the next one.
    const listing = new sdk.ListObjectsV2Command({ Bucket: name, Prefix: prefix });
    const { Contents = [], IsTruncated } = await client.send(listing, { abortSignal: signal });
    // One by one: DeleteObjects wants checksums that not every server knows, and not every server has it.
    await mapBounded(Contents, DELETES_AT_A_TIME, async ({ Key }) => {
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
