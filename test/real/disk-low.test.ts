import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { recordingName, wav } from '../support/audio.ts';
import { type Case, kindsTo, prepareCase } from '../support/cases.ts';
import { type MailServers, startMailServers } from '../support/exim.ts';
import { mailSource } from '../support/mails.ts';
import { TOKEN } from '../support/node.ts';
import { preparePair, withLogs } from '../support/pair.ts';
import { isKind, waitForMails } from '../support/people.ts';
import { eventually } from '../support/process.ts';
import { eximIsIdle, jobsOf, settledJobs } from '../support/quiet.ts';
import { needs } from '../support/requirements.ts';
import { mountSmallDisk } from '../support/small-disk.ts';

const { describe, test } = needs('dovecot', 'exim', 'tmpfs');

const MEGABYTE = 1024 * 1024;
const HEADROOM = { DISK_HEADROOM_BYTES: String(4 * MEGABYTE) };
const LOW_BYTES = 2.5 * MEGABYTE;
const ALMOST_FULL_BYTES = 800_000;
const RANGE = 'INICIO=27/10/2025 FIM=27/10/2025';

let servers: MailServers;
beforeAll(async () => {
  servers = await startMailServers();
});
afterAll(() => servers?.[Symbol.asyncDispose]());

/** A node whose state lies on a small disk, with three recordings of 1121 elsewhere. */
async function prepare(stateDir: string, sizeBytes: number): Promise<Case> {
  const it = await prepareCase({ servers, settings: { ...HEADROOM, STATE_DIR: stateDir } });
  await fillRecordings(it.node.recordingsDir, sizeBytes);
  return it;
}

async function fillRecordings(recordingsDir: string, sizeBytes: number): Promise<void> {
  const day = join(recordingsDir, '2025/10/27');
  await mkdir(day, { recursive: true });
  for (const hour of ['08', '09', '10']) {
    await writeFile(join(day, recordingName('1121', '3010', `20251027-${hour}0000`)), wav(sizeBytes));
  }
}

function ask({ requester, mailbox }: Pick<Case, 'requester' | 'mailbox'>, subject: string): Promise<void> {
  const source = mailSource({ from: requester, subject: `[${TOKEN}] ${subject}` });
  return servers.dovecot.deliver(mailbox, source);
}

const answer = ({ requester }: Case, kind: string, count = 1): ReturnType<typeof waitForMails> =>
  waitForMails(servers, requester, count, isKind(kind));

describe.concurrent('a disk with less room than the headroom', () => {
  test('new requests are refused in a mail at once, what was accepted is finished, and the admin is told once', async () => {
    await using disk = await mountSmallDisk(12 * MEGABYTE);
    const stateDir = join(disk.path, 'state');
    const it = await prepare(stateDir, 40_000);
    await using node = it.node;
    await node.start();
    await node.ctl('pause', 'queue');
    await ask(it, `RAMAIS=1121 ${RANGE}`);
    await answer(it, 'confirmation');

    await disk.fill(LOW_BYTES);
    await node.ctl('resume', 'queue');
    const [result] = await answer(it, 'result');
    expect(result?.parsed.text).toContain('1121');
    await ask(it, `RAMAIS=1121,3010 ${RANGE}`);
    const [refusal] = await answer(it, 'refusal');
    expect(refusal?.parsed.text).toContain(`RAMAIS=1121,3010 ${RANGE}`);
    await waitForMails(servers, it.admin, 1, isKind('notice'));
    const status = await node.ctl('status');
    expect(status.out).toMatch(/^disk .*LOW: new work is refused/m);
    expect(status.out).toMatch(/^warning: the disk is nearly full/m);
    const day = ['--inicio', '27/10/2025', '--fim', '27/10/2025'];
    const exported = await node.ctl('recordings', 'export', '--ramais', '1121', ...day);
    expect(exported.code).not.toBe(0);
    expect(exported.out).toContain('too little room for new work');

    await disk.fill(ALMOST_FULL_BYTES);
    await ask(it, 'STATUS');
    await answer(it, 'result', 2);

    await disk.free();
    await ask(it, `RAMAIS=3010 ${RANGE}`);
    await answer(it, 'result', 3);
    await settledJobs({ stateDir }, 'RAMAIS', 2);
    await eximIsIdle(servers);
    expect((await kindsTo(servers, it.requester)).filter((kind) => kind !== 'confirmation')).toEqual([
      'refusal',
      ...['result', 'result', 'result'],
    ]);
    expect((await kindsTo(servers, it.admin)).filter((kind) => kind === 'notice')).toHaveLength(1);
    expect((await node.ctl('status')).out).not.toContain('nearly full');
  });

  test('a result that does not fit waits for space, and nothing of it is written before', async () => {
    await using disk = await mountSmallDisk(12 * MEGABYTE);
    const stateDir = join(disk.path, 'state');
    const it = await prepare(stateDir, 700_000);
    await using node = it.node;
    const child = await node.start();
    await node.ctl('pause', 'queue');
    await ask(it, `RAMAIS=1121 ${RANGE}`);
    await answer(it, 'confirmation');
    await disk.fill(LOW_BYTES);
    await node.ctl('resume', 'queue');
    await eventually('the node to say why it waits', () =>
      child.output().includes('attempt 1 failed (publish.no-space'),
    );
    const [job] = await jobsOf({ stateDir }, 'pending');
    const id = job?.id ?? '';
    expect(await readdir(join(stateDir, 'web/audio', id)).catch(() => [])).toEqual([]);
    await disk.free();
    expect((await node.ctl('queue', 'retry', id)).code).toBe(0);
    await answer(it, 'result');
  });

  test('of the peer: it takes no more work, and the requester is told of the failure without delay', async () => {
    await using disk = await mountSmallDisk(12 * MEGABYTE);
    const queueDir = join(disk.path, 'queue');
    const settings = { audio: { ...HEADROOM, QUEUE_DIR: queueDir } };
    await using pair = await preparePair({ servers, sshd: false, settings });
    await fillRecordings(pair.audio.recordingsDir, 40_000);
    await pair.start();
    await pair.join();
    await withLogs(pair, async () => {
      await disk.fill(LOW_BYTES);
      await ask(pair, `RAMAIS=1121 ${RANGE}`);
      const [failure] = await waitForMails(servers, pair.requester, 1, isKind('failed'));
      expect(failure?.parsed.text).toContain('node.disk-low');
      const taken = await jobsOf({ stateDir: '', queueDir }, 'pending', 'processing', 'completed', 'failed');
      expect(taken.map(({ request }) => request.command)).not.toContain('RAMAIS');
      await disk.free();
      await ask(pair, `RAMAIS=1121 ${RANGE}`);
      await waitForMails(servers, pair.requester, 1, isKind('result'));
    });
  });
});
