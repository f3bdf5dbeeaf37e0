import { lstatSync, opendirSync, statfsSync, type Stats, statSync } from 'node:fs';
import {
  isCandidate,
  isGone,
  leadsToFolder,
  MAX_LINKS,
  mayLeadToFolder,
} from '../recordings/folder-entries.ts';
import type { ListedFile } from './index-database.ts';

/** What reading a directory has met besides files. */
export interface Listing {
  readonly folders: string[];
  /** Names of any kind. */
  names: number;
  /** Links looked at, and how many of them lead to directories. */
  links: number;
  linkedFolders: number;
}

export function emptyListing(): Listing {
  return { folders: [], names: 0, links: 0, linkedFolders: 0 };
}

/**
 * The names in a directory that can be recordings, as they are read; the others are noted in `listing`. Nothing is
 * kept: a directory of two million names takes no memory. Throws the system's error.
 */
export function* listFolder(path: string, listing: Listing): Generator<ListedFile, void, undefined> {
  using directory = opendirSync(path, { bufferSize: 256 });
  for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
    listing.names += 1;
    if (entry.isDirectory()) {
      listing.folders.push(entry.name);
    } else if (isCandidate(entry)) {
      if (entry.isSymbolicLink()) noteLink(path, entry.name, listing);
      yield { name: entry.name, sizeBytes: null };
    }
  }
}

function noteLink(path: string, name: string, listing: Listing): void {
  if (listing.links >= MAX_LINKS || !mayLeadToFolder(name)) return;
  listing.links += 1;
  if (leadsToFolder(`${path}/${name}`)) listing.linkedFolders += 1;
}

/** What tells whether a directory is the same as before, and unchanged. */
export interface FolderStat {
  /** When it last changed, in ms: the later one of mtime and ctime, since rsync and tar set the first back. */
  readonly changed: number;
  readonly inode: number;
  /** When it was made, in ms; 0 where the file system does not say. An inode alone is soon given to another. */
  readonly born: number;
  readonly device: number;
}

/** Null where there is no directory (any more). Throws the system's error where it cannot be told. */
export function statFolder(path: string): FolderStat | null {
  try {
    const status = lstatSync(path);
    if (!status.isDirectory()) return null;
    return folderStatOf(status);
  } catch (error) {
    if (isGone(error)) return null;
    throw error;
  }
}

/** The same of the root, which may be reached by a link. */
export function statRoot(path: string): FolderStat {
  const status = statSync(path);
  if (!status.isDirectory()) throw new Error('it is no directory');
  return folderStatOf(status);
}

function folderStatOf({ mtimeMs, ctimeMs, ino, birthtimeMs, dev }: Stats): FolderStat {
  return { changed: Math.max(mtimeMs, ctimeMs), inode: ino, born: birthtimeMs, device: dev };
}

/** What lies under a name: a directory, something that can be a recording, or nothing of either. */
export function kindOf(path: string): 'folder' | 'file' | 'none' {
  try {
    const status = lstatSync(path, { throwIfNoEntry: false });
    if (status === undefined) return 'none';
    if (status.isDirectory()) return 'folder';
    return isCandidate(status) ? 'file' : 'none';
  } catch (error) {
    if (isGone(error)) return 'none';
    throw error;
  }
}

/** Whether a directory holds no name at all, as the place of a disk that is not mounted. */
export function isEmptyFolder(path: string): boolean {
  using directory = opendirSync(path, { bufferSize: 1 });
  return directory.readSync() === null;
}

/**
 * File systems of which this machine is the only writer (statfs(2), linux/magic.h): ext2-4, XFS, Btrfs, tmpfs, ZFS,
 * F2FS, overlayfs. On others (NFS, SMB, FUSE) files appear that inotify does not tell of.
 */
const LOCAL_FILE_SYSTEMS: ReadonlySet<number> = new Set([
  0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x2fc12fc1, 0xf2f52010, 0x794c7630,
]);

/** Whether all changes in a directory come by way of this machine's kernel. */
export function isLocal(path: string): boolean {
  try {
    return LOCAL_FILE_SYSTEMS.has(statfsSync(path).type);
  } catch {
    return false; // then its events are no proof, and it is read again when its mtime moves
  }
}
