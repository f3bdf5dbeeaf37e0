import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ListMultipartUploadsCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, vi } from 'vitest';
import { recordingName, wav } from '../support/audio.ts';
import { type Case, kindsTo, prepareCase } from '../support/cases.ts';
import { type Ceph, startCeph } from '../support/ceph.ts';
import { type MailServers, startMailServers } from '../support/exim.ts';
import type { NodeUnderTest } from '../support/node.ts';
import { isKind, kindOf, linksOf, mailsOf, type ReceivedMail, sendRequest } from '../support/people.ts';
import { eventually, temporaryDirectory } from '../support/process.ts';
import { eximIsIdle, settledJobs } from '../support/quiet.ts';
import { needs } from '../support/requirements.ts';
import { unzip } from '../support/zip.ts';

const { describe, test } = needs('dovecot', 'exim', 'ceph', 'unzip');

/** Some wait for 15 s for a mail to turn up among those sent: the others go on meanwhile. */
vi.setConfig({ maxConcurrency: 8 });

type Publish = 'web' | 's3';

const BUCKET = 'gravacoes';
const DATES = 'INICIO=27/10/2025 FIM=27/10/2025';
const SMALL = `RAMAIS=1121 ${DATES}`;
const LARGE = `RAMAIS=1150 ${DATES}`;

/** What has nothing to do with the publisher: half of these with each. Those that wait for a Sent mail come first. */
const MOMENTS_OF_ACCEPTANCE = [
  'mail:confirmation intent',
  'dot confirmation',
  'sent confirmation',
  'mail:confirmation done',
  'before rename pending',
  'after rename pending',
  'before line mail.accepted',
  'before line entry',
  'after line entry',
  'before seen',
  'after seen',
  'before rename processing',
];
const MOMENTS_OF_DELIVERY = [
  'mail:result intent',
  'dot result',
  'sent result',
  'mail:result done',
  'find',
  'deliver intent',
  'half zip',
  'put zip',
  'before line recordings.delivered',
  'deliver done',
  'before line job.ended',
  'before rename completed',
  'after rename completed',
];
const CASES: readonly (readonly [string, Publish])[] = [
  ...MOMENTS_OF_DELIVERY.flatMap((moment) => [[moment, 'web'] as const, [moment, 's3'] as const]),
  ...MOMENTS_OF_ACCEPTANCE.map((moment, index) => [moment, index % 2 === 0 ? 'web' : 's3'] as const),
];

let servers: MailServers;
let ceph: Ceph;
let recordings: Awaited<ReturnType<typeof temporaryDirectory>>;

beforeAll(async () => {
  [servers, ceph, recordings] = await Promise.all([startMailServers(), startCeph(), temporaryDirectory()]);
  await ceph.makeBucket(BUCKET);
  const day = join(recordings.path, '2025/10/27');
  await mkdir(day, { recursive: true });
  await writeFile(join(day, recordingName('1121', '3010', '20251027-080000')), wav(40_000, 1));
  await writeFile(join(day, recordingName('3011', '1121', '20251027-093015')), wav(50_000, 2));
  await writeFile(join(day, recordingName('1150', '3010', '20251027-100000')), wav(9_000_000, 3));
  await writeFile(join(day, recordingName('1150', '3011', '20251027-110000')), wav(9_000_000, 4));
});
afterAll(async () => {
  await servers?.[Symbol.asyncDispose]();
  await ceph?.end();
  await recordings?.[Symbol.asyncDispose]();
});

const prepare = (publish: Publish, settings: Record<string, string> = {}): Promise<Case> =>
  prepareCase({
    servers,
    ...(publish === 's3' ? { s3: { ceph, bucket: BUCKET } } : {}),
    settings: { RECORDINGS_DIR: recordings.path, ...settings },
  });

/** Sends the request, and sees the node die of it at the moment it was told. */
async function dieAt(moment: string, { node, mailbox, requester }: Case, subject = SMALL): Promise<void> {
  const { process: doomed } = await node.start({ KILL_AT: moment });
  await sendRequest(servers, subject, { from: requester, to: mailbox });
  await eventually(
    `the node to die at "${moment}"`,
    () => doomed.signalCode !== null || doomed.exitCode !== null,
  );
  expect(doomed.signalCode).toBe('SIGKILL');
}

/** What the publisher holds, by name; an upload that was never finished is named so. */
async function published(publish: Publish, { stateDir }: NodeUnderTest, prefix: string): Promise<string[]> {
  if (publish === 'web') {
    const files = await readdir(join(stateDir, 'web'), { recursive: true, withFileTypes: true });
    return files.filter((file) => file.isFile()).map(({ name }) => name);
  }
  const where = { Bucket: BUCKET, Prefix: prefix };
  const { Contents = [] } = await ceph.client.send(new ListObjectsV2Command(where));
  const { Uploads = [] } = await ceph.client.send(new ListMultipartUploadsCommand(where));
  return [
    ...Contents.map(({ Key = '' }) => Key.split('/').at(-1) ?? ''),
    ...Uploads.map(({ Key }) => `unfinished: ${Key}`),
  ];
}

