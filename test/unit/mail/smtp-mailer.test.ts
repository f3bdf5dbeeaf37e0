import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { describe, expect, test } from 'vitest';
import { createSmtpMailer, type SmtpMailerOptions } from '../../../node/mail/smtp-mailer.ts';
import { systemClock } from '../../../node/platform/clock.ts';
import { type AppError, codeOf } from '../../../node/platform/errors.ts';
import { silentLog } from '../../../node/platform/log.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { startHangingRelay } from '../../support/hanging-relay.ts';
import { outgoing } from '../../support/mailer-contract.ts';
import { eventually } from '../../support/process.ts';

const { signal } = new AbortController();

/** What the server does with the end of a mail: its reply, or an end of the connection without one. */
type Ending = 'taken' | 'dropped' | 'silent' | number;

async function serverThat(
  endings: readonly Ending[],
  options: SMTPServerOptions & { mailer?: Partial<SmtpMailerOptions>; dropAtSender?: boolean } = {},
) {
  const received: string[] = [];
  let connections = 0;
  const { mailer: change, dropAtSender = false, ...serverOptions } = options;
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    logger: false,
    closeTimeout: 100,
    onConnect: (_session, done) => {
      connections += 1;
      done();
    },
    onMailFrom: (_address, session, done) => (dropAtSender ? closeConnection(server, session.id) : done()),
    onData: (stream, session, done) => {
      let text = '';
      stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
      stream.on('end', () => {
        const ending = endings[received.length] ?? 'taken';
        received.push(text);
        if (ending === 'taken') return done();
        if (typeof ending === 'number')
          return done(Object.assign(new Error('as the test wants'), { responseCode: ending }));
        if (ending === 'dropped') closeConnection(server, session.id);
      });
    },
    ...serverOptions,
  });
  server.on('error', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
  const { port } = server.server.address() as AddressInfo;
  const mailerTo = (at: number) =>
    createSmtpMailer({
      host: '127.0.0.1',
      port: at,
      tls: 'none',
      ca: null,
      login: null,
      from: 'node@example.test',
      nodeId: 'audio',
      log: silentLog,
      clock: systemClock,
      ...change,
    });
  const mailer = mailerTo(port);
  return {
    mailer,
    port,
    mailerTo,
    received,
    connections: () => connections,
    /** Ends the connections that the mailer keeps, as a server does after a while. */
    dropIdle: () => {
      for (const { id } of connectionsOf(server)) closeConnection(server, id);
    },
    [Symbol.asyncDispose]: async () => {
      await mailer.close();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}

interface Connection {
  readonly id: string;
  readonly _socket: { destroy(): void };
}

function connectionsOf(server: SMTPServer): Connection[] {
  return [...(server as unknown as { connections: Set<Connection> }).connections];
}

function closeConnection(server: SMTPServer, id: string): void {
  connectionsOf(server)
    .find((connection) => connection.id === id)
    ?._socket.destroy();
}

describe('sending by SMTP when the server does not take it', () => {
  test.each([
    [451, 'mail.unavailable'],
    [452, 'mail.unavailable'],
    [421, 'mail.unavailable'],
    [552, 'mail.rejected'],
    [554, 'mail.rejected'],
  ])('a reply %i after the final dot is %s', async (reply, code) => {
    await using it = await serverThat([reply]);
    const error = await it.mailer.send(outgoing(), signal).catch((thrown: unknown) => thrown as AppError);
    expect(codeOf(error)).toBe(code);
    expect((error as AppError).retriable).toBe(code !== 'mail.rejected');
  });

  test('a connection lost after the final dot leaves it unknown, and the mail is not sent again by itself', async () => {
    await using it = await serverThat(['dropped']);
    const error = await it.mailer.send(outgoing(), signal).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'mail.unknown', retriable: true });
    expect(it.received).toHaveLength(1);
  });

  test('also on a connection that has sent mails before', async () => {
    await using it = await serverThat(['taken', 'taken', 'dropped']);
    await it.mailer.send(outgoing(), signal);
    await it.mailer.send(outgoing(), signal);
    expect(await it.mailer.send(outgoing(), signal).catch(codeOf)).toBe('mail.unknown');
    expect(it.connections()).toBe(1);
    expect(it.received).toHaveLength(3);
  });

  test('no reply to the final dot at all is unknown, after a bounded time', async () => {
    await using it = await serverThat(['silent'], { mailer: { socketTimeoutMs: 300 } });
    expect(await it.mailer.send(outgoing(), signal).catch(codeOf)).toBe('mail.unknown');
    expect(it.received).toHaveLength(1);
  });

  test('given up while the server thinks about the final dot, it is unknown', async () => {
    const giveUp = new AbortController();
    await using it = await serverThat([], {
      onData: (stream) => {
        stream.resume();
        stream.on('end', () => giveUp.abort());
      },
    });
    expect(await it.mailer.send(outgoing(), giveUp.signal).catch(codeOf)).toBe('mail.unknown');
  });

  test('a connection lost before the mail was begun is not unknown', async () => {
    await using it = await serverThat([], { dropAtSender: true });
    expect(await it.mailer.send(outgoing(), signal).catch(codeOf)).toBe('mail.unavailable');
    expect(it.received).toHaveLength(0);
  });
});

