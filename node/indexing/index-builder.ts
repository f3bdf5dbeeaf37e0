import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { FolderRows } from './folder-rows.ts';
import type { FolderRow, IndexBuilder, IndexWriter, ListedFile } from './index-database.ts';
import { broken, guarded } from './index-errors.ts';
import { readIndexName, storedOf } from './index-name.ts';
import { createIndexRun, type IndexRun } from './index-run.ts';
import { createIndexWriter } from './index-writer.ts';
import { createNameSet, hashOf, type NameSet } from './name-set.ts';
import { arrays } from './schema.ts';

export interface BuilderOptions {
  /** A new file with the tables in it. */
  readonly database: DatabaseSync;
  readonly path: string;
  readonly serial: number;
  /** Makes the file, which nobody has open any more, durable and the one that counts. */
  readonly goOn: () => IndexWriter;
  /** Removes the file of a build that was given up. */
  readonly giveUp: () => void;
}

/**
 * Gathers files in memory and writes them in the order of their keys, a million at a time (index-run.ts). Whatever needs
 * to see them in the tables has them written first. All is one transaction: after an error the build is good for nothing.
 */
export function createIndexBuilder(options: BuilderOptions): IndexBuilder {
  return new RunBuilder(options);
}

class RunBuilder implements IndexBuilder {
  readonly path: string;
  readonly serial: number;
  readonly #options: BuilderOptions;
  readonly #tables: IndexWriter;
  readonly #folders: FolderRows;
  readonly #hashes: StatementSync;
  readonly #run: IndexRun = createIndexRun();
  /** Files of the run, by folder. */
  readonly #pending = new Map<number, number>();
  /** The names of the folder that was added to last. */
  #current: { readonly folder: number; readonly names: NameSet } | null = null;
  /** Once it is complete. */
  #live: IndexWriter | null = null;
  #failure: unknown = null;

  constructor(options: BuilderOptions) {
    const { database, path, serial } = options;
    this.path = path;
    this.serial = serial;
    this.#options = options;
    database.exec('BEGIN');
    this.#tables = createIndexWriter(database, path, serial);
    this.#folders = new FolderRows(database);
    this.#hashes = arrays(database, 'SELECT hash FROM listing WHERE folder = ?');
  }

  complete(): void {
    const { database, goOn } = this.#options;
    this.#onTables(() => {
      database.exec('COMMIT');
      database.close();
      this.#live = goOn();
    });
  }

  add(folder: number, files: readonly ListedFile[]): number {
    if (this.#live !== null) return this.#live.add(folder, files);
    return this.#building(() => this.#gather(folder, files));
  }

  replace(folder: number, files: Iterable<ListedFile>): { added: number; removed: number } {
    if (this.#live !== null) return this.#live.replace(folder, files);
    const isEmpty = !this.#pending.has(folder) && this.#building(() => this.#folders.fileCount(folder)) === 0;
    if (isEmpty) return this.#building(() => ({ added: this.#gather(folder, files), removed: 0 }));
    return this.#onTables((tables) => tables.replace(folder, files));
  }

  putFolder(path: string, settled: number | null): number {
    return this.#any((tables) => tables.putFolder(path, settled));
  }

  folders(): FolderRow[] {
    return this.#any((tables) => tables.folders());
  }

  counts(): { readonly files: number; readonly folders: number } {
    const counts = this.#any((tables) => tables.counts());
    return { ...counts, files: counts.files + this.#run.count };
  }

  fact(name: string): string | null {
    return this.#any((tables) => tables.fact(name));
  }

  setFact(name: string, value: string | null): void {
    this.#any((tables) => tables.setFact(name, value));
  }

  transaction<T>(work: () => T): T {
    return this.#live === null ? this.#building(work) : this.#live.transaction(work);
  }

  remove(folder: number, names: readonly string[]): number {
    return this.#onTables((tables) => tables.remove(folder, names));
  }

  removeFolder(id: number): number {
    return this.#onTables((tables) => tables.removeFolder(id));
  }

  replaceRange(...args: Parameters<IndexWriter['replaceRange']>): { added: number; removed: number } {
    return this.#onTables((tables) => tables.replaceRange(...args));
  }

  unsized(limit: number): readonly { readonly folder: number; readonly name: string }[] {
    return this.#onTables((tables) => tables.unsized(limit));
  }

  check(): string | null {
    return this.#onTables((tables) => tables.check());
  }

  [Symbol.dispose](): void {
    if (this.#live !== null) return this.#live[Symbol.dispose]();
    if (this.#options.database.isOpen) this.#options.database.close();
    this.#options.giveUp();
  }

  /** What the files of the run have no part in. */
  #any<T>(work: (tables: IndexWriter) => T): T {
    const live = this.#live;
    return live === null ? this.#building(() => work(this.#tables)) : work(live);
  }

  /** What has to see all files in the tables. */
  #onTables<T>(work: (tables: IndexWriter) => T): T {
    if (this.#live !== null) return work(this.#live);
    return this.#building(() => {
      this.#flush();
      this.#current = null;
      return work(this.#tables);
    });
  }

  /** @throws AppError `index.broken` after a step that failed: what it has left is not known to be whole */
  #building<T>(work: () => T): T {
    if (this.#failure !== null) throw broken(this.path, this.#failure);
    try {
      return guarded(this.path, work);
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  }

  #gather(folder: number, files: Iterable<ListedFile>): number {
    const names = this.#namesOf(folder);
    const told: ListedFile[] = [];
    let added = 0;
    for (const file of files) {
      const read = readIndexName(file.name);
      if (read === null) continue;
      const hash = hashOf(file.name);
      if (!names.add(hash)) {
        if (file.sizeBytes !== null) told.push(file);
        continue;
      }
      this.#run.push(folder, file.name, hash, read, storedOf(file.sizeBytes, file.archived ?? false));
      this.#pending.set(folder, (this.#pending.get(folder) ?? 0) + 1);
      added += 1;
      if (this.#run.full) this.#flush();
    }
    if (told.length > 0) {
      this.#flush();
      this.#tables.add(folder, told);
    }
    return added;
  }

  #flush(): void {
    if (this.#run.count > 0) this.#run.writeTo(this.#options.database);
    for (const [folder, count] of this.#pending) this.#folders.changeFileCount(folder, count);
    this.#pending.clear();
  }

  #namesOf(folder: number): NameSet {
    if (this.#current?.folder === folder) return this.#current.names;
    const written = this.#folders.fileCount(folder);
    const inRun = this.#pending.get(folder) ?? 0;
    const names = createNameSet(written + inRun);
    if (written > 0) {
      for (const [hash] of this.#hashes.iterate(folder) as unknown as Iterable<[number]>) names.add(hash);
    }
    if (inRun > 0) for (const hash of this.#run.hashesOf(folder)) names.add(hash);
    this.#current = { folder, names };
    return names;
  }
}
