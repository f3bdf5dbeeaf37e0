import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ListedObject } from '../../../node/bucket/list-page.ts';
import type { Lister } from '../../../node/bucket/lister.ts';
import { compareKeys } from '../../../node/indexing/key-ranges.ts';
import {
  beginPass,
  type ListedRange,
  listPass,
  type PassState,
  probeCuts,
} from '../../../node/indexing/listing-pass.ts';

const { signal } = new AbortController();
const NOW = Temporal.Instant.from('2026-03-02T12:00:00Z');

/** A bucket of these keys, whose pages are of `pageSize`; tells how many were asked for, and after which key. */
function bucketOf(keys: readonly string[], pageSize: number) {
  const sorted = keys.toSorted(compareKeys);
  const asked: (string | null)[] = [];
  const lister: Lister = {
    page: async ({ prefix, after = null, token = null, delimiter }) => {
      const from = token ?? after;
      asked.push(from);
      const below = sorted.filter(
        (key) => key.startsWith(prefix) && (from === null || compareKeys(key, from) > 0),
      );
      if (delimiter !== undefined) {
        const begins = below.map((key) => key.slice(0, key.indexOf(delimiter, prefix.length) + 1));
        const directories = [...new Set(begins.filter((one) => one.length > prefix.length))];
        return { objects: [], directories, token: null };
      }
      const page = below.slice(0, pageSize);
      const objects = page.map((key): ListedObject => ({ key, sizeBytes: 1, archived: false }));
      return { objects, directories: [], token: below.length > pageSize ? (page.at(-1) ?? null) : null };
    },
  };
  return { lister, asked };
}

const word = fc.string({ unit: fc.constantFrom('a', 'b', '-', '/', '\uFF5E', '\u{1F600}'), maxLength: 4 });
const keySet = fc.uniqueArray(
  word.map((one) => `a${one}`),
  { maxLength: 40 },
);
const cutSet = fc.uniqueArray(
  word.map((one) => `a${one}`),
  { maxLength: 6 },
);

/** Whether ranges that were taken hold every key once, each with the objects that lie in it. */
function expectWhole(taken: readonly ListedRange[], keys: readonly string[]): void {
  for (const key of keys) {
    const holding = taken.filter(
      ({ range }) =>
        (range.after === null || compareKeys(key, range.after) > 0) &&
        (range.upTo === null || compareKeys(key, range.upTo) <= 0),
    );
    expect(holding).toHaveLength(1);
    expect(holding[0]?.objects.map((object) => object.key)).toContain(key);
  }
  expect(taken.flatMap(({ objects }) => objects)).toHaveLength(keys.length);
}

describe('a pass over a bucket', () => {
  test('takes every key once, wherever it is cut and however large its pages are', async () => {
    await fc.assert(
      fc.asyncProperty(keySet, cutSet, fc.integer({ min: 1, max: 10 }), async (keys, cuts, pageSize) => {
        const { lister } = bucketOf(keys.map((key) => `root/${key}`).concat('other', 'root'), pageSize);
        const taken: ListedRange[] = [];
        const state = beginPass(NOW, cuts.toSorted(compareKeys));
        await listPass(
          { lister, root: 'root/', except: null },
          state,
          (listed) => taken.push(listed),
          signal,
        );
        expectWhole(taken, keys);
      }),
    );
  });

  test('that broke off is taken up where it was: nothing is taken twice, and nothing left out', async () => {
    await fc.assert(
      fc.asyncProperty(keySet, cutSet, fc.nat(8), async (keys, cuts, survive) => {
        const { lister } = bucketOf(keys, 3);
        const part = { lister, root: '', except: null };
        const taken: ListedRange[] = [];
        let state: PassState = beginPass(NOW, cuts.toSorted(compareKeys));
        const take = (most: number) => (listed: ListedRange, index: number, reached: string | true) => {
          if (taken.length >= most) throw new Error('the power went');
          taken.push(listed);
          state = { ...state, reached: state.reached.with(index, reached) };
        };
        await listPass(part, state, take(survive), signal).catch(() => undefined);
        await listPass(part, state, take(Infinity), signal);
        expectWhole(taken, keys);
      }),
    );
  });

  test('neither takes published results nor lists them through', async () => {
    const results = Array.from({ length: 50 }, (_, index) => `parelha/${index}`);
    const { lister, asked } = bucketOf(['a', 'b', ...results, 'z'], 3);
    const taken: ListedRange[] = [];
    await listPass(
      { lister, root: '', except: 'parelha/' },
      beginPass(NOW, []),
      (listed) => taken.push(listed),
      signal,
    );
    expectWhole(taken, ['a', 'b', 'z']);
    expect(asked).toEqual([null, 'parelha/\u{10FFFF}']);
  });

  test('tells where to cut the next one, so that as much lies between the cuts and none is of a few pages', async () => {
    const keys = Array.from({ length: 40_000 }, (_, index) => `k${String(index).padStart(6, '0')}`);
    const { lister } = bucketOf(keys, 1000);
    const { cuts, pages } = await listPass(
      { lister, root: '', except: null },
      beginPass(NOW, []),
      () => undefined,
      signal,
    );
    expect([pages, cuts.length]).toEqual([40, 10]);
    const at = [...cuts, 'k040000'].map((cut) => Number(cut.slice(1)));
    const sizes = at.map((end, index) => end - (at[index - 1] ?? 0));
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThan(1000);
  });

  test('of a bucket that nobody knows is cut by the first two fields of the names', async () => {
    const names = ['1121', '1122', '3000'].map((origin) => `root/internal-${origin}-1-x.wav`);
    const { lister, asked } = bucketOf([...names, 'root/out-5-6-x.wav', 'root/leia.txt'], 1000);
    expect(await probeCuts({ lister, root: 'root/', except: null }, signal)).toEqual([
      'internal-',
      'internal-1121-',
      'internal-1122-',
      'internal-3000-',
      'out-',
      'out-5-',
    ]);
    expect(asked).toHaveLength(3);
  });
});
