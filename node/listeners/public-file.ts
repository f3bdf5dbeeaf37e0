import { constants, type Stats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { Context } from 'hono';
import { dispositionOf } from '../bucket/disposition.ts';
import { contentTypeOf } from '../delivery/content-type.ts';
import { codeOf } from '../platform/errors.ts';
import type { Disposition } from '../recordings/source.ts';
import { parseRange } from './range.ts';

/** A file that is open for being sent. Whoever has it sends it or closes it. */
export interface SentFile {
  readonly file: FileHandle;
  readonly status: Stats;
}

/** Opens a regular file; null where there is none. Links are not followed, and nothing waits for a pipe. */
export async function openFile(path: string): Promise<SentFile | null> {
  const file = await openHandle(path);
  if (file === null) return null;
  try {
    const status = await file.stat();
    if (status.isFile()) return { file, status };
    await file.close();
    return null;
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function openHandle(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'EISDIR'].includes(codeOf(error))) return null;
    throw error;
  }
}

/**
 * Answers with the file, or the part of it that is asked for (RFC 9110 section 14); the file is closed when it has been
 * sent or the client is gone. `name` tells its type, and is the one it is saved under.
 */
export async function sendFile(
  context: Context,
  { file, status }: SentFile,
  name: string,
  disposition: Disposition,
): Promise<Response> {
  const { size } = status;
  const etag = `"${size.toString(16)}-${Math.floor(status.mtimeMs).toString(16)}"`;
  const isHead = context.req.method === 'HEAD';
  // Range is defined for GET alone; with If-Range only while the file is the one the client knows.
  const condition = context.req.header('if-range');
  const asked =
    isHead || (condition !== undefined && condition !== etag) ? undefined : context.req.header('range');
  const range = parseRange(asked, size);

  context.header('Content-Type', contentTypeOf(name));
  context.header('Content-Disposition', dispositionOf({ disposition, fileName: name }));
  context.header('Accept-Ranges', 'bytes');
  context.header('ETag', etag);
  context.header('Last-Modified', status.mtime.toUTCString());
  if (range === 'unsatisfiable') {
    await file.close();
    context.header('Content-Range', `bytes */${size}`);
    return context.body(null, 416);
  }
  const { first, last } = range === 'whole' ? { first: 0, last: size - 1 } : range;
  context.header('Content-Length', String(last - first + 1));
  if (range !== 'whole') context.header('Content-Range', `bytes ${first}-${last}/${size}`);
  if (isHead || size === 0) {
    await file.close();
    return context.body(null, 200);
  }
  const stream = file.createReadStream({ start: first, end: last });
  return context.body(Readable.toWeb(stream) as ReadableStream, range === 'whole' ? 200 : 206);
}
