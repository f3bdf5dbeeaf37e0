import { posix } from 'node:path';
import { MAX_DROP_BYTES } from '../../protocol/legacy.ts';
import type { SshAddress } from '../pairing/known-hosts.ts';
import type { Credentials } from '../peer/credentials.ts';
import { AppError } from '../platform/errors.ts';
import { createKeyedMutex } from '../platform/mutex.ts';
import type { Dropbox } from './dropbox.ts';
import { type DropSession, openDropSession } from './scp-session.ts';
import { asDropError } from './scp-target.ts';

const PUT_TIMEOUT_MS = 15_000;
/** A burst of jobs goes over one connection; an idle one is not kept. */
const IDLE_MS = 5_000;
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,199}$/;

export interface ScpDropOptions extends SshAddress {
  /** Of the peer: for messages. */
  readonly peerId: string;
  readonly keyFile: string;
  readonly credentials: Pick<Credentials, 'peer'>;
  /** Where a host key that is missing is to be added. */
  readonly knownHostsFile: string;
}

/** The peer's `pending/` over SFTP, as OpenSSH's scp does it; its host key is pinned. */
export function createScpDrop(options: ScpDropOptions): Dropbox & { close(): Promise<void> } {
  const { host, port, keyFile, credentials, peerId, knownHostsFile } = options;
  const oneByOne = createKeyedMutex();
  let kept: DropSession | null = null;
  let idle: NodeJS.Timeout | null = null;
  let closed = false;

  const target = (): { trust: NonNullable<ReturnType<Credentials['peer']>>; directory: string } => {
    const trust = credentials.peer();
    if (trust === null || trust.sshUser === '' || trust.queueDir === '') {
      const remedy = 'pair the two, or set PEER_SSH_USER and PEER_QUEUE_DIR';
      throw new AppError('drop.login', `where files for ${peerId} go is not known: ${remedy}`, {
        retriable: true,
      });
    }
    return { trust, directory: posix.join(trust.queueDir, 'pending') };
  };

  async function take(signal: AbortSignal): Promise<{ session: DropSession; isKept: boolean }> {
    if (idle !== null) clearTimeout(idle);
    const before = kept;
    kept = null;
    if (before?.isAlive() === true) return { session: before, isKept: true };
    const session = await openDropSession(
      { host, port, keyFile, trust: target().trust, knownHostsFile },
      signal,
    );
    return { session, isKept: false };
  }

  function keep(session: DropSession): void {
    if (closed) return session.destroy();
    kept = session;
    idle = setTimeout(drop, IDLE_MS);
    idle.unref();
  }

  function drop(): void {
    if (idle !== null) clearTimeout(idle);
    kept?.destroy();
    kept = null;
  }

  /** Puts a file over the kept connection or a new one; a kept one may be found dead, and then a new one is opened. */
  async function put(name: string, content: Uint8Array, signal: AbortSignal): Promise<void> {
    for (;;) {
      const { directory } = target();
      const { session, isKept } = await take(signal);
      signal.addEventListener('abort', session.destroy, { once: true });
      try {
        await session.put(directory, name, content);
        return keep(session);
      } catch (error) {
        const wasAlive = session.isAlive();
        session.destroy();
        if (!isKept || wasAlive) throw error;
      } finally {
        signal.removeEventListener('abort', session.destroy);
      }
    }
  }

  return {
    put: (name, content, signal) =>
      oneByOne(host, async () => {
        if (closed) throw new AppError('drop.unreachable', 'closed', { retriable: true });
        if (!NAME.test(name))
          throw new AppError('drop.rejected', 'not a plain file name', { retriable: true });
        if (content.length > MAX_DROP_BYTES) {
          throw new AppError('drop.rejected', `more than ${MAX_DROP_BYTES} bytes`, { retriable: true });
        }
        const timeUp = AbortSignal.timeout(PUT_TIMEOUT_MS);
        try {
          await put(name, content, AbortSignal.any([signal, timeUp]));
        } catch (error) {
          signal.throwIfAborted();
          if (timeUp.aborted) {
            throw new AppError('drop.timeout', `${host}:${port}: not within ${PUT_TIMEOUT_MS / 1000} s`, {
              retriable: true,
              cause: error,
            });
          }
          throw asDropError(error, options);
        }
      }),
    close: async () => {
      closed = true;
      drop();
    },
  };
}
