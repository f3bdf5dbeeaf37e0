import { describe, expect, test } from 'vitest';
import { systemClock } from '../../../node/platform/clock.ts';
import { inTime } from '../../../node/platform/in-time.ts';
import { fixedClock } from '../../support/fixed-clock.ts';

const forever = new Promise<never>(() => undefined);

describe('work with a bound', () => {
  test('gives what it came to', async () => {
    expect(await inTime(fixedClock(), 1_000, Promise.resolve('done'))).toBe('done');
  });

  test('gives null when the time is over', async () => {
    const clock = fixedClock();
    const waiting = inTime(clock, 1_000, forever);
    clock.advance({ milliseconds: 1_000 });
    expect(await waiting).toBeNull();
  });

  test('fails as the work does', async () => {
    await expect(inTime(fixedClock(), 1_000, Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  });

  test('is given up with the reason of the signal', async () => {
    const giving = new AbortController();
    const waiting = inTime(fixedClock(), 1_000, forever, giving.signal);
    giving.abort(new Error('not wanted any more'));
    await expect(waiting).rejects.toThrow('not wanted any more');
  });
});

test.each([
  ['the clock of the machine', systemClock],
  ['the clock of the tests', fixedClock()],
])('a sleep on %s ends with the reason of its signal', async (_, clock) => {
  const giving = new AbortController();
  const sleeping = clock.sleep(60_000, giving.signal);
  giving.abort(new Error('up again'));
  await expect(sleeping).rejects.toThrow('up again');
});
