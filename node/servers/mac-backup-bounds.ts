import { posix } from 'node:path';
import { mapBounded } from '../platform/concurrency.ts';
import { codeOf, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import type { Server } from './inventory.ts';
import { backupNames } from './mac-backups.ts';
import { discardJournal, readJournal } from './mac-journal.ts';
import type { RemoteFiles } from './remote.ts';

const MAX_KEPT = 2_000;
const MAX_BYTES = 512 * 1024 * 1024;
/** However large they are: what was changed last is what somebody may want back. */
const ALWAYS_KEPT = 20;
/** Looked into and removed after a change: nobody is to wait for more. */
const MEASURED_AT_ONCE = 30;
const DISCARDED_AT_ONCE = 25;
const DIRECTORIES_AT_A_TIME = 8;
const MAX_ENTRIES = 200;

/** What is kept of the backups of one server. */
export interface BackupBounds {
  readonly maxKept?: number;
  readonly maxBytes?: number;
  /** The newest ones stay whatever they take. */
  readonly alwaysKept?: number;
}

/**
 * Removes the oldest backups of a server where there are too many of them, or where they take too much; those of a change
 * that is not finished stay. To be called with the server's lock. Never throws: what fails is done after another change.
 */
export type BackupTidier = (files: RemoteFiles, server: Server) => Promise<void>;

export function createBackupTidier(log: Log, bounds: BackupBounds = {}): BackupTidier {
  const { maxKept = MAX_KEPT, maxBytes = MAX_BYTES, alwaysKept = ALWAYS_KEPT } = bounds;
  /** Bytes by name, of each server: a backup does not change once it is made. */
  const known = new Map<string, Map<string, number>>();

  /** Sizes of the newest, as far as they are known; some more of them each time. */
  const sizesOf = async (
    files: RemoteFiles,
    { id, macBackupDir }: Server,
    names: readonly string[],
  ): Promise<ReadonlyMap<string, number>> => {
    const before = known.get(id);
    const sizes = new Map(names.map((name) => [name, before?.get(name) ?? null]));
    const unknown = names.filter((name) => sizes.get(name) === null).slice(0, MEASURED_AT_ONCE);
    await mapBounded(unknown, DIRECTORIES_AT_A_TIME, async (name) => {
      sizes.set(name, await bytesIn(files, posix.join(macBackupDir, name)));
    });
    const found = new Map([...sizes].filter((entry): entry is [string, number] => entry[1] !== null));
    known.set(id, found);
    return found;
  };

  const tidy = async (files: RemoteFiles, server: Server): Promise<void> => {
    const names = await backupNames(files, server);
    if (names.length <= alwaysKept) return;
    const sizes = await sizesOf(files, server, names.slice(0, maxKept));
    const kept = fitting(names.slice(0, maxKept), sizes, maxBytes);
    const tooOld = names.slice(Math.max(alwaysKept, kept)).slice(-DISCARDED_AT_ONCE);
    let removed = 0;
    for (const name of tooOld.toReversed()) {
      const directory = posix.join(server.macBackupDir, name);
      if (!(await canGo(files, directory))) continue;
      await discardJournal(files, directory);
      removed += 1;
    }
    if (removed > 0) log.info('old backups of changes were removed', { server: server.id, removed });
  };

  return async (files, server) => {
    try {
      await tidy(files, server);
    } catch (error) {
      const facts = { server: server.id, code: codeOf(error), reason: messageOf(error) };
      log.warn('old backups of changes could not be removed', facts);
    }
  };
}

/** Whether nobody needs it to finish a change. What cannot be understood stays, for people to look at. */
async function canGo(files: RemoteFiles, directory: string): Promise<boolean> {
  try {
    const found = await readJournal(files, directory);
    return found === null || found.state === 'finished';
  } catch (error) {
    if (codeOf(error) === 'mac.damaged') return false;
    throw error;
  }
}

/** How many of the newest take no more than that together; those of unknown size, all. */
function fitting(names: readonly string[], sizes: ReadonlyMap<string, number>, maxBytes: number): number {
  let bytes = 0;
  const over = names.findIndex((name) => {
    bytes += sizes.get(name) ?? 0;
    return bytes > maxBytes;
  });
  return over === -1 ? names.length : over;
}

async function bytesIn(files: RemoteFiles, directory: string): Promise<number> {
  let bytes = 0;
  for (const name of await files.list(directory, MAX_ENTRIES)) {
    bytes += (await files.stat(posix.join(directory, name))).sizeBytes;
  }
  return bytes;
}
