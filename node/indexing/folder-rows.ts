import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { FolderRow } from './index-database.ts';

/** The rows of folders. */
export class FolderRows {
  readonly #select: StatementSync;
  readonly #idOf: StatementSync;
  readonly #upsert: StatementSync;
  readonly #insertWord: StatementSync;
  readonly #deleteWord: StatementSync;
  readonly #one: StatementSync;
  readonly #below: StatementSync;
  readonly #belowRoot: StatementSync;
  readonly #delete: StatementSync;
  readonly #count: StatementSync;
  readonly #total: StatementSync;

  constructor(database: DatabaseSync) {
    this.#select = database.prepare('SELECT id, path, settled FROM folders ORDER BY id');
    this.#idOf = database.prepare('SELECT id FROM folders WHERE path = ?');
    this.#upsert = database.prepare(`
      INSERT INTO folders (path, settled) VALUES (?, ?)
      ON CONFLICT (path) DO UPDATE SET settled = excluded.settled RETURNING id`);
    this.#insertWord = database.prepare('INSERT OR IGNORE INTO folder_names VALUES (?, ?)');
    this.#deleteWord = database.prepare('DELETE FROM folder_names WHERE name = ? AND folder = ?');
    this.#one = database.prepare('SELECT path, files FROM folders WHERE id = ?');
    // '0' is what comes after '/'.
    this.#below = database.prepare('SELECT id FROM folders WHERE path > ? AND path < ?');
    this.#belowRoot = database.prepare("SELECT id FROM folders WHERE path > ''");
    this.#delete = database.prepare('DELETE FROM folders WHERE id = ?');
    this.#count = database.prepare('UPDATE folders SET files = files + ? WHERE id = ?');
    this.#total = database.prepare(
      'SELECT coalesce(sum(files), 0) AS files, count(*) AS folders FROM folders',
    );
  }

  all(): FolderRow[] {
    return this.#select.all() as unknown as FolderRow[];
  }

  put(path: string, settled: number | null): number {
    const isNew = this.#idOf.get(path) === undefined;
    const id = Number(this.#upsert.get(path, settled)?.['id']);
    if (isNew) for (const word of wordsOf(path)) this.#insertWord.run(word, id);
    return id;
  }

  /** Ids of a folder and of those below it; empty where there is none of this id. */
  withThoseBelow(id: number): number[] {
    const path = this.#pathOf(id);
    if (path === null) return [];
    const rows = path === '' ? this.#belowRoot.all() : this.#below.all(`${path}/`, `${path}0`);
    return [id, ...rows.map((row) => Number(row['id']))];
  }

  /** The row alone: its files are gone already. */
  remove(id: number): void {
    for (const word of wordsOf(this.#pathOf(id) ?? '')) this.#deleteWord.run(word, id);
    this.#delete.run(id);
  }

  fileCount(id: number): number {
    return Number(this.#one.get(id)?.['files'] ?? 0);
  }

  /** Adds to how many files it holds. */
  changeFileCount(id: number, change: number): void {
    if (change === 0) return;
    if (Number(this.#count.run(change, id).changes) === 0) throw new Error(`the index has no folder ${id}`);
  }

  counts(): { readonly files: number; readonly folders: number } {
    const row = this.#total.get();
    return { files: Number(row?.['files']), folders: Number(row?.['folders']) };
  }

  #pathOf(id: number): string | null {
    const path = this.#one.get(id)?.['path'];
    return typeof path === 'string' ? path : null;
  }
}

/** The words of a path, as they are compared. */
function wordsOf(path: string): Set<string> {
  return new Set(path.toLowerCase().split('/'));
}
