import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, vi } from 'vitest';
import type { Job } from '../../protocol/job.ts';
import { type MailServers, startMailServers } from '../support/exim.ts';
import { type Pair, preparePair, statusOf } from '../support/pair.ts';
import { answersTo, expectedAnswers, oneMaster, requestMail } from '../support/pair-world.ts';
import { eventually } from '../support/process.ts';
import { eximIsIdle, jobsOf } from '../support/quiet.ts';
import { needs } from '../support/requirements.ts';

const { describe, test } = needs('dovecot', 'exim', 'sshd');

/** Each race waits for timeouts of the node: pairs race side by side. */
const PAIRS = 1;
const RACES_PER_PAIR = 9;
const TIMEOUT_MS = 240_000;
vi.setConfig({ maxConcurrency: PAIRS });

/** Three calls of a second at most are tried, then a file is dropped. */
const CALLS_MS = 2_500;

let servers: MailServers;
beforeAll(async () => {
  servers = await startMailServers();
});
afterAll(async () => {
  await servers?.[Symbol.asyncDispose]();
});

const ways = ['answers held', 'calls held', 'answers late'] as const;

/** What the master wrote down of where a job went; null before. */
async function wayOf({ audio2 }: Pair, number: number): Promise<string | null> {
  const subject = subjectOf(number);
  const jobs = await jobsOf(audio2, 'pending', 'processing', 'completed', 'failed');
  const step = jobs.find(({ request }) => request.subject.includes(subject))?.steps['submit'];
  return step?.doneAt == null ? null : ((step.result as { way: string }).way ?? null);
}

const subjectOf = (number: number): string => `RAMAIS=${7000 + number} `;

/** One request while the way of RPC behaves so; resolves when it passes again. */
async function race(pair: Pair, number: number, way: (typeof ways)[number]): Promise<void> {
  // Who has just been answered tries again in full.
  await eventually('the peer to be reached', async () => (await statusOf(pair.audio2)).peer?.error === null);
  await pair.audio.rpc.set(way === 'calls held' ? 'blackhole' : 'one-way');
  await servers.dovecot.deliver(pair.mailbox, requestMail(pair, number));
  if (way === 'answers late') await sleep(Math.random() * 2 * CALLS_MS);
  else {
    await eventually('the job to have left', () => wayOf(pair, number));
    await sleep(Math.random() * 300); // before, while and after the file is taken
  }
  await pair.audio.rpc.set('pass');
}

describe('a call that is answered too late, and a file besides, are one job', () => {
  const pairs = Array.from({ length: PAIRS }, (_, at) => at + 1);
  test.concurrent.for(pairs)(
    `${RACES_PER_PAIR} races (%i of ${PAIRS})`,
    { timeout: TIMEOUT_MS },
    async (_, { annotate }) => {
      await using pair = await preparePair({ servers });
      await pair.start();
      await pair.join();
      expect((await oneMaster(pair)).id).toBe('audio2');
      for (let number = 1; number <= RACES_PER_PAIR; number += 1) {
        await race(pair, number, ways[number % ways.length] ?? 'answers held');
      }
      await sleep(25000);
      for (const node of [pair.audio2, pair.audio]) {
        const jobs = await jobsOf(node, 'pending', 'processing', 'completed', 'failed');
        console.log(node.id, jobs.map((j) => `${j.request.subject.slice(0,12)} ${j.door} ${j.lane} att=${j.attempts} int=${j.interruptions} nb=${j.notBefore} out=${JSON.stringify(j.outcome)} steps=${JSON.stringify(j.steps['submit'] ?? null)} err=${JSON.stringify(j.lastError)}`).join('\n'));
        console.log(node.child().output().slice(-9000));
      }
      const settled = await eventually(
        'all jobs to be settled',
        async () => {
          const jobs = await jobsOf(pair.audio2, 'completed', 'failed');
          return jobs.length >= RACES_PER_PAIR ? jobs : null;
        },
        30_000,
        200,
      );
      expect(settled.map(endOf)).toEqual(settled.map(() => 'nothing-found by audio'));
      await eximIsIdle(servers);
      expect(await answersTo(servers, pair)).toEqual(expectedAnswers(RACES_PER_PAIR));
      const there = await jobsOf(pair.audio, 'pending', 'processing', 'completed', 'failed');
      expect(there.map(({ id }) => id).toSorted()).toEqual(settled.map(({ id }) => id).toSorted());
      const byBoth = (await Promise.all(settled.map((_job, at) => wayOf(pair, at + 1)))).filter(
        (way) => way === 'drop',
      ).length;
      await annotate(`${byBoth} of ${RACES_PER_PAIR} came by file after calls without an answer`);
      expect(byBoth).toBeGreaterThanOrEqual(RACES_PER_PAIR / 2);
    },
  );
});

function endOf({ outcome }: Job): string {
  return `${outcome?.kind} by ${outcome?.by}`;
}