describe('recipients that the server does not take', () => {
  const only = (codes: Readonly<Record<string, number>>): SMTPServerOptions => ({
    onRcptTo: ({ address }, _session, done) => {
      const responseCode = codes[address];
      done(responseCode === undefined ? null : Object.assign(new Error('not now'), { responseCode }));
    },
  });

  test('are told apart by whether they may be taken later', async () => {
    await using it = await serverThat([], only({ 'b@example.test': 451, 'c@example.test': 550 }));
    const mail = outgoing({ to: ['a@example.test', 'b@example.test'], cc: ['c@example.test'] });
    expect(await it.mailer.send(mail, signal)).toEqual({
      response: expect.stringMatching(/^250/),
      deferred: ['b@example.test'],
      refused: ['c@example.test'],
    });
  });

  test('make it unavailable, where one of them may be taken later and none was taken', async () => {
    await using it = await serverThat([], only({ 'b@example.test': 451, 'c@example.test': 550 }));
    const mail = outgoing({ to: ['b@example.test'], cc: ['c@example.test'] });
    expect(await it.mailer.send(mail, signal).catch(codeOf)).toBe('mail.unavailable');
  });

  test('get the mail alone later, with the header of before', async () => {
    const recipients: string[] = [];
    await using it = await serverThat([], {
      onRcptTo: ({ address }, _session, done) => {
        recipients.push(address);
        done();
      },
    });
    await it.mailer.send(outgoing({ only: ['ana@example.test'] }), signal);
    expect(recipients).toEqual(['ana@example.test']);
    expect(it.received[0]).toContain('To: admin@example.test');
  });
});

describe.concurrent('a server that hangs', () => {
  const BOUND_MS = 3_000;

  test.each([
    ['the greeting', /^EHLO/im, 'mail.unavailable'],
    ['MAIL FROM', /^MAIL FROM/im, 'mail.unavailable'],
    ['DATA', /^DATA/im, 'mail.unavailable'],
    ['the final dot', /\r\n\.\r\n$/, 'mail.unknown'],
  ])('at %s is left at once when told to, and by the end of the mailer', async (_, trigger, code) => {
    await using it = await serverThat([]);
    for (const leave of ['abort', 'close'] as const) {
      await using relay = await startHangingRelay(it.port, trigger);
      const mailer = it.mailerTo(relay.port);
      const giveUp = new AbortController();
      const sending = mailer.send(outgoing(), giveUp.signal).catch(codeOf);
      await relay.hanging;
      const begun = performance.now();
      if (leave === 'abort') giveUp.abort();
      else await mailer.close();
      expect(await sending).toBe(code);
      await eventually('the connection to end', () => relay.open() === 0);
      expect(performance.now() - begun).toBeLessThan(BOUND_MS);
      await mailer.close();
    }
  });

  test('at RSET after a refusal does not keep the mailer from ending', async () => {
    await using it = await serverThat([554]);
    await using relay = await startHangingRelay(it.port, /^RSET/im);
    const mailer = it.mailerTo(relay.port);
    expect(await mailer.send(outgoing(), signal).catch(codeOf)).toBe('mail.rejected');
    await relay.hanging;
    await mailer.close();
    await eventually('the connection to end', () => relay.open() === 0, BOUND_MS);
  });
});

