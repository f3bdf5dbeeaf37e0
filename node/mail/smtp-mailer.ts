import type { Readable } from 'node:stream';
import type { SendMailOptions } from 'nodemailer';
import type { Clock } from '../platform/clock.ts';
import { AppError, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { LOOP_HEADER } from './header-fields.ts';
import type { Mailer, OutgoingMail, Receipt } from './mailer.ts';

/** DNS, TCP, greeting, STARTTLS and EHLO together. */
const CONNECTION_TIMEOUT_MS = 15_000;
/** RFC 5321 section 4.5.3.2 asks for patience: who gives up on the reply to the final dot makes doubles. */
const SOCKET_TIMEOUT_MS = 3 * 60_000;
/** For a server that keeps a connection alive without getting anywhere. */
const SEND_TIMEOUT_MS = 10 * 60_000;
const MAX_CONNECTIONS = 3;
/**
 * What comes after the tenth mail of a connection Exim delivers at its next queue run only, half an hour later on
 * Debian (smtp_accept_queue_per_connection).
 */
const MAX_PER_CONNECTION = 10;
const IDLE_TIMEOUT_MS = 4 * 60_000;
/** A server that does not close its side of a connection is not waited for longer. */
const SOCKET_CLOSE_MS = 500;

export interface SmtpMailerOptions {
  readonly host: string;
  readonly port: number;
  /** `starttls` sends nothing where the server does not offer it; `none` is for the loopback address. */
  readonly tls: 'tls' | 'starttls' | 'none';
  /** Certificates to trust instead of the system's, as PEM text; null for the system's. */
  readonly ca: string | null;
  /** Null where the server asks for no login. */
  readonly login: { readonly user: string; readonly password: string } | null;
  /** SMTP_FROM: sender address of every mail. */
  readonly from: string;
  /** Display name beside it. */
  readonly fromName?: string;
  /** Stands in the loop header, so that no node of the pair answers our mails. */
  readonly nodeId: string;
  readonly log: Log;
  readonly clock: Clock;
  readonly socketTimeoutMs?: number;
}

/** How far one mail got: whether its final dot may have reached the server. */
interface Progress {
  stream: Readable | null;
  dotSent: boolean;
}

type Transport = Awaited<ReturnType<typeof createPool>>;

/** Sends by SMTP (RFC 5321) over a small pool of kept connections, by nodemailer. */
export function createSmtpMailer(options: SmtpMailerOptions): Mailer {
  const progressOf = new WeakMap<AbortSignal, Progress>();
  let pool: Promise<Transport> | null = null;

  const transport = (): Promise<Transport> => {
    pool ??= createPool(options, progressOf).catch((error: unknown) => {
      pool = null;
      throw new AppError('mail.unavailable', messageOf(error), { retriable: true, cause: error });
    });
    return pool;
  };

  return {
    send: async (mail, signal) => {
      const progress: Progress = { stream: null, dotSent: false };
      const bounded = AbortSignal.any([signal, AbortSignal.timeout(SEND_TIMEOUT_MS)]);
      progressOf.set(bounded, progress);
      const transporter = await transport();
      try {
        const info = await transporter.sendMail({ ...compose(mail, options), signal: bounded });
        return receiptOf(info, options.log);
      } catch (error) {
        throw sendError(error, progress);
      }
    },
    close: async () => {
      const closing = pool;
      pool = null;
      // By force: who closes has given up on what is under way. A pool that was never made needs no closing.
      (await closing?.catch(() => null))?.close({ force: true });
    },
  };
}

async function createPool(options: SmtpMailerOptions, progressOf: WeakMap<AbortSignal, Progress>) {
  const { createTransport } = await import('nodemailer');
  const transport = createTransport({
    pool: true,
    host: options.host,
    port: options.port,
    secure: options.tls === 'tls',
    requireTLS: options.tls === 'starttls',
    ignoreTLS: options.tls === 'none',
    tls: { minVersion: 'TLSv1.2', ...(options.ca === null ? {} : { ca: options.ca }) },
    ...(options.login === null ? {} : { auth: { user: options.login.user, pass: options.login.password } }),
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    greetingTimeout: CONNECTION_TIMEOUT_MS,
    dnsTimeout: CONNECTION_TIMEOUT_MS,
    socketTimeout: options.socketTimeoutMs ?? SOCKET_TIMEOUT_MS,
    idleTimeout: IDLE_TIMEOUT_MS,
    socketCloseTimeout: SOCKET_CLOSE_MS,
    maxConnections: MAX_CONNECTIONS,
    maxMessages: MAX_PER_CONNECTION,
    // Kept connections may all have been closed by the server meanwhile; only what was not begun is requeued.
    maxRequeues: MAX_CONNECTIONS,
    disableFileAccess: true,
    disableUrlAccess: true,
    logger: false,
  });
  // nodemailer's errors do not tell whether the final dot went out; that the message was read to its end does.
  transport.use('stream', (mail, done) => {
    const progress = mail.data.signal && progressOf.get(mail.data.signal);
    mail.message?.processFunc((stream: Readable) => {
      if (progress?.dotSent === true) return stream.destroy(new Error('sent before, not sent again'));
      if (progress !== undefined) {
        progress.stream = stream;
        stream.once('end', () => (progress.dotSent = true));
      }
      return stream;
    });
    done();
  });
  return transport;
}

function compose(mail: OutgoingMail, options: SmtpMailerOptions): SendMailOptions {
  return {
    from: { name: options.fromName ?? 'Parelha', address: options.from },
    to: [...mail.to],
    cc: [...mail.cc],
    ...(mail.only === undefined ? {} : { envelope: { from: options.from, to: [...mail.only] } }),
    subject: mail.subject,
    text: mail.text,
    html: mail.html,
    messageId: mail.messageId,
    date: new Date(options.clock.now().epochMilliseconds),
    xMailer: false,
    ...(mail.inReplyTo === null ? {} : { inReplyTo: mail.inReplyTo }),
    references: [...mail.references],
    headers: {
      // RFC 3834 section 3.1.7: an answer, or a mail of our own accord.
      'Auto-Submitted': mail.inReplyTo === null ? 'auto-generated' : 'auto-replied',
      [LOOP_HEADER]: options.nodeId,
    },
  };
}

/** Of what nodemailer tells of a mail that was sent. */
interface Sent {
  readonly response: string;
  readonly rejectedErrors?:
    | readonly (Error & { recipient?: string | undefined; responseCode?: number | undefined })[]
    | undefined;
}

function receiptOf({ response, rejectedErrors = [] }: Sent, log: Log): Receipt {
  const deferred: string[] = [];
  const refused: string[] = [];
  for (const error of rejectedErrors) {
    const passing = error.responseCode !== undefined && error.responseCode < 500;
    (passing ? deferred : refused).push(error.recipient ?? '');
    const how = passing ? 'put off' : 'refused';
    log.warn(`a recipient was ${how}, others were not`, { to: error.recipient, reason: messageOf(error) });
  }
  return { response, deferred, refused };
}

/** Errors of nodemailer that a server's reply, or the mail itself, is the cause of. */
const REFUSALS = new Set(['EENVELOPE', 'EMESSAGE', 'EMAXRECIPIENTS']);

function sendError(error: unknown, progress: Progress): AppError {
  const facts = error as { code?: string; responseCode?: number; permanent?: boolean };
  const reason = messageOf(error);
  const answered = typeof facts.responseCode === 'number';
  if (REFUSALS.has(facts.code ?? '') && (facts.permanent === true || !answered)) {
    return new AppError('mail.rejected', reason, { cause: error });
  }
  if (progress.dotSent && !answered) {
    return new AppError('mail.unknown', `no reply after the final dot: ${reason}`, {
      retriable: true,
      cause: error,
    });
  }
  return new AppError('mail.unavailable', reason, { retriable: true, cause: error });
}
