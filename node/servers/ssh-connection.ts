import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { Client } from 'ssh2';
import { AppError, codeOf } from '../platform/errors.ts';
import { HOST_KEY_FAMILIES, hostKeyAlgorithms, hostKeyType } from '../platform/openssh.ts';
import type { Server } from './inventory.ts';
import type { HostKey } from './remote.ts';
import { addressOf, asConnectionError } from './ssh-errors.ts';

/** Each request that waits for its answer listens for the end of the connection. */
const MAX_LISTENERS = 100;

export interface Login {
  readonly user: string;
  readonly privateKey: string;
}

export interface ConnectionLimits {
  /** From the first packet to the login. */
  readonly connectMs: number;
  /** So often a server that says nothing is asked whether it is there. */
  readonly keepaliveMs: number;
  /** So many unanswered questions end the connection. */
  readonly keepaliveMissed: number;
}

/** A server that is gone without a word is noticed within 15 s. */
export const LIMITS: ConnectionLimits = { connectMs: 10_000, keepaliveMs: 5_000, keepaliveMissed: 3 };

/** The fingerprint that OpenSSH prints: base64 without the padding (RFC 4648 section 3.2). */
export function hostKeyOf(key: Buffer): HostKey {
  const digest = createHash('sha256').update(key).digest('base64').replace(/=+$/, '');
  return { type: hostKeyType(key), fingerprint: `SHA256:${digest}` };
}

/**
 * Connects and logs in, where the server shows one of the host keys of these fingerprints. A server has several host
 * keys and a fingerprint does not tell its kind, so one that shows another key is asked for those of other kinds.
 * @throws AppError as `Remote.open`
 */
export async function connect(
  server: Server,
  login: Login,
  trusted: readonly string[],
  limits: ConnectionLimits,
  signal: AbortSignal,
): Promise<Client> {
  const asked = { server, login, trusted, limits };
  const first = await attempt(asked, hostKeyAlgorithms([]), signal);
  if (first.client !== null) return first.client;
  if (trusted.length > 0) {
    for (const family of otherFamilies(first.shown.type)) {
      const next = await attempt(asked, family, signal).catch((error: unknown) => {
        if (signal.aborted || codeOf(error) !== 'server.unreachable') throw error;
        return null; // it has no key of that kind
      });
      if (next?.client) return next.client;
    }
  }
  throw strangeKey(server, first.shown, trusted);
}

/** The host keys that a server shows, one of each kind that it has; nothing is sent to it. @throws AppError as `Remote.open` */
export async function scanHostKeys(
  server: Server,
  limits: ConnectionLimits,
  signal: AbortSignal,
): Promise<HostKey[]> {
  const asked = { server, login: { user: 'nobody', privateKey: '' }, trusted: [], limits };
  const keys: HostKey[] = [];
  let failure: unknown = null;
  for (const family of HOST_KEY_FAMILIES) {
    try {
      const { shown } = await attempt(asked, family, signal);
      if (shown !== null) keys.push(shown);
    } catch (error) {
      if (signal.aborted || codeOf(error) !== 'server.unreachable') throw error;
      failure ??= error; // a kind that it does not have, unless all are
    }
  }
  if (keys.length === 0) throw asConnectionError(failure, server);
  return keys;
}

interface Asked {
  readonly server: Server;
  readonly login: Login;
  readonly trusted: readonly string[];
  readonly limits: ConnectionLimits;
}

type Attempt =
  | { readonly client: Client; readonly shown: null }
  | { readonly client: null; readonly shown: HostKey };

/** One connection: logged in, or ended at a host key that is not trusted. */
async function attempt(
  { server, login: { user, privateKey }, trusted, limits }: Asked,
  algorithms: readonly string[],
  signal: AbortSignal,
): Promise<Attempt> {
  const { default: ssh2 } = await import('ssh2');
  signal.throwIfAborted();
  const client = new ssh2.Client();
  client.setMaxListeners(MAX_LISTENERS);
  let stranger: HostKey | null = null;
  // Without a listener an error of an idle connection would end the process; what fails is told by what was asked.
  client.on('error', () => undefined);
  const destroy = (): void => void client.destroy();
  signal.addEventListener('abort', destroy, { once: true });
  try {
    client.connect({
      ...{ host: server.host, port: server.port, username: user },
      ...(privateKey === '' ? {} : { privateKey }),
      // Nothing but the key: a password is never asked for, and each attempt counts against MaxAuthTries.
      authHandler: privateKey === '' ? [] : ['publickey'],
      readyTimeout: limits.connectMs,
      keepaliveInterval: limits.keepaliveMs,
      keepaliveCountMax: limits.keepaliveMissed,
      algorithms: { serverHostKey: [...algorithms] as never },
      hostVerifier: (key: Buffer) => {
        const shown = hostKeyOf(key);
        if (trusted.includes(shown.fingerprint)) return true;
        stranger = shown;
        return false;
      },
    });
    await Promise.race([
      once(client, 'ready', { signal }),
      once(client, 'close').then(() => Promise.reject(new Error('the connection was closed'))),
    ]);
    // Each request waits for its answer: with Nagle's algorithm, for the other side's delayed acknowledgement too.
    client.setNoDelay(true);
    return { client, shown: null };
  } catch (error) {
    destroy();
    signal.throwIfAborted();
    if (stranger !== null) return { client: null, shown: stranger };
    throw asConnectionError(error, server);
  } finally {
    signal.removeEventListener('abort', destroy);
  }
}

/** Kinds of host keys beside the one that was shown. */
function otherFamilies(shown: string): readonly (readonly string[])[] {
  return HOST_KEY_FAMILIES.filter(
    (family) => !family.includes(shown) && !(shown === 'ssh-rsa' && family.some(isRsa)),
  );
}

const isRsa = (algorithm: string): boolean => algorithm.startsWith('rsa-');

function strangeKey(server: Server, { type, fingerprint }: HostKey, trusted: readonly string[]): AppError {
  const known =
    trusted.length === 0
      ? 'no host key of it is known'
      : 'it shows another host key than the one that is known';
  return new AppError(
    'server.host-key',
    `${addressOf(server)}: ${known}, so nothing was sent. It shows ${fingerprint} (${type}). If that is its own, run ` +
      `node-ctl server trust ${server.id}, or add this line to it in SERVERS_FILE: "host_key": "${fingerprint}"`,
    { retriable: true },
  );
}
