import { watch as native } from 'node:fs';
import { chmod, mkdir, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createDiskKeeper, type DiskKeeperOptions } from '../../../node/indexing/disk-keeper.ts';
import type { WatchFunction } from '../../../node/indexing/watches.ts';
import { type Clock, systemClock } from '../../../node/platform/clock.ts';
import { silentLog } from '../../../node/platform/log.ts';
import { recordingName } from '../../support/audio.ts';
import { createMemoryIndex } from '../../support/memory-index.ts';
import { eventually } from '../../support/process.ts';
import { recordingTree } from '../../support/recording-tree.ts';

const { signal } = new AbortController();
/** Nothing that happens here is too young to be trusted. */
const laterClock: Clock = { ...systemClock, now: () => systemClock.now().add({ seconds: 10 }) };
const RANGE = { first: '2000-01-01', last: '2099-12-31' };
const name = (unique: string): string => recordingName('1121', '2000', '20251027-080000', unique);

async function keep(root: string, options: Partial<DiskKeeperOptions> = {}) {
  const index = createMemoryIndex();
  const keeper = createDiskKeeper({ root, clock: laterClock, log: silentLog, ...options });
  onTestFinished(() => keeper[Symbol.asyncDispose]());
  await keeper.build(index, () => undefined, signal);
  keeper.adopt(index);
  return { index, keeper };
}

/** As the system says that something is not there. */
function notThere(syscall: string): Error {
  return Object.assign(new Error('ENOENT: no such file or directory'), { code: 'ENOENT', syscall });
}

/** Root may read everything: then somebody else does it. */
async function asNobody<T>(work: () => Promise<T>): Promise<T> {
  if (process.getuid?.() !== 0) return work();
  process.seteuid?.(65_534);
  try {
    return await work();
  } finally {
    process.seteuid?.(0);
  }
}

describe('a keeper of a directory tree in trouble', () => {
  test('finds what came into a folder whose mtime was then set back, as rsync and tar do', async () => {
    await using tree = await recordingTree({ [`a/${name('1.1')}`]: 'x' });
    const folder = join(tree.root, 'a');
    await utimes(folder, 1_761_566_400, 1_761_566_400);
    const { index, keeper } = await keep(tree.root, { maxWatches: 0 });
    await keeper.settle(RANGE, signal);
    await writeFile(join(folder, name('1.2')), 'x');
    await utimes(folder, 1_761_566_400, 1_761_566_400);
    await keeper.settle(RANGE, signal);
    expect(index.keys()).toHaveLength(2);
  });

  test('keeps a folder in which a file vanishes while it is read', async () => {
    await using tree = await recordingTree({ [`a/b/${name('1.1')}`]: 'x' });
    const { index, keeper } = await keep(tree.root, { maxWatches: 0 });
    await writeFile(join(tree.root, 'a/b', name('1.2')), 'x');
    vi.spyOn(index, 'replace').mockImplementationOnce(() => {
      throw notThere('lstat');
    });
    await keeper.settle(RANGE, signal);
    expect(keeper.unreadable?.(RANGE)).toEqual(['a/b']);
    await keeper.settle(RANGE, signal);
    expect(keeper.unreadable?.(RANGE)).toEqual([]);
    expect(index.keys()).toHaveLength(2);
  });

  test('keeps a folder in which a file vanishes while the index is built', async () => {
    await using tree = await recordingTree({ [`a/b/${name('1.1')}`]: 'x' });
    const index = createMemoryIndex();
    await using keeper = createDiskKeeper({
      root: tree.root,
      clock: laterClock,
      log: silentLog,
      maxWatches: 0,
    });
    vi.spyOn(index, 'add').mockImplementationOnce(() => {
      throw notThere('lstat');
    });
    await keeper.build(index, () => undefined, signal);
    keeper.adopt(index);
    await keeper.settle(RANGE, signal);
    expect(index.keys()).toEqual([`a/b/${name('1.1')}`]);
  });

  test('does not take names to be gone that it looks for while their folder is another one', async () => {
    await using tree = await recordingTree({ [`a/b/${name('1.1')}`]: 'x', 'c/leia-me.txt': 'x' });
    const { index, keeper } = await keep(tree.root, { maxWatches: 0 });
    await keeper.settle(RANGE, signal);
    const looked = vi.spyOn(index, 'transaction');
    // As a mount that is away for a moment, and comes back as it was.
    await rename(join(tree.root, 'a'), `${tree.root}-away`);
    await mkdir(join(tree.root, 'a/b'), { recursive: true });
    keeper.gone([`a/b/${name('1.1')}`]);
    await eventually('the name to be looked for', () => looked.mock.calls.length > 0);
    await rm(join(tree.root, 'a'), { recursive: true });
    await rename(`${tree.root}-away`, join(tree.root, 'a'));
    await keeper.settle(RANGE, signal);
    expect(index.keys()).toEqual([`a/b/${name('1.1')}`]);
  });

  test('watches nothing more for an index that another has taken the place of', async () => {
    await using tree = await recordingTree({ [`a/${name('1.1')}`]: 'x' });
    const closed: (() => void)[] = [];
    const watch: WatchFunction = (path) => {
      const watcher = native(path, { persistent: false });
      closed.push(vi.spyOn(watcher, 'close'));
      return watcher;
    };
    const { keeper } = await keep(tree.root, { watch });
    await keeper.settle(RANGE, signal);
    await Promise.all(
      Array.from({ length: 4 }, (_, count) => tree.write({ [`${count}/${name('1.1')}`]: 'x' })),
    );
    const audit = keeper.audit(signal).catch(() => undefined);
    const next = createMemoryIndex(2);
    next.putFolder('', null);
    keeper.adopt(next);
    await audit;
    await keeper[Symbol.asyncDispose]();
    for (const close of closed) expect(close).toHaveBeenCalled();
  });

  test('calls a folder unreadable as long as it is closed, and no longer', async () => {
    await using tree = await recordingTree({ [`a/b/${name('1.1')}`]: 'x' });
    const { index, keeper } = await keep(tree.root, { maxWatches: 0 });
    await keeper.settle(RANGE, signal);
    await chmod(join(tree.root, '..'), 0o755);
    for (const [mode, unreadable] of [
      [0o000, ['a']], // it cannot be read
      [0o444, ['a/b']], // what lies in it cannot be looked at
      [0o755, []],
    ] as const) {
      await chmod(join(tree.root, 'a'), mode);
      await asNobody(() => keeper.settle(RANGE, signal));
      expect(keeper.unreadable?.(RANGE)).toEqual(unreadable);
      expect(index.keys()).toHaveLength(1);
    }
  });
});
