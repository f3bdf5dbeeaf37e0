import { watch as native } from 'node:fs';
import { mkdir, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createDiskKeeper, type DiskKeeperOptions } from '../../../node/indexing/disk-keeper.ts';
import type { WatchFunction } from '../../../node/indexing/watches.ts';
import { type Clock, systemClock } from '../../../node/platform/clock.ts';
import { createLog, silentLog } from '../../../node/platform/log.ts';
import { recordingName, wav } from '../../support/audio.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { createMemoryIndex } from '../../support/memory-index.ts';
import { eventually } from '../../support/process.ts';
import { recordingTree } from '../../support/recording-tree.ts';

const { signal } = new AbortController();
/** Nothing that happens here is too young to be trusted. */
const laterClock: Clock = { ...systemClock, now: () => systemClock.now().add({ seconds: 10 }) };

/** Days as the directories of today are called, whichever day it is. */
function today(clock: Clock): { readonly folder: string; readonly name: (unique: string) => string } {
  const date = clock.now().toString().slice(0, 10);
  const stamp = `${date.replaceAll('-', '')}-080000`;
  return {
    folder: date.replaceAll('-', '/'),
    name: (unique) => recordingName('1121', '2000', stamp, unique),
  };
}
const TODAY = today(laterClock);
const RANGE = { first: '2000-01-01', last: '2099-12-31' };
const NAME = recordingName('1121', '2000', '20251027-080000');

/** More than a build goes through in one turn. */
const MANY_FOLDERS: Readonly<Record<string, string>> = Object.fromEntries(
  Array.from({ length: 100 }, (_, count) => [`${count}/notas.txt`, '']),
);

/** A keeper that has built and adopted an index of the tree. */
async function keep(root: string, options: Partial<DiskKeeperOptions> = {}) {
  const index = createMemoryIndex();
  const keeper = createDiskKeeper({ root, clock: laterClock, log: silentLog, ...options });
  onTestFinished(() => keeper[Symbol.asyncDispose]());
  const replaced = vi.spyOn(index, 'replace');
  await keeper.build(index, () => undefined, signal);
  keeper.adopt(index);
  return { index, keeper, replaced };
}

