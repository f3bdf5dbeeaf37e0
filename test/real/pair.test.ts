import { execFile } from 'node:child_process';
import { appendFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, expect } from 'vitest';
import { recordingName, wav } from '../support/audio.ts';
import { type Ceph, startCeph } from '../support/ceph.ts';
import { kindsTo } from '../support/cases.ts';
import { type MailServers, startMailServers } from '../support/exim.ts';
import { mailSource } from '../support/mails.ts';
import { TOKEN } from '../support/node.ts';
import { oldDocument, oldNodeAt } from '../support/old-node.ts';
import { type Pair, type PairNode, preparePair } from '../support/pair.ts';
import { oneMaster } from '../support/pair-world.ts';
import { isKind, kindOf, linksOf, mailsOf, type ReceivedMail, waitForMails } from '../support/people.ts';
import { eventually, temporaryDirectory } from '../support/process.ts';
import { eximIsIdle, jobsOf, settledJobs } from '../support/quiet.ts';
import { needs } from '../support/requirements.ts';
import type { Job } from '../../protocol/job.ts';

const { describe, test } = needs('dovecot', 'exim', 'ceph', 'sshd');

const run = promisify(execFile);

const BUCKET = 'gravacoes';
const DATES = 'INICIO=27/10/2025 FIM=27/10/2025';
const AWAITED = 'aguardando o outro servidor';

let servers: MailServers;
let ceph: Ceph;
let recordings: Awaited<ReturnType<typeof temporaryDirectory>>;
let pair: Pair;

beforeAll(async () => {
  [servers, ceph, recordings] = await Promise.all([startMailServers(), startCeph(), temporaryDirectory()]);
  await ceph.makeBucket(BUCKET);
  const day = join(recordings.path, '2025/10/27');
  await mkdir(day, { recursive: true });
  await writeFile(join(day, recordingName('1121', '3010', '20251027-080000')), wav(40_000, 1));
  await writeFile(join(day, recordingName('3011', '1121', '20251027-093015')), wav(50_000, 2));
  pair = await prepare();
  await pair.start();
  await pair.join();
  await oneMaster(pair);
});
afterAll(async () => {
  await pair?.[Symbol.asyncDispose]();
  await servers?.[Symbol.asyncDispose]();
  await ceph?.end();
  await recordings?.[Symbol.asyncDispose]();
});
beforeEach(async () => {
  await pair.setLinks('pass');
});

const prepare = (settings: Parameters<typeof preparePair>[0]['settings'] = {}): Promise<Pair> =>
  preparePair({ servers, s3: { ceph, bucket: BUCKET }, recordingsDir: recordings.path, settings });

let asked = 0;

/** Puts a request into the mailbox; gives its Message-ID. */
async function ask({ mailbox, requester }: Pair, subject: string): Promise<string> {
  asked += 1;
  const messageId = `<pedido-par-${asked}@mail.example.test>`;
  const date = new Date().toUTCString();
  const source = { from: requester, messageId, date, subject: `[${TOKEN}] ${subject}` };
  await servers.dovecot.deliver(mailbox, mailSource(source));
  return messageId;
}

const answers =
  (messageId: string, kind: string) =>
  (mail: ReceivedMail): boolean =>
    kindOf(mail) === kind && mail.parsed.inReplyTo === messageId;

/** The one answer of a kind to a request. */
async function answer({ requester }: Pair, messageId: string, kind: string): Promise<ReceivedMail> {
  const [mail] = await waitForMails(servers, requester, 1, answers(messageId, kind));
  if (mail === undefined) throw new Error('no answer');
  return mail;
}

/** The job of a request at a node, in whatever state. */
async function jobOf(node: PairNode, messageId: string): Promise<Job | undefined> {
  const jobs = await jobsOf(node, 'pending', 'processing', 'completed', 'failed');
  return jobs.find(({ request }) => request.messageId === messageId && request.command === 'RAMAIS');
}

