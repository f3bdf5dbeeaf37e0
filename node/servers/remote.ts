import type { Server } from './inventory.ts';

/** What a program that ran on a server left behind. */
export interface Ran {
  /** Exit status; null where a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Given to its standard input. */
  readonly input?: string;
  /** After so long it is cut off, and ends at its next word or by itself; 20 s unless told. */
  readonly timeoutMs?: number;
}

/** What is kept about a file beside its content. */
export interface RemoteStat {
  /** Permission bits alone. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  /** Seconds since the epoch: SFTP version 3 has no more. */
  readonly mtime: number;
  readonly kind: 'file' | 'directory' | 'link' | 'other';
}

/**
 * Files of a server over SFTP. Paths are absolute.
 * @throws AppError `server.no-file` (it is not there), `server.exists`, `server.denied`, `server.disk-full`,
 * `server.file` (any other answer of SFTP), and those of a lost session
 */
export interface RemoteFiles {
  /** The whole of a regular file. @throws AppError `server.too-large` */
  read(path: string, maxBytes: number): Promise<Buffer>;
  /** Of the name itself: a link is a link. */
  stat(path: string): Promise<RemoteStat>;
  /** Names in a directory. */
  list(path: string, max: number): Promise<readonly string[]>;
  /** Writes a file that is not there yet, syncs it where the server can, and gives it mode and owner before its first byte. */
  create(
    path: string,
    content: Buffer,
    like: Pick<RemoteStat, 'mode'> & Partial<Pick<RemoteStat, 'uid' | 'gid'>>,
  ): Promise<void>;
  /** Puts a file in the place of another in one step (posix-rename@openssh.com). */
  replace(from: string, to: string): Promise<void>;
  /** Gives a file another name that nobody has. @throws AppError `server.exists` */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file; one that is not there is none. */
  remove(path: string): Promise<void>;
  /** Makes a directory. @throws AppError `server.exists` */
  makeDirectory(path: string, mode: number): Promise<void>;
  removeDirectory(path: string): Promise<void>;
}

/** A connection to a SIP server. */
export interface RemoteSession {
  /**
   * Runs one program. Its arguments are quoted for the shell that sshd hands them to, each as one word; those that are
   * words already go as they are, which is all that a forced command needs to understand.
   * @throws AppError `server.timeout`, `server.too-much-output`, and those of a lost session
   */
  run(argv: readonly string[], options?: RunOptions): Promise<Ran>;
  /** @throws AppError `server.no-sftp` */
  files(): Promise<RemoteFiles>;
  /** Ends it at once; never throws. */
  close(): void;
}

/** The SIP servers, reached by SSH. */
export interface Remote {
  /**
   * Connects and logs in; the signal ends the session whenever it aborts. Few at once: others wait.
   * @throws AppError, all retriable but the last: `server.unreachable`, `server.timeout`, `server.login`,
   * `server.host-key` (its message has the fingerprint and the command that trusts it), `server.key` (SERVERS_KEY cannot be used)
   */
  open(server: Server, signal: AbortSignal): Promise<RemoteSession>;
}

/** A host key as a server shows it. */
export interface HostKey {
  /** `ssh-ed25519` and the like. */
  readonly type: string;
  /** As `ssh-keygen -l` prints it: `SHA256:` and 43 characters. */
  readonly fingerprint: string;
}

/** For an operator who is to say whether a server is the right one. */
export interface HostKeyScan {
  /** The host keys that a server shows, one of each kind that it has; nothing is sent to it. @throws AppError as {@link Remote.open} */
  hostKeys(server: Server, signal: AbortSignal): Promise<readonly HostKey[]>;
}

/** Opens a session for as long as `work` takes. */
export async function withSession<T>(
  remote: Remote,
  server: Server,
  signal: AbortSignal,
  work: (session: RemoteSession) => Promise<T>,
): Promise<T> {
  const session = await remote.open(server, signal);
  try {
    return await work(session);
  } finally {
    session.close();
  }
}
