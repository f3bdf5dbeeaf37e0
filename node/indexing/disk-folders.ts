import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import { around, type DayRange } from '../recordings/day-folders.ts';
import { isGone, isYearFolder, MAX_DEPTH } from '../recordings/folder-entries.ts';
import { NOT_MOUNTED, unavailable } from '../recordings/root-folder.ts';
import {
  emptyListing,
  type FolderStat,
  isEmptyFolder,
  isLocal,
  type Listing,
  listFolder,
  statFolder,
  statRoot,
} from './folder-scan.ts';
import { type Folder, type FolderTree, identify, isSameFolder, isWithin, pathOf } from './folder-tree.ts';
import type { IndexWriter } from './index-database.ts';
import type { Watches } from './watches.ts';

/**
 * A directory that changed less than this before it is read can change again within the same tick of the file
 * system's clock and then looks unchanged (git's "racy" index): 2 s is the coarsest tick there is (FAT, old NFS).
 */
const RACY_MS = 2000;

/** An index of a directory tree, and what is known of its folders. */
export interface DiskIndex {
  readonly root: string;
  readonly tree: FolderTree;
  readonly writer: IndexWriter;
  readonly watches: Watches;
  readonly clock: Clock;
  readonly log: Log;
  /** Folders with names that events told of. */
  readonly noticed: Set<Folder>;
  /** Folders to be read when there is time, which a search does not wait for unless they are in its range. */
  readonly unread: Set<Folder>;
  /** By device: whether its events can be relied upon. */
  readonly localDevices: Map<number, boolean>;
  /** What was done so far. */
  readonly tally: { read: number; added: number; removed: number };
}

/** Whether a change is old enough for any later one to be told from it. */
function isOld({ clock }: Pick<DiskIndex, 'clock'>, changed: number): boolean {
  return changed < clock.now().epochMilliseconds - RACY_MS;
}

/** Days whose folders still grow. */
export function growingDays({ clock }: Pick<DiskIndex, 'clock'>): DayRange {
  return around(clock.now().toString().slice(0, 10));
}

/** Whether a folder named like a year is one. Looked at again when it has changed. */
export function isYear(index: Pick<DiskIndex, 'root' | 'clock'>, folder: Folder): boolean {
  const path = pathOf(index, folder);
  let status: FolderStat | null;
  try {
    status = statFolder(path);
  } catch {
    return false; // an ordinary directory, which is reported when it cannot be read
  }
  if (status === null) return false;
  if (folder.year?.changed === status.changed) return folder.year.is;
  const is = isYearFolder(path);
  folder.year = isOld(index, status.changed) ? { changed: status.changed, is } : null;
  return is;
}

/** Whether what is known of a folder can rest on its events. */
export function isToldOf(index: DiskIndex, folder: Folder): boolean {
  if (folder.watch === null || folder.doubtful) return false;
  let local = index.localDevices.get(folder.device);
  if (local === undefined) {
    local = isLocal(pathOf(index, folder));
    index.localDevices.set(folder.device, local);
  }
  return local;
}

/** What a directory is now; null where it is gone. Throws the system's error. */
export function look(index: DiskIndex, folder: Folder): FolderStat | null {
  if (folder.parent !== null) return statFolder(pathOf(index, folder));
  try {
    return statRoot(index.root);
  } catch (error) {
    throw unavailable(index.root, error);
  }
}

/** Before anything is taken to be gone. @throws AppError `recordings.unavailable` where all of it is away */
export function requireRoot({ root }: Pick<DiskIndex, 'root'>): void {
  let empty: boolean;
  try {
    empty = isEmptyFolder(root);
  } catch (error) {
    throw unavailable(root, error);
  }
  if (empty) throw unavailable(root, NOT_MOUNTED);
}

/** Notes that the index holds a folder as of a change. */
export function believe(index: DiskIndex, folder: Folder, changed: number): void {
  const old = isOld(index, changed);
  folder.seen = old || isToldOf(index, folder) ? changed : null;
  folder.eventful = false;
  folder.unreadable = false;
  // All that made an old change was told of long ago, so it may be kept beyond this run; unless it was not looked at yet.
  if (!old || folder.settled === changed || folder.pending !== null) return;
  index.writer.putFolder(folder.path, changed);
  folder.settled = changed;
}

/**
 * Reads a folder whole and makes the index hold exactly what lies there. New folders in it are noted as unread. One that
 * cannot be read is kept as it was and called unreadable.
 */