/** How the node that accepted the request says it ended. */
const settled = (node: PairNode, messageId: string): Promise<NonNullable<Job['outcome']>> =>
  eventually('the job to be settled', async () => (await jobOf(node, messageId))?.outcome, 30_000);

/** All kinds of answers to a request, when nothing more is on its way. */
async function kindsOfAnswers({ requester }: Pair, messageId: string): Promise<string[]> {
  await eximIsIdle(servers);
  const mails = await mailsOf(servers, requester);
  return mails
    .filter(({ parsed }) => parsed.inReplyTo === messageId)
    .map(kindOf)
    .toSorted();
}

describe('a request for recordings that the other node has', () => {
  test('goes there by RPC, is confirmed with its place, and answered with the recordings', async () => {
    const messageId = await ask(pair, `RAMAIS=1121 ${DATES}`);
    const result = await answer(pair, messageId, 'result');
    const links = linksOf(result).filter(({ url }) => url.startsWith('http'));
    for (const { url } of links) expect((await fetch(url)).status).toBe(200);
    expect(links.filter(({ label }) => label.includes('Tocar'))).toHaveLength(2);
    expect(result.parsed.references).toContain(messageId);
    const confirmation = await answer(pair, messageId, 'confirmation');
    expect(confirmation.parsed.text).not.toContain(AWAITED);
    expect(await settled(pair.audio2, messageId)).toMatchObject({ kind: 'done', by: 'audio' });
    const [here, there] = await Promise.all([jobOf(pair.audio2, messageId), jobOf(pair.audio, messageId)]);
    expect([here?.door, here?.lane]).toEqual(['mail', 'forward']);
    expect([there?.door, there?.lane, there?.digest]).toEqual(['rpc', 'recordings', here?.digest]);
    expect(await kindsOfAnswers(pair, messageId)).toEqual(['confirmation', 'result']);
  });

  test('goes there by SCP where RPC is cut, and is settled when RPC works again', async () => {
    await pair.setLinks('cut', 'rpc');
    const messageId = await ask(pair, `RAMAIS=1121 ${DATES}`);
    await answer(pair, messageId, 'result');
    const confirmation = await answer(pair, messageId, 'confirmation');
    expect(confirmation.parsed.text).toContain(AWAITED);
    expect((await jobOf(pair.audio, messageId))?.door).toBe('drop');
    expect((await jobOf(pair.audio2, messageId))?.outcome).toBeNull();
    await pair.setLinks('pass');
    expect(await settled(pair.audio2, messageId)).toMatchObject({ kind: 'done', by: 'audio' });
    expect(await kindsOfAnswers(pair, messageId)).toEqual(['confirmation', 'result']);
  });

  test('waits where neither works, and is answered when one does', async () => {
    await pair.setLinks('cut');
    const messageId = await ask(pair, `RAMAIS=1121 ${DATES}`);
    await answer(pair, messageId, 'confirmation');
    await eventually(
      'both ways to have failed',
      async () => (await jobOf(pair.audio2, messageId))?.lastError,
    );
    await pair.setLinks('pass');
    await answer(pair, messageId, 'result');
    await settled(pair.audio2, messageId);
    expect(await kindsOfAnswers(pair, messageId)).toEqual(['confirmation', 'result']);
  });

  test('is not sent to a host with another SSH key, and says how to let it pass', async () => {
    await using other = await prepare();
    await other.start();
    await other.join();
    await oneMaster(other);
    await other.setLinks('cut', 'rpc');
    await other.audio.sshd().changeHostKeys();
    const messageId = await ask(other, `RAMAIS=1121 ${DATES}`);
    const job = await eventually('the job to wait', async () => {
      const found = await jobOf(other.audio2, messageId);
      return found?.lastError == null ? null : found;
    });
    expect(job.lastError?.message).toContain('drop.host-key');
    expect(other.audio.sshd().log()).not.toMatch(/Accepted publickey|Starting session/);
    expect(await readdir(join(other.audio.queueDir, 'pending'))).toEqual([]);
    await other.setLinks('pass');
    await answer(other, messageId, 'result');
    expect((await jobOf(other.audio, messageId))?.door).toBe('rpc');
  });
});

