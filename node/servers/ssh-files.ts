import { posix } from 'node:path';
import type { Client, SFTPWrapper } from 'ssh2';
import type { Clock } from '../platform/clock.ts';
import { AppError, codeOf, messageOf } from '../platform/errors.ts';
import { askSsh, type Done, whereOffered } from '../platform/openssh.ts';
import type { Server } from './inventory.ts';
import type { RemoteFiles } from './remote.ts';
import { addressOf, asFileError, fileError, lostConnection, SFTP_FAILURE, sftpCode } from './ssh-errors.ts';
import { type Asking, createFile, diskIsFull, listNames, readWhole, statOf } from './ssh-file-acts.ts';

/** For one request and its answer. */
const REQUEST_TIMEOUT_MS = 30_000;
const MAX_PATH_LENGTH = 4096;
const FOR_OTHERS = 0o077;

export interface FilesWorld {
  readonly client: Client;
  readonly server: Server;
  readonly clock: Clock;
  /** Ends the session: where an answer did not come, nobody knows what is on its way. */
  readonly close: () => void;
  /** Whether it has ended: ssh2 says nothing to a request that comes after. */
  readonly isOver: () => boolean;
  readonly busyWith: <T>(work: () => Promise<T>) => Promise<T>;
}

/** The SFTP server of a connection. @throws AppError `server.no-sftp`, and those of a lost session */
export async function openFiles(world: FilesWorld): Promise<RemoteFiles> {
  const { client, server, busyWith } = world;
  const ask = asking(world);
  const sftp = await ask<SFTPWrapper>((done) => client.sftp(done)).catch((error: unknown) => {
    if (error instanceof AppError) throw error;
    const text = `${addressOf(server)}: it has no SFTP for this login: ${messageOf(error)}`;
    throw new AppError('server.no-sftp', text, { cause: error });
  });
  sftp.on('error', world.close); // it said what no SFTP server says

  /** What goes wrong with a path, in our words. */
  const act = <T>(paths: readonly string[], work: () => Promise<T>): Promise<T> =>
    busyWith(async () => {
      for (const path of paths) checkPath(server, path);
      try {
        return await work();
      } catch (error) {
        const last = paths.at(-1) ?? '/';
        const isFull = sftpCode(error) === SFTP_FAILURE && (await diskIsFull(sftp, ask, posix.dirname(last)));
        if (isFull) throw fileError('server.disk-full', server, last, 'the disk is full', error);
        throw asFileError(error, server, paths.join(' -> '));
      }
    });
  /** An act that wants a name nobody has: OpenSSH does not say that this is what went wrong. */
  const wherefree = async (path: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      if (sftpCode(error) !== SFTP_FAILURE || !(await isThere(path))) throw error;
      throw fileError('server.exists', server, path, 'it is there already', error);
    }
  };
  const isThere = (path: string): Promise<boolean> =>
    ask((done) => sftp.lstat(path, done)).then(
      () => true,
      (error: unknown) => {
        if (sftpCode(error) === null) throw error; // no answer: the session is lost
        return false; // whatever it is that hides it, the first failure is told
      },
    );
  const nothing = (request: (done: (error?: Error | null) => void) => unknown): Promise<void> =>
    ask<undefined>((done) => request((error) => done(error, undefined)));

  return {
    read: (path, maxBytes) => act([path], () => readWhole(sftp, ask, server, path, maxBytes)),
    stat: (path) => act([path], async () => statOf(await ask((done) => sftp.lstat(path, done)))),
    list: (path, max) => act([path], () => listNames(sftp, ask, server, path, max)),
    create: (path, content, like) =>
      act([path], () => wherefree(path, () => createFile(sftp, ask, server, path, content, like))),
    replace: (from, to) =>
      act([from, to], async () => {
        let isOffered = true;
        const absent = (): void => void (isOffered = false);
        await ask(whereOffered(absent, (done) => sftp.ext_openssh_rename(from, to, done as () => void)));
        if (!isOffered)
          throw fileError('server.file', server, to, 'its SFTP cannot replace a file in one step');
      }),
    rename: (from, to) =>
      act([from, to], () => wherefree(to, () => nothing((done) => sftp.rename(from, to, done)))),
    remove: (path) =>
      act([path], () => nothing((done) => sftp.unlink(path, done))).catch((error: unknown) => {
        if (codeOf(error) !== 'server.no-file') throw error;
      }),
    makeDirectory: (path, mode) =>
      act([path], async () => {
        await wherefree(path, () => nothing((done) => sftp.mkdir(path, { mode }, done)));
        // What others may do is cut by the umask there; what the owner may do never is.
        if ((mode & FOR_OTHERS) === 0) return;
        await nothing((done) => sftp.chmod(path, mode, done)).catch(async (error: unknown) => {
          await nothing((done) => sftp.rmdir(path, done)).catch(() => undefined); // the first failure is told
          throw error;
        });
      }),
    removeDirectory: (path) => act([path], () => nothing((done) => sftp.rmdir(path, done))),
  };
}

/** Requests of SFTP with a time limit each. */
function asking({ client, server, clock, close, isOver }: FilesWorld): Asking {
  return async <T>(request: (done: Done<T>) => unknown): Promise<T> => {
    if (isOver()) throw lostConnection(server);
    const answered = new AbortController();
    const late = new AbortController();
    const text = `${addressOf(server)}: SFTP did not answer within ${REQUEST_TIMEOUT_MS / 1000} s`;
    void clock.sleep(REQUEST_TIMEOUT_MS, answered.signal).then(
      () => {
        late.abort(new AppError('server.timeout', text, { retriable: true }));
        close();
      },
      () => undefined, // it answered
    );
    try {
      return await askSsh(client, late.signal, () => lostConnection(server), request);
    } finally {
      answered.abort();
    }
  };
}

function checkPath(server: Server, path: string): void {
  if (path.startsWith('/') && path.length <= MAX_PATH_LENGTH && !path.includes('\u0000')) return;
  throw fileError('server.file', server, JSON.stringify(path.slice(0, 100)), 'no absolute path');
}
