import { afterAll, beforeAll, expect } from 'vitest';
import { createImapMailbox } from '../../node/mail/imap-mailbox.ts';
import { createImapSentMail } from '../../node/mail/imap-sent-mail.ts';
import { createSmtpMailer } from '../../node/mail/smtp-mailer.ts';
import { systemClock } from '../../node/platform/clock.ts';
import { codeOf } from '../../node/platform/errors.ts';
import { silentLog } from '../../node/platform/log.ts';
import { type MailServers, startMailServers } from '../support/exim.ts';
import { mailboxContract } from '../support/mailbox-contract.ts';
import { mailerContract, outgoing } from '../support/mailer-contract.ts';
import { mailSource } from '../support/mails.ts';
import { eventually } from '../support/process.ts';
import { needs } from '../support/requirements.ts';
import { startSilencer } from '../support/silencer.ts';

const { describe, test } = needs('dovecot', 'exim');
const { signal } = new AbortController();

describe('mail on real servers', () => {
  let servers: MailServers;
  let users = 0;
  beforeAll(async () => {
    servers = await startMailServers();
  });
  afterAll(() => servers[Symbol.asyncDispose]());

  const newUser = (): string => {
    users += 1;
    return `user${users}@example.test`;
  };
  const imap = (user: string) => ({
    host: servers.dovecot.host,
    port: servers.dovecot.imapPort,
    tls: 'starttls' as const,
    ca: servers.dovecot.ca,
    user,
    password: servers.dovecot.password,
    mailbox: 'INBOX',
    sentMailbox: 'auto' as const,
    log: silentLog,
    clock: systemClock,
  });
  const smtp = (change: Partial<Parameters<typeof createSmtpMailer>[0]> = {}) =>
    createSmtpMailer({
      host: servers.exim.host,
      port: servers.exim.smtpPort,
      tls: 'starttls',
      ca: servers.exim.ca,
      login: { user: 'node', password: servers.exim.password },
      from: 'node@example.test',
      nodeId: 'audio2',
      log: silentLog,
      clock: systemClock,
      ...change,
    });
  const arrived = async (user: string, messageId: string, mailbox = 'INBOX'): Promise<number> => {
    const search = ['search', '-u', user, 'mailbox', mailbox, 'header', 'message-id', messageId];
    return (await servers.dovecot.doveadm(...search)).split('\n').filter((line) => line !== '').length;
  };

  mailboxContract(describe, 'Dovecot', async () => {
    const user = newUser();
    return {
      mailbox: createImapMailbox(imap(user)),
      deliver: (raw) => servers.dovecot.deliver(user, raw),
      kick: () => servers.dovecot.kick(user),
      flags: async () => {
        const said = await servers.dovecot.doveadm(
          '-f',
          'tab',
          'fetch',
          '-u',
          user,
          'uid flags',
          'mailbox',
          'INBOX',
        );
        const rows = said.split('\n').slice(1).filter(Boolean);
        return new Map(
          rows.map((row) => [Number(row.split('\t')[0]), (row.split('\t')[1] ?? '').split(' ')]),
        );
      },
      [Symbol.asyncDispose]: async () => undefined,
    };
  });

  mailerContract(describe, 'Exim', async () => {
    const mailer = smtp();
    return {
      mailer,
      arrived: async (address, messageId) => {
        await eventually('the mail to arrive', async () => (await arrived(address, messageId)) > 0);
        return arrived(address, messageId);
      },
      arrivedNow: arrived,
      [Symbol.asyncDispose]: () => mailer.close(),
    };
  });

  test('connects by TLS, by STARTTLS and without, each as told', async () => {
    const user = newUser();
    const { imapsPort } = servers.dovecot;
    for (const change of [{ tls: 'tls' as const, port: imapsPort }, {}, { tls: 'none' as const }]) {
      const session = await createImapMailbox({ ...imap(user), ...change }).open(signal);
      expect(await session.listAfter(0, 1)).toEqual([]);
      await session.close();
    }
  });

  test('trusts no certificate but those of its CA file', async () => {
    const untrusting = { ...imap(newUser()), ca: null };
    expect(await createImapMailbox(untrusting).open(signal).catch(codeOf)).toBe('mailbox.unavailable');
  });

  test('tells a wrong password from a server that is away', async () => {
    const refused = createImapMailbox({ ...imap(newUser()), password: 'wrong' });
    const error = await refused.open(signal).catch((thrown: unknown) => thrown);
    expect(codeOf(error)).toBe('mailbox.login');
    expect(String(error)).not.toContain('wrong');
    const away = createImapMailbox({ ...imap(newUser()), port: 1 });
    expect(await away.open(signal).catch(codeOf)).toBe('mailbox.unavailable');
  });

  test('a mailbox that does not exist is unavailable', async () => {
    const mailbox = createImapMailbox({ ...imap(newUser()), mailbox: 'Nowhere' });
    expect(await mailbox.open(signal).catch(codeOf)).toBe('mailbox.unavailable');
  });

  test('notices a peer that went silent without closing, within two socket timeouts', async () => {
    const user = newUser();
    await using silencer = await startSilencer(servers.dovecot.imapPort);
    const mailbox = createImapMailbox({ ...imap(user), port: silencer.port, socketTimeoutMs: 1_500 });
    const session = await mailbox.open(signal);
    expect(await session.waitForMail(300, signal)).toBe('timeout');
    silencer.silence();
    const begun = performance.now();
    expect(await session.waitForMail(60_000, signal).catch(codeOf)).toBe('mailbox.closed');
    expect(performance.now() - begun).toBeLessThan(8_000);
    await session.close();
  });

  test('keeps watching over many quiet socket timeouts', async () => {
    const user = newUser();
    const session = await createImapMailbox({ ...imap(user), socketTimeoutMs: 1_100 }).open(signal);
    expect(await session.waitForMail(4_000, signal)).toBe('timeout');
    const waiting = session.waitForMail(10_000, signal);
    await servers.dovecot.deliver(user, mailSource());
    expect(await waiting).toBe('hint');
    await session.close();
  });

  test('lists thousands of mails by parts', async () => {
    const user = newUser();
    const total = 1_203;
    await servers.dovecot.fill(
      user,
      Array.from({ length: total }, () => mailSource()),
    );
    const session = await createImapMailbox(imap(user)).open(signal);
    const uids: number[] = [];
    for (;;) {
      const page = await session.listAfter(uids.at(-1) ?? 0, 500);
      if (page.length === 0) break;
      uids.push(...page.map(({ uid }) => uid));
    }
    expect(uids).toEqual(Array.from({ length: total }, (_, index) => index + 1));
    expect(await session.listSince(Temporal.Now.instant().subtract({ hours: 1 }), 2_000)).toHaveLength(total);
    await session.close();
  });

  test('finds a sent mail by its exact Message-ID, in the mailbox the server marks', async () => {
    const user = newUser();
    await using sent = disposable(createImapSentMail(imap(user)));
    expect(await sent.contains('<a.1@example.test>', signal)).toBe(false);
    const [local, domain] = user.split('@');
    await servers.dovecot.deliver(`${local}+Sent@${domain}`, mailSource({ messageId: '<a.1@example.test>' }));
    expect(await sent.contains('<a.1@example.test>', signal)).toBe(true);
    expect(await sent.contains('<.1@example.test>', signal)).toBe(false);
    expect(await sent.contains('a.1@example', signal)).toBe(false);
  });

  test('looks for sent mail over one connection, and over another when that was lost', async () => {
    const user = newUser();
    await using sent = disposable(createImapSentMail(imap(user)));
    await Promise.all([1, 2, 3].map((n) => sent.contains(`<${n}@example.test>`, signal)));
    expect(await sessionsOf(servers, user)).toBe(1);
    await servers.dovecot.kick(user);
    expect(
      await eventually('a look over a new connection', async () => {
        const found = await sent.contains('<a@example.test>', signal);
        return found ? 'found' : 'not there';
      }),
    ).toBe('not there');
  });

  test('a mailbox of sent mails that is not there yet holds nothing', async () => {
    await using sent = disposable(
      createImapSentMail({ ...imap(newUser()), sentMailbox: { name: 'Enviados' } }),
    );
    expect(await sent.contains('<a@example.test>', signal)).toBe(false);
  });

  test('sends a mail that people and programs understand, and the server files it among those sent', async () => {
    await using mailer = disposable(smtp());
    await using sent = disposable(createImapSentMail(imap('node@example.test')));
    const mail = outgoing({ to: ['reader@example.test'], cc: [] });
    await mailer.send(mail, signal);
    await eventually('the mail in Sent', () => sent.contains(mail.messageId, signal));
    const fetch = ['fetch', '-u', 'reader@example.test', 'hdr', 'mailbox', 'INBOX'];
    const header = await eventually('the mail', async () => await servers.dovecot.doveadm(...fetch));
    expect(header).toContain(`Message-ID: ${mail.messageId}`);
    expect(header).toContain('From: Parelha <node@example.test>');
    expect(header).toContain('Auto-Submitted: auto-replied');
    expect(header).toContain('X-Parelha-Loop: audio2');
    expect(header).toContain('In-Reply-To: <question@example.test>');
    expect(header).toContain('References: <first@example.test> <question@example.test>');
    expect(header).toContain('multipart/alternative');
    expect(header.toLowerCase()).not.toContain('nodemailer');
  });

  test('a recipient that is refused does not keep the mail from the others', async () => {
    await using mailer = disposable(smtp());
    const mail = outgoing({ to: ['refused@example.test'], cc: ['other@example.test'] });
    expect(await mailer.send(mail, signal)).toMatchObject({
      deferred: [],
      refused: ['refused@example.test'],
    });
    await eventually('the mail', async () => (await arrived('other@example.test', mail.messageId)) === 1);
  });

  test('a recipient that is put off is told, and gets the mail later alone', async () => {
    await using mailer = disposable(smtp());
    const mail = outgoing({ to: ['later@example.test'], cc: ['fourth@example.test'] });
    expect(await mailer.send(mail, signal)).toMatchObject({ deferred: ['later@example.test'], refused: [] });
    const rest = { ...mail, only: ['fifth@example.test'] };
    expect(await mailer.send(rest, signal)).toMatchObject({ deferred: [] });
    for (const to of ['fourth@example.test', 'fifth@example.test'])
      await eventually('the mail', async () => (await arrived(to, mail.messageId)) === 1);
  });

  test('refused by all is final, put off by all is not', async () => {
    await using mailer = disposable(smtp());
    const to = (address: string) => outgoing({ to: [address], cc: [] });
    expect(await mailer.send(to('refused@example.test'), signal).catch(codeOf)).toBe('mail.rejected');
    expect(await mailer.send(to('later@example.test'), signal).catch(codeOf)).toBe('mail.unavailable');
    expect(await mailer.send(to('ana@elsewhere.example'), signal).catch(codeOf)).toBe('mail.rejected');
  });

  test('sends by TLS from the first byte, and nothing without the TLS it was told to use', async () => {
    await using tls = disposable(smtp({ tls: 'tls', port: servers.exim.smtpsPort }));
    expect((await tls.send(outgoing(), signal)).response).toMatch(/^250/);
    await using untrusting = disposable(smtp({ ca: null }));
    expect(await untrusting.send(outgoing(), signal).catch(codeOf)).toBe('mail.unavailable');
  });
});

function disposable<T extends { close(): Promise<void> }>(value: T): T & AsyncDisposable {
  return Object.assign(value, { [Symbol.asyncDispose]: () => value.close() });
}

async function sessionsOf(servers: MailServers, user: string): Promise<number> {
  const who = await servers.dovecot.doveadm('-f', 'tab', 'who', user);
  return who.split('\n').slice(1).filter(Boolean).length;
}
