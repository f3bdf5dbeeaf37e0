import { afterAll, beforeAll, expect } from 'vitest';
import { createImapMailbox } from '../../node/mail/imap-mailbox.ts';
import { systemClock } from '../../node/platform/clock.ts';
import { AppError } from '../../node/platform/errors.ts';
import { silentLog } from '../../node/platform/log.ts';
import { type Dovecot, startDovecot } from '../support/dovecot.ts';
import { createWorld, type World } from '../support/ingest-world.ts';
import { mailSource } from '../support/mails.ts';
import { eventually } from '../support/process.ts';
import { needs } from '../support/requirements.ts';
import { startSilencer } from '../support/silencer.ts';

const { describe, test } = needs('dovecot');

describe('ingest on Dovecot', () => {
  let dovecot: Dovecot;
  let users = 0;
  beforeAll(async () => {
    dovecot = await startDovecot();
  });
  afterAll(() => dovecot[Symbol.asyncDispose]());

  async function setup(change: { port?: number; socketTimeoutMs?: number } = {}) {
    users += 1;
    const user = `node${users}@example.test`;
    const mailbox = createImapMailbox({
      host: dovecot.host,
      port: dovecot.imapPort,
      tls: 'starttls',
      ca: dovecot.ca,
      user,
      password: dovecot.password,
      mailbox: 'INBOX',
      log: silentLog,
      clock: systemClock,
      ...change,
    });
    const world = await createWorld({ mailbox });
    return Object.assign(world, {
      user,
      deliver: (subject: string) => dovecot.deliver(user, mailSource({ subject })),
      flags: async (): Promise<string[]> => {
        const said = await dovecot.doveadm('-f', 'tab', 'fetch', '-u', user, 'flags', 'mailbox', 'INBOX');
        return said
          .split('\n')
          .slice(1)
          .filter((line) => line !== '');
      },
    });
  }
  const watching = (world: World): Promise<unknown> =>
    eventually('the mailbox to be watched', () => world.ingest.status().state === 'watching');
  const subjects = (world: World): string[] => world.acceptor.jobs.map((job) => job.request.subject);
  const jobs = (world: World, count: number): Promise<unknown> =>
    eventually(`${count} jobs`, () => world.acceptor.jobs.length >= count);

  test('takes a mail when the server pushes it, and marks it', async () => {
    await using it = await setup();
    it.start();
    await watching(it);
    const begun = performance.now();
    await it.deliver('RAMAIS=1');
    await jobs(it, 1);
    // Dovecot itself tells of a mail after about half a second.
    expect(performance.now() - begun).toBeLessThan(3_000);
    await eventually('the flags', async () =>
      (await it.flags()).every((line) => line.includes('\\Seen $Parelha')),
    );
  });

  test('takes a burst of 30 mails, each once and in the order of their UIDs', async () => {
    await using it = await setup();
    it.start();
    await watching(it);
    const wanted = Array.from({ length: 30 }, (_, index) => `RAMAIS=${index}`);
    await dovecot.fill(
      it.user,
      wanted.map((subject) => mailSource({ subject })),
    );
    await jobs(it, wanted.length);
    // Dovecot numbers what is delivered within one moment in an order of its own.
    const said = await dovecot.doveadm(
      '-f',
      'tab',
      'fetch',
      '-u',
      it.user,
      'hdr.subject',
      'mailbox',
      'INBOX',
    );
    const byUid = [...said.matchAll(/RAMAIS=\d+/g)].map(([subject]) => subject);
    expect(byUid.toSorted()).toEqual(wanted.toSorted());
    expect(subjects(it)).toEqual(byUid);
    await eventually(
      'the flags',
      async () => (await it.flags()).filter((line) => line.includes('$Parelha')).length === 30,
    );
  });

  test('connects again after its session was kicked, and misses nothing', async () => {
    await using it = await setup();
    it.start();
    for (const n of [1, 2]) {
      await watching(it);
      await dovecot.kick(it.user);
      await it.deliver(`RAMAIS=${n}`);
      await jobs(it, n);
    }
    expect(subjects(it)).toEqual(['RAMAIS=1', 'RAMAIS=2']);
  });

  test('takes a mail that a person has opened while it was away', async () => {
    await using first = await setup();
    first.start();
    await watching(first);
    await first.stop();
    await first.deliver('RAMAIS=1');
    await dovecot.doveadm('flags', 'add', '-u', first.user, '\\Seen', 'mailbox', 'INBOX', 'all');
    await using it = await first.restart();
    it.start();
    await jobs(it, 1);
    expect(subjects(it)).toEqual(['RAMAIS=1']);
  });

  test('after a change of UIDVALIDITY takes the unread, skips the known and reports the doubtful', async () => {
    await using it = await setup();
    it.start();
    await watching(it);
    await it.deliver('RAMAIS=1');
    await jobs(it, 1);
    await it.ingest.stop();
    await it.deliver('RAMAIS=2');
    await it.deliver('RAMAIS=3');
    await dovecot.doveadm('flags', 'add', '-u', it.user, '\\Seen', 'mailbox', 'INBOX', 'uid', '3');
    await dovecot.renumber(it.user);
    it.start();
    await watching(it);
    expect(it.commands()).toEqual(['RAMAIS', 'RAMAIS', 'AVISO']);
    expect(subjects(it)).toEqual(['RAMAIS=1', 'RAMAIS=2', '']);
    expect(it.lines.join('')).toContain('new UIDs');
  });

  test('leaves a peer that went silent, and takes over another connection what came meanwhile', async () => {
    await using silencer = await startSilencer(dovecot.imapPort);
    await using it = await setup({ port: silencer.port, socketTimeoutMs: 1_500 });
    it.start();
    await watching(it);
    silencer.silence();
    await it.deliver('RAMAIS=1');
    silencer.restore();
    await jobs(it, 1);
    expect(it.ingest.status().lastError).toMatchObject({ code: 'mailbox.closed' });
  });

  test('leaves the mail unread while the disk is full, and takes it when there is room', async () => {
    await using it = await setup();
    it.acceptor.failWith(new AppError('spool.unwritable', 'no space left on device', { retriable: true }));
    it.start();
    await watching(it);
    await it.deliver('RAMAIS=1');
    await eventually('the complaint', () => it.lines.some((line) => line.includes('stays unread')));
    expect((await it.flags()).join('')).not.toContain('Seen');
    expect(it.acceptor.jobs).toEqual([]);
    it.acceptor.failWith(null);
    await jobs(it, 1);
    await eventually('the flags', async () => (await it.flags()).join('').includes('\\Seen $Parelha'));
  });

  test('notices a change of UIDVALIDITY while it watches', async () => {
    await using it = await setup();
    it.start();
    await watching(it);
    await it.deliver('RAMAIS=1');
    await jobs(it, 1);
    await dovecot.renumber(it.user);
    await eventually('the rescan', () => it.lines.some((line) => line.includes('new UIDs')));
    await watching(it);
    await it.deliver('RAMAIS=2');
    await jobs(it, 2);
    expect(subjects(it)).toEqual(['RAMAIS=1', 'RAMAIS=2']);
  });
});
