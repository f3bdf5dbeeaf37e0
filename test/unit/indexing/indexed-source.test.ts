import { mkdir, readdir, rename, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { createDiskConfirm } from '../../../node/recordings/disk-source.ts';
import type { Confirm } from '../../../node/recordings/match.ts';
import { recordingName, wav } from '../../support/audio.ts';
import { hostIndex } from '../../support/hosted-index.ts';
import { eventually } from '../../support/process.ts';
import { recordingTree } from '../../support/recording-tree.ts';
import { sourceContract } from '../../support/source-contract.ts';

const { signal } = new AbortController();
const QUERY = {
  extensions: ['1121'],
  start: '2025-10-27T00:00:00',
  end: '2025-10-27T23:59:59',
  server: null,
};
const NAME = recordingName('1121', '2000', '20251027-080000');
const OTHER = recordingName('1121', '2001', '20251027-090000');

/** An empty directory is taken for a disk that is not mounted. */
const PLACEHOLDER = { 'leia-me.txt': 'x' };

sourceContract('disk, by its index', async (files) => {
  const tree = await recordingTree({ ...files, ...PLACEHOLDER });
  const index = hostIndex(tree);
  await index.ready();
  return {
    source: index.source,
    [Symbol.asyncDispose]: async () => {
      await index[Symbol.asyncDispose]();
      await tree[Symbol.asyncDispose]();
    },
  };
});

sourceContract('disk, while its index is built', async (files) => {
  const tree = await recordingTree({ ...files, ...PLACEHOLDER });
  const index = hostIndex(tree);
  await index.host.close(); // it will never be there
  return { source: index.source, [Symbol.asyncDispose]: () => tree[Symbol.asyncDispose]() };
});

describe('the host of an index', () => {
  test('leaves nothing behind when it is closed in the middle of a build', async () => {
    const folders = Array.from({ length: 100 }, (_, count) => [`${count}/notas.txt`, ''] as const);
    await using tree = await recordingTree(Object.fromEntries(folders));
    const index = hostIndex(tree);
    expect(index.report().state).toBe('building');
    await index.host.close();
    expect(await readdir(tree.directory)).toEqual([]);
  });

  test('ends a comparison before it builds another index, and both come to their end', async () => {
    const folders = Array.from({ length: 300 }, (_, count) => [`${count}/notas.txt`, ''] as const);
    await using tree = await recordingTree(Object.fromEntries(folders));
    await using index = hostIndex(tree);
    const { serial } = await index.ready();
    const compared = index.host.verify(signal);
    index.host.rebuild(null);
    expect(await compared).toMatchObject({ folders: 301, missing: 0 });
    await eventually('another index', () => (index.report().serial ?? 0) > (serial ?? 0));
  });

  test('settles the index that took the place of the one it was settling', async () => {
    const folders = Array.from({ length: 600 }, (_, count) => [`${count}/notas.txt`, ''] as const);
    await using tree = await recordingTree(Object.fromEntries(folders));
    // Young folders that nobody watches are read each time.
    await using index = hostIndex({ ...tree, maxWatches: 0 });
    const { serial } = await index.ready();
    index.host.rebuild(null);
    const days = { first: '2025-10-26', last: '2025-10-28' };
    const answers: Promise<unknown>[] = [];
    while (index.report().serial === serial) {
      answers.push(index.host.settle(days, signal));
      await nextTurn();
    }
    expect(await Promise.all(answers)).not.toContain(null);
  });

  test('does not use the index of another tree, and builds one of its own', async () => {
    await using before = await recordingTree({ [`gv1p/${NAME}`]: wav(100) });
    await using tree = await recordingTree({ [`gv2p/${NAME}`]: wav(100) });
    const { directory } = before;
    const first = hostIndex(before);
    const { serial } = await first.ready();
    await first[Symbol.asyncDispose]();
    for (const [root, isUsed] of [
      [before.root, true],
      [tree.root, false],
    ] as const) {
      await using index = hostIndex({ root, directory });
      expect((await index.ready()).serial === serial).toBe(isUsed);
    }
  });
});

describe('a search by the index', () => {
  test('finds what has appeared, and not what is gone, since the index was built', async () => {
    await using tree = await recordingTree({ [NAME]: wav(100) });
    await using index = hostIndex(tree);
    await index.ready();
    await tree.write({ [`nova/2025/10/27/${OTHER}`]: wav(200) });
    await rm(join(tree.root, NAME));
    const { recordings } = await index.source.find(QUERY, signal);
    expect(recordings.map(({ key, sizeBytes }) => [key, sizeBytes])).toEqual([
      [`nova/2025/10/27/${OTHER}`, 200],
    ]);
  });

  test('tells the size that a recording has now, whatever it had', async () => {
    await using tree = await recordingTree({ [NAME]: wav(1000) });
    await using index = hostIndex(tree);
    await index.ready();
    await truncate(join(tree.root, NAME), 10);
    const { recordings } = await index.source.find(QUERY, signal);
    expect(recordings[0]?.sizeBytes).toBe(10);
    expect(await index.source.open(recordings[0]!, signal)).toBe('empty');
  });

  test('lists what vanishes while it searches, as vanished, and forgets it', async () => {
    await using tree = await recordingTree({ [NAME]: wav(100), [OTHER]: wav(100) });
    const look = createDiskConfirm(tree.root);
    const confirm: Confirm = async (matches, aborted) => {
      await rm(join(tree.root, NAME), { force: true });
      return look(matches, aborted);
    };
    await using index = hostIndex({ ...tree, confirm });
    await index.ready();
    const { recordings } = await index.source.find(QUERY, signal);
    expect(recordings.map(({ sizeBytes }) => sizeBytes)).toEqual([0, 100]);
    expect(await index.source.open(recordings[0]!, signal)).toBe('vanished');
    expect((await index.source.find(QUERY, signal)).recordings).toHaveLength(1);
  });

  test('counts a link into the tree and none that leaves it, as it finds them', async () => {
    await using outside = await recordingTree({ [NAME]: wav(100) });
    await using tree = await recordingTree({ [NAME]: wav(100) });
    await symlink(join(tree.root, NAME), join(tree.root, OTHER));
    await symlink(join(outside.root, NAME), join(tree.root, recordingName('1121', '9', '20251027-100000')));
    await using index = hostIndex(tree);
    await index.ready();
    expect((await index.source.find(QUERY, signal)).recordings).toHaveLength(2);
    expect(await index.source.measure(QUERY, signal)).toEqual({ count: 2, bytes: 200 });
  });

  test('refuses what matches more than the limit, and cannot measure it', async () => {
    await using tree = await recordingTree({ [NAME]: wav(100), [OTHER]: wav(100) });
    await using index = hostIndex({ ...tree, maxRecordings: 1 });
    await index.ready();
    await expect(index.source.find(QUERY, signal)).rejects.toMatchObject({ code: 'recordings.too-many' });
    expect(await index.source.measure(QUERY, signal)).toBeNull();
  });

  test('is answered by a walk when the file of the index is damaged, and another is built', async () => {
    await using tree = await recordingTree({ [NAME]: wav(100) });
    await using index = hostIndex(tree);
    const { serial } = await index.ready();
    await index.source.find(QUERY, signal);
    const access = index.access;
    const settled = await access.settle({ first: '2025-10-26', last: '2025-10-28' }, signal);
    access.broken(new Error('damaged'));
    expect(settled).not.toBeNull();
    expect((await index.source.find(QUERY, signal)).recordings).toHaveLength(1);
    await eventually('another index', () => (index.report().serial ?? 0) > (serial ?? 0));
    expect((await index.source.find(QUERY, signal)).recordings).toHaveLength(1);
  });

  test('says that the disk is away rather than that nothing was found, and has forgotten nothing when it is back', async () => {
    await using tree = await recordingTree({ [`empresa/${NAME}`]: wav(100) });
    await using index = hostIndex(tree);
    await index.ready();
    await rename(tree.root, `${tree.root}-away`);
    const unavailable = { code: 'recordings.unavailable', retriable: true };
    await expect(index.source.find(QUERY, signal)).rejects.toMatchObject(unavailable);
    await mkdir(tree.root);
    await expect(index.source.find(QUERY, signal)).rejects.toMatchObject(unavailable);
    await expect(index.host.verify(signal)).rejects.toMatchObject(unavailable);
    expect(await index.source.measure(QUERY, signal)).toBeNull();
    await rm(tree.root, { recursive: true });
    await rename(`${tree.root}-away`, tree.root);
    expect((await index.source.find(QUERY, signal)).recordings).toHaveLength(1);
    expect(await index.host.verify(signal)).toMatchObject({ files: 1, missing: 0, stale: 0 });
  });

  test('names the directories that it could not read, as a walk does', async () => {
    const deep = Array.from({ length: 30 }, () => 'd').join('/');
    await using tree = await recordingTree({ [`${deep}/${NAME}`]: wav(100), [OTHER]: wav(100) });
    await using index = hostIndex(tree);
    await index.ready();
    const found = await index.source.find(QUERY, signal);
    expect(found.unreadable).toHaveLength(1);
    expect(found).toEqual(await index.base.find(QUERY, signal));
  });

  test('knows the sizes of files at rest before anybody asks', async () => {
    await using tree = await recordingTree({ [NAME]: wav(100) });
    await utimes(join(tree.root, NAME), 1_761_566_400, 1_761_566_400);
    await writeFile(join(tree.root, OTHER), wav(100)); // still growing, for all one knows
    const looked: number[] = [];
    const look = createDiskConfirm(tree.root);
    await using index = hostIndex({
      ...tree,
      confirm: (matches, aborted) => {
        looked.push(matches.length);
        return look(matches, aborted);
      },
    });
    await index.ready();
    await eventually('the size to be known', async () => {
      looked.length = 0;
      expect(await index.source.measure(QUERY, signal)).toEqual({ count: 2, bytes: 200 });
      return looked[0] === 1;
    });
  });
});

describe('what is near, by the index', () => {
  const at = (stamp: string): string => recordingName('1121', '2000', stamp);
  /** What is told of the only extension: when its nearest on both sides begin. */
  const told = async (index: ReturnType<typeof hostIndex>, changes: { readonly server?: string } = {}) => {
    const near = await index.source.nearby({ ...QUERY, ...changes }, signal);
    return near?.extensions.map(({ before, after }) => [
      before?.startedAt ?? null,
      after?.startedAt ?? null,
    ])[0];
  };

  test('is what is there: of those that are gone the next one counts, and they are forgotten', async () => {
    await using tree = await recordingTree({
      [`2025/10/20/${at('20251020-080000')}`]: wav(100),
      [`2025/10/25/${at('20251025-080000')}`]: wav(100),
      [`2025/11/25/${at('20251125-080000')}`]: wav(100),
    });
    await using index = hostIndex({ ...tree, maxWatches: 0 });
    await index.ready();
    expect(await told(index)).toEqual(['2025-10-25T08:00:00', '2025-11-25T08:00:00']);
    await rm(join(tree.root, '2025/10/25'), { recursive: true });
    await rm(join(tree.root, '2025/11/25'), { recursive: true });
    expect(await told(index)).toEqual(['2025-10-20T08:00:00', null]);
  });

  test('of a server is found behind however many of others', async () => {
    const others = Array.from({ length: 1500 }, (_, count) => {
      const minute = String(count % 60).padStart(2, '0');
      return [
        `gv2p/${at(`20251026-${String(count % 24).padStart(2, '0')}${minute}00`)}-${count}.wav`,
        '',
      ] as const;
    });
    const own = { [`gv1p/${at('20251001-080000')}`]: wav(100) };
    await using tree = await recordingTree({ ...Object.fromEntries(others), ...own });
    await using index = hostIndex(tree);
    await index.ready();
    expect(await told(index, { server: 'gv1p' })).toEqual(['2025-10-01T08:00:00', null]);
    expect(await told(index, { server: 'gv9p' })).toEqual(['2025-10-26T23:59:00', null]);
  });

  test('is looked for by walking where there is no index, and not told where all candidates are gone', async () => {
    const many = Array.from(
      { length: 8 },
      (_, count) => [`a/${at(`20251020-08000${count}`)}`, wav(100)] as const,
    );
    await using tree = await recordingTree({
      ...Object.fromEntries(many),
      [at('20251001-080000')]: wav(100),
    });
    const index = hostIndex({ ...tree, maxWatches: 0 });
    await index.ready();
    await rm(join(tree.root, 'a'), { recursive: true });
    expect(await told(index)).toBeUndefined();
    await index[Symbol.asyncDispose]();
    expect(await index.base.nearby(QUERY, signal)).toMatchObject({
      extensions: [{ before: { startedAt: '2025-10-01T08:00:00' } }],
    });
  });
});
