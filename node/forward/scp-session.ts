import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Client, SFTPWrapper } from 'ssh2';
import type { SshAddress } from '../pairing/known-hosts.ts';
import type { PeerTrust } from '../peer/credentials.ts';
import { readBounded } from '../platform/durable.ts';
import { AppError, messageOf } from '../platform/errors.ts';
import { askSsh, type Done, hostKeyAlgorithms, whereOffered } from '../platform/openssh.ts';
import { isPinned, knownHostsLine } from './scp-target.ts';

const CONNECT_TIMEOUT_MS = 5_000;
const KEEPALIVE_MS = 2_000;
const KEEPALIVE_MISSED = 2;
const CLEANUP_MS = 1_000;
const MAX_KEY_BYTES = 65_536;
/** Of a file: its daemon runs as the user that is logged in to. */
const FILE_MODE = 0o600;

/** Where files are dropped, and who the server must be. */
export interface DropTarget extends SshAddress {
  readonly keyFile: string;
  readonly trust: Pick<PeerTrust, 'sshUser' | 'sshHostKeys'>;
  /** Named where its line is missing. */
  readonly knownHostsFile: string;
}

/** A connection to the peer's SFTP server. */
export interface DropSession {
  isAlive(): boolean;
  /** Writes a whole file beside its place, syncs it where the server can, and renames it there. */
  put(directory: string, name: string, content: Uint8Array): Promise<void>;
  /** Ends it at once. */
  destroy(): void;
}

/** Connects and logs in; sends nothing to a server whose key is not pinned. @throws AppError, or what ssh2 says */
export async function openDropSession(target: DropTarget, signal: AbortSignal): Promise<DropSession> {
  const { default: ssh2 } = await import('ssh2');
  const privateKey = await readKey(target.keyFile);
  signal.throwIfAborted();
  const client = new ssh2.Client();
  const { sshHostKeys: pinned, sshUser } = target.trust;
  let stranger: AppError | null = null;
  let isAlive = true;
  client.on('close', () => {
    isAlive = false;
  });
  // Without a listener an error of an idle connection would end the process; what fails is told by what was asked.
  client.on('error', () => {
    isAlive = false;
  });
  const destroy = (): void => {
    isAlive = false;
    client.destroy();
  };
  signal.addEventListener('abort', destroy, { once: true });
  try {
    client.connect({
      host: target.host,
      port: target.port,
      username: sshUser,
      privateKey,
      readyTimeout: CONNECT_TIMEOUT_MS,
      keepaliveInterval: KEEPALIVE_MS,
      keepaliveCountMax: KEEPALIVE_MISSED,
      algorithms: { serverHostKey: hostKeyAlgorithms(pinned.map(typeOf)) as never },
      hostVerifier: (key: Buffer) => {
        if (isPinned(key, pinned)) return true;
        stranger = strangeKey(key, target, pinned);
        return false;
      },
    });
    await once(client, 'ready', { signal });
    // Each request waits for its answer: with Nagle's algorithm, for the other side's delayed acknowledgement too.
    client.setNoDelay(true);
    const sftp = await ask<SFTPWrapper>(client, signal, (done) => client.sftp(done));
    return { isAlive: () => isAlive, put: (...file) => putFile(client, sftp, file), destroy };
  } catch (error) {
    destroy();
    throw stranger ?? error;
  } finally {
    signal.removeEventListener('abort', destroy);
  }
}

async function readKey(path: string): Promise<Buffer> {
  try {
    return await readBounded(path, MAX_KEY_BYTES);
  } catch (error) {
    throw new AppError('drop.login', `the key ${path} cannot be read: ${messageOf(error)}`, {
      retriable: true,
      cause: error,
    });
  }
}

function strangeKey(key: Buffer, target: DropTarget, pinned: readonly string[]): AppError {
  const known = pinned.length === 0 ? 'no host key is known for it' : 'it is not the host key that is known';
  const advice = 'if it is the right one, add this line to';
  return new AppError(
    'drop.host-key',
    `${target.host}:${target.port}: ${known}, so nothing was sent; ${advice} ${target.knownHostsFile}: ${knownHostsLine(key, target)}`,
    { retriable: true },
  );
}

/** Of a host key as `type base64`. */
const typeOf = (line: string): string => line.split(' ')[0] ?? '';

const lost = (): AppError => new AppError('drop.unreachable', 'the connection was lost', { retriable: true });

/** An answer to a request of SFTP, or the end of the connection, whichever comes first. */
function ask<T>(client: Client, signal: AbortSignal | null, request: (done: Done<T>) => unknown): Promise<T> {
  return askSsh(client, signal, lost, request);
}

async function putFile(
  client: Client,
  sftp: SFTPWrapper,
  [directory, name, content]: Parameters<DropSession['put']>,
): Promise<void> {
  const place = `${directory}/${name}`;
  // A dot in front: whoever reads the directory leaves it alone until it has its name.
  const temporary = `${directory}/.${name}.${randomBytes(6).toString('hex')}.tmp`;
  const handle = await ask<Buffer>(client, null, (done) => sftp.open(temporary, 'wx', FILE_MODE, done));
  try {
    const bytes = Buffer.from(content);
    await ask(client, null, (done) => sftp.write(handle, bytes, 0, bytes.length, 0, done as () => void));
    await askOffered(client, (done) => sftp.ext_openssh_fsync(handle, done));
    await ask(client, null, (done) => sftp.close(handle, done as () => void));
    if (await askOffered(client, (done) => sftp.ext_openssh_rename(temporary, place, done as () => void)))
      return;
    // The plain rename does not replace: the same job dropped again is the same file.
    await ask(client, null, (done) => sftp.unlink(place, done as () => void)).catch(() => undefined); // it need not be there
    await ask(client, null, (done) => sftp.rename(temporary, place, done as () => void));
  } catch (error) {
    const gone = ask(client, AbortSignal.timeout(CLEANUP_MS), (done) =>
      sftp.unlink(temporary, done as () => void),
    );
    await gone.catch(() => undefined); // the other side clears away what nobody finished
    throw error;
  }
}

/** Makes a request that not every server knows; false where it is not offered. */
async function askOffered(client: Client, request: (done: Done<unknown>) => unknown): Promise<boolean> {
  let isOffered = true;
  const absent = (): void => void (isOffered = false);
  await ask<unknown>(client, null, whereOffered(absent, request));
  return isOffered;
}
