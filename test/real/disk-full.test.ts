import { appendFile, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { recordingName, wav } from '../support/audio.ts';
import { type Case, kindsTo, prepareCase } from '../support/cases.ts';
import { type MailServers, startMailServers } from '../support/exim.ts';
import { TOKEN } from '../support/node.ts';
import { mailsOf } from '../support/people.ts';
import { mailSource } from '../support/mails.ts';
import { type Child, eventually } from '../support/process.ts';
import { eximIsIdle, jobsOf, settledJobs } from '../support/quiet.ts';
import { needs } from '../support/requirements.ts';
import { mountSmallDisk } from '../support/small-disk.ts';

const { describe, test } = needs('dovecot', 'exim', 'tmpfs');

const MEGABYTE = 1024 * 1024;
const PAGE_BYTES = 4096;
const ANSWERED = ['confirmation', 'result'];

let servers: MailServers;
beforeAll(async () => {
  servers = await startMailServers();
});
afterAll(() => servers?.[Symbol.asyncDispose]());

async function prepare(settings: Record<string, string>, sizeBytes = 40_000): Promise<Case> {
  const it = await prepareCase({ servers, settings });
  const day = join(it.node.recordingsDir, '2025/10/27');
  await mkdir(day, { recursive: true });
  for (const hour of ['08', '09', '10']) {
    await writeFile(join(day, recordingName('1121', '3010', `20251027-${hour}0000`)), wav(sizeBytes));
  }
  return it;
}

const ask = ({ requester, mailbox }: Case, extension = 1121): Promise<void> =>
  servers.dovecot.deliver(
    mailbox,
    mailSource({
      from: requester,
      subject: `[${TOKEN}] RAMAIS=${extension} INICIO=27/10/2025 FIM=27/10/2025`,
    }),
  );

const says = (child: Child, ...words: readonly string[]): Promise<unknown> =>
  eventually(`the node to say ${words.join(' and ')}`, () =>
    child
      .output()
      .split('\n')
      .some((line) => words.every((word) => line.includes(word))),
  );

async function seen({ mailbox }: Case): Promise<boolean[]> {
  return (await mailsOf(servers, mailbox)).map((mail) => mail.seen);
}

async function expectAnsweredOnce(it: Case, queueDir: string): Promise<void> {
  const jobs = await settledJobs({ stateDir: '', queueDir }, 'RAMAIS', 1);
  expect(jobs.map(({ outcome }) => outcome?.kind)).toEqual(['done']);
  await eventually('the request to be marked as read', async () => (await seen(it)).every(Boolean));
  await eximIsIdle(servers);
  expect(await kindsTo(servers, it.requester)).toEqual(ANSWERED);
  expect(await kindsTo(servers, it.admin)).toEqual(ANSWERED);
}

describe.concurrent('a full disk', () => {
  test('a mail stays unread and unanswered until there is space, and the node lives and says why', async () => {
    await using disk = await mountSmallDisk(MEGABYTE);
    const stateDir = join(disk.path, 'state');
    const it = await prepare({ STATE_DIR: stateDir });
    await using node = it.node;
    const child = await node.start();
    await says(child, 'first start');
    await disk.fill();
    await ask(it);
    await says(child, 'stays unread', 'spool.unwritable');
    const status = await node.ctl('status');
    expect(status.code).toBe(0);
    expect(status.out).toContain('spool.unwritable');
    expect(await seen(it)).toEqual([false]);
    expect(await kindsTo(servers, it.requester)).toEqual([]);
    expect(await readdir(join(stateDir, 'queue/pending'))).toEqual([]);

    await disk.free();
    await expectAnsweredOnce(it, join(stateDir, 'queue'));
  });

  test('only the ledger cannot be written: the mail stays unread, and neither time nor a kill makes a second job', async () => {
    await using disk = await mountSmallDisk(MEGABYTE);
    const it = await prepare({});
    await using node = it.node;
    const { stateDir } = node;
    await mkdir(stateDir, { mode: 0o700 });
    const ledger = join(disk.path, 'ledger.jsonl');
    await symlink(ledger, join(stateDir, 'ledger.jsonl'));
    await says(await node.start(), 'first start');
    await node.child().end();
    // A page that is begun could still be written to.
    const { size } = await stat(ledger);
    await appendFile(ledger, `${' '.repeat(PAGE_BYTES - (size % PAGE_BYTES) - 1)}\n`);
    await disk.fill();

    await says(await node.start(), 'are new');
    await ask(it);
    await says(node.child(), 'stays unread', 'ledger.unwritable');
    await settledJobs(node, 'RAMAIS', 1);
    expect(await seen(it)).toEqual([false]);
    await node.child().end('SIGKILL');
    await says(await node.start(), 'stays unread', 'ledger.unwritable');
    expect(await seen(it)).toEqual([false]);

    await disk.free();
    await expectAnsweredOnce(it, join(stateDir, 'queue'));
  });

  test('all but the queue cannot be written: it is waited for, and nobody is told of a failure', async () => {
    await using disk = await mountSmallDisk(MEGABYTE);
    const stateDir = join(disk.path, 'state');
    const it = await prepare({ STATE_DIR: stateDir, MAX_RETRIES: '1' });
    await using node = it.node;
    const queueDir = join(node.directory, 'queue');
    const child = await node.start({ QUEUE_DIR: queueDir });
    await says(child, 'first start');
    await disk.fill();
    // Files that are begun have room for a few lines: mails that find nothing use it up.
    for (let extension = 7001; extension <= 7012; extension += 1) await ask(it, extension);
    await says(child, 'stays unread', 'unwritable');
    await says(child, 'attempt 1 failed (audit.unwritable');
    await disk.free();
    const jobs = await settledJobs({ stateDir, queueDir }, 'RAMAIS', 12);
    expect(new Set(jobs.map(({ outcome }) => outcome?.kind))).toEqual(new Set(['nothing-found']));
    await eventually('all requests to be marked', async () => (await seen(it)).every(Boolean));
    await eximIsIdle(servers);
    const kinds = await kindsTo(servers, it.requester);
    expect(kinds.filter((kind) => kind === 'result')).toHaveLength(12);
    expect(new Set(kinds)).toEqual(new Set(ANSWERED));
    const [month = ''] = await readdir(join(stateDir, 'audit'));
    const lines = (await readFile(join(stateDir, 'audit', month), 'utf8')).trimEnd().split('\n');
    const events = lines.map((line) => (JSON.parse(line) as { event: string }).event);
    expect(events.filter((event) => event === 'job.ended')).toHaveLength(12);
  });

  test('a delivery that does not fit is tried again, and leaves nothing behind when there is room', async () => {
    await using disk = await mountSmallDisk(3 * MEGABYTE);
    const stateDir = join(disk.path, 'state');
    const it = await prepare({ STATE_DIR: stateDir }, 300_000);
    await using node = it.node;
    const child = await node.start();
    await says(child, 'first start');
    await disk.fill(MEGABYTE);
    await ask(it);
    await says(child, 'attempt 1 failed (publish.unavailable', 'disk is full');
    expect(await kindsTo(servers, it.requester)).not.toContain('result');
    await disk.free();
    const [job] = await jobsOf({ stateDir }, 'pending');
    expect((await node.ctl('queue', 'retry', job?.id ?? '')).code).toBe(0);
    await expectAnsweredOnce(it, join(stateDir, 'queue'));
    const files = await readdir(join(stateDir, 'web/audio', job?.id ?? ''));
    expect(files.map((name) => name.replace(/.*\./, '')).toSorted()).toEqual(['wav', 'wav', 'wav', 'zip']);
  });
});
