import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { recordingName, wav } from '../support/audio.ts';
import { type Case, kindsTo, prepareCase } from '../support/cases.ts';
import type { Dovecot } from '../support/dovecot.ts';
import { type MailServers, startMailServers } from '../support/exim.ts';
import { TOKEN } from '../support/node.ts';
import { isKind, kindOf, mailsOf, sendRequest } from '../support/people.ts';
import { mailSource } from '../support/mails.ts';
import { type Child, eventually } from '../support/process.ts';
import { eximIsIdle, settledJobs } from '../support/quiet.ts';
import { needs } from '../support/requirements.ts';

const { describe, test } = needs('dovecot', 'exim');

const DATES = 'INICIO=27/10/2025 FIM=27/10/2025';
/** Both answers to a request that finds nothing. */
const ANSWERED = ['confirmation', 'result'];

/** A node with a recording that nobody asks for. */
async function prepare(servers: MailServers, settings: Record<string, string> = {}): Promise<Case> {
  const it = await prepareCase({ servers, settings });
  await writeFile(join(it.node.recordingsDir, recordingName('9001', '9002', '20251027-080000')), wav(100));
  return it;
}

/** A request as it lies in the mailbox; the same number makes the same mail. */
function request({ requester }: Case, number: number): string {
  return mailSource({
    from: requester,
    messageId: `<pedido-${number}@mail.example.test>`,
    date: new Date().toUTCString(),
    subject: `[${TOKEN}] RAMAIS=${7000 + number} ${DATES}`,
  });
}

/** What is answered, as far as the ear can tell: one line a mail, `number kind`. */
async function answersTo(servers: MailServers, { requester }: Case): Promise<string[]> {
  const mails = await mailsOf(servers, requester);
  return mails
    .map((mail) => `${Number(/RAMAIS=(\d+)/.exec(mail.parsed.subject ?? '')?.[1]) - 7000} ${kindOf(mail)}`)
    .toSorted();
}

const bothFor = (...numbers: readonly number[]): string[] =>
  numbers.flatMap((number) => ANSWERED.map((kind) => `${number} ${kind}`)).toSorted();

const watching = (node: Child): Promise<unknown> =>
  eventually('the mailbox to be watched', () => /(first start|new UIDs|are new)/.test(node.output()));

const allMarked = (servers: MailServers, { mailbox }: Case): Promise<unknown> =>
  eventually('all requests to be marked as read', async () =>
    (await mailsOf(servers, mailbox)).every(({ seen }) => seen),
  );

async function flag({ dovecot }: MailServers, user: string, messageId: string): Promise<void> {
  await dovecot.doveadm(
    ...['flags', 'add', '-u', user, '\\Seen', 'mailbox', 'INBOX', 'header', 'message-id', messageId],
  );
}

