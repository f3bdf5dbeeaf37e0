import type { FileEntryWithStats, SFTPWrapper, Stats } from 'ssh2';
import { mapBounded } from '../platform/concurrency.ts';
import { type Done, whereOffered } from '../platform/openssh.ts';
import type { Server } from './inventory.ts';
import type { RemoteFiles, RemoteStat } from './remote.ts';
import { fileError, SFTP_EOF, SFTP_FAILURE, sftpCode } from './ssh-errors.ts';

/** What every SFTP server takes in one request (draft-ietf-secsh-filexfer-02 section 3). */
const CHUNK_BYTES = 32_768;
/** Requests on their way at once: a file of some megabytes is not to wait for a hundred round trips. */
const CHUNKS_AT_ONCE = 16;
/** Before it has the mode that it is to have. */
const PRIVATE = 0o600;
const PERMISSIONS = 0o7777;

/** A request of SFTP and its answer. @throws what SFTP answers, and those of a lost session */
export type Asking = <T>(request: (done: Done<T>) => unknown) => Promise<T>;

/** @see RemoteFiles.stat */
export function statOf(stats: Stats): RemoteStat {
  return {
    mode: stats.mode & PERMISSIONS,
    uid: stats.uid,
    gid: stats.gid,
    sizeBytes: stats.size,
    mtime: stats.mtime,
    kind: kindOf(stats),
  };
}

function kindOf(stats: Stats): RemoteStat['kind'] {
  if (stats.isSymbolicLink()) return 'link';
  if (stats.isDirectory()) return 'directory';
  return stats.isFile() ? 'file' : 'other';
}

/** The file as long as it was when it was opened; shorter where somebody cut it meanwhile. */
export async function readWhole(
  sftp: SFTPWrapper,
  ask: Asking,
  server: Server,
  path: string,
  maxBytes: number,
): Promise<Buffer> {
  // Looked at before it is opened: to open a pipe would be to wait for its other end.
  const { size } = checkRegular(await ask<Stats>((done) => sftp.stat(path, done)), server, path, maxBytes);
  const handle = await ask<Buffer>((done) => sftp.open(path, 'r', done));
  try {
    const offsets = Array.from({ length: Math.ceil(size / CHUNK_BYTES) }, (_, index) => index * CHUNK_BYTES);
    const chunks = await mapBounded(offsets, CHUNKS_AT_ONCE, (offset) =>
      readAt(sftp, ask, handle, offset, Math.min(CHUNK_BYTES, size - offset)),
    );
    const short = chunks.findIndex(
      (chunk, index) => chunk.length < Math.min(CHUNK_BYTES, size - (offsets[index] ?? 0)),
    );
    return Buffer.concat(short === -1 ? chunks : chunks.slice(0, short + 1));
  } finally {
    // What was read is read, whether or not closing it is answered.
    await nothing(ask, (done) => sftp.close(handle, done)).catch(() => undefined);
  }
}

function checkRegular(stats: Stats, server: Server, path: string, maxBytes: number): Stats {
  if (!stats.isFile()) throw fileError('server.file', server, path, 'is no regular file');
  if (stats.size <= maxBytes) return stats;
  throw fileError('server.too-large', server, path, `has ${stats.size} bytes, the limit is ${maxBytes}`);
}

async function readAt(
  sftp: SFTPWrapper,
  ask: Asking,
  handle: Buffer,
  offset: number,
  length: number,
): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const bytes = await ask<number>((done) =>
      sftp.read(handle, buffer, filled, length - filled, offset + filled, (error, count) =>
        done(sftpCode(error) === SFTP_EOF ? null : error, error ? 0 : count),
      ),
    );
    if (bytes === 0) break;
    filled += bytes;
  }
  return buffer.subarray(0, filled);
}

/** @see RemoteFiles.create */
export async function createFile(
  sftp: SFTPWrapper,
  ask: Asking,
  server: Server,
  path: string,
  content: Buffer,
  like: Parameters<RemoteFiles['create']>[2],
): Promise<void> {
  const handle = await ask<Buffer>((done) => sftp.open(path, 'wx', PRIVATE, done));
  try {
    const { mode, uid, gid } = like;
    // The owner first: a change of owner takes bits of the mode away (chown(2)).
    if (uid !== undefined && gid !== undefined)
      await nothing(ask, (done) => sftp.fchown(handle, uid, gid, done));
    await nothing(ask, (done) => sftp.fchmod(handle, mode, done));
    await writeAll(sftp, ask, handle, content);
    await ask(whereOffered(ignore, (done) => sftp.ext_openssh_fsync(handle, done)));
    await nothing(ask, (done) => sftp.close(handle, done));
  } catch (error) {
    await ask((done) => sftp.close(handle, done as () => void)).catch(ignore); // it may be closed already
    const isFull = sftpCode(error) === SFTP_FAILURE && (await diskIsFull(sftp, ask, path));
    await ask((done) => sftp.unlink(path, done as () => void)).catch(ignore); // what went wrong first is what is told
    if (isFull) throw fileError('server.disk-full', server, path, 'the disk is full', error);
    // What failed is no longer there, so it is not to be taken for a name that somebody has.
    throw sftpCode(error) === SFTP_FAILURE
      ? fileError('server.file', server, path, 'cannot be written', error)
      : error;
  }
}

async function writeAll(sftp: SFTPWrapper, ask: Asking, handle: Buffer, content: Buffer): Promise<void> {
  const offsets = Array.from(
    { length: Math.ceil(content.length / CHUNK_BYTES) },
    (_, index) => index * CHUNK_BYTES,
  );
  await mapBounded(offsets, CHUNKS_AT_ONCE, (offset) => {
    const length = Math.min(CHUNK_BYTES, content.length - offset);
    return nothing(ask, (done) => sftp.write(handle, content, offset, length, offset, done));
  });
}

/**
 * Whether the file system of a path is full, of which OpenSSH does not tell; the part that only root may fill counts as
 * full.
 */
export async function diskIsFull(sftp: SFTPWrapper, ask: Asking, path: string): Promise<boolean> {
  try {
    const found = await ask(whereOffered(ignore, (done) => sftp.ext_openssh_statvfs(path, done)));
    const { f_bavail: blocks, f_favail: files } = (found ?? {}) as { f_bavail?: number; f_favail?: number };
    return blocks === 0 || files === 0;
  } catch (error) {
    if (sftpCode(error) === null) throw error; // no answer: the session is lost
    return false; // nobody knows
  }
}

/** @see RemoteFiles.list */
export async function listNames(
  sftp: SFTPWrapper,
  ask: Asking,
  server: Server,
  path: string,
  max: number,
): Promise<readonly string[]> {
  const handle = await ask<Buffer>((done) => sftp.opendir(path, done));
  const names: string[] = [];
  try {
    for (;;) {
      const entries = await ask<readonly FileEntryWithStats[]>((done) =>
        sftp.readdir(handle, (error, list) =>
          done(sftpCode(error) === SFTP_EOF ? null : error, error ? [] : list),
        ),
      );
      if (entries.length === 0) return names;
      for (const { filename } of entries) if (filename !== '.' && filename !== '..') names.push(filename);
      if (names.length > max)
        throw fileError('server.too-large', server, path, `has more than ${max} entries`);
    }
  } finally {
    await nothing(ask, (done) => sftp.close(handle, done)).catch(ignore); // its names are read
  }
}

function nothing(ask: Asking, request: (done: (error?: Error | null) => void) => unknown): Promise<void> {
  return ask<undefined>((done) => request((error) => done(error, undefined)));
}

const ignore = (): undefined => undefined;
