import { IncomingMessage } from 'node:http';
import { pipeline, type Readable, Transform } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';

/** A page of 1,000 keys of 1,024 bytes each, all of it escaped, comes to some 5 MB. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
/** An answer that brings nothing for so long has broken off. */
const IDLE_MS = 60_000;

/**
 * Bounds the answers that the SDK reads whole (listings, errors, acknowledgements), in bytes and in silence: it would
 * keep all that a server sends. The bodies of objects are streams, and bounded by whoever reads them.
 */
export function boundAnswers(client: S3Client): void {
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const result = await next(args);
      const response = result.response as { statusCode: number; body: Readable };
      const isObject = context['commandName'] === 'GetObjectCommand' && response.statusCode < 300;
      if (!isObject) response.body = bounded(response.body);
      return result;
    },
    { step: 'deserialize', priority: 'low', name: 'boundAnswers' },
  );
}

function bounded(body: Readable): Readable {
  if (body instanceof IncomingMessage) {
    body.setTimeout(IDLE_MS, () => body.destroy(new Error(`nothing came for ${IDLE_MS / 1000} seconds`)));
  }
  let size = 0;
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.length;
      if (size <= MAX_ANSWER_BYTES) done(null, chunk);
      else done(new Error(`the answer has more than ${MAX_ANSWER_BYTES} bytes`));
    },
  });
  // An error of either ends the other, and is told to whoever reads.
  return pipeline(body, counted, () => undefined);
}
