import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import hoodiecrow from 'hoodiecrow-imap';
import { describe, expect, test } from 'vitest';
import { createImapMailbox } from '../../../node/mail/imap-mailbox.ts';
import { createImapSentMail } from '../../../node/mail/imap-sent-mail.ts';
import { systemClock } from '../../../node/platform/clock.ts';
import { codeOf } from '../../../node/platform/errors.ts';
import { silentLog } from '../../../node/platform/log.ts';
import { mailboxContract } from '../../support/mailbox-contract.ts';
import { mailSource } from '../../support/mails.ts';

/** An IMAP server of the plainest kind: no CONDSTORE, no TLS; the demo uses it where there is no Dovecot. */
async function embedded() {
  const server = hoodiecrow({
    plugins: ['IDLE', 'SPECIAL-USE', 'UIDPLUS', 'ENABLE', 'ID', 'UNSELECT'],
    users: { node: { password: 'secret' } },
    storage: { INBOX: {}, '': { folders: { Sent: { 'special-use': '\\Sent' } } } },
  });
  const sockets = new Set<Socket>();
  server.server.on('connection', (socket: Socket) => sockets.add(socket));
  server.server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
  const drop = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const options = {
    host: '127.0.0.1',
    port: (server.server.address() as AddressInfo).port,
    tls: 'none' as const,
    user: 'node',
    password: 'secret',
    mailbox: 'INBOX',
    sentMailbox: 'auto' as const,
    ca: null,
    log: silentLog,
    clock: systemClock,
  };
  return {
    options,
    mailbox: createImapMailbox(options),
    deliver: async (raw: string, mailbox = 'INBOX') => {
      server.appendMessage(mailbox, [], new Date(), raw);
    },
    kick: async () => drop(),
    flags: async () => new Map(server.getMailbox('INBOX')?.messages.map(({ uid, flags }) => [uid, flags])),
    [Symbol.asyncDispose]: async () => {
      drop();
      server.server.close();
      await once(server.server, 'close');
    },
  };
}

mailboxContract(describe, 'embedded IMAP server', embedded);

describe('imapflow against the embedded server', () => {
  const { signal } = new AbortController();

  test('does not log in without TLS where STARTTLS was asked for', async () => {
    await using it = await embedded();
    const mailbox = createImapMailbox({ ...it.options, tls: 'starttls' });
    expect(await mailbox.open(signal).catch(codeOf)).toBe('mailbox.unavailable');
  });

  test('gives up a connection when told to', async () => {
    await using it = await embedded();
    const reason = new Error('stop');
    await expect(it.mailbox.open(AbortSignal.abort(reason))).rejects.toBe(reason);
  });

  test('finds a sent mail by its Message-ID', async () => {
    await using it = await embedded();
    const sent = createImapSentMail(it.options);
    expect(await sent.contains('<a@example.test>', signal)).toBe(false);
    await it.deliver(mailSource({ messageId: '<a@example.test>' }), 'Sent');
    expect(await sent.contains('<a@example.test>', signal)).toBe(true);
    await sent.close();
  });
});
