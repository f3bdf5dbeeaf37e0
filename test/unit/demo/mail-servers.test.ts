import { ImapFlow } from 'imapflow';
import { describe, expect, test } from 'vitest';
import { AUTHSERV_ID, startMailServers } from '../../../demo/mail-servers.ts';
import { readMail, sendRequest } from '../../../demo/person.ts';
import { eventually } from '../../support/process.ts';

const ACCOUNT = { address: 'gravacoes@example.com', password: 'secret' };

function client(port: number): ImapFlow {
  const auth = { user: ACCOUNT.address, pass: ACCOUNT.password };
  return new ImapFlow({ host: '127.0.0.1', port, secure: false, doSTARTTLS: false, auth, logger: false });
}

describe('the mail servers of the demo', () => {
  test('push a mail for the node into its inbox, byte for byte below their word on its sender, and keep its flags', async () => {
    await using servers = await startMailServers(ACCOUNT);
    const imap = client(servers.imapPort);
    await imap.connect();
    await imap.mailboxOpen('INBOX');
    expect(servers.inbox().now).toBe(1);
    const pushed = new Promise((resolve) => {
      imap.once('exists', resolve);
    });
    const idle = imap.idle();
    const { uid } = await sendRequest(servers, '[A1B2C3D4] RAMAIS=1121 – ação');
    await pushed;
    const mail = await imap.fetchOne(String(uid), { source: true }, { uid: true });
    await idle;
    if (mail === false) throw new Error('no mail');
    const word = `Authentication-Results: ${AUTHSERV_ID}; dmarc=pass header.from=example.com\r\n`;
    expect(mail.source?.toString('latin1')).toBe(word + servers.mails[0]?.raw.toString('latin1'));
    expect(servers.isSeen(uid)).toBe(false);
    await imap.messageFlagsAdd(String(uid), ['\\Seen', '$Parelha'], { uid: true });
    expect(servers.isSeen(uid)).toBe(true);
    expect(await imap.search({ header: { 'message-id': '<nobody@example.com>' } }, { uid: true })).toEqual(
      [],
    );
    await imap.logout();
  });

  test('tell how many have the inbox open, also where one is cut off, and how long nobody had', async () => {
    await using servers = await startMailServers(ACCOUNT);
    const [first, second, sent] = [
      client(servers.imapPort),
      client(servers.imapPort),
      client(servers.imapPort),
    ];
    await Promise.all([first.connect(), second.connect(), sent.connect()]);
    await sent.mailboxOpen(servers.sentMailbox, { readOnly: true });
    await first.mailboxOpen('INBOX');
    const idle = first.idle();
    expect(servers.inbox()).toEqual({ now: 1, most: 1, gapMs: 0 });
    await first.logout();
    await idle;
    expect(servers.inbox()).toEqual({ now: 0, most: 1, gapMs: 0 });
    await second.mailboxOpen('INBOX');
    expect(servers.inbox()).toMatchObject({ now: 1, most: 1 });
    expect(servers.inbox().gapMs).toBeGreaterThan(0);
    await sent.mailboxOpen('INBOX');
    expect(servers.inbox()).toMatchObject({ now: 2, most: 2 });
    second.close();
    await eventually('the cut to be seen', () => servers.inbox().now === 1);
    await sent.mailboxOpen(servers.sentMailbox, { readOnly: true });
    expect(servers.inbox()).toMatchObject({ now: 0, most: 2 });
    await sent.logout();
  });

  test('give two who follow each other at the inbox every mail once, by what the first has seen', async () => {
    await using servers = await startMailServers(ACCOUNT);
    const first = client(servers.imapPort);
    await first.connect();
    await first.mailboxOpen('INBOX');
    const before = await sendRequest(servers, 'RAMAIS=1121');
    await first.messageFlagsAdd(String(before.uid), ['\\Seen'], { uid: true });
    await first.logout();
    const between = await sendRequest(servers, 'RAMAIS=1122');
    const second = client(servers.imapPort);
    await second.connect();
    const { uidNext } = await second.mailboxOpen('INBOX');
    expect(uidNext).toBe(between.uid + 1);
    expect(await second.search({ uid: `${before.uid + 1}:*` }, { uid: true })).toEqual([between.uid]);
    expect(await second.search({ seen: true }, { uid: true })).toEqual([before.uid]);
    await second.logout();
  });

  test('show a mail to its reader as it was sent', async () => {
    await using servers = await startMailServers(ACCOUNT);
    await sendRequest(servers, 'RAMAIS=1121 – ação');
    const passed = await eventually('the mail', () => servers.mails[0]);
    expect(await readMail(passed)).toMatchObject({
      subject: 'RAMAIS=1121 – ação',
      to: ACCOUNT.address,
      html: null,
    });
  });
});
