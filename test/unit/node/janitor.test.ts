import { describe, expect, test } from 'vitest';
import { type Chore, runJanitor } from '../../../node/janitor.ts';
import { createLog } from '../../../node/platform/log.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { eventually } from '../../support/process.ts';

/** A janitor whose rounds are ended one by one. */
function janitor(chores: readonly Chore[], clock = fixedClock()) {
  const lines: string[] = [];
  const log = createLog({ level: 'debug', style: 'terminal', write: (line) => lines.push(line) });
  const stopping = new AbortController();
  const ended = runJanitor({ chores, clock, log }, stopping.signal);
  return {
    lines,
    /** Lets ten minutes pass; resolves when `done` says that the round is over. */
    round: async (done: () => boolean): Promise<void> => {
      await eventually('the janitor to wait for its round', () => {
        clock.advance({ minutes: 10 });
        return done();
      });
    },
    stop: async (): Promise<void> => {
      stopping.abort();
      await ended;
    },
  };
}

describe('the janitor', () => {
  test('does each chore in its rounds, and logs what it says', async () => {
    const done: string[] = [];
    const chore = (name: string, everyRounds: number): Chore => ({
      ...{ name, everyRounds },
      run: () => Promise.resolve(`${name} for the ${done.push(name)}th time`),
    });
    const it = janitor([chore('often', 1), chore('seldom', 3)]);
    for (let round = 1; round <= 6; round += 1) {
      await it.round(() => done.filter((name) => name === 'often').length >= round);
    }
    await it.stop();
    const seldom = done.flatMap((name, index) => (name === 'seldom' ? [index] : []));
    expect(seldom[0]).toBe(1);
    // Of one moment, whichever comes first.
    expect([4, 5]).toContain(seldom[1]);
    expect(it.lines[0]).toContain('often for the 1th time');
  });

  test('does the others where one fails, and that one again in its next round', async () => {
    let tries = 0;
    let others = 0;
    const it = janitor([
      { name: 'broken', everyRounds: 1, run: () => Promise.reject(new Error(`try ${(tries += 1)}`)) },
      { name: 'other', everyRounds: 1, run: () => Promise.resolve(`other ${(others += 1)}`) },
    ]);
    await it.round(() => others >= 2);
    await it.stop();
    expect(tries).toBeGreaterThanOrEqual(2);
    expect(it.lines.join('\n')).toContain('try 1');
  });

  test('does the others where one takes long, and that one not twice at once', async () => {
    let begun = 0;
    let others = 0;
    const goOn = Promise.withResolvers<string>();
    const it = janitor([
      { name: 'long', everyRounds: 1, run: () => ((begun += 1), goOn.promise) },
      { name: 'other', everyRounds: 1, run: () => Promise.resolve(`other ${(others += 1)}`) },
    ]);
    await it.round(() => others >= 3);
    expect(begun).toBe(1);
    goOn.resolve('done at last');
    await it.round(() => begun >= 2);
    await it.stop();
  });

  test('waits a round when the clock has leapt forward: it may be set right before anything is lost', async () => {
    const clock = fixedClock();
    const at: string[] = [];
    const it = janitor(
      [{ name: 'sweep', everyRounds: 1, run: (now) => Promise.resolve(String(at.push(now.toString()))) }],
      clock,
    );
    await it.round(() => at.length >= 1);
    clock.set('2030-01-01T00:00:00Z');
    clock.advance({ minutes: 10 });
    await eventually('the janitor to notice', () => it.lines.join('').includes('leapt'));
    expect(at.every((instant) => instant.startsWith('2026-'))).toBe(true);
    clock.set('2026-03-02T15:00:00Z');
    const before = at.length;
    await it.round(() => at.length > before);
    expect(at.at(-1)).toMatch(/^2026-/);
    // One that stays is believed.
    clock.set('2030-01-01T00:00:00Z');
    await it.round(() => at.at(-1)?.startsWith('2030-') === true);
    await it.stop();
  });

  test('ends between two chores when the node stops', async () => {
    const stopping = new AbortController();
    const clock = fixedClock();
    let later = false;
    const chores: Chore[] = [
      {
        ...{ name: 'last', everyRounds: 1 },
        run: () => {
          stopping.abort();
          return Promise.resolve('done');
        },
      },
      { name: 'never', everyRounds: 1, run: () => Promise.resolve(String((later = true))) },
    ];
    const log = createLog({ level: 'error', style: 'terminal', write: () => undefined });
    const ended = runJanitor({ chores, clock, log }, stopping.signal);
    clock.advance({ minutes: 10 });
    await ended;
    expect(later).toBe(false);
  });
});
