import { sep } from 'node:path';
import { AppError, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';

/** RECORDINGS_DIR, as those who search it and those who index it judge it alike. */

/** A disk that is not mounted leaves its place empty. */
export const NOT_MOUNTED = new Error('it is empty: is its disk mounted?');

/** An AppError `recordings.unavailable` (retriable) that says why the root cannot be read. */
export function unavailable(root: string, cause: unknown): AppError {
  const message = `the recordings directory ${root} cannot be read: ${messageOf(cause)}`;
  return new AppError('recordings.unavailable', message, { retriable: true, cause });
}

/** Whether a resolved path lies below a directory. */
export function isInside(root: string, path: string): boolean {
  return path.startsWith(root.endsWith(sep) ? root : root + sep);
}

/** Tells of symlinked directories, where there were any: what lies behind them nobody finds. */
export function warnOfLinkedFolders(log: Log, directories: number): void {
  if (directories === 0) return;
  log.warn('symlinked directories below RECORDINGS_DIR are not searched; mount them there instead', {
    directories,
  });
}