describe('what becomes of a request at the other node is told once', () => {
  let failing: Pair;
  beforeAll(async () => {
    failing = await prepare({ both: { MAX_RETRIES: '1' }, audio: { RECORDINGS_DIR: '/nonexistent' } });
    await failing.start();
    await failing.join();
    await oneMaster(failing);
  });
  afterAll(async () => {
    await failing?.[Symbol.asyncDispose]();
  });

  test('that it failed', async () => {
    const messageId = await ask(failing, `RAMAIS=1121 ${DATES}`);
    expect(await settled(failing.audio2, messageId)).toMatchObject({ kind: 'failed', by: 'audio' });
    await settledJobs(failing.audio, 'FALHA', 1);
    expect(await kindsOfAnswers(failing, messageId)).toEqual(['confirmation', 'failed']);
    expect(await kindsTo(servers, failing.admin)).toEqual(['confirmation', 'failed']);
  });

  test('that it was cancelled, at the node that took the mail', async () => {
    expect((await failing.audio.ctl('pause', 'queue')).code).toBe(0);
    const messageId = await ask(failing, `RAMAIS=1131 ${DATES}`);
    const job = await eventually('the job to be there', () => jobOf(failing.audio, messageId));
    const cancelled = await failing.audio2.ctl('queue', 'cancel', job.id);
    expect(cancelled.code, cancelled.out).toBe(0);
    expect((await failing.audio.ctl('resume', 'queue')).code).toBe(0);
    expect(await settled(failing.audio2, messageId)).toMatchObject({ kind: 'cancelled', by: 'audio' });
    expect((await jobOf(failing.audio, messageId))?.outcome).toMatchObject({ kind: 'cancelled' });
    await settledJobs(failing.audio, 'RAMAIS', 1);
    const kinds = await kindsOfAnswers(failing, messageId);
    expect(kinds.filter((kind) => kind !== 'confirmation')).toHaveLength(1);
  });
});

describe('a file that is copied into pending/', () => {
  test('by an old node with plain scp is answered', async () => {
    const old = await oldNodeAt(pair.audio);
    const before = await kindsTo(servers, pair.requester);
    await old.drop('20251111_150122_req001.json', oldDocument(pair.requester));
    const all = await waitForMails(servers, pair.requester, before.length + 2);
    await eximIsIdle(servers);
    const kinds = (await kindsTo(servers, pair.requester)).filter((kind) => kind === 'result');
    expect(kinds).toHaveLength(before.filter((kind) => kind === 'result').length + 1);
    expect(all.filter(isKind('result')).at(-1)?.parsed.subject).toContain('1121');
  });

  test('is set aside where it asks for more than its sender may', async () => {
    const it = await prepare({ both: { WHITELIST: 'ana@example.test, bia@example.test' } });
    await using other = it;
    await other.start();
    await other.join();
    await oneMaster(other);
    // A file that the other node has signed, as it lies there while nobody takes it.
    await other.audio.child().end();
    const ana = { ...other, requester: 'ana@example.test' };
    const messageId = await ask(ana, `RAMAIS=1121 ${DATES}`);
    const pending = join(other.audio.queueDir, 'pending');
    const name = await eventually('the file', async () =>
      (await readdir(pending)).find((one) => /^[0-9a-f]{64}\.json$/.test(one)),
    );
    const signed = JSON.parse(await readFile(join(pending, name), 'utf8')) as Signed;
    const { parelha } = signed;
    const forBia = { ...parelha.request, requester: 'bia@example.test' };
    const forged: Record<string, object> = {
      'request-altered': { ...signed, parelha: { ...parelha, request: forBia } },
      'fields-altered': { ...signed, from_email: 'bia@example.test' },
      unsigned: { ...signed, parelha: { ...parelha, token: 'e30.e30.' } },
      stranger: JSON.parse(oldDocument('x@stranger.example.test')) as object,
      'for-a-stranger': JSON.parse(
        oldDocument('ana@example.test', {}, { email: 'y@stranger.example.test' }),
      ) as object,
    };
    const old = await oldNodeAt(other.audio);
    for (const [what, document] of Object.entries(forged))
      await old.drop(`${what}.json`, JSON.stringify(document));
    await other.audio.start();
    await eventually('all forged ones to be set aside', async () => {
      const aside = await readdir(join(other.audio.stateDir, 'set-aside'));
      return Object.keys(forged).every((what) => aside.some((one) => one.endsWith(`-${what}.json`)));
    });
    await answer(ana, messageId, 'result');
    await settledJobs(other.audio, 'RAMAIS', 1);
    expect(
      (await jobsOf(other.audio, 'completed')).filter(({ request }) => request.command === 'RAMAIS'),
    ).toHaveLength(1);
    expect(await kindsTo(servers, 'bia@example.test')).toEqual([]);
  });
});

