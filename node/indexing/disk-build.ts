import { setImmediate as nextTurn } from 'node:timers/promises';
import { canBeYear, canHold, dateOf } from '../recordings/day-folders.ts';
import { isGone, MAX_DEPTH } from '../recordings/folder-entries.ts';
import { unavailable, warnOfLinkedFolders } from '../recordings/root-folder.ts';
import {
  believe,
  type DiskIndex,
  forget,
  growingDays,
  isSystemError,
  isYear,
  look,
  requireRoot,
} from './disk-folders.ts';
import { emptyListing, type Listing, listFolder, statFolder } from './folder-scan.ts';
import { type Folder, identify, pathOf, type Visited } from './folder-tree.ts';
import type { ListedFile } from './index-database.ts';
import type { BuildProgress } from './keeper.ts';

/** Names put in at once; then others get their turn. About 10 ms of work. */
const BATCH_NAMES = 4096;
/** Reading a folder costs about as much as so many names. */
const NAMES_PER_FOLDER = 64;

interface Unread extends Visited {
  readonly growing: boolean;
}

interface BuildState {
  readonly left: Unread[];
  readonly progress: BuildProgress;
  readonly signal: AbortSignal;
  files: number;
  folders: number;
  linkedFolders: number;
  /** Names until the event loop gets its turn. */
  budget: number;
}

/**
 * Fills an index with all the names below the root; nothing is looked at but directories. Folders that still grow are
 * watched from before they are read. A sentence. @throws AppError `recordings.unavailable`
 */
export async function buildDiskIndex(
  index: DiskIndex,
  progress: BuildProgress,
  signal: AbortSignal,
): Promise<string> {
  const begunMs = index.clock.monotonicMs();
  requireRoot(index);
  const state: BuildState = {
    left: [{ folder: index.tree.root, date: '', growing: true }],
    progress,
    signal,
    files: 0,
    folders: 0,
    linkedFolders: 0,
    budget: BATCH_NAMES,
  };
  let unreadable = 0;
  for (let next = state.left.pop(); next !== undefined; next = state.left.pop()) {
    try {
      await buildFolder(index, next, state);
    } catch (error) {
      noteFailure(index, next.folder, error);
      if (next.folder.unreadable) unreadable += 1;
    }
  }
  warnOfLinkedFolders(index.log, state.linkedFolders);
  const seconds = ((index.clock.monotonicMs() - begunMs) / 1000).toFixed(1);
  const left = unreadable === 0 ? '' : `, ${unreadable} folders could not be read`;
  return `read ${state.files} names in ${state.folders} folders in ${seconds} s${left}`;
}

async function buildFolder(
  index: DiskIndex,
  { folder, date, growing }: Unread,
  state: BuildState,
): Promise<void> {
  if (folder.depth > MAX_DEPTH) {
    folder.unreadable = true;
    return;
  }
  if (growing) index.watches.put(folder);
  const before = look(index, folder);
  if (before === null) {
    removeGone(index, folder);
    return;
  }
  identify(folder, before);
  const listing = await addFiles(index, folder, state);
  if (listing.names === 0 && folder.parent === null) requireRoot(index);
  state.folders += 1;
  state.linkedFolders += listing.linkedFolders;
  const days = growingDays(index);
  const below = folder.path === '' ? '' : `${folder.path}/`;
  for (const name of listing.folders) {
    const child = index.tree.add(folder, name, index.writer.putFolder(below + name, null), null);
    const dated = dateOf(name, date, canBeYear(name) && isYear(index, child));
    state.left.push({
      folder: child,
      date: dated.path,
      growing: growing && canHold(dated.date, days),
    });
  }
  believe(index, folder, before.changed);
  await spend(NAMES_PER_FOLDER, state);
}

async function addFiles(index: DiskIndex, folder: Folder, state: BuildState): Promise<Listing> {
  const listing = emptyListing();
  let batch: ListedFile[] = [];
  const add = async (): Promise<void> => {
    if (batch.length === 0) return;
    index.writer.add(folder.id, batch);
    state.files += batch.length;
    const spent = batch.length;
    batch = [];
    await spend(spent, state);
  };
  for (const file of listFolder(pathOf(index, folder), listing)) {
    batch.push(file);
    if (batch.length >= BATCH_NAMES) await add();
  }
  await add();
  return listing;
}

async function spend(names: number, state: BuildState): Promise<void> {
  state.budget -= names;
  if (state.budget > 0) return;
  state.budget = BATCH_NAMES;
  state.progress({ files: state.files, folders: state.folders });
  await nextTurn();
  state.signal.throwIfAborted();
}

function noteFailure(index: DiskIndex, folder: Folder, error: unknown): void {
  if (!isSystemError(error)) throw error;
  if (folder.parent === null) throw unavailable(index.root, error);
  folder.seen = null;
  // What is gone may be one of its entries.
  if (isGone(error) && statFolder(pathOf(index, folder)) === null) removeGone(index, folder);
  else folder.unreadable = true;
}

function removeGone(index: DiskIndex, folder: Folder): void {
  requireRoot(index);
  index.writer.removeFolder(folder.id);
  forget(index, folder);
}