describe('sending by SMTP', () => {
  test('uses a kept connection, and another at once where the server has closed it', async () => {
    await using it = await serverThat([]);
    await it.mailer.send(outgoing(), signal);
    await it.mailer.send(outgoing(), signal);
    expect(it.connections()).toBe(1);
    it.dropIdle();
    await it.mailer.send(outgoing(), signal);
    expect(it.received).toHaveLength(3);
    expect(it.connections()).toBe(2);
  });

  test('a server that is away, or never greets, makes it unavailable', async () => {
    await using away = await serverThat([], { mailer: { port: 1 } });
    expect(await away.mailer.send(outgoing(), signal).catch(codeOf)).toBe('mail.unavailable');
    await using full = await serverThat([], {
      onConnect: (_session, done) => done(Object.assign(new Error('too busy'), { responseCode: 421 })),
    });
    expect(await full.mailer.send(outgoing(), signal).catch(codeOf)).toBe('mail.unavailable');
  });

  test('does not send in the clear where STARTTLS was asked for', async () => {
    await using it = await serverThat([], { mailer: { tls: 'starttls' } });
    expect(await it.mailer.send(outgoing(), signal).catch(codeOf)).toBe('mail.unavailable');
    expect(it.received).toEqual([]);
  });

  test('a refused login is worth another try, and is told without the password', async () => {
    await using it = await serverThat([], {
      disabledCommands: ['STARTTLS'],
      authOptional: false,
      allowInsecureAuth: true,
      onAuth: (_auth, _session, done) => done(new Error('Invalid credentials')),
      mailer: { login: { user: 'node@example.test', password: 'hunter2-hunter2' } },
    });
    const error = await it.mailer.send(outgoing(), signal).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'mail.unavailable', retriable: true });
    expect(JSON.stringify([String(error), String((error as AppError).cause)])).not.toContain('hunter2');
  });

  test('stamps the mail with the given clock and id, and says who wrote it', async () => {
    await using it = await serverThat([], { mailer: { clock: fixedClock('2026-03-02T12:00:00Z') } });
    const mail = outgoing();
    await it.mailer.send(mail, signal);
    const [text = ''] = it.received;
    expect(text).toContain('Date: Mon, 02 Mar 2026 12:00:00 +0000');
    expect(text).toContain(`Message-ID: ${mail.messageId}`);
    expect(text).toContain('X-Parelha-Loop: audio');
    expect(text).toContain('Auto-Submitted: auto-replied');
    expect(text).not.toMatch(/x-mailer|user-agent|nodemailer/i);
  });

  test('a mail that answers nothing says that it was generated', async () => {
    await using it = await serverThat([]);
    await it.mailer.send(outgoing({ inReplyTo: null, references: [] }), signal);
    expect(it.received[0]).toContain('Auto-Submitted: auto-generated');
    expect(it.received[0]).not.toMatch(/^(in-reply-to|references):/im);
  });

  test('nothing in a mail can add a header', async () => {
    await using it = await serverThat([]);
    await it.mailer.send(outgoing({ subject: 'oi\r\nBcc: victim@example.test\r\n\r\nbody' }), signal);
    expect(it.received[0]).not.toMatch(/^bcc:/im);
  });
});