describe.concurrent('a node whose mailbox is in trouble loses no mail and doubles none', () => {
  test('its session is kicked again and again under a stream of 20 mails', async () => {
    await using servers = await startMailServers();
    const it = await prepare(servers);
    await using node = it.node;
    await watching(await node.start());
    for (let number = 1; number <= 20; number += 1) {
      await servers.dovecot.deliver(it.mailbox, request(it, number));
      if (number % 6 === 0) await eventually('a session to kick', () => kicked(servers.dovecot, it.mailbox));
    }
    await settledJobs(node, 'RAMAIS', 20);
    await eximIsIdle(servers);
    expect(await answersTo(servers, it)).toEqual(bothFor(...Array.from({ length: 20 }, (_, at) => at + 1)));
    await allMarked(servers, it);
    // What it takes over a connection that has brought many mails already, it leaves to its next queue run.
    expect(await readFile(servers.exim.logFile, 'utf8')).not.toContain('no immediate delivery');
    expect(
      node
        .child()
        .output()
        .match(/connecting again/g)?.length,
    ).toBeGreaterThanOrEqual(3);
  });

  test('its mails get new UIDs while it runs, with copies of what it has answered among them', async () => {
    await using servers = await startMailServers();
    const it = await prepare(servers);
    await using node = it.node;
    await watching(await node.start());
    const answered = [1, 2].map((number) => request(it, number));
    for (const mail of answered) await servers.dovecot.deliver(it.mailbox, mail);
    await settledJobs(node, 'RAMAIS', 2);
    for (const mail of answered) await servers.dovecot.deliver(it.mailbox, mail);
    await servers.dovecot.renumber(it.mailbox);
    await servers.dovecot.deliver(it.mailbox, request(it, 3));
    await settledJobs(node, 'RAMAIS', 3);
    await allMarked(servers, it);
    await eximIsIdle(servers);
    expect(await answersTo(servers, it)).toEqual(bothFor(1, 2, 3));
  });

  test('its mails get new UIDs while it is away: what nobody opened is taken, what somebody opened is told to the admin once', async () => {
    await using servers = await startMailServers();
    const it = await prepare(servers);
    await using node = it.node;
    await watching(await node.start());
    const answered = request(it, 1);
    await servers.dovecot.deliver(it.mailbox, answered);
    await settledJobs(node, 'RAMAIS', 1);
    await node.child().end();

    await servers.dovecot.fill(it.mailbox, [answered, request(it, 2), request(it, 3)]);
    await flag(servers, it.mailbox, '<pedido-3@mail.example.test>');
    await servers.dovecot.renumber(it.mailbox);
    await watching(await node.start());
    await settledJobs(node, 'RAMAIS', 2);
    await settledJobs(node, 'AVISO', 1);
    await servers.dovecot.renumber(it.mailbox);
    await eventually(
      'the mailbox to be read again',
      () =>
        (
          node
            .child()
            .output()
            .match(/new UIDs/g) ?? []
        ).length === 2,
    );
    await servers.dovecot.deliver(it.mailbox, request(it, 4));
    await settledJobs(node, 'RAMAIS', 3);
    await eximIsIdle(servers);
    expect(await answersTo(servers, it)).toEqual(bothFor(1, 2, 4));
    const toAdmin = await mailsOf(servers, it.admin);
    expect(toAdmin.map(kindOf).filter((kind) => !ANSWERED.includes(kind))).toEqual(['notice']);
    const [notice] = toAdmin.filter(isKind('notice'));
    expect(notice?.parsed.text).toContain('RAMAIS=7003');
    expect(notice?.raw).not.toContain(TOKEN);
  });

  test('the server stops answering, its connections still open', async () => {
    await using servers = await startMailServers();
    const it = await prepare(servers);
    await using node = it.node;
    await watching(await node.start({ SOCKET_TIMEOUT_MS: '1000' }));
    await servers.dovecot.signal('SIGSTOP');
    try {
      await sendRequest(servers, `RAMAIS=7001 ${DATES}`, { from: it.requester, to: it.mailbox });
      await eventually('the node to give the session up', () =>
        node.child().output().includes('connecting again'),
      );
    } finally {
      await servers.dovecot.signal('SIGCONT');
    }
    await settledJobs(node, 'RAMAIS', 1);
    await eximIsIdle(servers);
    expect(await answersTo(servers, it)).toEqual(bothFor(1));
  });

  test('the server is away for a while and comes back on the same port', async () => {
    await using servers = await startMailServers();
    const it = await prepare(servers);
    await using node = it.node;
    await watching(await node.start());
    await servers.dovecot.stop();
    await sendRequest(servers, `RAMAIS=7001 ${DATES}`, { from: it.requester, to: it.mailbox });
    await eventually('the node to try in vain', () => node.child().output().includes('mailbox.unavailable'));
    const status = await node.ctl('status', '--json');
    expect(status.out).toContain('mailbox.');
    await servers.dovecot.start();
    await settledJobs(node, 'RAMAIS', 1);
    await eximIsIdle(servers);
    expect(await answersTo(servers, it)).toEqual(bothFor(1));
  });

  test('nothing can be sent while answers are due: they go out once when it can, whatever MAX_RETRIES says', async () => {
    await using servers = await startMailServers();
    const it = await prepare(servers, { MAX_RETRIES: '1' });
    await using node = it.node;
    await watching(await node.start());
    await servers.exim.stop();
    await servers.dovecot.fill(it.mailbox, [request(it, 1), request(it, 2)]);
    await eventually('both answers to fail', () =>
      ['confirmation did not go out', 'attempt 1 failed (mail.unavailable'].every((said) =>
        node.child().output().includes(said),
      ),
    );
    await servers.exim.start();
    await settledJobs(node, 'RAMAIS', 2);
    await eximIsIdle(servers);
    // Where the result goes out first, there is nothing left to confirm.
    const answers = await answersTo(servers, it);
    expect(answers.filter((answer) => answer.endsWith('result'))).toEqual(['1 result', '2 result']);
    expect(answers).toEqual([...new Set(answers)]);
    expect(bothFor(1, 2)).toEqual(expect.arrayContaining(answers));
    expect(await kindsTo(servers, it.admin)).toHaveLength(answers.length);
  });
});

async function kicked(dovecot: Dovecot, user: string): Promise<boolean> {
  await dovecot.kick(user); // fails where nobody is logged in
  return true;
}
