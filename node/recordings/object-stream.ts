import { Readable } from 'node:stream';
import { AppError, isRetriable, messageOf } from '../platform/errors.ts';

const BUFFER_BYTES = 256 * 1024;
/** Of one object; with the tries that the SDK makes of each request. */
const MAX_RESUMES = 4;

export interface ObjectStreamOptions {
  /** The body as it began. */
  readonly body: Readable;
  readonly sizeBytes: number;
  /** Names the object in messages. */
  readonly label: string;
  /** The same object from this byte on. @throws AppError where it is not the same any more, or cannot be had */
  readonly resume: (from: number, signal: AbortSignal) => Promise<Readable>;
}

/**
 * An object's bytes, exactly `sizeBytes`; a connection that breaks off is followed by another that goes on from there,
 * within a bound. Errors: `recordings.unreadable` (retriable), and those of `resume`. Destroying it ends the request.
 */
export function objectStream({ body, sizeBytes, label, resume }: ObjectStreamOptions): Readable {
  const aborter = new AbortController();
  let current: Readable | null = null;
  let position = 0;
  let resumes = 0;

  const stream = new Readable({
    highWaterMark: BUFFER_BYTES,
    read() {
      current?.resume();
    },
    destroy(error, callback) {
      current?.destroy();
      current = null;
      aborter.abort(new Error('nobody reads it any more'));
      callback(error);
    },
  });

  // It is read ahead of, and so can fail before anybody reads it: who does is told then, and nobody is no crash.
  stream.on('error', () => undefined);

  const attach = (source: Readable): void => {
    current = source;
    let over = false;
    const end = (why: string): void => {
      if (over) return;
      over = true;
      current = null;
      source.destroy();
      if (stream.destroyed) return;
      if (position === sizeBytes) stream.push(null);
      else goOn(why);
    };
    source.on('data', (chunk: Buffer) => {
      if (over || stream.destroyed) return;
      position += chunk.length;
      if (position > sizeBytes) {
        stream.destroy(unreadable(label, `it has more than the ${sizeBytes} bytes it was said to have`));
      } else if (!stream.push(chunk)) source.pause();
    });
    source.once('end', () => end('it ended early'));
    source.on('error', (error) => end(messageOf(error)));
    source.once('close', () => end('the connection was closed'));
  };

  const goOn = (why: string): void => {
    resumes += 1;
    if (resumes > MAX_RESUMES) {
      stream.destroy(
        unreadable(
          label,
          `it broke off ${resumes} times, the last time after ${position} of ${sizeBytes} bytes: ${why}`,
        ),
      );
      return;
    }
    resume(position, aborter.signal).then(
      (next) => {
        if (stream.destroyed) next.destroy();
        else attach(next);
      },
      (error: unknown) => {
        stream.destroy(
          error instanceof AppError ? error : unreadable(label, messageOf(error), isRetriable(error)),
        );
      },
    );
  };

  attach(body);
  return stream;
}

function unreadable(label: string, why: string, retriable = true): AppError {
  return new AppError('recordings.unreadable', `${label} cannot be read: ${why}`, { retriable });
}
