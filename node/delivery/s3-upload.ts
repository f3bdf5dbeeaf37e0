import { Readable } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';
import type { S3Sdk } from '../bucket/sdk.ts';
import { destroyOnAbort } from '../platform/destroy-on-abort.ts';

const MEGABYTE = 1024 * 1024;
/** An object up to this goes up in one request, a larger one in parts of it: the smallest that S3 takes. */
export const PART_BYTES = 5 * MEGABYTE;
/** S3 takes 10,000 of one object; what is expected may be short of what comes, so not all are planned with. */
const PLANNED_PARTS = 9_000;
/** Parts of one upload that are sent at a time: one waits for the far end while others are on the wire. */
const PARTS_AT_A_TIME = 4;
/** Fewer where parts are larger: what an upload holds is about twice this (what is sent, and what is being filled). */
const SENDING_BYTES = 48 * MEGABYTE;

/** Chunks, not bytes: the content of a recording is a chunk of a ZIP. */
const ONE_AHEAD = { highWaterMark: 1 };
/** Ending an unfinished upload is worth this much waiting on a way out. */
const ABORT_TIMEOUT_MS = 10_000;

export interface UploadTarget {
  readonly Bucket: string;
  readonly Key: string;
  readonly ContentType: string;
  readonly ContentDisposition: string;
}

/** The beginning of a body: all of it where it is no longer than `maxBytes`. */
export type Beginning =
  | { readonly whole: Buffer; readonly rest: null }
  | { readonly whole: null; readonly rest: Readable };

/**
 * Reads until the body ends or has shown more than `maxBytes`. A small object can then go up in one request that
 * can be repeated; `rest` gives the whole body again, what was read included.
 */
export async function readBeginning(body: Readable, maxBytes: number): Promise<Beginning> {
  const chunks: Buffer[] = [];
  let length = 0;
  const iterator: AsyncIterator<Buffer> = body[Symbol.asyncIterator]();
  while (length <= maxBytes) {
    const { done, value } = await iterator.next();
    if (done === true) return { whole: Buffer.concat(chunks), rest: null };
    chunks.push(value);
    length += value.length;
  }
  async function* all(): AsyncGenerator<Buffer> {
    try {
      for (let chunk = chunks.shift(); chunk !== undefined; chunk = chunks.shift()) yield chunk;
      for (let next = await iterator.next(); next.done !== true; next = await iterator.next())
        yield next.value;
    } finally {
      body.destroy();
    }
  }
  return { whole: null, rest: Readable.from(all(), ONE_AHEAD) };
}

/** Sends a small object in one request; the SDK repeats it where it fails in passing. */
export async function putWhole(
  sdk: S3Sdk,
  client: S3Client,
  target: UploadTarget,
  content: Buffer,
  signal: AbortSignal,
): Promise<number> {
  await client.send(new sdk.PutObjectCommand({ ...target, Body: content }), { abortSignal: signal });
  return content.length;
}

/** How a body of about this size goes up. */
export interface UploadPlan {
  readonly partBytes: number;
  readonly partsAtATime: number;
}

/** Parts large enough for the object to be whole with the 10,000 that S3 takes; of unknown size it can have 50 GB. */
export function planUpload(expectedBytes = 0): UploadPlan {
  const needed = Math.ceil(expectedBytes / PLANNED_PARTS / MEGABYTE) * MEGABYTE;
  const partBytes = Math.max(PART_BYTES, needed);
  const fitting = Math.max(1, Math.floor(SENDING_BYTES / partBytes));
  return { partBytes, partsAtATime: Math.min(PARTS_AT_A_TIME, fitting) };
}

/** Sends a body in parts; the object appears when the last has arrived. Gives its size. */
export async function putParts(
  sdk: S3Sdk,
  client: S3Client,
  target: UploadTarget,
  body: Readable,
  { partBytes, partsAtATime }: UploadPlan,
  signal: AbortSignal,
): Promise<number> {
  let sizeBytes = 0;
  async function* counted(): AsyncGenerator<Buffer> {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      sizeBytes += chunk.length;
      yield chunk;
    }
  }
  const upload = new sdk.Upload({
    client: abortable(sdk, client, signal),
    params: { ...target, Body: Readable.from(counted(), ONE_AHEAD) },
    partSize: partBytes,
    queueSize: partsAtATime,
  });
  using _ = destroyOnAbort(body, signal);
  await upload.done();
  return sizeBytes;
}

/**
 * The client as `Upload` sees it: the signal ends its requests, all but the one that ends the upload itself.
 * (`Upload.abort` returns while its parts are still under way, and leaves the upload behind where its body stalls.)
 */
function abortable(sdk: S3Sdk, client: S3Client, signal: AbortSignal): S3Client {
  const send = (command: never): Promise<unknown> =>
    client.send(command, {
      abortSignal:
        (command as unknown) instanceof sdk.AbortMultipartUploadCommand
          ? AbortSignal.timeout(ABORT_TIMEOUT_MS)
          : signal,
    });
  return { config: client.config, send } as unknown as S3Client;
}
