import { chmod, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadSecretKey } from '../../../node/platform/secret-key.ts';
import { temporaryDirectory } from '../../support/process.ts';

describe('a key that only this node has', () => {
  test('is made once, readable by its owner alone, and read again', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'keys', 'link.key');
    const key = await loadSecretKey(path);
    expect(key).toHaveLength(32);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await loadSecretKey(path)).equals(key)).toBe(true);
  });

  test('is refused where others can read it, with the command that mends it', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'link.key');
    await loadSecretKey(path);
    await chmod(path, 0o640);
    await expect(loadSecretKey(path)).rejects.toThrow(/chmod 600/);
  });

  test('is refused where it is too short or too long', async () => {
    await using directory = await temporaryDirectory();
    for (const length of [0, 31, 33]) {
      const path = join(directory.path, `link-${length}.key`);
      await writeFile(path, Buffer.alloc(length), { mode: 0o600 });
      await expect(loadSecretKey(path)).rejects.toMatchObject({
        code: expect.stringMatching(/^(key\.unusable|file\.too-large)$/),
      });
    }
  });
});
