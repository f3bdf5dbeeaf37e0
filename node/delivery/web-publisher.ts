import { randomUUID } from 'node:crypto';
import { mkdir, open, rename, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { destroyOnAbort } from '../platform/destroy-on-abort.ts';
import { isMissing, syncDirectory, TEMPORARY_PREFIX } from '../platform/durable.ts';
import { AppError, codeOf, messageOf } from '../platform/errors.ts';
import { checkNodeId, parseKey } from './object-key.ts';
import type { Publisher } from './publisher.ts';
import { jobsInWeb, newestInWeb, removeFromWeb } from './web-files.ts';

/** Written at a time. */
const BLOCK_BYTES = 256 * 1024;

export interface WebPublisherOptions {
  /** `<STATE_DIR>/web`; the public listener serves what lies below it. */
  readonly root: string;
  readonly nodeId: string;
}

/** Results as files under this node's own state, served by its public listener. */
export function createWebPublisher(options: WebPublisherOptions): Publisher {
  const node = checkNodeId(options.nodeId);
  const base = join(options.root, node);
  const pathOf = (key: string): string => {
    const { job, name } = parseKey(key);
    return join(base, job, name);
  };

  return {
    name: 'web',
    place: `web:${node}`,
    put: async (object, body, signal) => {
      const { job, name } = parseKey(object.key);
      try {
        signal.throwIfAborted();
        await makeJobDirectory(options.root, base, job);
        return await putFile(join(base, job), name, body, signal);
      } catch (error) {
        body.destroy();
        throw explain(error, signal);
      }
    },
    size: async (key) => {
      try {
        const status = await stat(pathOf(key));
        return status.isFile() ? status.size : null;
      } catch (error) {
        if (isMissing(error)) return null;
        throw error;
      }
    },
    presign: null,
    removeJob: (jobId) => removeFromWeb(options.root, jobId),
    jobs: (signal) => jobsInWeb(options.root, signal),
    newestOf: (jobId) => newestInWeb(options.root, jobId),
  };
}

/** Makes `<root>/<node>/<job>`, each level on disk before what lies in it. */
async function makeJobDirectory(root: string, base: string, job: string): Promise<void> {
  const made = await mkdir(join(base, job), { recursive: true, mode: 0o700 });
  if (made === undefined) return;
  await syncDirectory(base);
  await syncDirectory(root);
}

async function putFile(
  directory: string,
  name: string,
  body: Readable,
  signal: AbortSignal,
): Promise<number> {
  const temporary = join(directory, `${TEMPORARY_PREFIX}${name}-${randomUUID()}`);
  let sizeBytes = 0;
  try {
    using _ = destroyOnAbort(body, signal);
    await using file = await open(temporary, 'wx', 0o600);
    for await (const block of inBlocks(body)) {
      await file.writeFile(block);
      sizeBytes += block.length;
    }
    await file.sync();
  } catch (error) {
    // The job's directory is removed with all that is left in it, should even this fail.
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
  await rename(temporary, join(directory, name));
  await syncDirectory(directory);
  return sizeBytes;
}

/** Each write is a trip to another thread: small pieces travel together. What is a block by itself is not copied. */
async function* inBlocks(body: Readable): AsyncGenerator<Buffer> {
  let pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of body as AsyncIterable<Buffer>) {
    if (piece.length >= BLOCK_BYTES) {
      if (length > 0) yield Buffer.concat(pieces, length);
      pieces = [];
      length = 0;
      yield piece;
      continue;
    }
    pieces.push(piece);
    length += piece.length;
    if (length < BLOCK_BYTES) continue;
    yield Buffer.concat(pieces, length);
    pieces = [];
    length = 0;
  }
  if (length > 0) yield Buffer.concat(pieces, length);
}

/** What is wrong with the body or the caller's own abort goes through; the rest is a disk that did not take it. */
function explain(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (error instanceof AppError) return error;
  const code = codeOf(error);
  const what = code === 'ENOSPC' || code === 'EDQUOT' ? 'the disk is full' : messageOf(error);
  return new AppError('publish.unavailable', `the result could not be stored: ${what}`, {
    retriable: true,
    cause: error,
  });
}
