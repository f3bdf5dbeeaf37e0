import { DatabaseSync } from 'node:sqlite';
import { AppError, messageOf } from '../platform/errors.ts';

/**
 * Makes this process the one owner of a spool until it ends, however it ends: the lock is one of the kernel's
 * (fcntl, as SQLite takes it), so none is left behind by a crash, and no pid has to be guessed about.
 * @throws AppError `spool.owned` where another process has it
 */
export function ownSpool(lockFile: string): Disposable {
  const database = new DatabaseSync(lockFile);
  try {
    database.exec('PRAGMA busy_timeout = 0; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    throw new AppError(
      'spool.owned',
      `another process works on this spool (${lockFile}: ${messageOf(error)}); stop it first, or give this node a QUEUE_DIR of its own`,
      { cause: error },
    );
  }
  return { [Symbol.dispose]: () => database.close() };
}
