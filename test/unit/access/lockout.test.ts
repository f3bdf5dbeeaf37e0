import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { EVERYBODY, type Lockout, openLockout } from '../../../node/access/lockout.ts';
import { createLog } from '../../../node/platform/log.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { temporaryDirectory } from '../../support/process.ts';

const ANA = 'ana@example.com';

async function world() {
  const directory = await temporaryDirectory();
  const path = join(directory.path, 'lockout.json');
  const clock = fixedClock();
  const lines: string[] = [];
  const log = createLog({ level: 'info', style: 'terminal', write: (line) => lines.push(line) });
  const open = (): Promise<Lockout> => openLockout({ path, clock, log });
  return { path, clock, lines, open, [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose]() };
}

async function tryTokens(lockout: Lockout, from: string, times: number): Promise<void> {
  for (let n = 0; n < times; n += 1) await lockout.note(from, `${from} ${n} ${Math.random()}`, 1);
}

test('five wrong tokens within an hour lock a sender out for a day, over restarts', async () => {
  await using it = await world();
  await tryTokens(await it.open(), ANA, 4);
  const lockout = await it.open();
  expect(lockout.lockOf(ANA)).toBeNull();
  await tryTokens(lockout, 'Ana@Example.com', 1);
  expect((await it.open()).lockOf(ANA)).toMatchObject({ who: ANA, until: '2026-03-03T12:00:00Z' });
  expect((await it.open()).lockOf('bia@example.com')).toBeNull();
  it.clock.advance({ hours: 24 });
  expect((await it.open()).lockOf(ANA)).toBeNull();
  expect((await stat(it.path)).mode & 0o777).toBe(0o600);
});

test('five in more than an hour do not', async () => {
  await using it = await world();
  const lockout = await it.open();
  for (let n = 0; n < 10; n += 1) {
    await tryTokens(lockout, ANA, 1);
    it.clock.advance({ minutes: 16 });
  }
  expect(lockout.lockOf(ANA)).toBeNull();
});

test('a hundred of all within a day lock everybody out, until somebody clears it', async () => {
  await using it = await world();
  const lockout = await it.open();
  for (let n = 0; n < 99; n += 1) await tryTokens(lockout, `p${n}@example.com`, 1);
  expect(lockout.lockOf(ANA)).toBeNull();
  await tryTokens(lockout, 'p99@example.com', 1);
  expect(lockout.lockOf(ANA)).toMatchObject({ who: EVERYBODY });
  expect(await lockout.clear(ANA)).toBe(false);
  expect(await lockout.clear(EVERYBODY)).toBe(true);
  expect((await it.open()).lockOf(ANA)).toBeNull();
});

test('clearing forgets the tries that led to it', async () => {
  await using it = await world();
  const lockout = await it.open();
  await tryTokens(lockout, ANA, 5);
  expect(await lockout.clear(ANA)).toBe(true);
  await tryTokens(lockout, ANA, 4);
  expect(lockout.lockOf(ANA)).toBeNull();
});

test('a damaged file locks nobody out, and is complained of', async () => {
  await using it = await world();
  await writeFile(it.path, '{"version":1,');
  const lockout = await it.open();
  expect(lockout.list()).toEqual([]);
  expect(it.lines.join('')).toContain('damaged');
  await tryTokens(lockout, ANA, 5);
  expect(JSON.parse(await readFile(it.path, 'utf8'))).toMatchObject({ locks: [{ who: ANA }] });
});
