import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { mapBounded } from '../../../node/platform/concurrency.ts';

describe('work on many items', () => {
  test('keeps the order of the items and the bound', async () => {
    let running = 0;
    let most = 0;
    const results = await mapBounded([3, 1, 2, 0, 4], 2, async (item, index) => {
      running += 1;
      most = Math.max(most, running);
      for (let turn = 0; turn < item; turn += 1) await nextTurn();
      running -= 1;
      return item * 10 + index;
    });
    expect(results).toEqual([30, 11, 22, 3, 44]);
    expect(most).toBe(2);
  });

  test('begins nothing after a failure, and ends only when all that was begun has', async () => {
    const begun: number[] = [];
    let finished = 0;
    const failure = new Error('no');
    const work = mapBounded([0, 1, 2, 3, 4, 5], 2, async (item) => {
      begun.push(item);
      if (item === 0) throw failure;
      await nextTurn();
      finished += 1;
    });
    await expect(work).rejects.toBe(failure);
    expect(begun).toEqual([0, 1]);
    expect(finished).toBe(1);
  });

  test('of nothing is nothing', async () => {
    expect(await mapBounded([], 4, async () => 1)).toEqual([]);
  });
});
