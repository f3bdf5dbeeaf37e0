import { lstatSync, realpathSync, type Stats, statSync } from 'node:fs';
import { isGone } from '../recordings/folder-entries.ts';
import { isInside } from '../recordings/root-folder.ts';
import { type DiskIndex, isSystemError } from './disk-folders.ts';
import { type Folder, pathOf } from './folder-tree.ts';
import type { ListedFile } from './index-database.ts';

/** A file that was written to so lately may be still growing. */
const AT_REST_MS = 60_000;
/** Files looked at in one go, and how long that may take. */
const SLICE_FILES = 256;
const SLICE_MS = 20;
/** The most files asked for, where the newest are all still growing. */
const MAX_SLICE_FILES = 8192;

/** What a slice has done: nothing is left, or only files that still grow; or so many were put in. */
export interface SizedSlice {
  readonly sized: number;
  /** Files that still grow, which the next slice has to pass over. */
  readonly growing: number;
  readonly tookMs: number;
}

/** Finds the sizes of some files that are at rest, newest first. `passOver` is what the slice before called growing. */
export function sizeSome(index: DiskIndex, passOver: number): SizedSlice {
  const { clock, writer, tree } = index;
  const begun = clock.monotonicMs();
  const byFolder = new Map<Folder, ListedFile[]>();
  let growing = 0;
  let sized = 0;
  for (const { folder: id, name } of writer.unsized(Math.min(passOver + SLICE_FILES, MAX_SLICE_FILES))) {
    if (clock.monotonicMs() - begun > SLICE_MS) break;
    const folder = tree.byId(id);
    if (folder === undefined) continue;
    const sizeBytes = sizeOf(index, folder, name);
    if (sizeBytes === null) {
      growing += 1;
      continue;
    }
    const files = byFolder.get(folder) ?? [];
    files.push({ name, sizeBytes });
    byFolder.set(folder, files);
    sized += 1;
  }
  if (sized > 0) {
    writer.transaction(() => {
      for (const [folder, files] of byFolder) writer.add(folder.id, files);
    });
  }
  return { sized, growing, tookMs: clock.monotonicMs() - begun };
}

/** Null for what grows, or is gone. A link that leaves the tree is nothing that a search would find: 0. */
function sizeOf(index: DiskIndex, folder: Folder, name: string): number | null {
  const path = `${pathOf(index, folder)}/${name}`;
  try {
    const itself = lstatSync(path);
    const status = itself.isSymbolicLink() ? statLinked(index.root, path) : itself;
    if (status === null || !status.isFile()) return 0;
    return status.mtimeMs < index.clock.now().epochMilliseconds - AT_REST_MS ? status.size : null;
  } catch (error) {
    if (!isSystemError(error)) throw error;
    if (!isGone(error)) return 0; // closed to us: a search will say so
    folder.pending ??= new Set();
    folder.pending.add(name);
    index.noticed.add(folder);
    return null;
  }
}

function statLinked(root: string, path: string): Stats | null {
  try {
    const target = realpathSync(path);
    return isInside(root, target) ? statSync(target) : null;
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return null; // it leads nowhere
  }
}
