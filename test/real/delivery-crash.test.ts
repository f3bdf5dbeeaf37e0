import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ListMultipartUploadsCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect } from 'vitest';
import { recordingName, wav } from '../support/audio.ts';
import { type Case, prepareCase } from '../support/cases.ts';
import { type Ceph, startCeph } from '../support/ceph.ts';
import { deliveryEnds } from '../support/deliveries.ts';
import { type MailServers, startMailServers } from '../support/exim.ts';
import { isKind, linksOf, mailsOf, sendRequest } from '../support/people.ts';
import { eventually, startChild, temporaryDirectory } from '../support/process.ts';
import { needs } from '../support/requirements.ts';

const { describe, test } = needs('dovecot', 'exim', 'ceph');

const BUCKET = 'gravacoes';
/** Two parts of an upload to a bucket, so that a kill can leave one behind. */
const SUBJECT = 'RAMAIS=1150 INICIO=27/10/2025 FIM=27/10/2025';
const SWEEPING = join(import.meta.dirname, '../support/sweeping-node.ts');
/** Where nodes under test keep compiled code, too. */
const COMPILED = join(import.meta.dirname, '../../node_modules/.cache/compiled');
const ORPHAN = 'ef'.repeat(32);

let servers: MailServers;
let ceph: Ceph;
let recordings: Awaited<ReturnType<typeof temporaryDirectory>>;

beforeAll(async () => {
  [servers, ceph, recordings] = await Promise.all([startMailServers(), startCeph(), temporaryDirectory()]);
  await ceph.makeBucket(BUCKET);
  const day = join(recordings.path, '2025/10/27');
  await mkdir(day, { recursive: true });
  await writeFile(join(day, recordingName('1150', '3010', '20251027-100000')), wav(9_000_000, 3));
  await writeFile(join(day, recordingName('1150', '3011', '20251027-110000')), wav(9_000_000, 4));
});
afterAll(async () => {
  await servers?.[Symbol.asyncDispose]();
  await ceph?.end();
  await recordings?.[Symbol.asyncDispose]();
});

const isDead = ({ process }: ReturnType<Case['node']['child']>): boolean =>
  process.signalCode !== null || process.exitCode !== null;

/** The node's process dies by its own hand. */
async function seeItDie({ node }: Case): Promise<void> {
  const child = node.child();
  await eventually('the node to die', () => isDead(child));
  expect(child.process.signalCode).toBe('SIGKILL');
}

/** Sweeps with the node's own records and publisher as if it were `now`. Gives what was said; null where it was killed. */
async function sweepAt(it: Case, now: Temporal.Instant, killAt = ''): Promise<string[] | null> {
  const { PATH = '', HOME = '/' } = process.env;
  const child = startChild(process.execPath, [SWEEPING, '--config', it.node.configFile], {
    env: { PATH, HOME, NODE_COMPILE_CACHE: COMPILED, NOW: now.toString(), KILL_AT: killAt },
  });
  await eventually('the sweep to end', () => isDead(child));
  await child.end();
  if (killAt !== '') expect([killAt, child.process.signalCode]).toEqual([killAt, 'SIGKILL']);
  else expect([child.process.exitCode, child.output()]).toEqual([0, expect.any(String)]);
  return killAt === '' ? child.output().trim().split('\n') : null;
}

/** What is there of each job, by name and size; an upload that was never finished counts as such. */
type Lying = Readonly<Record<string, readonly string[]>>;

async function lyingOnDisk({ node }: Case): Promise<Lying> {
  const root = join(node.stateDir, 'web/audio');
  const lying: Record<string, string[]> = {};
  for (const job of await readdir(root)) {
    const names = (await readdir(join(root, job))).toSorted();
    const sizes = names.map(async (name) => `${name} ${(await stat(join(root, job, name))).size}`);
    lying[job] = await Promise.all(sizes);
  }
  return lying;
}

async function lyingInBucket({ prefix }: Case): Promise<Lying> {
  const where = { Bucket: BUCKET, Prefix: prefix };
  const { Contents = [] } = await ceph.client.send(new ListObjectsV2Command(where));
  const { Uploads = [] } = await ceph.client.send(new ListMultipartUploadsCommand(where));
  const lying: Record<string, string[]> = {};
  const add = (key = '', what = ''): void => {
    const [job = '', name = ''] = key.slice(`${prefix}audio/`.length).split('/');
    (lying[job] ??= []).push(`${name} ${what}`);
  };
  for (const { Key, Size } of Contents) add(Key, String(Size));
  for (const { Key } of Uploads) add(Key, 'unfinished');
  return lying;
}

