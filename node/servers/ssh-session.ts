import type { Client } from 'ssh2';
import type { Clock } from '../platform/clock.ts';
import type { Server } from './inventory.ts';
import type { HostKey, HostKeyScan, Remote, RemoteFiles, RemoteSession } from './remote.ts';
import { createSlots } from './session-slots.ts';
import { connect, type ConnectionLimits, LIMITS, type Login, scanHostKeys } from './ssh-connection.ts';
import { lostConnection } from './ssh-errors.ts';
import { openFiles } from './ssh-files.ts';
import { runProgram } from './ssh-run.ts';

/** Sessions at once, to whichever servers. */
const MAX_SESSIONS = 8;
/** A session in which nothing is asked for so long is ended: whoever opened it has forgotten it. */
const IDLE_MS = 120_000;

export interface SshRemoteOptions {
  /** Who logs in to a server, and with what. @throws AppError `server.key` */
  readonly loginOf: (server: Server) => Promise<Login>;
  /** Fingerprints of the host keys that a server may show. */
  readonly trusted: (server: Server) => readonly string[];
  readonly clock: Clock;
  readonly maxSessions?: number;
  readonly idleMs?: number;
  readonly limits?: ConnectionLimits;
}

/** The SIP servers over SSH. */
export interface SshRemote extends Remote, HostKeyScan {}

/** A connection for each session; nothing is sent to a server whose host key is not known. */
export function createSshRemote(options: SshRemoteOptions): SshRemote {
  const { loginOf, trusted, clock, maxSessions = MAX_SESSIONS, idleMs = IDLE_MS, limits = LIMITS } = options;
  const slots = createSlots(maxSessions);

  async function open(server: Server, signal: AbortSignal): Promise<RemoteSession> {
    const giveBack = await slots.take(signal);
    try {
      const login = await loginOf(server);
      const client = await connect(server, login, trusted(server), limits, signal);
      return createSession(client, { server, clock, idleMs, signal, giveBack });
    } catch (error) {
      giveBack();
      throw error;
    }
  }

  async function hostKeys(server: Server, signal: AbortSignal): Promise<HostKey[]> {
    const giveBack = await slots.take(signal);
    try {
      return await scanHostKeys(server, limits, signal);
    } finally {
      giveBack();
    }
  }

  return { open, hostKeys };
}

interface SessionWorld {
  readonly server: Server;
  readonly clock: Clock;
  readonly idleMs: number;
  readonly signal: AbortSignal;
  readonly giveBack: () => void;
}

function createSession(
  client: Client,
  { server, clock, idleMs, signal, giveBack }: SessionWorld,
): RemoteSession {
  let files: Promise<RemoteFiles> | null = null;
  let isOver = false;
  let busy = 0;
  let idle = new AbortController();

  const close = (): void => {
    isOver = true;
    idle.abort();
    signal.removeEventListener('abort', close);
    client.destroy();
    giveBack();
  };
  client.once('close', close);
  signal.addEventListener('abort', close, { once: true });

  const rest = (): void => {
    idle = new AbortController();
    void clock.sleep(idleMs, idle.signal).then(close, () => undefined); // rejected: it is in use again, or over
  };
  /** Work in the session; a session that the signal has ended is told of by the signal's reason. */
  async function busyWith<T>(work: () => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    if (isOver) throw lostConnection(server);
    busy += 1;
    idle.abort();
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    } finally {
      busy -= 1;
      if (busy === 0 && !isOver) rest();
    }
  }

  rest();
  if (signal.aborted) close();
  return {
    run: (argv, runOptions) => busyWith(() => runProgram(client, server, clock, argv, runOptions)),
    files: () =>
      busyWith(async () => {
        files ??= openFiles({ client, server, clock, close, isOver: () => isOver, busyWith });
        return files;
      }),
    close,
  };
}
