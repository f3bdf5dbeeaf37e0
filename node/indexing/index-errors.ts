import { AppError, messageOf } from '../platform/errors.ts';

/** Primary result codes of SQLite (sqlite.org/rescode.html). */
const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
const SQLITE_FULL = 13;
/** Extended: the shared memory beside a write-ahead log could not be made larger, which is how a full disk shows there. */
const SQLITE_IOERR_SHMSIZE = 4874;

/**
 * What went wrong in the database of an index, in our words: `index.full` where the disk is (retriable; nothing is
 * damaged), `index.locked` where another process holds it (retriable), `index.broken` for everything else that SQLite
 * says, since an index that cannot be read or written is thrown away and built anew. What is no error of the
 * database (a caller's own, passing through) comes back as it is.
 */
export function indexError(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error;
  // A number of more than 53 bits: we write none.
  if (error.code === 'ERR_OUT_OF_RANGE') return broken(path, error);
  if (error.code !== 'ERR_SQLITE_ERROR') return error;
  const result = 'errcode' in error && typeof error.errcode === 'number' ? error.errcode : 0;
  const primary = result & 0xff;
  const options = { retriable: true, cause: error };
  if (primary === SQLITE_FULL || result === SQLITE_IOERR_SHMSIZE) {
    return new AppError(
      'index.full',
      `there is no room for the index ${path}: free some on its disk`,
      options,
    );
  }
  if (primary === SQLITE_BUSY || primary === SQLITE_LOCKED) {
    return new AppError('index.locked', `the index ${path} is held by another process`, options);
  }
  return broken(path, error);
}

/** A file that is damaged, gone or none of an index. */
export function broken(path: string, cause: unknown): AppError {
  return new AppError('index.broken', `the index ${path} cannot be used: ${messageOf(cause)}`, { cause });
}

/** Does something with the database; its errors become ours ({@link indexError}). */
export function guarded<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw indexError(error, path);
  }
}
