import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { ListedObject } from '../../../node/bucket/list-page.ts';
import type { Lister } from '../../../node/bucket/lister.ts';
import { beginIndex, openReader } from '../../../node/indexing/index-files.ts';
import { compareKeys } from '../../../node/indexing/key-ranges.ts';
import { createSharedPass } from '../../../node/indexing/shared-pass.ts';
import { silentLog } from '../../../node/platform/log.ts';
import { recordingName } from '../../support/audio.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { temporaryDirectory } from '../../support/process.ts';

const { signal } = new AbortController();
const name = (unique: string): string => recordingName('1121', '2000', '20251027-080000', unique);
const QUERY = { extensions: ['1121'], start: '2025-10-27T00:00:00', end: '2025-10-27T23:59:59' };

/** Passes over a bucket of these keys, two a page, into an index of their own. */
async function passesOver(...some: string[]) {
  const keys = new Set(some);
  const clock = fixedClock();
  const directory = await temporaryDirectory();
  const writer = beginIndex(directory.path, 's3');
  writer.complete();
  const reader = openReader(directory.path, 's3', writer.serial);
  /** Called before each page. */
  const before = vi.fn<() => void | Promise<void>>();
  const lister: Lister = {
    page: async ({ after = null, token = null }) => {
      await before();
      const from = token ?? after;
      const rest = [...keys]
        .toSorted(compareKeys)
        .filter((key) => from === null || compareKeys(key, from) > 0);
      const page = rest.slice(0, 2);
      const objects = page.map((key): ListedObject => ({ key, sizeBytes: 1, archived: false }));
      return { objects, directories: [], token: rest.length > 2 ? (page.at(-1) ?? null) : null };
    },
  };
  const part = { lister, root: '', except: null };
  const passes = createSharedPass({ part: () => Promise.resolve(part), clock, log: silentLog });
  passes.adopt(writer);
  onTestFinished(async () => {
    await passes[Symbol.asyncDispose]();
    reader[Symbol.dispose]();
    writer[Symbol.dispose]();
    await directory[Symbol.asyncDispose]();
  });
  return { keys, clock, writer, before, passes, found: () => reader.query(QUERY).map(({ key }) => key) };
}

describe('the passes over a bucket', () => {
  test('do not believe a listing that is of later than now, as after the clock was set back', async () => {
    const { keys, clock, passes, found } = await passesOver(name('1.1'));
    await passes.since(clock.now(), signal);
    clock.set('2026-03-01T12:00:00Z'); // it was a day fast
    keys.add(name('1.2'));
    await passes.since(clock.now(), signal);
    expect(found()).toHaveLength(2);
    clock.advance({ minutes: 1 });
    expect(await passes.since(clock.now().subtract({ minutes: 5 }), signal)).toBeNull();
  });

  test('end for who has begun one, though the clock was set back meanwhile', async () => {
    const { clock, passes, before } = await passesOver(name('1.1'));
    before.mockImplementation(() => clock.set('2026-03-01T12:00:00Z'));
    const since = clock.now();
    clock.set('2026-03-01T12:00:00Z');
    expect(await passes.since(since, signal)).toMatchObject({ objects: 1 });
    expect(before).toHaveBeenCalledTimes(1);
  });

  test('take a page up again that could not be put into the index', async () => {
    const { clock, passes, writer, found } = await passesOver(...['1.1', '1.2', '1.3', '1.4'].map(name));
    const since = clock.now();
    // The first range goes on after what went wrong in the second.
    writer.setFact('bucket.cuts', JSON.stringify([name('1.2')]));
    const { replaceRange } = writer;
    let failed = false;
    const replace = vi.spyOn(writer, 'replaceRange').mockImplementation((folder, range, files) => {
      if (!failed && range.after === null) {
        failed = true;
        throw new Error('no room');
      }
      return replaceRange(folder, range, files);
    });
    await expect(passes.since(since, signal)).rejects.toThrow('no room');
    replace.mockRestore();
    clock.advance({ minutes: 1 });
    await passes.since(since, signal);
    expect(found()).toHaveLength(4);
  });

  test('say that the bucket is empty rather than that nothing was found', async () => {
    const { keys, clock, passes } = await passesOver(name('1.1'));
    await passes.since(clock.now(), signal);
    keys.clear();
    clock.advance({ minutes: 1 });
    const unavailable = { code: 'recordings.unavailable', retriable: true };
    await expect(passes.since(clock.now(), signal)).rejects.toMatchObject(unavailable);
    await expect(passes.since(clock.now(), signal)).rejects.toMatchObject(unavailable);
    keys.add(name('1.1'));
    expect(await passes.since(clock.now(), signal)).toMatchObject({ objects: 1 });
  });

  test('are not begun any more when they are closed', async () => {
    const { clock, passes, before } = await passesOver(name('1.1'));
    const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
    before.mockReturnValue(answered);
    const first = passes.since(clock.now(), signal);
    clock.advance({ minutes: 1 });
    const second = passes.since(clock.now(), signal); // waits for the first to end
    const closed = passes[Symbol.asyncDispose]();
    answer();
    const error = { code: 'index.closed' };
    await Promise.all([
      expect(first).rejects.toMatchObject(error),
      expect(second).rejects.toMatchObject(error),
      closed,
    ]);
    expect(before).toHaveBeenCalledTimes(1);
  });
});
