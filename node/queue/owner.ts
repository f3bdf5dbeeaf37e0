import { DatabaseSync } from 'node:sqlite';
import { AppError, messageOf } from '../platform/errors.ts';

/** SQLITE_BUSY (sqlite.org/rescode.html). */
const BUSY = 5;

/**
 * Makes this process the one owner of a directory until it ends, however it ends: the lock is one of the kernel's
 * (fcntl, as SQLite takes it), so none is left behind by a crash, and no pid has to be guessed about.
 * @throws AppError `spool.owned` where another process has it; `spool.lock` where it cannot be taken at all
 */
export function ownDirectory(lockFile: string): Disposable {
  let database: DatabaseSync | null = null;
  try {
    database = new DatabaseSync(lockFile);
    database.exec('PRAGMA busy_timeout = 0; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (error) {
    database?.close();
    const busy = error instanceof Error && 'errcode' in error && error.errcode === BUSY;
    const remedy = 'stop it first, or give this node a STATE_DIR and QUEUE_DIR of its own';
    throw busy
      ? new AppError('spool.owned', `another process has ${lockFile}: ${remedy}`, { cause: error })
      : new AppError('spool.lock', `cannot lock ${lockFile}: ${messageOf(error)}`, { cause: error });
  }
  const taken = database;
  return { [Symbol.dispose]: () => taken.close() };
}
