import { randomInt } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LIMIT_MS, target } from '../../fuzz/engine.ts';
import { TARGETS } from '../../fuzz/targets.ts';

/** A light run of what `node test/fuzz/main.ts` does a million times. */
const CASES = 400;
const seed = randomInt(2 ** 31 - 1);

test.each(TARGETS.map((one) => ({ name: one.name, run: one.run })))(
  '$name: whatever comes in is read or refused, and what is read is read back the same',
  async ({ run }) => {
    expect(await run(CASES, seed)).toMatchObject({ cases: CASES, failure: null });
  },
);

describe('a target', () => {
  test('that fails is told of by the smallest input, and how to see it again', async () => {
    const failing = target('t', 1, fc.nat(1000), (value) => {
      if (value >= 10) throw new Error('too large');
    });
    expect((await failing.run(1000, 5)).failure).toMatch(/^\[10\] \(seed 5\): Error: too large/);
  });

  test('that is slow each time is told of, and one that was slow once is not', async () => {
    /** By the processor's time, which is no longer than that of the clock. */
    const wait = (): void => {
      const usedMs = (): number => process.threadCpuUsage().user / 1000;
      for (const until = usedMs() + LIMIT_MS + 5; usedMs() < until;);
    };
    expect((await target('t', 1, fc.constant(0), wait).run(1, 5)).failure).toContain('ms');
    let looks = 0;
    const once = target('t', 1, fc.constant(0), () => {
      looks += 1;
      if (looks === 1) wait();
    });
    expect(await once.run(1, 5)).toMatchObject({ failure: null });
    expect(looks).toBe(2);
  });
});
