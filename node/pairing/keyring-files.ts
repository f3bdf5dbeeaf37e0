import { mkdir, stat } from 'node:fs/promises';
import { isMissing, readBounded } from '../platform/durable.ts';
import { AppError, messageOf } from '../platform/errors.ts';

const MAX_KEY_FILE_BYTES = 65_536;
const FOR_OTHERS = 0o077;
const WRITABLE_FOR_OTHERS = 0o022;

/** Makes the directory of keys where it is not there. @throws AppError `key.unusable` also where others can write to it */
export async function openKeyDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    if (((await stat(path)).mode & WRITABLE_FOR_OTHERS) !== 0) {
      throw new AppError('key.unusable', `others can write to CERTS_DIR; run: chmod 700 ${path}`);
    }
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError('key.unusable', `CERTS_DIR: ${path}: ${messageOf(error)}`, { cause: error });
  }
}

/** The text of a private file; null where it is not there. @throws AppError `key.unusable` where others can read it */
export async function readPrivate(path: string): Promise<string | null> {
  try {
    const { mode } = await stat(path);
    if ((mode & FOR_OTHERS) !== 0) {
      throw new AppError('key.unusable', `others can read the key ${path}; run: chmod 600 ${path}`);
    }
    return (await readBounded(path, MAX_KEY_FILE_BYTES)).toString();
  } catch (error) {
    if (isMissing(error)) return null;
    if (error instanceof AppError) throw error;
    throw new AppError('key.unusable', `${path} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}