/** Every link of a result opens what lies on the disk, byte for byte. */
async function expectRecordings(result: ReceivedMail, extension: string): Promise<string[]> {
  const day = join(recordings.path, '2025/10/27');
  const originals = await Promise.all(
    (await readdir(day))
      .filter((name) => name.includes(`-${extension}-`))
      .toSorted((a, b) => (stampOf(a) < stampOf(b) ? -1 : 1))
      .map((name) => readFile(join(day, name))),
  );
  const opened = await Promise.all(
    linksOf(result)
      .filter(({ url }) => url.startsWith('http'))
      .map(async ({ url, label }) => {
        const answer = await fetch(url);
        expect(answer.status).toBe(200);
        return { label, url, content: Buffer.from(await answer.arrayBuffer()) };
      }),
  );
  const singles = opened.filter(({ label }) => label.includes('Tocar'));
  const zips = opened.filter(({ label }) => /zip/i.test(label));
  expect(zips).toHaveLength(1);
  expect(singles.map(({ content }, at) => content.equals(originals[at] ?? Buffer.alloc(0)))).toEqual(
    originals.map(() => true),
  );
  const entries = await unzip(zips[0]?.content ?? Buffer.alloc(0));
  const inZip = [...entries.keys()].filter((name) => name.endsWith('.wav'));
  expect(inZip.map((name, at) => entries.get(name)?.equals(originals[at] ?? Buffer.alloc(0)))).toEqual(
    originals.map(() => true),
  );
  return [...singles, ...zips].map(({ url }) => new URL(url).pathname.split('/').at(-1) ?? '').toSorted();
}

function stampOf(name: string): string {
  return /-(\d{8}-\d{6})-/.exec(name)?.[1] ?? '';
}

describe('after kill -9 and a restart there is one job, one confirmation, one result and one ZIP', () => {
  test.concurrent.for(CASES)('killed at "%s" with PUBLISH=%s', async ([moment, publish]) => {
    const it = await prepare(publish);
    await using node = it.node;
    const [subject, extension] = moment === 'half zip' ? [LARGE, '1150'] : [SMALL, '1121'];
    await dieAt(moment, it, subject);
    await node.start();
    const jobs = await settledJobs(node, 'RAMAIS', 1);
    expect(jobs.map(({ outcome }) => outcome?.kind)).toEqual(['done']);
    const steps = Object.entries(jobs[0]?.steps ?? {}).filter(([, { doneAt }]) => doneAt !== null);
    expect(steps.map(([name]) => name)).toEqual(['mail:confirmation', 'deliver', 'mail:result']);
    await eventually('the request to be marked', async () =>
      (await mailsOf(servers, it.mailbox)).every(({ seen }) => seen),
    );
    await eximIsIdle(servers);

    const toRequester = await mailsOf(servers, it.requester);
    expect(toRequester.map(kindOf).toSorted()).toEqual(['confirmation', 'result']);
    expect(await kindsTo(servers, it.admin)).toEqual(['confirmation', 'result']);
    expect(await kindsTo(servers, it.mailbox, 'Sent')).toEqual(['confirmation', 'result']);
    const [result] = toRequester.filter(isKind('result'));
    if (result === undefined) throw new Error('no result');
    const linked = await expectRecordings(result, extension);
    // In a bucket that answers its links by itself the page of the result is an object, too.
    const page = publish === 's3' ? ['gravacoes.html'] : [];
    expect((await published(publish, node, it.prefix)).toSorted()).toEqual([...linked, ...page].toSorted());
    await node.child().end();
  });
});

describe('after kill -9 and a restart other answers, too, are there once', () => {
  const cases = [
    ['accepted FALHA', 'failed'],
    ['before rename failed', 'failed'],
    ['dot failed', 'failed'],
    ['sent failed', 'failed'],
    ['accepted RECUSA', 'refusal'],
    ['sent refusal', 'refusal'],
  ] as const;
  test.concurrent.for(cases)('killed at "%s": one mail %s', async ([moment, kind]) => {
    const it = await prepare('web', { RECORDINGS_DIR: '/nonexistent', MAX_RETRIES: '1' });
    await using node = it.node;
    await dieAt(moment, it, kind === 'failed' ? SMALL : 'RAMAIS=12 INICIO=31/02/2025');
    await node.start();
    await settledJobs(node, kind === 'failed' ? 'FALHA' : 'RECUSA', 1);
    await eximIsIdle(servers);
    const answers = kind === 'failed' ? ['confirmation', 'failed'] : ['refusal'];
    expect(await kindsTo(servers, it.requester)).toEqual(answers);
    expect(await kindsTo(servers, it.admin)).toEqual(answers);
  });
});

describe('with SENT_MAILBOX=none', () => {
  test.concurrent.for(['confirmation', 'result'])(
    'a %s that went out just before the kill goes out again with the same Message-ID, and nothing else does',
    async (kind) => {
      const it = await prepare('web', { SENT_MAILBOX: 'none' });
      await using node = it.node;
      await dieAt(`sent ${kind}`, it);
      await node.start();
      await settledJobs(node, 'RAMAIS', 1);
      await eximIsIdle(servers);
      const mails = await mailsOf(servers, it.requester);
      const kinds = mails.map(kindOf).toSorted();
      expect(kinds).toEqual(['confirmation', 'result', kind].toSorted());
      const ids = mails.filter(isKind(kind)).map(({ parsed }) => parsed.messageId);
      expect(new Set(ids).size).toBe(1);
    },
  );
});
