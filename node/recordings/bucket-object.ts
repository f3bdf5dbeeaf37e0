import { once } from 'node:events';
import { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import type { GetObjectCommandOutput, S3Client } from '@aws-sdk/client-s3';
import { explainS3, failureOf, isNotFound } from '../bucket/errors.ts';
import { patiently } from '../bucket/patience.ts';
import type { S3Sdk } from '../bucket/sdk.ts';
import type { Clock } from '../platform/clock.ts';
import { AppError } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { audioFactsOf, BEGINNING_BYTES } from './audio-facts.ts';
import { faultOf } from './inspect.ts';
import { objectStream } from './object-stream.ts';
import type { OpenedRecording, Recording, RecordingFault } from './source.ts';

/** A body that is read and brings nothing for so long has broken off. */
const IDLE_MS = 60_000;
/** Errors of an object whose key is not to be had; others of KMS pass, or are of all objects. */
const CLOSED_BY_KMS = /^KMS\..*(?:Disabled|NotFound|InvalidState)/;
/** An object is put in one go: it never grows, so no time of its last write makes it a growing one. */
const LONG_AGO = Temporal.Instant.fromEpochMilliseconds(0);

export interface ObjectReader {
  readonly sdk: S3Sdk;
  readonly client: S3Client;
  readonly bucket: string;
  readonly clock: Clock;
  readonly log: Log;
  /** 60 s unless told. */
  readonly idleMs?: number;
}

/**
 * Opens the object `key`, which is `recording`. What lies in cold storage, has gone, or may not be read is a fault.
 * @throws AppError `recordings.unavailable` (retriable), `recordings.refused` with what to do
 */
export async function openObject(
  reader: ObjectReader,
  key: string,
  recording: Recording,
  signal: AbortSignal,
): Promise<OpenedRecording | RecordingFault> {
  signal.throwIfAborted();
  if (recording.archived === true) return 'archived';
  const answer = await get(reader, key, 0, signal).catch((error: unknown) => {
    signal.throwIfAborted();
    return faultOfError(reader, key, error);
  });
  if (typeof answer === 'string') return answer;
  const sizeBytes = answer.ContentLength ?? recording.sizeBytes;
  const { format } = recording;
  // Judged by its size alone, before anything is read.
  if (faultOf(format, sizeBytes, new Uint8Array(), LONG_AGO, LONG_AGO) === 'empty') {
    bodyOf(reader, answer).destroy();
    return 'empty';
  }
  const stream = objectStream({
    body: bodyOf(reader, answer),
    sizeBytes,
    label: key,
    resume: (from, aborted) => resume(reader, key, from, answer.ETag, aborted),
  });
  try {
    const beginning = await peek(stream, Math.min(BEGINNING_BYTES, sizeBytes), signal);
    return {
      stream,
      sizeBytes,
      fault: faultOf(format, sizeBytes, beginning, LONG_AGO, LONG_AGO.add({ hours: 1 })),
      audio: audioFactsOf(format, sizeBytes, beginning),
    };
  } catch (error) {
    stream.destroy();
    signal.throwIfAborted();
    throw error;
  }
}

function get(
  { sdk, client, bucket, clock }: ObjectReader,
  key: string,
  from: number,
  signal: AbortSignal,
): Promise<GetObjectCommandOutput> {
  const range = from === 0 ? {} : { Range: `bytes=${from}-` };
  const command = new sdk.GetObjectCommand({ Bucket: bucket, Key: key, ...range });
  return patiently('recordings', clock, signal, () => client.send(command, { abortSignal: signal }));
}

function bodyOf({ idleMs = IDLE_MS }: ObjectReader, { Body: body }: GetObjectCommandOutput): Readable {
  if (body instanceof IncomingMessage) {
    body.setTimeout(idleMs, () => {
      // Nobody asks for more while what was read ahead waits for its turn.
      if (body.isPaused()) body.setTimeout(idleMs);
      else body.destroy();
    });
  }
  return body as Readable;
}

function faultOfError({ log }: ObjectReader, key: string, error: unknown): RecordingFault {
  const { name } = failureOf(error);
  if (isNotFound(error)) return 'vanished';
  // Of the archive tiers of Intelligent-Tiering a listing says nothing.
  if (name === 'InvalidObjectState') return 'archived';
  const explained = explainS3(error, 'read a recording', 'recordings');
  if (!isClosed(name)) throw explained;
  log.warn('a recording cannot be read', { key, reason: explained.message });
  return 'unreadable';
}

/**
 * One object can be closed to us, by its owner, a policy or how it is encrypted, while others are not: with a key of KMS
 * that was disabled (`KMS.…`), or with one that only the customer has (SSE-C: `InvalidRequest`).
 */
function isClosed(name: string): boolean {
  return name === 'AccessDenied' || name === 'InvalidRequest' || CLOSED_BY_KMS.test(name);
}

/**
 * The rest of an object, if it is still the same. By its ETag in the answer: servers do not agree on how If-Match wants it.
 */
async function resume(
  reader: ObjectReader,
  key: string,
  from: number,
  etag: string | undefined,
  signal: AbortSignal,
): Promise<Readable> {
  const answer = await get(reader, key, from, signal).catch((error: unknown) => {
    if (isNotFound(error)) throw replaced(key, 'removed');
    throw explainS3(error, 'read a recording', 'recordings');
  });
  const body = bodyOf(reader, answer);
  const isSame =
    answer.ETag === etag && (from === 0 || answer.ContentRange?.startsWith(`bytes ${from}-`) === true);
  if (isSame) return body;
  body.destroy();
  throw replaced(key, 'replaced');
}

function replaced(key: string, how: string): AppError {
  const message = `${key} was ${how} while it was read`;
  return new AppError('recordings.replaced', message, { retriable: true });
}

/** The first bytes, as many as it has or more, which stay in the stream. */
async function peek(stream: Readable, wantedBytes: number, signal: AbortSignal): Promise<Uint8Array> {
  let header = Buffer.alloc(0);
  while (header.length < wantedBytes && !stream.readableEnded) {
    const chunk = stream.read() as Buffer | null;
    if (chunk === null) {
      await once(stream, 'readable', { signal });
      continue;
    }
    header = Buffer.concat([header, chunk]);
  }
  stream.unshift(header);
  return header.subarray(0, wantedBytes);
}