interface Signed {
  readonly parelha: { readonly request: object };
}

describe('with PEER_RPC=off', () => {
  test('a request goes to an old node as a file that it understands, and closes as delivered', async () => {
    await using other = await prepare({ both: { PEER_RPC: 'off' } });
    await mkdir(join(other.audio.queueDir, 'pending'), { recursive: true });
    await other.audio2.start();
    await trustByHand(other.audio2, other.audio);
    const messageId = await ask(other, `RAMAIS=1121,1122 ${DATES}`);
    expect(await settled(other.audio2, messageId)).toMatchObject({ kind: 'delivered' });
    const [name = '', ...more] = await readdir(join(other.audio.queueDir, 'pending'));
    expect(more).toEqual([]);
    const text = await readFile(join(other.audio.queueDir, 'pending', name), 'utf8');
    const { requester: email } = other;
    const inicio = '27/10/2025 00:00';
    expect(JSON.parse(text)).toMatchObject({
      request_id: expect.stringMatching(/^\d{8}_\d{6}_req/),
      timestamp_received: expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/),
      ...{ from_email: email, status: 'pending', retries: 0 },
      parameters: { ramais: '1121,1122', inicio, fim: '27/10/2025 23:59', email },
    });
    await eximIsIdle(servers);
    expect(await kindsTo(servers, email)).toEqual(['confirmation']);
  });

  test('a request goes by file to a node of ours, too, which answers it', async () => {
    await using other = await prepare();
    await other.start();
    await other.join();
    await oneMaster(other);
    for (const node of other.nodes) {
      await node.child().end();
      await appendFile(node.configFile, 'PEER_RPC=off\n');
    }
    await other.start();
    const messageId = await ask(other, `RAMAIS=1121 ${DATES}`);
    await answer(other, messageId, 'result');
    expect(await settled(other.audio2, messageId)).toMatchObject({ kind: 'delivered' });
    expect(await kindsOfAnswers(other, messageId)).toEqual(['confirmation', 'result']);
  });
});

/** What an administrator does where there is no pairing: the key of one into the other's authorized_keys, the host key the other way. */
async function trustByHand(from: PairNode, to: PairNode): Promise<void> {
  const { stdout: publicKey } = await run('ssh-keygen', ['-y', '-f', join(from.stateDir, 'certs/ssh.key')]);
  await writeFile(to.sshd().authorizedKeysFile, publicKey, { mode: 0o600 });
  const name = `[${to.ssh.host}]:${to.ssh.port}`;
  const lines = (await to.sshd().hostKeys()).map((key) => `${name} ${key}\n`);
  await writeFile(join(from.stateDir, 'certs/known_hosts'), lines.join(''), { mode: 0o600 });
}
