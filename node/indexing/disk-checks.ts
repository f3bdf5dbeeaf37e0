import { setImmediate as nextTurn } from 'node:timers/promises';
import type { DayRange } from '../recordings/day-folders.ts';
import { unavailable } from '../recordings/root-folder.ts';
import { applyEvents } from './disk-events.ts';
import {
  believe,
  type DiskIndex,
  growingDays,
  isSystemError,
  isToldOf,
  isYear,
  look,
  readFolder,
  vanish,
} from './disk-folders.ts';
import { childrenWithin, type Folder, identify, isSameFolder, type Visited } from './folder-tree.ts';

/** Folders looked at before others get their turn: about a millisecond of work. */
const FOLDERS_PER_TURN = 500;

/** What is done with each folder on the way; null where that was done at once. */
type Visit = (folder: Folder) => Promise<void> | null;

/** Makes the index agree with what lies there wherever these days can be; everywhere where the range is null. */
export async function checkFolders(
  index: DiskIndex,
  range: DayRange | null,
  signal: AbortSignal,
): Promise<void> {
  await noticeAll(index);
  await visitFolders(index, range, signal, (folder) => check(index, folder));
}

/** Reads all folders, whatever is thought to be known of them; what differed from what events had told. */
export async function readFolders(
  index: DiskIndex,
  signal: AbortSignal,
): Promise<{ readonly added: number; readonly removed: number }> {
  await noticeAll(index);
  const before = { ...index.tally };
  await visitFolders(index, null, signal, (folder) => {
    readFolder(index, folder);
    return nextTurn();
  });
  return { added: index.tally.added - before.added, removed: index.tally.removed - before.removed };
}

/** Reads what events told of; what happened before the call is then in the index or in `unread`. */
async function noticeAll(index: DiskIndex): Promise<void> {
  await index.watches.drained();
  applyEvents(index);
}

async function visitFolders(
  index: DiskIndex,
  range: DayRange | null,
  signal: AbortSignal,
  visit: Visit,
): Promise<void> {
  const left: Visited[] = [{ folder: index.tree.root, date: '' }];
  let budget = FOLDERS_PER_TURN;
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    signal.throwIfAborted();
    if (next.folder.gone) continue;
    const waiting = visit(next.folder);
    if (waiting !== null) await waiting;
    budget -= 1;
    if (budget <= 0) {
      budget = FOLDERS_PER_TURN;
      await nextTurn();
    }
    // After the visit: what it found is visited too. What lies below one that cannot be read is not known to be gone.
    if (!next.folder.gone && !next.folder.unreadable)
      left.push(...childrenWithin(next, range, (folder) => isYear(index, folder)));
  }
}

/** Looks whether a folder changed, and reads it again where that is not explained by what was told of it. */
function check(index: DiskIndex, folder: Folder): Promise<void> | null {
  try {
    const now = look(index, folder);
    if (now === null) {
      vanish(index, folder);
      return null;
    }
    const same = isSameFolder(folder, now) ?? true;
    // Another one is not known before it is read: it may be what a disk that is not mounted leaves.
    if (same) identify(folder, now);
    else index.watches.drop(folder);
    if (!same || folder.seen === null || folder.doubtful) readFolder(index, folder);
    else if (folder.seen === now.changed) believe(index, folder, now.changed);
    else if (!isToldOf(index, folder)) readFolder(index, folder);
    else if (folder.eventful) believe(index, folder, now.changed);
    else return explain(index, folder, now.changed);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    if (folder.parent === null) throw unavailable(index.root, error);
    folder.unreadable = true;
  }
  return null;
}

/** A watched folder changed and nothing was told yet: it may be on its way. If it is not, the watch is dead. */
async function explain(index: DiskIndex, folder: Folder, changed: number): Promise<void> {
  await noticeAll(index);
  if (folder.gone) return;
  if (folder.eventful && isToldOf(index, folder)) {
    believe(index, folder, changed);
    return;
  }
  index.watches.drop(folder);
  readFolder(index, folder);
}

/** Watches the folders that grow today, and no others; gives the event loop its turns. */
export async function watchGrowing(index: DiskIndex, signal: AbortSignal): Promise<void> {
  const { watches } = index;
  watches.retry();
  const growing = new Set<Folder>();
  await visitFolders(index, growingDays(index), signal, (folder) => {
    growing.add(folder);
    if (folder.watch === null && watches.put(folder)) verifyWatched(index, folder);
    return null;
  });
  for (const folder of watches.all()) if (!growing.has(folder)) watches.drop(folder);
}

/** What happened before it was watched shows in when it changed. */
function verifyWatched(index: DiskIndex, folder: Folder): void {
  try {
    const now = look(index, folder);
    if (now !== null && folder.seen === now.changed && isSameFolder(folder, now) !== false) return;
  } catch (error) {
    if (!isSystemError(error)) throw error;
  }
  folder.doubtful = true;
  index.unread.add(folder);
}

/** Folders of these days that could not be read. */
export function unreadableFolders(index: DiskIndex, range: DayRange): string[] {
  const found: string[] = [];
  const left: Visited[] = [{ folder: index.tree.root, date: '' }];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    if (next.folder.unreadable) found.push(next.folder.path);
    else left.push(...childrenWithin(next, range, (folder) => isYear(index, folder)));
  }
  return found.toSorted();
}
