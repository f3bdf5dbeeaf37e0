import { randomBytes } from 'node:crypto';
import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isMissing, readBounded, writeDurable } from './durable.ts';
import { AppError } from './errors.ts';

const KEY_BYTES = 32;

/**
 * A key that only this node has: read from `path`, made there (mode 0600) at first.
 * @throws AppError `key.unusable` where the file is no key, or others can read it
 */
export async function loadSecretKey(path: string): Promise<Buffer> {
  try {
    const { mode } = await stat(path);
    if ((mode & 0o077) !== 0) {
      throw new AppError('key.unusable', `others can read the key ${path}; run: chmod 600 ${path}`);
    }
    const key = await readBounded(path, KEY_BYTES);
    if (key.length === KEY_BYTES) return key;
    throw new AppError('key.unusable', `${path} does not hold a key of ${KEY_BYTES} bytes`);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  const key = randomBytes(KEY_BYTES);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeDurable(path, key);
  return key;
}
