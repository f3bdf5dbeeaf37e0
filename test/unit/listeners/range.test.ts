import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseRange } from '../../../node/listeners/range.ts';

describe('a Range header', () => {
  test.each([
    ['bytes=0-4', { first: 0, last: 4 }],
    ['bytes=5-', { first: 5, last: 9 }],
    ['bytes=5-99', { first: 5, last: 9 }],
    ['bytes=9-9', { first: 9, last: 9 }],
    ['bytes=-3', { first: 7, last: 9 }],
    ['bytes=-99', { first: 0, last: 9 }],
    ['Bytes= 1 - 2 ', { first: 1, last: 2 }],
  ])('%s of ten bytes is a part', (header, part) => {
    expect(parseRange(header, 10)).toEqual(part);
  });

  test.each(['bytes=10-', 'bytes=10-12', 'bytes=-0'])('%s of ten bytes cannot be satisfied', (header) => {
    expect(parseRange(header, 10)).toBe('unsatisfiable');
  });

  test.each([
    undefined,
    '',
    'bytes=',
    'bytes=-',
    'bytes=4-2',
    'bytes=0-1,3-4',
    'lines=0-1',
    'bytes=x-1',
    `bytes=${'9'.repeat(16)}-`,
  ])('%s is passed over', (header) => {
    expect(parseRange(header, 10)).toBe('whole');
  });

  test('property: a part lies within the file, whatever is asked for', () => {
    const header = fc.oneof(fc.string(), fc.stringMatching(/^bytes=\d{0,4}-\d{0,4}$/));
    fc.assert(
      fc.property(header, fc.nat(2000), (asked, sizeBytes) => {
        const range = parseRange(asked, sizeBytes);
        if (typeof range === 'string') return;
        expect(range.first).toBeGreaterThanOrEqual(0);
        expect(range.last).toBeGreaterThanOrEqual(range.first);
        expect(range.last).toBeLessThan(sizeBytes);
      }),
    );
  });
});
