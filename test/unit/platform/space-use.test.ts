import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bytesOf, createDiskUse, createRest } from '../../../node/platform/space-use.ts';
import { silentLog } from '../../../node/platform/log.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { eventually, temporaryDirectory } from '../../support/process.ts';

const { signal } = new AbortController();
const BIG = Buffer.alloc(300_000, 1);
const SMALL = Buffer.alloc(40_000, 1);

async function setup(queue = 'state/queue') {
  const temporary = await temporaryDirectory();
  const stateDir = join(temporary.path, 'state');
  const queueDir = join(temporary.path, queue);
  const write = async (path: string, content = SMALL): Promise<void> => {
    const whole = join(temporary.path, path);
    await mkdir(join(whole, '..'), { recursive: true });
    await writeFile(whole, content);
  };
  await mkdir(stateDir);
  await mkdir(queueDir, { recursive: true });
  const clock = fixedClock();
  const use = createDiskUse({ stateDir, queueDir, clock, log: silentLog });
  return { stateDir, write, use, clock, [Symbol.asyncDispose]: () => temporary[Symbol.asyncDispose]() };
}

const near = (bytes: number): unknown =>
  expect.toSatisfy((value: number) => value >= bytes && value < bytes + 50_000);

test('what STATE_DIR takes is told by part, the largest first, with what lies deep', async () => {
  await using made = await setup();
  await made.write('state/web/audio/job/a.wav', BIG);
  await made.write('state/web/audio/job/b.wav', BIG);
  await made.write('state/index/audio-1.db', BIG);
  await made.write('state/queue/completed/1.json');
  await made.write('state/audit/2026-03.jsonl');
  await made.write('state/some.thing');
  expect(made.use.last()).toBeNull();
  expect(await made.use.measure(signal)).toMatch(/^STATE_DIR takes \d+ bytes, in 1\d files/);
  const seen = made.use.last();
  expect(seen?.parts.slice(0, 2)).toEqual([
    { name: 'results', bytes: near(600_000) },
    { name: 'index', bytes: near(300_000) },
  ]);
  expect(seen?.parts.map(({ name }) => name).toSorted()).toEqual([
    'audit',
    'index',
    'other',
    'queue',
    'results',
  ]);
  expect(seen?.stateBytes).toBe(seen?.parts.reduce((sum, { bytes }) => sum + bytes, 0));
  expect(seen?.measuredAt).toEqual(made.clock.now());
});

test('links are not followed, out of STATE_DIR or in a circle', async () => {
  await using made = await setup();
  await made.write('elsewhere/big', BIG);
  await symlink('../elsewhere', join(made.stateDir, 'web'));
  await mkdir(join(made.stateDir, 'index'));
  await symlink('..', join(made.stateDir, 'index/up'));
  await made.use.measure(signal);
  expect(made.use.last()?.stateBytes).toBeLessThan(100_000);
});

test('a queue that lies elsewhere is a part, and nothing of STATE_DIR', async () => {
  await using made = await setup('spool');
  await made.write('spool/pending/1.json', BIG);
  await made.use.measure(signal);
  expect(made.use.last()?.parts[0]).toEqual({ name: 'queue', bytes: near(300_000) });
  expect(made.use.last()?.stateBytes).toBeLessThan(100_000);
});

test('many files are looked at with rests in between, and not at all once it is over', async () => {
  await using made = await setup();
  await Promise.all(
    Array.from({ length: 520 }, (_, index) => made.write(`state/web/${index}`, Buffer.of(1))),
  );
  const slept: number[] = [];
  let atMs = 0;
  const clock = {
    now: made.clock.now,
    monotonicMs: () => (atMs += 40),
    sleep: async (ms: number) => {
      slept.push(ms);
    },
  };
  await bytesOf(made.stateDir, createRest(clock, signal));
  expect(slept).toEqual([40]);
  const over = AbortSignal.abort(new Error('over'));
  await expect(bytesOf(made.stateDir, createRest(clock, over))).rejects.toThrow('over');
});

test('it is measured soon after the start, and every ten minutes', async () => {
  await using made = await setup();
  const stopping = new AbortController();
  const running = made.use.run(stopping.signal);
  made.clock.advance({ seconds: 2 });
  await eventually('the first measure', () => made.use.last() !== null);
  const first = made.use.last();
  await made.write('state/web/a', BIG);
  await eventually('the second measure', () => {
    made.clock.advance({ minutes: 10 });
    return made.use.last() !== first;
  });
  stopping.abort();
  await running;
  expect(made.use.last()?.parts[0]).toMatchObject({ name: 'results' });
});
