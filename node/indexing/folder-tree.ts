import type { FSWatcher } from 'node:fs';
import { canBeYear, canHold, type DatePath, dateOf, type DayRange } from '../recordings/day-folders.ts';
import type { FolderStat } from './folder-scan.ts';
import type { FolderRow } from './index-database.ts';

/** A directory as the index knows it. */
export interface Folder {
  readonly id: number;
  /** Below the root, with `/`; empty for the root. */
  readonly path: string;
  readonly name: string;
  readonly parent: Folder | null;
  readonly depth: number;
  children: Map<string, Folder> | null;
  /** As the database has it. */
  settled: number | null;
  /** The change (`FolderStat.changed`) as of which the index holds all of it; null where it must be read. */
  seen: number | null;
  /** What the directory was that was last looked at; 0 where nobody has ({@link isSameFolder}). */
  inode: number;
  born: number;
  device: number;
  watch: FSWatcher | null;
  /** Names that events told of and that were not looked at yet. */
  pending: Set<string> | null;
  /** Whether an event came since `seen` was set: it explains why it changed. */
  eventful: boolean;
  /** Events may have been lost: it must be read. */
  doubtful: boolean;
  unreadable: boolean;
  /** Whether it is a year, as of a change. */
  year: { readonly changed: number; readonly is: boolean } | null;
  /** It was removed from the tree. */
  gone: boolean;
}

/** The directories of one index. */
export interface FolderTree {
  readonly root: Folder;
  add(parent: Folder, name: string, id: number, settled: number | null): Folder;
  /** With all below it; `each` is told of every one. */
  remove(folder: Folder, each: (removed: Folder) => void): void;
  byId(id: number): Folder | undefined;
  /** By path; undefined where the index has no such folder. */
  at(path: string): Folder | undefined;
  all(): IterableIterator<Folder>;
}

/** Where a folder lies; no `/` at its end. */
export function pathOf({ root }: { readonly root: string }, { path }: Folder): string {
  return path === '' ? root : `${root}/${path}`;
}

/** A tree with its root alone. */
export function createFolderTree(rootId: number, settled: number | null): FolderTree {
  const root = folderOf(rootId, '', null, settled);
  const byId = new Map([[rootId, root]]);
  return {
    root,
    byId: (id) => byId.get(id),
    all: () => byId.values(),
    add: (parent, name, id, value) => {
      const folder = folderOf(id, name, parent, value);
      parent.children ??= new Map();
      parent.children.set(name, folder);
      byId.set(id, folder);
      return folder;
    },
    remove: (folder, each) => {
      if (folder.parent?.children?.get(folder.name) === folder) folder.parent.children.delete(folder.name);
      const left = [folder];
      for (let next = left.pop(); next !== undefined; next = left.pop()) {
        next.gone = true;
        byId.delete(next.id);
        each(next);
        if (next.children !== null) left.push(...next.children.values());
      }
    },
    at: (path) => {
      let folder: Folder | undefined = root;
      for (const name of path === '' ? [] : path.split('/')) folder = folder?.children?.get(name);
      return folder;
    },
  };
}

/** The tree of an index's folders; null where a folder has no parent, which no whole index has. */
export function folderTreeOf(rows: readonly FolderRow[]): FolderTree | null {
  const sorted = rows.toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  const [first] = sorted;
  if (first === undefined || first.path !== '') return null;
  const tree = createFolderTree(first.id, first.settled);
  const byPath = new Map([['', tree.root]]);
  for (const { id, path, settled } of sorted.slice(1)) {
    const cut = path.lastIndexOf('/');
    const parent = byPath.get(path.slice(0, Math.max(cut, 0)));
    if (parent === undefined) return null;
    byPath.set(path, tree.add(parent, path.slice(cut + 1), id, settled));
  }
  return tree;
}

function folderOf(id: number, name: string, parent: Folder | null, settled: number | null): Folder {
  return {
    id,
    path: parent === null || parent.path === '' ? name : `${parent.path}/${name}`,
    name,
    parent,
    depth: parent === null ? 0 : parent.depth + 1,
    children: null,
    settled,
    seen: settled,
    inode: 0,
    born: 0,
    device: 0,
    watch: null,
    pending: null,
    eventful: false,
    doubtful: false,
    unreadable: false,
    year: null,
    gone: false,
  };
}

/** Whether it is the directory that was last looked at, and not another one under its name; null where nobody has looked. */
export function isSameFolder(folder: Folder, now: Pick<FolderStat, 'inode' | 'born'>): boolean | null {
  return folder.inode === 0 ? null : folder.inode === now.inode && folder.born === now.born;
}

/** Notes which directory it is. */
export function identify(folder: Folder, { inode, born, device }: FolderStat): void {
  Object.assign(folder, { inode, born, device });
}

/** A folder on the way through a tree, and the date path below it. */
export interface Visited {
  readonly folder: Folder;
  readonly date: DatePath;
}

/** The children that can hold a day of the range; all of them where it is null. */
export function childrenWithin(
  { folder, date }: Visited,
  range: DayRange | null,
  isYear: (folder: Folder) => boolean,
): Visited[] {
  const within: Visited[] = [];
  if (folder.children === null) return within;
  for (const child of folder.children.values()) {
    const dated = dateOf(child.name, date, canBeYear(child.name) && isYear(child));
    if (range === null || canHold(dated.date, range)) within.push({ folder: child, date: dated.path });
  }
  return within;
}

/** Whether a folder can hold a day of the range, going by the names on the way down to it. */
export function isWithin(folder: Folder, range: DayRange, isYear: (folder: Folder) => boolean): boolean {
  return datePathOf(folder, range, isYear) !== null;
}

function datePathOf(folder: Folder, range: DayRange, isYear: (folder: Folder) => boolean): DatePath | null {
  if (folder.parent === null) return '';
  const above = datePathOf(folder.parent, range, isYear);
  if (above === null) return null;
  const dated = dateOf(folder.name, above, canBeYear(folder.name) && isYear(folder));
  return canHold(dated.date, range) ? dated.path : null;
}
