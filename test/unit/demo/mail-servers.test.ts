import { ImapFlow } from 'imapflow';
import { describe, expect, test } from 'vitest';
import { startMailServers } from '../../../demo/mail-servers.ts';
import { readMail, sendRequest } from '../../../demo/person.ts';
import { eventually } from '../../support/process.ts';

const ACCOUNT = { address: 'gravacoes@example.com', password: 'secret' };

function client(port: number): ImapFlow {
  const auth = { user: ACCOUNT.address, pass: ACCOUNT.password };
  return new ImapFlow({ host: '127.0.0.1', port, secure: false, doSTARTTLS: false, auth, logger: false });
}

describe('the mail servers of the demo', () => {
  test('push a mail for the node into its inbox, byte for byte, and keep its flags', async () => {
    await using servers = await startMailServers(ACCOUNT);
    const imap = client(servers.imapPort);
    await imap.connect();
    await imap.mailboxOpen('INBOX');
    expect(servers.isInboxOpen()).toBe(true);
    const pushed = new Promise((resolve) => {
      imap.once('exists', resolve);
    });
    const idle = imap.idle();
    const { uid } = await sendRequest(servers, '[A1B2C3D4] RAMAIS=1121 – ação');
    await pushed;
    const mail = await imap.fetchOne(String(uid), { source: true }, { uid: true });
    await idle;
    if (mail === false) throw new Error('no mail');
    expect(mail.source?.equals(servers.mails[0]?.raw ?? Buffer.alloc(0))).toBe(true);
    expect(servers.isSeen(uid)).toBe(false);
    await imap.messageFlagsAdd(String(uid), ['\\Seen', '$Parelha'], { uid: true });
    expect(servers.isSeen(uid)).toBe(true);
    expect(await imap.search({ header: { 'message-id': '<nobody@example.com>' } }, { uid: true })).toEqual(
      [],
    );
    await imap.logout();
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
