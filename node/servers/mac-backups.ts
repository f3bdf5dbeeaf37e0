import { posix } from 'node:path';
import { AppError, codeOf, messageOf } from '../platform/errors.ts';
import type { Server } from './inventory.ts';
import { readJournal, TRANSACTION } from './mac-journal.ts';
import { ensureDirectory } from './mac-lock.ts';
import type { MacRequest } from './mac-phones.ts';
import type { FileNow } from './mac-plan.ts';
import { MAX_MAC_FILE_BYTES } from './mac-transaction.ts';
import type { RemoteFiles } from './remote.ts';

const MAX_BACKUPS = 20_000;
const MAX_NAME_SHOWN = 100;
const LOCK_DIRECTORY = '.lock';

/** Sees to the directory for backups, and gives the one in it that is the lock. @throws AppError `mac.no-backup-directory` */
export async function backupDirectory(files: RemoteFiles, { macBackupDir }: Server): Promise<string> {
  try {
    await ensureDirectory(files, macBackupDir);
    const lock = posix.join(macBackupDir, LOCK_DIRECTORY);
    await ensureDirectory(files, lock);
    return lock;
  } catch (error) {
    if (!['server.no-file', 'server.denied'].includes(codeOf(error))) throw error;
    const told = `the directory for backups, ${macBackupDir}, is not there and cannot be made: ${messageOf(error)}`;
    throw new AppError('mac.no-backup-directory', told, { cause: error });
  }
}

/** The names of all changes that have a backup, the newest first. */
export async function backupNames(files: RemoteFiles, { macBackupDir }: Server): Promise<string[]> {
  const listed = await files.list(macBackupDir, MAX_BACKUPS);
  return listed
    .filter((name) => TRANSACTION.test(name))
    .toSorted()
    .toReversed();
}

/** What a backup (its name or its directory) takes back, with the provisioning files that its change removed. @throws AppError `mac.no-backup` */
export async function backupOf(
  files: RemoteFiles,
  server: Server,
  backup: string,
): Promise<{ request: MacRequest; anew: Map<string, FileNow> }> {
  const none = new AppError(
    'mac.no-backup',
    `there is no finished change ${backup.slice(0, MAX_NAME_SHOWN)}`,
  );
  const [name, directory] = [posix.basename(backup), server.macBackupDir];
  const isOurs = backup === name || backup === posix.join(directory, name);
  if (!isOurs || !TRANSACTION.test(name)) throw none;
  const found = await readJournal(files, posix.join(directory, name));
  if (found === null || found.state !== 'finished') throw none;
  const { manifest } = found.journal;
  const anew = new Map<string, FileNow>();
  for (const { path, backup: copy, like } of manifest.moves) {
    const content = await files.read(copy, MAX_MAC_FILE_BYTES);
    anew.set(path, { content, stat: { ...like, sizeBytes: content.length, mtime: 0, kind: 'file' } });
  }
  return { request: manifest.request, anew };
}
