import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing, readBounded } from '../platform/durable.ts';
import { AppError, messageOf } from '../platform/errors.ts';
import { canonicalPublicKey } from '../platform/openssh-keys.ts';

/** Of a key file. */
const MAX_KEY_BYTES = 65_536;
/** As many as an identity carries. */
const MAX_HOST_KEYS = 10;

/**
 * The public keys of this host's sshd, from `ssh_host_*_key.pub`; none where there is no sshd.
 * @throws AppError `pair.host-keys` where they are there and cannot be read
 */
export async function readHostKeys(directory: string): Promise<string[]> {
  const keys: string[] = [];
  try {
    const names = (await readdir(directory)).filter((name) => /^ssh_host_\w+_key\.pub$/.test(name));
    for (const name of names.toSorted().slice(0, MAX_HOST_KEYS)) {
      const key = await canonicalPublicKey(
        (await readBounded(join(directory, name), MAX_KEY_BYTES)).toString(),
      );
      if (key !== null) keys.push(key);
    }
  } catch (error) {
    if (isMissing(error)) return keys;
    throw new AppError(
      'pair.host-keys',
      `SSH_HOST_KEYS_DIR: ${directory} cannot be read: ${messageOf(error)}`,
      { cause: error },
    );
  }
  return keys;
}
