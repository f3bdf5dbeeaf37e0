import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect } from 'vitest';
import { recordingName, unfinishedWav, wav } from '../support/audio.ts';
import { type Ceph, startCeph } from '../support/ceph.ts';
import { type MailServers, startMailServers } from '../support/exim.ts';
import { type NodeUnderTest, PEOPLE, TOKEN, prepareNode } from '../support/node.ts';
import { isKind, kindOf, linksOf, mailsOf, sendRequest, waitForMails } from '../support/people.ts';
import { eventually } from '../support/process.ts';
import { needs } from '../support/requirements.ts';
import { unzip } from '../support/zip.ts';

const { describe, test } = needs('dovecot', 'exim', 'ceph', 'unzip');

const REQUEST = 'RAMAIS=1121,1122 INICIO=27/10/2025 08:00 FIM=28/10/2025 18:00';
const BUCKET = 'gravacoes';

/** Recordings of two days: five that are asked for, others that are not. */
async function putRecordings(root: string): Promise<void> {
  const put = async (day: string, name: string, content: Buffer): Promise<void> => {
    await mkdir(join(root, day), { recursive: true });
    await writeFile(join(root, day, name), content);
  };
  await put('2025/10/27', recordingName('1121', '5511988887777', '20251027-080000'), wav(40_000, 1));
  await put('2025/10/27', recordingName('1122', '1121', '20251027-093015'), wav(50_000, 2));
  await put('2025/10/27', recordingName('5511977776666', '1122', '20251027-170000'), wav(60_000, 3));
  await put('2025/10/28', recordingName('1121', '1133', '20251028-180059'), wav(3_000_000, 4));
  await put('2025/10/28', recordingName('1121', '1134', '20251028-120000'), unfinishedWav(20_000));
  await put('2025/10/28', recordingName('1122', '1135', '20251028-120500'), Buffer.alloc(44));
  await put('2025/10/27', recordingName('1121', '1199', '20251027-075959'), wav(1_000, 5));
  await put('2025/10/28', recordingName('1121', '1199', '20251028-180100'), wav(1_000, 6));
  await put('2025/10/28', recordingName('1199', '1198', '20251028-100000'), wav(1_000, 7));
}

let servers: MailServers;
let ceph: Ceph;

beforeAll(async () => {
  servers = await startMailServers();
  ceph = await startCeph();
  await ceph.makeBucket(BUCKET);
});
afterAll(async () => {
  await servers?.[Symbol.asyncDispose]();
  await ceph?.end();
});

const CASES = [
  { name: 'disk-web', what: 'recordings on disk and PUBLISH=web', publish: 'web', layout: null },
  { name: 'disk-s3', what: 'recordings on disk and PUBLISH=s3', publish: 's3', layout: null },
  { name: 'dated-s3', what: 'a bucket by day and PUBLISH=s3', publish: 's3', layout: '{yyyy}/{mm}/{dd}/' },
  { name: 'flat-web', what: 'a bucket without days and PUBLISH=web', publish: 'web', layout: 'flat' },
] as const;

