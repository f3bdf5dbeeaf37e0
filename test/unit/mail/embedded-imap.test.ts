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
import { startHangingRelay } from '../../support/hanging-relay.ts';
import { mailSource } from '../../support/mails.ts';
import { eventually } from '../../support/process.ts';

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

describe.concurrent('a server that hangs', () => {
  const reason = new Error('stop');
  const BOUND_MS = 3_000;

  /** Aborts when the server hangs; gives what it then ended with, and after how long. */
  async function endingOf(
    act: (options: Awaited<ReturnType<typeof embedded>>['options'], signal: AbortSignal) => Promise<unknown>,
    trigger: RegExp,
  ) {
    await using it = await embedded();
    await it.deliver(mailSource());
    await using relay = await startHangingRelay(it.options.port, trigger);
    const giveUp = new AbortController();
    const ending = act({ ...it.options, port: relay.port }, giveUp.signal).catch((error: unknown) => error);
    await relay.hanging;
    const begun = performance.now();
    giveUp.abort(reason);
    const result = await ending;
    const tookMs = performance.now() - begun;
    await eventually('the connection to end', () => relay.open() === 0);
    return { result, tookMs };
  }

  type Session = Awaited<ReturnType<ReturnType<typeof createImapMailbox>['open']>>;
  const inSession =
    (act: (session: Session, signal: AbortSignal) => Promise<unknown>) =>
    async (options: Parameters<typeof createImapMailbox>[0], signal: AbortSignal): Promise<unknown> => {
      const session = await createImapMailbox(options).open(signal);
      try {
        return await act(session, signal);
      } finally {
        await session.close();
      }
    };
  const ever = new AbortController().signal;
  const open = inSession(async () => 'open');

  test.each([
    ['LOGIN', /^\S+ (LOGIN|AUTHENTICATE) /im, open],
    ['SELECT', /^\S+ SELECT /im, open],
    ['SEARCH', /^\S+ UID SEARCH /im, inSession((session) => session.listAfter(0, 10))],
    ['FETCH', /^\S+ UID FETCH /im, inSession((session) => session.read([1], 1_000))],
    ['STORE', /^\S+ UID STORE /im, inSession((session) => session.markAccepted([1]))],
    ['IDLE', /^\S+ IDLE/im, inSession((session, signal) => session.waitForMail(60_000, signal))],
    ['IDLE for another', /^\S+ IDLE/im, inSession((session) => session.waitForMail(60_000, ever))],
  ])('at %s is left within seconds when told to', async (what, trigger, act) => {
    const { result, tookMs } = await endingOf(act, trigger);
    expect(tookMs).toBeLessThan(BOUND_MS);
    if (what === 'IDLE for another') expect(codeOf(result)).toBe('mailbox.closed');
    else expect(result).toBe(reason);
  });

  test('at LOGOUT is left within seconds', async () => {
    await using it = await embedded();
    await using relay = await startHangingRelay(it.options.port, /^\S+ LOGOUT/im);
    const session = await createImapMailbox({ ...it.options, port: relay.port }).open(ever);
    const begun = performance.now();
    await session.close();
    expect(performance.now() - begun).toBeLessThan(BOUND_MS);
    await eventually('the connection to end', () => relay.open() === 0);
  });

  test.each([
    ['EXAMINE', /^\S+ EXAMINE /im],
    ['SEARCH', /^\S+ UID SEARCH /im],
  ])('at %s of the mailbox of sent mails is left at once, also by who waits in line', async (_, trigger) => {
    const others: unknown[] = [];
    const { result, tookMs } = await endingOf(async (options, signal) => {
      const sent = createImapSentMail(options);
      const looks = ['<a@x>', '<b@x>'].map((id) => sent.contains(id, signal));
      others.push(...(await Promise.allSettled(looks)));
      await sent.close();
      return Promise.all(looks);
    }, trigger);
    expect(result).toBe(reason);
    expect(others).toEqual([1, 2].map(() => ({ status: 'rejected', reason })));
    expect(tookMs).toBeLessThan(BOUND_MS);
  });

  test('at a look among the mails sent does not keep it from being closed', async () => {
    await using it = await embedded();
    await using relay = await startHangingRelay(it.options.port, /^\S+ UID SEARCH /im);
    const sent = createImapSentMail({ ...it.options, port: relay.port });
    const look = sent.contains('<a@x>', ever).catch(codeOf);
    await relay.hanging;
    const begun = performance.now();
    await sent.close();
    expect(await look).toBe('mailbox.closed');
    expect(performance.now() - begun).toBeLessThan(BOUND_MS);
  });
});
