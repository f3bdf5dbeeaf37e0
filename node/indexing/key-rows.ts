import type { DatabaseSync } from 'node:sqlite';
import type { ListedFile } from './index-database.ts';
import { readIndexName, storedOf } from './index-name.ts';
import type { KeyRange } from './key-ranges.ts';
import { arrays } from './schema.ts';

/**
 * The names of a bucket's folders in the order in which S3 lists them (SQLite compares text as UTF-8 bytes, as S3 does),
 * so that a page of the listing can be compared with what is known of just its part. For directories the table is empty.
 */
export interface KeyRows {
  /** What differs between these files and what is known of the range. Changes nothing. */
  compare(folder: number, range: KeyRange, files: readonly ListedFile[]): KeyDifference;
  put(folder: number, files: readonly ListedFile[]): void;
  remove(folder: number, names: readonly string[]): void;
  removeFolder(folder: number): void;
}

export interface KeyDifference {
  /** New, or of another size or storage. */
  readonly differing: readonly ListedFile[];
  readonly gone: readonly string[];
}

export function createKeyRows(database: DatabaseSync): KeyRows {
  const within = arrays(
    database,
    'SELECT name, stored FROM keys WHERE folder = ?1 AND name > ?2 AND (?3 IS NULL OR name <= ?3) ORDER BY name',
  );
  const insert = database.prepare('INSERT OR REPLACE INTO keys VALUES (?, ?, ?)');
  const drop = database.prepare('DELETE FROM keys WHERE folder = ? AND name = ?');
  const dropFolder = database.prepare('DELETE FROM keys WHERE folder = ?');

  return {
    compare: (folder, { after, upTo }, files) => {
      // No name is empty, so what comes after the empty one is all of them.
      const rows = within.all(folder, after ?? '', upTo) as unknown as [name: string, stored: number][];
      const known = new Map(rows);
      const differing: ListedFile[] = [];
      for (const file of files) {
        const stored = known.get(file.name);
        known.delete(file.name);
        if (stored === storedOf(file.sizeBytes, file.archived ?? false)) continue;
        // What nobody can ask for is not kept, and so is unknown each time.
        if (stored !== undefined || readIndexName(file.name) !== null) differing.push(file);
      }
      return { differing, gone: [...known.keys()] };
    },
    put: (folder, files) => {
      for (const { name, sizeBytes, archived = false } of files) {
        if (readIndexName(name) !== null) insert.run(folder, name, storedOf(sizeBytes, archived));
      }
    },
    remove: (folder, names) => {
      for (const name of names) drop.run(folder, name);
    },
    removeFolder: (folder) => {
      dropFolder.run(folder);
    },
  };
}
