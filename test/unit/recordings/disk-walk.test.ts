import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { walk } from '../../../node/recordings/disk-walk.ts';
import { recordingName } from '../../support/audio.ts';
import { recordingTree } from '../../support/recording-tree.ts';

vi.mock('node:fs', { spy: true });

const NAME = recordingName('1121', '2000', '20251027-080000');

describe('a walk', () => {
  test('names a directory in which an entry vanished while it was read, and no directory that vanished whole', async () => {
    await using tree = await recordingTree({ [`a/${NAME}`]: 'x', [`b/${NAME}`]: 'x', [`c/${NAME}`]: 'x' });
    const { opendirSync } = await vi.importActual<typeof fs>('node:fs');
    vi.spyOn(fs, 'opendirSync').mockImplementation((path, options) => {
      if (!/[ab]$/.test(String(path))) return opendirSync(path, options);
      if (String(path).endsWith('b')) fs.rmSync(join(tree.root, 'b'), { recursive: true });
      // What Node says where a directory does not tell of what kind its entries are, and one is gone by then.
      throw Object.assign(new Error('ENOENT: no such file or directory, lstat'), { code: 'ENOENT' });
    });
    const walked = await walk({
      root: tree.root,
      range: { first: '2025-10-26', last: '2025-10-28' },
      server: null,
      wanted: () => true,
      signal: new AbortController().signal,
    });
    expect(walked.found.map(({ key }) => key)).toEqual([`c/${NAME}`]);
    expect(walked.unreadable).toEqual(['a']);
  });
});
