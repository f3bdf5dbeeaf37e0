import { type DiskIndex, doubt, forget, isInPlace, isSystemError, requireRoot } from './disk-folders.ts';
import { kindOf, statFolder } from './folder-scan.ts';
import { type Folder, isSameFolder, pathOf } from './folder-tree.ts';

/** Looks at the names that events told of, and makes the index agree with what lies there now. */
export function applyEvents(index: DiskIndex): void {
  if (index.noticed.size === 0) return;
  requireRoot(index);
  const folders = [...index.noticed];
  index.noticed.clear();
  const changes: TreeChanges = { doomed: new Set(), after: [] };
  try {
    index.writer.transaction(() => {
      for (const folder of folders) if (!isDoomed(folder, changes)) applyTo(index, folder, changes);
    });
  } catch (error) {
    // Nothing of it is in the database: these folders are read instead.
    for (const folder of folders) doubt(index, folder);
    throw error;
  }
  for (const change of changes.after) change();
}

/** What is known of the tree changes only `after` the database has. */
interface TreeChanges {
  readonly after: (() => void)[];
  /** Folders that are removed with all below them. */
  readonly doomed: Set<Folder>;
}

function isDoomed(folder: Folder, { doomed }: TreeChanges): boolean {
  for (let each: Folder | null = folder; each !== null; each = each.parent) if (doomed.has(each)) return true;
  return false;
}

/** What follows from the names of a folder. */
function applyTo(index: DiskIndex, folder: Folder, changes: TreeChanges): void {
  const { writer, tally, unread } = index;
  const names = folder.pending;
  folder.pending = null;
  if (folder.gone) return;
  if (folder.doubtful || names === null) {
    unread.add(folder);
    return;
  }
  const found: string[] = [];
  const absent: string[] = [];
  try {
    const path = pathOf(index, folder);
    const kinds = [...names].map((name) => [name, kindOf(`${path}/${name}`)] as const);
    if (!isInPlace(index, folder)) {
      doubt(index, folder);
      return;
    }
    for (const [name, kind] of kinds) {
      if (kind === 'folder') noteFolder(index, folder, name, changes);
      else noteNoFolder(index, folder, name, changes);
      (kind === 'file' ? found : absent).push(name);
    }
  } catch (error) {
    if (!isSystemError(error)) throw error;
    doubt(index, folder);
    return;
  }
  if (absent.length > 0) tally.removed += writer.remove(folder.id, absent);
  if (found.length > 0) {
    tally.added += writer.add(
      folder.id,
      found.map((name) => ({ name, sizeBytes: null })),
    );
  }
}

/** A folder appeared, or another one under the name of one that is known. */
function noteFolder(index: DiskIndex, parent: Folder, name: string, { after }: TreeChanges): void {
  const { writer, tree, unread, watches } = index;
  const known = parent.children?.get(name);
  if (known === undefined) {
    const id = writer.putFolder(parent.path === '' ? name : `${parent.path}/${name}`, null);
    after.push(() => unread.add(tree.add(parent, name, id, null)));
    return;
  }
  const now = statFolder(pathOf(index, known));
  if (now !== null && isSameFolder(known, now) === true) return; // its owner or its times were changed
  after.push(() => {
    // Whatever is known of folders below it was of others.
    const below = [known];
    for (let each = below.pop(); each !== undefined; each = below.pop()) {
      watches.drop(each);
      each.seen = null;
      each.inode = 0;
      unread.add(each);
      if (each.children !== null) below.push(...each.children.values());
    }
  });
}

function noteNoFolder(index: DiskIndex, parent: Folder, name: string, changes: TreeChanges): void {
  const known = parent.children?.get(name);
  if (known === undefined || changes.doomed.has(known)) return;
  index.tally.removed += index.writer.removeFolder(known.id);
  changes.doomed.add(known);
  changes.after.push(() => forget(index, known));
}
