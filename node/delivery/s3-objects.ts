import type { ListObjectsV2CommandOutput, MultipartUpload, S3Client } from '@aws-sdk/client-s3';
import { failureOf } from '../bucket/errors.ts';
import type { ListPage } from '../bucket/list-page.ts';
import type { Lister } from '../bucket/lister.ts';
import type { S3Sdk } from '../bucket/sdk.ts';
import { mapBounded } from '../platform/concurrency.ts';
import { AppError } from '../platform/errors.ts';
import { isJobId } from './object-key.ts';

const DELETES_AT_A_TIME = 8;
/** Of one listing of a job's own; S3 gives 1,000 entries a page. */
const MAX_PAGES = 200;
/** Of a listing of all that a node has published: 10 million jobs. */
const MAX_JOB_PAGES = 10_000;

/** A bucket, and what it is spoken to with. */
export interface Bucket {
  readonly sdk: S3Sdk;
  readonly client: S3Client;
  readonly lister: Lister;
  readonly name: string;
}

/** Removes every object below a prefix, and every upload that was never finished. @throws errors of the SDK; `publish.unavailable` */
export async function removeBelow(bucket: Bucket, prefix: string, signal: AbortSignal): Promise<void> {
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
  throw tooMany(prefix);
}

/** Ends the uploads of keys that are ours: what they hold is paid for and seen by nobody. @throws errors of the SDK */
export async function abortUploads(
  bucket: Bucket,
  prefix: string,
  isOurs: (key: string) => boolean,
  signal: AbortSignal,
): Promise<void> {
  const { sdk, client, name } = bucket;
  for await (const page of uploadsBelow(bucket, prefix, MAX_PAGES, signal)) {
    const uploads = page.filter(({ Key }) => Key !== undefined && isOurs(Key));
    await mapBounded(uploads, DELETES_AT_A_TIME, async ({ Key, UploadId }) => {
      const command = new sdk.AbortMultipartUploadCommand({ Bucket: name, Key, UploadId });
      await client.send(command, { abortSignal: signal }).catch((error: unknown) => {
        // Ended meanwhile: that is what was wanted.
        if (failureOf(error).name !== 'NoSuchUpload') throw error;
      });
    });
  }
}

/**
 * The jobs of which anything lies below `base` (`<prefix>/<node>/`), in pages; one may come twice. Directories alone are
 * listed, so a job costs one entry however many recordings it has. @throws errors of the SDK; `publish.unavailable`
 */
export async function* jobsBelow(
  bucket: Bucket,
  base: string,
  signal: AbortSignal,
): AsyncGenerator<readonly string[]> {
  let token: string | null = null;
  for (let page = 0; page < MAX_JOB_PAGES && (page === 0 || token !== null); page += 1) {
    const listed: ListPage = await bucket.lister.page({ prefix: base, delimiter: '/', token }, signal);
    yield jobsOf(base, listed.directories);
    token = listed.token;
  }
  if (token !== null) throw tooMany(base);
  for await (const page of uploadsBelow(bucket, base, MAX_JOB_PAGES, signal)) {
    yield jobsOf(
      base,
      page.map(({ Key }) => Key),
    );
  }
}

/** When the newest object below a prefix was written, or an upload begun; null where there is none. @throws errors of the SDK */
export async function newestBelow(
  bucket: Bucket,
  prefix: string,
  signal: AbortSignal,
): Promise<Temporal.Instant | null> {
  let newestMs = Number.NEGATIVE_INFINITY;
  const see = (time: Date | undefined): void => {
    newestMs = Math.max(newestMs, time?.getTime() ?? newestMs);
  };
  for await (const { Contents = [] } of pagesBelow(bucket, prefix, signal)) {
    for (const { LastModified } of Contents) see(LastModified);
  }
  for await (const page of uploadsBelow(bucket, prefix, MAX_PAGES, signal)) {
    for (const { Initiated } of page) see(Initiated);
  }
  return newestMs === Number.NEGATIVE_INFINITY ? null : Temporal.Instant.fromEpochMilliseconds(newestMs);
}

/** Whatever a server lists, only what a job of ours would be called; each once. */
function jobsOf(base: string, keys: readonly (string | undefined)[]): readonly string[] {
  const jobs = keys.flatMap((key) =>
    key?.startsWith(base) === true ? key.slice(base.length).split('/', 1) : [],
  );
  return [...new Set(jobs.filter(isJobId))];
}

async function* pagesBelow(
  { sdk, client, name }: Bucket,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<ListObjectsV2CommandOutput> {
  const target = { Bucket: name, Prefix: prefix };
  let token: string | undefined;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const command = new sdk.ListObjectsV2Command({ ...target, ContinuationToken: token });
    const answer: ListObjectsV2CommandOutput = await client.send(command, { abortSignal: signal });
    yield answer;
    token = answer.NextContinuationToken;
    if (answer.IsTruncated !== true || token === undefined) return;
  }
  throw tooMany(prefix);
}

async function* uploadsBelow(
  { sdk, client, name }: Bucket,
  prefix: string,
  maxPages: number,
  signal: AbortSignal,
): AsyncGenerator<readonly MultipartUpload[]> {
  let marker: { KeyMarker?: string; UploadIdMarker?: string } = {};
  for (let page = 0; page < maxPages; page += 1) {
    const command = new sdk.ListMultipartUploadsCommand({ Bucket: name, Prefix: prefix, ...marker });
    const answer = await client.send(command, { abortSignal: signal });
    yield answer.Uploads ?? [];
    if (answer.IsTruncated !== true || answer.NextKeyMarker === undefined) return;
    marker = {
      KeyMarker: answer.NextKeyMarker,
      ...(answer.NextUploadIdMarker === undefined ? {} : { UploadIdMarker: answer.NextUploadIdMarker }),
    };
  }
}

function tooMany(prefix: string): AppError {
  return new AppError(
    'publish.unavailable',
    `there is more below ${prefix} than can be gone through at once`,
    {
      retriable: true,
    },
  );
}