describe.each(CASES)('with $what', ({ name: place, publish, layout }) => {
  let node: NodeUnderTest;
  const maria = `maria-${place}@example.test`;
  const recordingsBucket = `origem-${place}`;

  beforeAll(async () => {
    const s3 = publish === 's3' ? { s3: { ceph, bucket: BUCKET } } : {};
    const mailbox = { EMAIL_SERVICE: `comandos-${place}@example.test`, WHITELIST: maria };
    const source = layout === null ? {} : bucketSettings(recordingsBucket, layout);
    const settings = { NODE_ID: place, ...mailbox, SMTP_FROM: mailbox.EMAIL_SERVICE, ...source };
    node = await prepareNode({ servers, ...s3, settings });
    await putRecordings(node.recordingsDir);
    if (layout !== null) await putIntoBucket(node.recordingsDir, recordingsBucket);
    await node.start();
  });
  afterAll(async () => {
    await node?.[Symbol.asyncDispose]();
  });

  test('a mail goes in and the recordings come out, byte for byte, singly and in one ZIP', async () => {
    const messageId = await sendRequest(servers, REQUEST, {
      from: maria,
      to: `comandos-${place}@example.test`,
    });
    const [confirmation] = await waitForMails(servers, maria, 1, isKind('confirmation'));
    const [result] = await waitForMails(servers, maria, 1, isKind('result'));
    if (confirmation === undefined || result === undefined) throw new Error('no answer');

    for (const { parsed, raw } of [confirmation, result]) {
      expect(parsed.inReplyTo).toBe(messageId);
      expect(parsed.references).toContain(messageId);
      expect(parsed.headers.get('auto-submitted')).toBe('auto-replied');
      expect(parsed.subject).toBe(`Re: ${REQUEST}`);
      expect(parsed.text).toContain('1121');
      expect(raw).not.toContain(TOKEN);
    }
    const links = linksOf(result);
    const playing = links.filter(({ label }) => label.includes('Tocar'));
    expect(playing).toHaveLength(5);

    const zipLink = links.find(({ label }) => /zip/i.test(label));
    const answer = await fetch(zipLink?.url ?? '');
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-disposition')).toMatch(/^attachment/);
    const entries = await unzip(new Uint8Array(await answer.arrayBuffer()));
    const originals = await originalsByDestination(node.recordingsDir);
    const names = [...entries.keys()].filter((name) => name.endsWith('.wav'));
    expect(names.map((name) => name.slice(0, 15))).toEqual([
      '20251027-080000',
      '20251027-093015',
      '20251027-170000',
      '20251028-120000',
      '20251028-180059',
    ]);
    for (const [index, name] of names.entries()) {
      const original = originals.get(name.slice(0, 15));
      expect(entries.get(name)?.equals(original ?? Buffer.alloc(0))).toBe(true);
      const single = await fetch(playing[index]?.url ?? '');
      expect(single.headers.get('content-type')).toBe('audio/wav');
      expect(single.headers.get('content-disposition')).toMatch(/^inline/);
      expect(Buffer.from(await single.arrayBuffer()).equals(original ?? Buffer.alloc(0))).toBe(true);
    }
    const manifest = entries.get('manifesto.csv')?.toString() ?? '';
    expect(manifest.trim().split('\n')).toHaveLength(1 + 6);
    expect(result.parsed.text).toMatch(/vazi/i);
    if (layout === null) return;

    // Heard where they lie: the ZIP alone is published.
    const opened = await Promise.all(
      playing.map(({ url }) => fetch(url, { headers: { range: 'bytes=0-0' } })),
    );
    expect(opened.every(({ url }) => url.includes(`/${recordingsBucket}/2025/10/2`))).toBe(true);
    // With a PUBLIC_URL it is the node that leads there.
    expect(opened.every(({ redirected }) => redirected === (publish === 'web'))).toBe(true);
    const published =
      publish === 'web'
        ? await readdir(join(node.stateDir, 'web'), { recursive: true })
        : (await keysOf(BUCKET)).filter((key) => key.includes(`/${place}/`));
    expect(published.filter((key) => key.endsWith('.zip'))).toHaveLength(1);
    expect(published.filter((key) => key.endsWith('.wav'))).toEqual([]);
    expect(await keysOf(recordingsBucket)).toHaveLength(9);
  });

  test('part of a recording can be asked for, as a player does', async () => {
    const [result] = await waitForMails(servers, maria, 1, isKind('result'));
    if (result === undefined) throw new Error('no result');
    const url = linksOf(result).find(({ label }) => label.includes('Tocar'))?.url ?? '';
    const part = await fetch(url, { headers: { range: 'bytes=100-199' } });
    expect(part.status).toBe(206);
    const whole = Buffer.from(await (await fetch(url)).arrayBuffer());
    expect(Buffer.from(await part.arrayBuffer()).equals(whole.subarray(100, 200))).toBe(true);
    const altered = await fetch(url.replace(/(.)$/, (last) => (last === 'a' ? 'b' : 'a')));
    expect(altered.status).toBe(403);
  });

  test('the mail is read and marked, and the journal of the job is in completed/', async () => {
    const [request] = await mailsOf(servers, `comandos-${place}@example.test`);
    expect(request?.seen).toBe(true);
    expect(request?.flags.has('$Parelha')).toBe(true);
    await eventually(
      'the job to be filed',
      async () => (await readdir(join(node.stateDir, 'queue/completed'))).length >= 1,
    );
    const [name] = await readdir(join(node.stateDir, 'queue/completed'));
    const document = await readFile(join(node.stateDir, 'queue/completed', name ?? ''), 'utf8');
    expect(document).not.toContain(TOKEN);
    expect(Object.keys((JSON.parse(document) as { steps: object }).steps)).toEqual([
      'mail:confirmation',
      'deliver',
      'mail:result',
    ]);
  });

  test('node-ctl shows the job and exports the same recordings without a mail', async () => {
    const listed = await node.ctl('queue', 'list', '--json');
    expect(listed.code).toBe(0);
    const range = ['--ramais', '1121,1122', '--inicio', '27/10/2025 08:00', '--fim', '28/10/2025 18:00'];
    expect((await node.ctl('recordings', 'search', ...range)).code).toBe(0);
    const exported = await node.ctl('recordings', 'export', ...range);
    expect(exported.code).toBe(0);
    const url = /https?:\/\/\S+\.zip\S*/.exec(exported.out)?.[0] ?? '';
    expect((await fetch(url)).status).toBe(200);
    const nothing = ['--ramais', '7777', '--inicio', '27/10/2025', '--fim', '27/10/2025'];
    expect((await node.ctl('recordings', 'search', ...nothing)).code).toBe(1);
    expect((await node.ctl('recordings', 'search', ...nothing, '--inicio', '31/02/2025')).code).toBe(2);
  });

  test('nothing else was sent: one confirmation and one result, to the admin with the requester in copy', async () => {
    const mails = (await mailsOf(servers, PEOPLE.admin)).filter(({ raw }) =>
      raw.includes(`comandos-${place}@`),
    );
    expect(mails.map(kindOf).toSorted()).toEqual(['confirmation', 'result']);
    expect(await mailsOf(servers, maria)).toHaveLength(2);
  });
});