export function readFolder(index: DiskIndex, folder: Folder): void {
  index.unread.delete(folder);
  folder.seen = null;
  if (folder.depth > MAX_DEPTH) {
    folder.unreadable = true;
    return;
  }
  try {
    // First watched, then read: what appears meanwhile is told of.
    if (isWithin(folder, growingDays(index), (each) => isYear(index, each))) index.watches.put(folder);
    const before = look(index, folder);
    if (before === null) vanish(index, folder);
    else replaceFiles(index, folder, before);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    if (folder.parent === null) throw unavailable(index.root, error);
    if (isGone(error)) vanish(index, folder);
    else folder.unreadable = true;
  }
}

function replaceFiles(index: DiskIndex, folder: Folder, before: FolderStat): void {
  const { writer, tree, tally } = index;
  const listing = emptyListing();
  // What events told of until now, reading sees.
  folder.doubtful = false;
  folder.pending = null;
  index.noticed.delete(folder);
  const changed = writer.transaction(() => {
    const files = writer.replace(folder.id, listFolder(pathOf(index, folder), listing));
    if (listing.names === 0) refuseUnmounted(index, folder, before);
    return { ...files, ...reconcile(index, folder, listing) };
  });
  tally.read += 1;
  tally.added += changed.added;
  tally.removed += changed.removed + changed.removedBelow;
  for (const child of changed.gone) forget(index, child);
  for (const { name, id } of changed.fresh) index.unread.add(tree.add(folder, name, id, null));
  identify(folder, before);
  believe(index, folder, before.changed);
}

/** The folders in a folder, as the database is to have them. */
function reconcile(
  { writer }: DiskIndex,
  folder: Folder,
  { folders }: Listing,
): {
  readonly gone: readonly Folder[];
  readonly fresh: readonly { readonly name: string; readonly id: number }[];
  readonly removedBelow: number;
} {
  const names = new Set(folders);
  const gone = [...(folder.children?.values() ?? [])].filter(({ name }) => !names.has(name));
  const removedBelow = gone.reduce((sum, { id }) => sum + writer.removeFolder(id), 0);
  const below = folder.path === '' ? '' : `${folder.path}/`;
  const fresh = folders
    .filter((name) => !(folder.children?.has(name) ?? false))
    .map((name) => ({ name, id: writer.putFolder(below + name, null) }));
  return { gone, fresh, removedBelow };
}

/** A disk that is not mounted leaves an empty directory, on another device. */
function refuseUnmounted({ root }: DiskIndex, folder: Folder, { device }: FolderStat): void {
  if (folder.parent === null) throw unavailable(root, NOT_MOUNTED);
  if (folder.device !== 0 && folder.device !== device) {
    throw Object.assign(new Error(`${folder.path}: ${NOT_MOUNTED.message}`), { syscall: 'readdir' });
  }
}

/** Whether a folder lies where it was, and not another one over it, as while a disk is not mounted. */
export function isInPlace(index: DiskIndex, folder: Folder): boolean {
  const now = look(index, folder);
  return now !== null && isSameFolder(folder, now) !== false;
}

/** Has a folder read, whatever is known of it. */
export function doubt({ unread }: DiskIndex, folder: Folder): void {
  folder.doubtful = true;
  unread.add(folder);
}

/**
 * Removes a folder that is gone, or the highest one above it that is. One that is there after all is called unreadable:
 * where directories do not tell of what kind their entries are, each is looked at, and may be gone by then.
 */
export function vanish(index: DiskIndex, folder: Folder): void {
  requireRoot(index);
  if (look(index, folder) !== null) {
    Object.assign(folder, { seen: null, unreadable: true });
    return;
  }
  let top = folder;
  while (top.parent !== null && top.parent.parent !== null && look(index, top.parent) === null) {
    top = top.parent;
  }
  if (top.parent !== null && !isInPlace(index, top.parent)) {
    doubt(index, top.parent);
    return;
  }
  index.tally.removed += index.writer.removeFolder(top.id);
  forget(index, top);
}

/** Takes a folder and all below it out of what is known. */
export function forget(index: DiskIndex, folder: Folder): void {
  index.tree.remove(folder, (removed) => {
    index.watches.drop(removed);
    index.noticed.delete(removed);
    index.unread.delete(removed);
  });
}

/** Whether the file system said it, not the database. */
export function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}
