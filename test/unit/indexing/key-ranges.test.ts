import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  compareKeys,
  createFolderOrder,
  evenly,
  prefixOfFolder,
  rangesBetween,
  splitKey,
  withinFolder,
} from '../../../node/indexing/key-ranges.ts';

/** Few letters, so that keys meet at borders; one beyond U+FFFF, which UTF-16 puts elsewhere than UTF-8. */
const letter = fc.constantFrom('a', 'b', '-', '.', '0', '\uFF5E', '\u{1F600}');
const word = fc.string({ unit: letter, minLength: 1, maxLength: 3 });
/** Some programs put slashes where a part of the path was empty. */
const directory = fc.oneof({ weight: 3, arbitrary: word }, { weight: 1, arbitrary: fc.constant('') });
const key = fc
  .tuple(fc.array(directory, { maxLength: 3 }), word)
  .map(([directories, name]) => [...directories, name].join('/'));
const keys = fc.uniqueArray(key, { maxLength: 30 });
const bound = fc.option(
  fc.oneof(
    key,
    key.map((one) => `${one}/`),
  ),
);

describe('ranges of keys', () => {
  test('between cuts hold every key once', () => {
    fc.assert(
      fc.property(keys, key, (some, one) => {
        const ranges = rangesBetween(some.toSorted(compareKeys));
        const holding = ranges.filter(
          ({ after, upTo }) =>
            (after === null || compareKeys(one, after) > 0) && (upTo === null || compareKeys(one, upTo) <= 0),
        );
        expect(holding).toHaveLength(1);
      }),
    );
  });

  test('are cut evenly, into no more than asked', () => {
    const letters = [...'abcdefghij'];
    expect(evenly(letters, 4)).toEqual(['c', 'e', 'g', 'i']);
    expect(evenly(letters, 20)).toEqual(letters);
    expect(evenly([], 4)).toEqual([]);
  });

  test('are compared as S3 orders keys, by the bytes of UTF-8', () => {
    expect(['\u{1F600}', '\uFF5E', 'é', 'a'].toSorted(compareKeys)).toEqual([
      'a',
      'é',
      '\uFF5E',
      '\u{1F600}',
    ]);
  });
});

describe('a folder in a range of keys', () => {
  test('and a name in it make the key again, whatever slashes it has', () => {
    fc.assert(
      fc.property(key, (one) => {
        const { folder, name } = splitKey(one);
        expect(prefixOfFolder(folder) + name).toBe(one);
      }),
    );
    expect(['x', '/x', '//x', 'a/x', '/a/x'].map((one) => splitKey(one).folder)).toEqual([
      ...['', '/', '//', 'a', '/a'],
    ]);
  });

  test('is given as the names in it that are in the range, and all folders with such names are found', () => {
    fc.assert(
      fc.property(keys, bound, bound, (some, after, upTo) => {
        const inRange = (one: string): boolean =>
          (after === null || compareKeys(one, after) > 0) && (upTo === null || compareKeys(one, upTo) <= 0);
        const folders = new Set(some.map((one) => splitKey(one).folder));
        const touching = new Set(['', ...createFolderOrder(folders).touching({ after, upTo })]);
        for (const one of some) {
          const { folder, name } = splitKey(one);
          const names = touching.has(folder) ? withinFolder(folder, { after, upTo }) : null;
          const isIn =
            names !== null &&
            (names.after === null || compareKeys(name, names.after) > 0) &&
            (names.upTo === null || compareKeys(name, names.upTo) <= 0);
          expect([one, isIn]).toEqual([one, inRange(one)]);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('that is added later is found too, once', () => {
    const order = createFolderOrder(['b', 'a']);
    for (const folder of ['ab', 'a', '', 'b/c']) order.add(folder);
    expect(order.touching({ after: null, upTo: null })).toEqual(['a', 'ab', 'b', 'b/c']);
    expect(order.touching({ after: 'b/a', upTo: 'b/b' })).toEqual(['b']);
    expect(order.touching({ after: 'b/c/x', upTo: null })).toEqual(['b', 'b/c']);
  });
});
