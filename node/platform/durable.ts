import { randomUUID } from 'node:crypto';
import { open, readdir, readFile, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { AppError } from './errors.ts';

/** Temporary files of ours start so; what starts so after a crash is nobody's and is removed. */
export const TEMPORARY_PREFIX = '.tmp-';

/**
 * Makes what happened to the names in a directory survive a power cut (open(2), fsync(2): syncing a file
 * does not sync the entry that names it).
 */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/**
 * Writes a whole file so that a reader, also after a crash, finds the old content or the new, never a part:
 * temporary file in the same directory, fsync, rename, fsync of the directory. Mode 0600 unless said otherwise.
 */
export async function writeDurable(path: string, content: string | Uint8Array, mode = 0o600): Promise<void> {
  const directory = dirname(path);
  const temporary = join(directory, `${TEMPORARY_PREFIX}${basename(path)}-${randomUUID()}`);
  try {
    const file = await open(temporary, 'wx', mode);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => undefined); // what went wrong first is what is told
    throw error;
  }
  await syncDirectory(directory);
}

/** Renames a file into another directory so that the move survives a power cut; both directories are synced. */
export async function moveDurable(from: string, to: string): Promise<void> {
  await rename(from, to);
  await syncDirectory(dirname(to));
  if (dirname(from) !== dirname(to)) await syncDirectory(dirname(from));
}

/** Removes a file so that it stays removed; a file that is already gone is no error. */
export async function removeDurable(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
    return;
  }
  await syncDirectory(dirname(path));
}

/** Names in a directory; none where it is not there. */
export async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** Reads a whole file of at most `maxBytes`; a larger one is refused with `file.too-large`. */
export async function readBounded(path: string, maxBytes: number): Promise<Buffer> {
  const { size } = await stat(path);
  if (size > maxBytes) {
    throw new AppError('file.too-large', `${path} has ${size} bytes, the limit is ${maxBytes}`);
  }
  return readFile(path);
}

/** Whether an error says that the file or directory is not there. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
