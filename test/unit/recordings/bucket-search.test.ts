import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Lister } from '../../../node/bucket/lister.ts';
import { parseLayout } from '../../../node/recordings/bucket-layout.ts';
import { searchBucket } from '../../../node/recordings/bucket-search.ts';

const { signal } = new AbortController();

test('a bounded number of directories are listed at a time, however many lie in one another', async () => {
  const parsed = parseLayout('{yyyy}/{any}/{mm}/{any}/{dd}/{any}/');
  if (!parsed.ok) throw new Error(parsed.fault);
  const now = { listings: 0, most: 0 };
  const asked: string[] = [];
  const lister: Lister = {
    page: async ({ prefix, delimiter }) => {
      asked.push(prefix);
      now.listings += 1;
      now.most = Math.max(now.most, now.listings);
      await setImmediate();
      now.listings -= 1;
      const inside = Array.from({ length: 6 }, (_, index) => `${prefix}c${index}/`);
      return { objects: [], directories: delimiter === undefined ? [] : inside, token: null };
    },
  };
  const month = { start: '2025-10-02T00:00:00', end: '2025-10-30T23:59:59' };
  const searched = await searchBucket(
    lister,
    { layout: parsed.layout, root: '', except: null },
    { extensions: ['1121'], ...month, server: null },
    100_000,
    signal,
  );
  expect(searched.directories).toBe(31 * 6 ** 3);
  expect(new Set(asked).size).toBe(asked.length);
  expect(now.most).toBe(12);
});