describe('a keeper of a directory tree', () => {
  test('does not read a watched folder again for what its events have told', async () => {
    await using tree = await recordingTree({ [NAME]: wav(100) });
    // Nothing is put in by itself, so that each search has something to do.
    const { index, keeper, replaced } = await keep(tree.root, {
      clock: { ...laterClock, sleep: fixedClock().sleep },
    });
    for (const unique of ['1.1', '1.2', '1.3']) {
      await writeFile(join(tree.root, TODAY.name(unique)), 'x');
      expect(await keeper.settle(RANGE, signal)).toContain('1 recordings new');
    }
    await rename(join(tree.root, TODAY.name('1.1')), join(tree.root, TODAY.name('1.4')));
    await rm(join(tree.root, TODAY.name('1.2')));
    await keeper.settle(RANGE, signal);
    expect(index.keys()).toEqual([NAME, TODAY.name('1.3'), TODAY.name('1.4')].toSorted());
    expect(replaced).not.toHaveBeenCalled();
    expect(await keeper.settle(RANGE, signal)).toBeNull();
  });

  test('reads only the folders that changed where nothing is watched', async () => {
    await using tree = await recordingTree({
      [`a/${TODAY.name('1.1')}`]: 'x',
      [`b/${TODAY.name('1.1')}`]: 'x',
    });
    const { index, keeper, replaced } = await keep(tree.root, { maxWatches: 0 });
    await writeFile(join(tree.root, 'b', TODAY.name('1.2')), 'x');
    await keeper.settle(RANGE, signal);
    expect(index.counts().files).toBe(3);
    expect(replaced).toHaveBeenCalledTimes(1);
    expect(keeper.watched()).toBe(0);
  });

  test('follows a directory that is made at midnight, and the recordings that come into it', async () => {
    await using tree = await recordingTree({ [`empresa/2020/01/01/${NAME}`]: 'x' });
    const { index, keeper, replaced } = await keep(tree.root);
    await tree.write({ [`empresa/${TODAY.folder}/${TODAY.name('1.1')}`]: 'x' });
    await keeper.settle(RANGE, signal);
    replaced.mockClear();
    await tree.write({ [`empresa/${TODAY.folder}/${TODAY.name('1.2')}`]: 'x' });
    await keeper.settle(RANGE, signal);
    expect(index.counts().files).toBe(3);
    expect(replaced).not.toHaveBeenCalled();
  });

  test('puts in by itself what comes into watched folders, and whole directories that are moved in', async () => {
    await using tree = await recordingTree({ [`empresa/${NAME}`]: 'x' });
    await using elsewhere = await recordingTree({ [`2020/01/01/${NAME}`]: 'x', [`outra/${NAME}`]: 'x' });
    const { index, keeper } = await keep(tree.root);
    await eventually('the folders to be watched', () => keeper.watched() === 2);
    await rename(elsewhere.root, join(tree.root, 'empresa', 'nova'));
    await writeFile(join(tree.root, TODAY.name('1.1')), 'x');
    await eventually('all to be there', () => index.counts().files === 4);
  });

  test('watches only what can still grow', async () => {
    await using tree = await recordingTree({
      [`empresa/2020/01/01/${NAME}`]: 'x',
      [`empresa/${TODAY.folder}/${TODAY.name('1.1')}`]: 'x',
      [`2019-05-06/${NAME}`]: 'x',
    });
    const { keeper } = await keep(tree.root);
    await keeper.sweep(signal);
    // The root, the company, and the year, month and day of today.
    expect(keeper.watched()).toBe(5);
  });

  test('finds everything where the kernel allows few watches or none, and says so once', async () => {
    await using tree = await recordingTree({ [`a/${NAME}`]: 'x', [`b/${NAME}`]: 'x', [`c/${NAME}`]: 'x' });
    const lines: string[] = [];
    const log = createLog({ level: 'warn', style: 'terminal', write: (line) => lines.push(line) });
    const watch: WatchFunction = () => {
      throw Object.assign(new Error('ENOSPC: System limit for number of file watchers reached'), {
        code: 'ENOSPC',
      });
    };
    const { index, keeper } = await keep(tree.root, { log, watch });
    await keeper.sweep(signal);
    await tree.write({ [`b/${TODAY.name('1.1')}`]: 'x', [`d/${TODAY.name('1.1')}`]: 'x' });
    await keeper.settle(RANGE, signal);
    expect(index.counts().files).toBe(5);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('max_user_watches');
  });

  test('reads watched folders again after more events than can be trusted to be all', async () => {
    await using tree = await recordingTree({ [NAME]: 'x' });
    let tell: (event: string, name: string | null) => void = () => undefined;
    const watch: WatchFunction = (path) => native(path, { persistent: false }); // tells nothing of itself
    const { index, keeper, replaced } = await keep(tree.root, {
      watch: (path, listener) => {
        tell = listener;
        return watch(path, listener);
      },
    });
    await writeFile(join(tree.root, TODAY.name('1.1')), 'x');
    tell('rename', 'outra.txt'); // an event explains the mtime: what it did not tell of is not looked for
    await keeper.settle(RANGE, signal);
    expect(index.counts().files).toBe(1);
    for (let count = 0; count < 8192; count += 1) tell('change', 'grande.wav');
    await keeper.settle(RANGE, signal);
    expect(index.counts().files).toBe(2);
    expect(replaced).toHaveBeenCalledTimes(1);
  });

  test('reads a watched folder again whose events do not come', async () => {
    await using tree = await recordingTree({ [NAME]: 'x' });
    const { index, keeper } = await keep(tree.root, { watch: (path) => native(path, { persistent: false }) });
    await writeFile(join(tree.root, TODAY.name('1.1')), 'x');
    await keeper.settle(RANGE, signal);
    expect(index.counts().files).toBe(2);
  });

  test('does not trust the mtime of a folder that changed a moment before it was read', async () => {
    await using tree = await recordingTree({ [NAME]: 'x' });
    const { index, keeper, replaced } = await keep(tree.root, { maxWatches: 0, clock: systemClock });
    expect(index.folders()[0]?.settled).toBeNull();
    await keeper.settle(RANGE, signal);
    expect(replaced).toHaveBeenCalledTimes(1);
  });

  test('removes the folders that are gone, with all below them', async () => {
    await using tree = await recordingTree({
      [`empresa/a/${NAME}`]: 'x',
      [`empresa/b/${NAME}`]: 'x',
      [NAME]: 'x',
    });
    const { index, keeper } = await keep(tree.root, { maxWatches: 0 });
    await rm(join(tree.root, 'empresa'), { recursive: true });
    await keeper.settle(RANGE, signal);
    expect(index.keys()).toEqual([NAME]);
    expect(index.counts().folders).toBe(1);
  });

  test('refuses to build or to settle on a root that is empty or gone, and keeps what it has', async () => {
    await using tree = await recordingTree({ [NAME]: 'x' });
    const { index, keeper } = await keep(tree.root);
    await rm(join(tree.root, NAME));
    const unavailable = { code: 'recordings.unavailable', retriable: true };
    await expect(keeper.settle(RANGE, signal)).rejects.toMatchObject(unavailable);
    await expect(keeper.build(createMemoryIndex(2), () => undefined, signal)).rejects.toMatchObject(
      unavailable,
    );
    await rmdir(tree.root);
    await expect(keeper.settle(RANGE, signal)).rejects.toMatchObject(unavailable);
    await expect(keeper.sweep(signal)).rejects.toMatchObject(unavailable);
    expect(index.keys()).toEqual([NAME]);
    await mkdir(tree.root);
    await writeFile(join(tree.root, TODAY.name('1.1')), 'x');
    await keeper.settle(RANGE, signal);
    expect(index.keys()).toEqual([TODAY.name('1.1')]);
  });

  test('has what appears, moves and vanishes while it builds', async () => {
    await using tree = await recordingTree({
      ...MANY_FOLDERS,
      [TODAY.name('1.7')]: '',
      [TODAY.name('1.8')]: '',
    });
    const index = createMemoryIndex();
    await using keeper = createDiskKeeper({ root: tree.root, clock: laterClock, log: silentLog });
    let changed: Promise<unknown> = Promise.resolve();
    await keeper.build(
      index,
      () => {
        changed = Promise.all([
          rm(join(tree.root, TODAY.name('1.7')), { force: true }),
          tree.write({ [TODAY.name('2.1')]: 'x', [`nova/${TODAY.name('2.2')}`]: 'x' }),
        ]);
      },
      signal,
    );
    await changed;
    keeper.adopt(index);
    await keeper.settle(RANGE, signal);
    expect(index.keys()).toHaveLength(3);
    expect(await keeper.audit(signal)).toMatchObject({ missing: 0, stale: 0 });
  });

  test('puts right in an audit what nothing has told of', async () => {
    await using tree = await recordingTree({ [NAME]: 'x', [`a/${NAME}`]: 'x' });
    const { index, keeper } = await keep(tree.root);
    index.remove(1, [NAME]);
    index.add(1, [{ name: TODAY.name('9.9'), sizeBytes: 1 }]);
    expect(await keeper.settle(RANGE, signal)).toBeNull();
    expect(await keeper.audit(signal)).toMatchObject({
      files: 2,
      folders: 2,
      missing: 1,
      stale: 1,
      unreadable: 0,
    });
    expect(index.keys()).toEqual([`a/${NAME}`, NAME]);
  });

  test('ends in the middle of a build when its signal aborts', async () => {
    await using tree = await recordingTree(MANY_FOLDERS);
    await using keeper = createDiskKeeper({ root: tree.root, clock: laterClock, log: silentLog });
    const aborter = new AbortController();
    const reason = new Error('enough');
    const building = keeper.build(createMemoryIndex(), () => aborter.abort(reason), aborter.signal);
    await expect(building).rejects.toBe(reason);
    await expect(keeper.settle(RANGE, signal)).rejects.toMatchObject({ code: 'index.not-ready' });
  });
});
