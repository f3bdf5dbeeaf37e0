import { execFileSync, spawnSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { recordingName, wav } from '../support/audio.ts';
import { hostIndex } from '../support/hosted-index.ts';
import { recordingTree } from '../support/recording-tree.ts';
import { needs } from '../support/requirements.ts';
import { mountSmallDisk } from '../support/small-disk.ts';

const { describe, test } = needs('tmpfs');
const { signal } = new AbortController();
const MEGABYTE = 1024 * 1024;
const QUERY = {
  extensions: ['1121'],
  start: '2025-10-27T00:00:00',
  end: '2025-10-27T23:59:59',
  server: null,
};
const NAME = recordingName('1121', '2000', '20251027-080000');
const OTHER = recordingName('1121', '2001', '20251027-090000');

/** Lays a disk over a directory, and takes it away again; what lies on it stays. */
function mounting(disk: string, at: string) {
  return {
    mount: () => execFileSync('mount', ['--bind', disk, at]),
    unmount: () => execFileSync('umount', [at]),
    /** Whatever a test has left. */
    [Symbol.dispose]: () => {
      spawnSync('umount', ['--lazy', at]);
    },
  };
}

describe('an index of a tree with disks of their own in it', () => {
  test('calls the directory of a disk that is not mounted unreadable, and has forgotten nothing when it is back', async () => {
    await using disk = await mountSmallDisk(MEGABYTE);
    await using tree = await recordingTree({ [NAME]: wav(100), 'empresa/.gitkeep': '' });
    const at = join(tree.root, 'empresa');
    execFileSync('rm', [join(at, '.gitkeep')]);
    using over = mounting(disk.path, at);
    over.mount();
    await tree.write({ [`empresa/2025/10/27/${NAME}`]: wav(100), [`empresa/${OTHER}`]: wav(100) });
    await using index = hostIndex(tree);
    await index.ready();
    expect((await index.source.find(QUERY, signal)).recordings).toHaveLength(3);
    for (let round = 0; round < 2; round += 1) {
      over.unmount();
      const away = await index.source.find(QUERY, signal);
      expect(away.unreadable).toEqual(['empresa']);
      expect((await index.source.find(QUERY, signal)).unreadable).toEqual(['empresa']);
      expect(await index.host.verify(signal)).toMatchObject({ stale: 0, unreadable: 1 });
      over.mount();
      const back = await index.source.find(QUERY, signal);
      expect(back.unreadable).toEqual([]);
      expect(back.recordings.map(({ sizeBytes }) => sizeBytes)).toEqual([100, 100, 100]);
    }
  });

  test('finds what comes onto a disk that was mounted over its directory after the index was built', async () => {
    await using disk = await mountSmallDisk(MEGABYTE);
    await mkdir(join(disk.path, '2025/10/27'), { recursive: true });
    await writeFile(join(disk.path, '2025/10/27', NAME), wav(100));
    await using tree = await recordingTree({ [OTHER]: wav(100), [`empresa/${NAME}`]: wav(100) });
    using disks = mounting(disk.path, join(tree.root, 'empresa'));
    await using index = hostIndex(tree);
    await index.ready();
    expect((await index.source.find(QUERY, signal)).recordings).toHaveLength(2);
    disks.mount();
    const over = await index.source.find(QUERY, signal);
    expect(over.recordings.map(({ key }) => key)).toEqual([`empresa/2025/10/27/${NAME}`, OTHER]);
    await tree.write({ [`empresa/2025/10/27/${OTHER}`]: wav(100) });
    expect((await index.source.find(QUERY, signal)).recordings).toHaveLength(3);
    disks.unmount();
    const under = await index.source.find(QUERY, signal);
    expect(under.recordings.map(({ key }) => key)).toEqual([`empresa/${NAME}`, OTHER]);
  });
});
