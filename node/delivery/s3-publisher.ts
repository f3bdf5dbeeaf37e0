import type { Readable } from 'node:stream';
import { makeClient, type S3Account } from '../bucket/client.ts';
import { type HasWarnings, watchCredentials } from '../bucket/credentials.ts';
import { dispositionOf } from '../bucket/disposition.ts';
import { explainS3, isNotFound } from '../bucket/errors.ts';
import { createLister } from '../bucket/lister.ts';
import { createPresigner } from '../bucket/presign.ts';
import { loadS3Sdk } from '../bucket/sdk.ts';
import type { Clock } from '../platform/clock.ts';
import { destroyOnAbort } from '../platform/destroy-on-abort.ts';
import { AppError } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { checkJobId, checkNodeId, parseKey } from './object-key.ts';
import type { PublishedObject, Publisher } from './publisher.ts';
import { abortUploads, type Bucket, jobsBelow, newestBelow, removeBelow } from './s3-objects.ts';
import { PART_BYTES, planUpload, putParts, putWhole, readBeginning } from './s3-upload.ts';

export interface S3PublisherOptions extends S3Account {
  readonly bucket: string;
  /** S3_PUBLISH_PREFIX, without slashes at its ends; may be empty. */
  readonly prefix: string;
  readonly nodeId: string;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Results in a bucket under presigned links. A link made with temporary credentials dies with these, if that is
 * earlier. Errors: `publish.unavailable` (retriable) and `publish.refused`, which says what to do.
 */
export async function createS3Publisher(options: S3PublisherOptions): Promise<Publisher & HasWarnings> {
  const sdk = await loadS3Sdk();
  const client = makeClient(sdk, options);
  const lister = createLister({ ...options, sdk, client, use: 'publish' });
  const bucket: Bucket = { sdk, client, lister, name: options.bucket };
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
    presign: {
      link: async (object, expiresAt) => presigner.link(keyOf(object.key), object, expiresAt),
      linksUntil: presigner.linksUntil,
    },
    ...watchCredentials({ ...options, client, use: 'publish' }),
    removeJob: async (jobId, signal, place = within + base) => {
      if (!place.startsWith(within)) {
        throw new AppError(
          'publish.elsewhere',
          `the results lie in ${place}, which is not configured any more`,
        );
      }
      const below = `${place.slice(within.length)}${checkJobId(jobId)}/`;
      await explained('remove results', signal, removeBelow(bucket, below, signal));
    },
    jobs: async function* jobs(signal) {
      const pages = jobsBelow(bucket, base, signal)[Symbol.asyncIterator]();
      for (;;) {
        const { done, value } = await explained('list results', signal, pages.next());
        if (done === true) return;
        yield value;
      }
    },
    newestOf: (jobId, signal) =>
      explained('list results', signal, newestBelow(bucket, `${base}${checkJobId(jobId)}/`, signal)),
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

/** Waits, and says what went wrong in our words. */
async function explained<T>(what: string, signal: AbortSignal, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    signal.throwIfAborted();
    throw explainS3(error, what, 'publish');
  }
}
