import { describe, expect, test } from 'vitest';
import { createLog, silentLog } from '../../../node/platform/log.ts';
import { bytesForDelivery, openSpaceWatch } from '../../../node/platform/space-watch.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { temporaryDirectory } from '../../support/process.ts';

const HEADROOM = 1_000;

/** A watch over two disks, with so much free on each. */
async function watch(headroomBytes = HEADROOM) {
  const free: Record<string, number | Error | null> = { state: 5_000, queue: 9_000 };
  const clock = fixedClock();
  const lines: string[] = [];
  let asked = 0;
  const space = await openSpaceWatch({
    directories: ['state', 'queue'],
    headroomBytes,
    clock,
    log: createLog({ level: 'debug', style: 'terminal', write: (line) => lines.push(line) }),
    freeBytesOf: async (directory) => {
      asked += 1;
      const value = free[directory] ?? null;
      if (value instanceof Error) throw value;
      return value ?? new Promise<number>(() => undefined);
    },
  });
  const look = (seconds = 1) => {
    clock.advance({ seconds });
    return space.look();
  };
  return { space, free, clock, lines, look, asked: () => asked };
}

describe('the room on disk', () => {
  test('is that of the fullest disk', async () => {
    const { space, look, free } = await watch();
    expect(space.last()).toEqual({ freeBytes: 5_000, headroomBytes: HEADROOM, isLow: false });
    free['queue'] = 300;
    expect(await look()).toEqual({ freeBytes: 300, headroomBytes: HEADROOM, isLow: true });
    expect(space.last().isLow).toBe(true);
  });

  test('is low below the headroom, and enough again a tenth above it', async () => {
    const { look, free } = await watch();
    const seen: boolean[] = [];
    for (const bytes of [1_000, 999, 1_050, 1_099, 1_100, 1_050]) {
      free['state'] = bytes;
      seen.push((await look()).isLow);
    }
    expect(seen).toEqual([false, true, true, true, false, false]);
  });

  test('is never low where no headroom is asked for', async () => {
    const { look, free, space } = await watch(0);
    free['state'] = 0;
    expect((await look()).isLow).toBe(false);
    expect(await bytesForDelivery(space)).toBeNull();
  });

  test('is asked once by all who look at a time', async () => {
    const { look, space, asked } = await watch();
    const before = asked();
    await Promise.all([look(), space.look(), space.look()]);
    await space.look();
    expect(asked() - before).toBe(2); // one for each disk
  });

  test('is what it was where a disk does not answer or fails, which the log tells once', async () => {
    const { look, free, lines, clock } = await watch();
    free['queue'] = Object.assign(new Error('stale handle'), { code: 'ESTALE' });
    expect(await look()).toMatchObject({ freeBytes: 5_000 });
    await look();
    free['queue'] = null;
    const waiting = look();
    clock.advance({ seconds: 3 });
    expect(await waiting).toMatchObject({ freeBytes: 5_000, isLow: false });
    expect(lines.filter((line) => line.includes('ESTALE'))).toHaveLength(1);
    expect(lines).toHaveLength(1);
    free['queue'] = 10;
    expect(await look()).toMatchObject({ freeBytes: 10, isLow: true });
  });

  test('for a delivery leaves a quarter of the headroom to all else', async () => {
    const { space, free, look } = await watch();
    expect(await bytesForDelivery(space)).toBe(4_750);
    free['state'] = 100;
    await look();
    expect(await bytesForDelivery(space)).toBe(0);
  });

  test('is what the system says of a directory; one that is not there cannot be watched', async () => {
    await using directory = await temporaryDirectory();
    const common = { headroomBytes: 0, clock: fixedClock(), log: silentLog };
    const space = await openSpaceWatch({ ...common, directories: [directory.path] });
    expect(space.last().freeBytes).toBeGreaterThan(0);
    const missing = openSpaceWatch({ ...common, directories: [`${directory.path}/none`] });
    await expect(missing).rejects.toMatchObject({ code: 'disk.unreadable' });
  });
});
