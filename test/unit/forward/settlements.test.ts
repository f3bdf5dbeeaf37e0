import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { handedOver } from '../../../node/forward/forward-origin.ts';
import { openSettlements, type Settlements } from '../../../node/forward/settlements.ts';
import { AppError } from '../../../node/platform/errors.ts';
import { silentLog } from '../../../node/platform/log.ts';
import type { Job, Outcome } from '../../../protocol/job.ts';
import { type FixedClock, fixedClock } from '../../support/fixed-clock.ts';
import { newJob } from '../../support/jobs.ts';
import { createMemoryPeer, type MemoryPeer } from '../../support/memory-peer.ts';
import { eventually, temporaryDirectory } from '../../support/process.ts';

let cleanUp: AsyncDisposable & { path: string };
let directory: string;
let clock: FixedClock;
let peer: MemoryPeer;
let told: { id: string; summary: string }[];
let answer: () => 'noted' | 'unknown';
let settlements: Settlements;

beforeEach(async () => {
  cleanUp = await temporaryDirectory();
  directory = join(cleanUp.path, 'settlements');
  clock = fixedClock();
  told = [];
  answer = () => 'noted';
  peer = createMemoryPeer({
    id: 'audio2',
    caller: 'audio',
    handlers: () => ({
      'job.settled': async ({ id, outcome }) => {
        told.push({ id, summary: outcome.summary });
        return { kind: answer() };
      },
    }),
  });
  settlements = await open();
});

afterEach(async () => {
  await settlements.stop();
  await peer.close();
  await cleanUp[Symbol.asyncDispose]();
});

const open = (): Promise<Settlements> =>
  openSettlements({ directory, peer, clock, log: silentLog, random: () => 0 });
const onDisk = async (): Promise<number> => (await readdir(directory)).length;

function ended(name: string, summary = name, change: Partial<Job> = {}) {
  const outcome: Outcome = { kind: 'done', at: clock.now().toString(), summary };
  return { id: newJob(name).id, digest: newJob(name).id, details: handedOver('audio2'), outcome, ...change };
}

test('the end of a job that the peer handed over is told until the peer has it, and then forgotten', async () => {
  settlements.start();
  await settlements.note(ended('a'));
  await eventually('it to be told', async () => (await onDisk()) === 0);
  expect(told).toEqual([{ id: newJob('a').id, summary: 'a' }]);
  expect(settlements.count()).toBe(0);
});

test('the end of any other job is nothing to the peer', async () => {
  await settlements.note(ended('a', 'a', { details: {} }));
  await settlements.note(ended('b', 'b', { outcome: null }));
  expect(await onDisk()).toBe(0);
});

test('what a peer that is away was not told survives a restart', async () => {
  peer.link = 'down';
  settlements.start();
  await settlements.note(ended('a'));
  clock.advance({ seconds: 1 });
  await settlements.note(ended('b'));
  await eventually('a try', () => peer.calls.length > 0);
  await settlements.stop();
  peer.link = 'up';
  settlements = await open();
  expect(settlements.count()).toBe(2);
  settlements.start();
  await eventually('both to be told', async () => (await onDisk()) === 0);
  expect(told.map(({ summary }) => summary)).toEqual(['a', 'b']);
});

test('an answer that was lost has it told again', async () => {
  peer.link = 'answers-lost';
  settlements.start();
  await settlements.note(ended('a'));
  await eventually('the first time', () => told.length > 0);
  peer.link = 'up';
  settlements.hurry();
  await eventually('the second time', async () => (await onDisk()) === 0);
  expect(told.length).toBeGreaterThan(1);
});

test.each(['unknown', 'job.conflict'] as const)('%s ends the matter', async (word) => {
  answer = () => {
    if (word === 'unknown') return word;
    throw new AppError(word, 'as the test wants it');
  };
  settlements.start();
  await settlements.note(ended('a'));
  await eventually('the matter to end', async () => (await onDisk()) === 0);
  expect(told).toHaveLength(1);
});

test('one that the peer fails at does not keep the others from being told', async () => {
  const poison = newJob('a').id;
  peer.before = async () => {
    const last = peer.calls.at(-1)?.params;
    if (JSON.stringify(last).includes(poison))
      throw new AppError('rpc.failed', 'its document is damaged', { retriable: true });
  };
  await settlements.note(ended('a'));
  await settlements.note(ended('b'));
  settlements.start();
  await eventually('the other to be told', async () => (await onDisk()) === 1);
  expect(told.map(({ summary }) => summary)).toEqual(['b']);
});

test('a job that was retried is told with its latest end, also where that came while the first was told', async () => {
  const gate = Promise.withResolvers<void>();
  peer.before = () => gate.promise;
  settlements.start();
  await settlements.note(ended('a', 'failed at first'));
  await eventually('the call', () => peer.calls.length === 1);
  await settlements.note(ended('a', 'done at last'));
  gate.resolve();
  await eventually('both to be told', async () => (await onDisk()) === 0);
  expect(told.map(({ summary }) => summary)).toEqual(['failed at first', 'done at last']);
});

test('the end of a job that is taken up again is taken back', async () => {
  await settlements.note(ended('a'));
  await settlements.withdraw(newJob('a').id);
  expect(settlements.count()).toBe(0);
  expect(await onDisk()).toBe(0);
});

test('what the peer has given up waiting for is told no more, and what cannot be read is removed', async () => {
  await settlements.note(ended('a'));
  await settlements.stop();
  await writeFile(join(directory, 'torn.json'), '{"id":');
  const { id, digest, outcome } = ended('b', 'begun before a crash', {});
  const fresh = {
    ...outcome,
    at: clock
      .now()
      .add({ hours: 9 * 24 })
      .toString(),
  };
  await writeFile(join(directory, `.tmp-${id}.json-1`), JSON.stringify({ id, digest, outcome: fresh }));
  clock.advance({ hours: 9 * 24 });
  settlements = await open();
  expect(settlements.count()).toBe(0);
  expect(await onDisk()).toBe(0);
});
