import { Readable } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';
import type { S3Sdk } from './s3-sdk.ts';

/**
 * Parts of a large upload, the smallest S3 takes: with at most 10,000 of them an object can have 50 GB. Memory is
 * about three times this for each upload that runs (the part that is sent, the one being filled, and its copy).
 */
export const PART_BYTES = 5 * 1024 * 1024;
/** Parts of one upload that are sent at a time. */
const PARTS_AT_A_TIME = 2;
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
  return { whole: null, rest: Readable.from(all()) };
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

/** Sends a body of unknown length in parts; the object appears when the last has arrived. Gives its size. */
export async function putParts(
  sdk: S3Sdk,
  client: S3Client,
  target: UploadTarget,
  body: Readable,
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
    params: { ...target, Body: Readable.from(counted()) },
    partSize: PART_BYTES,
    queueSize: PARTS_AT_A_TIME,
  });
  const stop = (): void => {
    body.destroy(signal.reason as Error);
  };
  signal.addEventListener('abort', stop, { once: true });
  try {
    await upload.done();
  } finally {
    signal.removeEventListener('abort', stop);
  }
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