function bucketSettings(bucket: string, layout: string): Record<string, string> {
  return {
    SOURCES: 's3',
    S3_RECORDINGS_BUCKET: bucket,
    S3_RECORDINGS_LAYOUT: layout,
    S3_ENDPOINT: ceph.endpoint,
    S3_REGION: ceph.region,
    S3_ACCESS_KEY_ID: ceph.accessKey,
    S3_SECRET_ACCESS_KEY: ceph.secretKey,
  };
}

async function putIntoBucket(root: string, bucket: string): Promise<void> {
  await ceph.makeBucket(bucket);
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const Body = await readFile(path);
    await ceph.client.send(new PutObjectCommand({ Bucket: bucket, Key: relative(root, path), Body }));
  }
}

async function keysOf(bucket: string): Promise<string[]> {
  const { Contents = [] } = await ceph.client.send(new ListObjectsV2Command({ Bucket: bucket }));
  return Contents.map(({ Key = '' }) => Key);
}

async function originalsByDestination(root: string): Promise<Map<string, Buffer>> {
  const originals = new Map<string, Buffer>();
  for (const name of await readdir(root, { recursive: true })) {
    const stamp = /-(\d{8}-\d{6})-/.exec(name)?.[1];
    if (stamp !== undefined) originals.set(stamp, await readFile(join(root, name)));
  }
  return originals;
}
