import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { FileRows } from './file-rows.ts';
import { FolderRows } from './folder-rows.ts';
import type { FolderRow, IndexWriter, ListedFile } from './index-database.ts';
import { broken, guarded } from './index-errors.ts';
import { createKeyRows, type KeyRows } from './key-rows.ts';
import { createNameSet, hashOf, type NameSet } from './name-set.ts';
import { arrays, examine } from './schema.ts';

/** Rows of a listing that are held at a time. */
const PAGE_ROWS = 4_096;

type ListingRow = readonly [start: number, number: number, hash: number];
const BEFORE_ALL: ListingRow = [-1, -1, -1];

/** Writes an index whose file is open; closes it when disposed of. */
export function createIndexWriter(database: DatabaseSync, path: string, serial: number): IndexWriter {
  return new DatabaseWriter(database, path, serial);
}

class DatabaseWriter implements IndexWriter {
  readonly path: string;
  readonly serial: number;
  readonly #database: DatabaseSync;
  readonly #files: FileRows;
  readonly #folders: FolderRows;
  readonly #keys: KeyRows;
  readonly #hashes: StatementSync;
  readonly #listed: StatementSync;
  readonly #newestUnsized: StatementSync;
  readonly #fact: StatementSync;
  readonly #putFact: StatementSync;
  readonly #dropFact: StatementSync;

  constructor(database: DatabaseSync, path: string, serial: number) {
    this.path = path;
    this.serial = serial;
    this.#database = database;
    this.#files = new FileRows(database);
    this.#folders = new FolderRows(database);
    this.#keys = createKeyRows(database);
    this.#hashes = arrays(database, 'SELECT hash FROM listing WHERE folder = ?');
    this.#listed = arrays(
      database,
      `SELECT start, number, hash FROM listing WHERE folder = ? AND (start, number, hash) > (?, ?, ?)
       ORDER BY start, number, hash LIMIT ${PAGE_ROWS}`,
    );
    this.#newestUnsized = arrays(
      database,
      'SELECT start, number FROM unsized ORDER BY start DESC, number LIMIT ?',
    );
    this.#fact = database.prepare('SELECT value FROM facts WHERE name = ?');
    this.#putFact = database.prepare('INSERT OR REPLACE INTO facts VALUES (?, ?)');
    this.#dropFact = database.prepare('DELETE FROM facts WHERE name = ?');
  }

  transaction<T>(work: () => T): T {
    return inTransaction(this.#database, this.path, work);
  }

  folders(): FolderRow[] {
    return this.transaction(() => this.#folders.all());
  }

  putFolder(path: string, settled: number | null): number {
    return this.transaction(() => this.#folders.put(path, settled));
  }

  removeFolder(id: number): number {
    return this.transaction(() => {
      let removed = 0;
      for (const folder of this.#folders.withThoseBelow(id)) {
        removed += this.#removeWhere(folder, () => true);
        this.#keys.removeFolder(folder);
        this.#folders.remove(folder);
      }
      return removed;
    });
  }

  add(folder: number, files: readonly ListedFile[]): number {
    return this.transaction(() => this.#put(folder, files));
  }

  remove(folder: number, names: readonly string[]): number {
    return this.transaction(() => this.#drop(folder, names));
  }

  replace(folder: number, files: Iterable<ListedFile>): { added: number; removed: number } {
    return this.transaction(() => {
      const set = this.#hashesOf(folder);
      const added = this.#put(folder, newOrTold(files, set));
      const removed = set.unmet() === 0 ? 0 : this.#removeWhere(folder, (hash) => !set.wasMet(hash));
      return { added, removed };
    });
  }

  replaceRange(
    folder: number,
    range: Parameters<IndexWriter['replaceRange']>[1],
    files: readonly ListedFile[],
  ): { added: number; removed: number } {
    return this.transaction(() => {
      const { differing, gone } = this.#keys.compare(folder, range, files);
      this.#keys.put(folder, differing);
      return { added: this.#put(folder, differing), removed: this.#drop(folder, gone) };
    });
  }

  unsized(limit: number): { folder: number; name: string }[] {
    return this.transaction(() => {
      const rows = this.#newestUnsized.all(limit) as unknown as [number, number][];
      return rows.flatMap(([start, number]) => this.#files.unsizedAt(start, number)).slice(0, limit);
    });
  }

  counts(): { readonly files: number; readonly folders: number } {
    return this.transaction(() => this.#folders.counts());
  }

  fact(name: string): string | null {
    return this.transaction(() => (this.#fact.get(name)?.['value'] as string | undefined) ?? null);
  }

  setFact(name: string, value: string | null): void {
    this.transaction(() => {
      if (value === null) this.#dropFact.run(name);
      else this.#putFact.run(name, value);
    });
  }

  check(): string | null {
    return this.transaction(() => examine(this.#database, 'integrity_check'));
  }

  [Symbol.dispose](): void {
    if (this.#database.isOpen) this.#database.close();
  }

  #put(folder: number, files: Iterable<ListedFile>): number {
    let added = 0;
    this.#files.begin();
    for (const file of files) if (this.#files.put(folder, file)) added += 1;
    this.#files.finish();
    this.#folders.changeFileCount(folder, added);
    this.#files.mergeFresh();
    return added;
  }

  #drop(folder: number, names: readonly string[]): number {
    let removed = 0;
    for (const name of names) if (this.#files.remove(folder, name)) removed += 1;
    this.#keys.remove(folder, names);
    this.#folders.changeFileCount(folder, -removed);
    return removed;
  }

  /** Removes the files of a folder that are to go; how many. */
  #removeWhere(folder: number, goes: (hash: number) => boolean): number {
    let removed = 0;
    for (const [start, number, hash] of this.#pages(folder)) {
      if (!goes(hash)) continue;
      const name = this.#files.nameOf(folder, start, number, hash);
      if (name === null || !this.#files.remove(folder, name)) {
        throw broken(this.path, new Error('its tables disagree'));
      }
      removed += 1;
    }
    this.#folders.changeFileCount(folder, -removed);
    return removed;
  }

  *#pages(folder: number): Generator<ListingRow> {
    let last = BEFORE_ALL;
    for (;;) {
      const rows = this.#listed.all(folder, ...last) as unknown as ListingRow[];
      yield* rows;
      const end = rows.at(-1);
      if (end === undefined || rows.length < PAGE_ROWS) return;
      last = end;
    }
  }

  #hashesOf(folder: number): NameSet {
    const set = createNameSet(this.#folders.fileCount(folder));
    for (const [hash] of this.#hashes.iterate(folder) as unknown as Iterable<[number]>) set.add(hash);
    return set;
  }
}

/** Those of a folder's files that it does not have, and those that may have another size; meets them all. */
function* newOrTold(files: Iterable<ListedFile>, known: NameSet): Generator<ListedFile> {
  for (const file of files) {
    const hash = hashOf(file.name);
    // What is added belongs to it too, for whoever looks afterwards for what does not.
    const isNew = known.add(hash);
    known.meet(hash);
    if (isNew || file.sizeBytes !== null) yield file;
  }
}

/** Within the one that is open, where there is one: the outermost decides. */
function inTransaction<T>(database: DatabaseSync, path: string, work: () => T): T {
  return guarded(path, () => {
    if (database.isTransaction) return work();
    database.exec('BEGIN');
    try {
      const result = work();
      database.exec('COMMIT');
      return result;
    } catch (error) {
      // Some errors have rolled it back already.
      if (database.isTransaction) database.exec('ROLLBACK');
      throw error;
    }
  });
}
