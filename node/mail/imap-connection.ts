import type { ImapFlow, ImapFlowOptions } from 'imapflow';
import type { Clock } from '../platform/clock.ts';
import { AppError, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';

/** DNS, TCP and TLS together. */
const CONNECT_TIMEOUT_MS = 15_000;
const GREETING_TIMEOUT_MS = 15_000;
/** Quiet for so long: probed by a NOOP. Quiet for as long again: the peer is taken for dead. */
const SOCKET_TIMEOUT_MS = 60_000;
/** After a NOOP of imapflow's own IDLE is entered again after this; `waitForMail` itself enters it at once. */
const AUTO_IDLE_DELAY_MS = 250;
const LOGOUT_TIMEOUT_MS = 1_000;
/** A mail is read up to a limit of ours; what a server sends beyond these is an attack or a defect. */
export const MAX_LITERAL_BYTES = 64 * 1024 * 1024;
const MAX_RESPONSE_BYTES = 80 * 1024 * 1024;
const MAX_LINE_BYTES = 16 * 1024 * 1024;

/** Refusals of a login that pass by themselves (RFC 5530 section 3). */
const PASSING_LOGIN_CODES = new Set(['UNAVAILABLE', 'LIMIT', 'INUSE', 'SERVERBUG']);

export interface ImapOptions {
  readonly host: string;
  readonly port: number;
  /** `starttls` refuses to log in where the server does not offer it; `none` is for the loopback address. */
  readonly tls: 'tls' | 'starttls' | 'none';
  /** Certificates to trust instead of the system's, as PEM text; null for the system's. */
  readonly ca: string | null;
  readonly user: string;
  readonly password: string;
  readonly log: Log;
  readonly clock: Clock;
  /** Bound on a silent peer; the default is a minute. */
  readonly socketTimeoutMs?: number;
}

/**
 * Connects and logs in with a fresh client: an imapflow instance cannot be used twice.
 * @throws AppError `mailbox.login` (refused for good), `mailbox.unavailable` (retriable)
 */
export async function connectImap(options: ImapOptions, signal: AbortSignal): Promise<ImapFlow> {
  signal.throwIfAborted();
  const { ImapFlow: Client } = await import('imapflow');
  const client = new Client(clientOptions(options));
  // Without a listener an 'error' would end the process; what it means is told by 'close' or the command in hand.
  client.on('error', (error: unknown) => {
    options.log.debug('IMAP connection error', { reason: messageOf(error) });
  });
  const abort = (): void => client.close();
  signal.addEventListener('abort', abort, { once: true });
  try {
    await client.connect();
    return client;
  } catch (error) {
    client.close();
    signal.throwIfAborted();
    throw connectError(error, options);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/**
 * Closes a connection hard when the signal aborts, `graceMs` later: whatever command hangs on it then rejects.
 * Until the connection ends, or the function it gives is called.
 */
export function closeOnAbort(client: ImapFlow, signal: AbortSignal, clock: Clock, graceMs = 0): () => void {
  const over = new AbortController();
  const abort = (): void => {
    if (graceMs === 0) return client.close();
    clock.sleep(graceMs, over.signal).then(
      () => client.close(),
      () => undefined, // it ended by itself
    );
  };
  const release = (): void => {
    signal.removeEventListener('abort', abort);
    over.abort();
  };
  signal.addEventListener('abort', abort, { once: true });
  client.once('close', release);
  if (signal.aborted) abort();
  return release;
}

/** Logs out, for a bounded time, and closes the socket; never throws. */
export async function disconnectImap(client: ImapFlow, clock: Clock): Promise<void> {
  const giveUp = new AbortController();
  const goodbye = client.logout().catch(() => undefined); // a broken connection needs no goodbye
  await Promise.race([goodbye, clock.sleep(LOGOUT_TIMEOUT_MS, giveUp.signal).catch(() => undefined)]);
  giveUp.abort();
  client.close();
}

/** What a failed command means: the session's end, or a refusal of this command alone. Both may pass. */
export function commandError(client: ImapFlow, what: string, error: unknown): AppError {
  const closed = !client.usable;
  const reason = error === undefined ? 'refused by the server' : reasonOf(error);
  return new AppError(closed ? 'mailbox.closed' : 'mailbox.unavailable', `${what}: ${reason}`, {
    retriable: true,
    cause: error,
  });
}

/** UIDs as an IMAP sequence set, runs shortened: `1:3,7`. */
export function sequenceSet(uids: readonly number[]): string {
  const sorted = uids.toSorted((a, b) => a - b);
  const runs: [first: number, last: number][] = [];
  for (const uid of sorted) {
    const run = runs.at(-1);
    if (run !== undefined && uid <= run[1] + 1) run[1] = uid;
    else runs.push([uid, uid]);
  }
  return runs.map(([first, last]) => (first === last ? `${first}` : `${first}:${last}`)).join(',');
}

function clientOptions(options: ImapOptions): ImapFlowOptions {
  return {
    host: options.host,
    port: options.port,
    secure: options.tls === 'tls',
    ...(options.tls === 'tls' ? {} : { doSTARTTLS: options.tls === 'starttls' }),
    tls: {
      minVersion: 'TLSv1.2',
      ...(options.ca === null ? {} : { ca: options.ca }),
    },
    auth: { user: options.user, pass: options.password },
    logger: false, // its lines would hold mail addresses and subjects
    clientInfo: { name: 'parelha', version: false, vendor: false, 'support-url': false },
    connectionTimeout: CONNECT_TIMEOUT_MS,
    greetingTimeout: GREETING_TIMEOUT_MS,
    socketTimeout: options.socketTimeoutMs ?? SOCKET_TIMEOUT_MS,
    autoIdleDelay: AUTO_IDLE_DELAY_MS,
    disableCompression: true,
    maxLineLength: MAX_LINE_BYTES,
    maxLiteralSize: MAX_LITERAL_BYTES,
    maxResponseSize: MAX_RESPONSE_BYTES,
  };
}

function connectError(error: unknown, options: ImapOptions): AppError {
  if (error instanceof AppError) return error;
  const at = `${options.host}:${options.port}`;
  const facts = error as { authenticationFailed?: boolean; serverResponseCode?: string };
  if (facts.authenticationFailed === true && !PASSING_LOGIN_CODES.has(facts.serverResponseCode ?? '')) {
    return new AppError('mailbox.login', `${at} refused the login of ${options.user}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
  return new AppError('mailbox.unavailable', `${at}: ${reasonOf(error)}`, { retriable: true, cause: error });
}

/** imapflow keeps the server's own words beside a message that says `Command failed`. */
function reasonOf(error: unknown): string {
  const facts = error as { responseText?: unknown; response?: unknown };
  if (typeof facts.responseText === 'string') return facts.responseText;
  if (typeof facts.response === 'string') return facts.response;
  return messageOf(error);
}