const WORLDS = {
  web: {
    options: () => ({}),
    lying: lyingOnDisk,
    putOrphan: async ({ node }: Case): Promise<void> => {
      const folder = join(node.stateDir, 'web/audio', ORPHAN);
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, 'a.wav'), 'som');
    },
    /** An hour after it was put there no link of a node can open it. */
    orphansLeft: [],
  },
  s3: {
    options: () => ({ s3: { ceph, bucket: BUCKET } }),
    lying: lyingInBucket,
    putOrphan: async ({ prefix }: Case): Promise<void> => {
      const Key = `${prefix}audio/${ORPHAN}/a.wav`;
      await ceph.client.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body: 'som' }));
    },
    /** A link of the bucket's own could. */
    orphansLeft: [ORPHAN],
  },
} as const;

describe('six kills, three during deliveries and three during the sweep', () => {
  test.concurrent.for(['web', 's3'] as const)(
    'and nothing outlives its link by an hour, nothing is gone before: PUBLISH=%s',
    async (publish) => {
      const world = WORLDS[publish];
      const settings = { RECORDINGS_DIR: recordings.path, LINK_HOURS: '1' };
      const it = await prepareCase({ servers, ...world.options(), settings });
      await using node = it.node;
      const ask = () => sendRequest(servers, SUBJECT, { from: it.requester, to: it.mailbox });

      // The first request dies twice and is delivered all the same; the second one dies for good.
      await node.start({ KILL_AT: 'half zip' });
      await ask();
      await seeItDie(it);
      await node.start({ KILL_AT: 'put zip' });
      await seeItDie(it);
      const armed = join(node.directory, 'armed');
      await node.start({ KILL_AT: 'half zip', ARMED_BY: armed });
      const links = await eventually('the result', async () => {
        const [result] = (await mailsOf(servers, it.requester)).filter(isKind('result'));
        return result === undefined ? null : linksOf(result).filter(({ url }) => url.startsWith('http'));
      });
      expect(links.length).toBeGreaterThan(2);
      for (const { url } of links) {
        const answer = await fetch(url);
        expect([url, answer.status]).toEqual([url, 200]);
        await answer.body?.cancel();
      }
      await writeFile(armed, '');
      await ask();
      await seeItDie(it);

      const [delivered, begun] = deliveryEnds(node.stateDir);
      if (delivered === undefined || begun === undefined) throw new Error('there are not two deliveries');
      const whole = await world.lying(it);
      expect(Object.keys(whole).toSorted()).toEqual([delivered.job, begun.job].toSorted());
      expect(JSON.stringify(whole[delivered.job])).not.toContain('unfinished');

      await world.putOrphan(it);
      const put = Temporal.Now.instant();
      const there = await world.lying(it);

      // Until its links die all of it is there.
      const [, orphans] = (await sweepAt(it, delivered.ends.subtract({ seconds: 1 }))) ?? [];
      expect(orphans).toBe('removed 0 deliveries without a record, 1 too young to tell');
      expect(await world.lying(it)).toEqual(there);
      for (const moment of ['before', 'amid', 'after']) {
        await sweepAt(it, delivered.ends, moment);
        expect((await world.lying(it))[begun.job]).toEqual(whole[begun.job]);
      }
      // The janitor comes every ten minutes.
      const [said] = (await sweepAt(it, delivered.ends.add({ minutes: 10 }))) ?? [];
      expect(said).toBe('removed 1 expired delivery');
      expect(Object.keys(await world.lying(it)).toSorted()).toEqual(
        [begun.job, ...world.orphansLeft].toSorted(),
      );
      expect((await world.lying(it))[begun.job]).toEqual(whole[begun.job]);
      // What broke off for good goes when an attempt would be over, and its links.
      await sweepAt(it, put.add({ hours: 24 + 1, minutes: 1 }));
      expect(await world.lying(it)).toEqual({});
    },
  );
});
