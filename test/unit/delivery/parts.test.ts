import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nameRecordings } from '../../../node/delivery/entry-name.ts';
import { divide } from '../../../node/delivery/parts.ts';
import type { Recording } from '../../../node/recordings/source.ts';

function recordings(...sizes: readonly (number | 'archived')[]): Recording[] {
  return sizes.map((size, index) => ({
    key: `${index}.wav`,
    origin: '1121',
    destination: '2000',
    startedAt: '2025-10-27T08:00:00',
    sizeBytes: size === 'archived' ? 1_000 : size,
    format: 'wav',
    ...(size === 'archived' ? { archived: true as const } : {}),
  }));
}

function sizesOf(sizes: readonly (number | 'archived')[], maxBytes: number, maxFiles: number): string[] {
  const parts = divide(nameRecordings(recordings(...sizes)), { maxBytes, maxFiles });
  return parts.map(({ entries, sizeBytes }) => `${entries.length} of ${sizeBytes}`);
}

describe('a result is divided', () => {
  test('not at all while it keeps to the limits, both included', () => {
    expect(sizesOf([50, 50], 100, 2)).toEqual(['2 of 100']);
  });

  test('where the next recording would be too much, or one too many', () => {
    expect(sizesOf([50, 51, 49], 100, 9)).toEqual(['1 of 50', '2 of 100']);
    expect(sizesOf([1, 1, 1, 1, 1], 100, 2)).toEqual(['2 of 2', '2 of 2', '1 of 1']);
  });

  test('so that one recording over the limit has a ZIP of its own', () => {
    expect(sizesOf([1, 500, 1], 100, 9)).toEqual(['1 of 1', '1 of 500', '1 of 1']);
  });

  test('without counting what lies in cold storage', () => {
    expect(sizesOf([60, 'archived', 'archived', 40, 'archived', 1], 100, 2)).toEqual(['5 of 100', '1 of 1']);
    expect(sizesOf(['archived'], 1, 1)).toEqual(['1 of 0']);
  });

  test('into one part where there is nothing', () => {
    expect(sizesOf([], 1, 1)).toEqual(['0 of 0']);
  });

  test('property: the parts are the result, in its order, and each keeps to the limits or holds one recording', () => {
    const sizes = fc.array(fc.oneof(fc.nat(1_000), fc.constant('archived' as const)));
    const limit = fc.integer({ min: 1, max: 2_000 });
    fc.assert(
      fc.property(sizes, limit, fc.integer({ min: 1, max: 20 }), (all, maxBytes, maxFiles) => {
        const named = nameRecordings(recordings(...all));
        const parts = divide(named, { maxBytes, maxFiles });
        expect(parts.flatMap(({ entries }) => entries)).toEqual(named);
        for (const { entries, sizeBytes } of parts) {
          const counted = entries.filter(({ recording }) => recording.archived !== true);
          expect(sizeBytes).toBe(counted.reduce((sum, { recording }) => sum + recording.sizeBytes, 0));
          expect(counted.length <= 1 || (counted.length <= maxFiles && sizeBytes <= maxBytes)).toBe(true);
          expect(parts.length === 1 || counted.length > 0).toBe(true);
        }
      }),
    );
  });
});
