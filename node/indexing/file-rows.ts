import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { type BulkInsert, bulkInsert } from './bulk-insert.ts';
import type { ListedFile } from './index-database.ts';
import {
  homeOf,
  isHome,
  nameOfPosting,
  otherOf,
  type Posting,
  readIndexName,
  storedOf,
} from './index-name.ts';
import { hashOf } from './name-set.ts';
import { arrays } from './schema.ts';

/** Rows of `fresh` that are kept there: some days' calls. More are moved to `postings`, which takes about 50 ms. */
const MAX_FRESH = 16_384;

const KEY = 'number = ?1 AND start = ?2 AND folder = ?3 AND rest = ?4';
const HERE = 'number = ?1 AND start = ?2';

type Row = readonly [folder: number, rest: string, stored: number];

interface Home {
  readonly folder: number;
  readonly name: string;
  readonly stored: number;
}

/** A file by its keys. */
interface Keys {
  readonly folder: number;
  readonly start: number;
  readonly home: Posting;
  readonly other: Posting | null;
}

/** The rows of single files, in all the tables they stand in. Knows nothing of transactions and counts. */
export class FileRows {
  readonly #database: DatabaseSync;
  readonly #newRows: BulkInsert;
  readonly #newUnsized: BulkInsert;
  readonly #insertListing: StatementSync;
  readonly #putFresh: StatementSync;
  readonly #deletions: readonly StatementSync[];
  readonly #deleteListing: StatementSync;
  readonly #deleteUnsized: StatementSync;
  readonly #hasUnsized: StatementSync;
  readonly #storedAt: StatementSync;
  readonly #rowsAt: StatementSync;
  /** May be off after a rollback: then they are moved a little earlier or later. */
  #freshRows: number;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#newRows = bulkInsert(database, 'INSERT OR IGNORE INTO fresh', 5);
    this.#newUnsized = bulkInsert(database, 'INSERT OR IGNORE INTO unsized', 2);
    this.#insertListing = database.prepare('INSERT OR IGNORE INTO listing VALUES (?, ?, ?, ?)');
    this.#putFresh = database.prepare('INSERT OR REPLACE INTO fresh VALUES (?, ?, ?, ?, ?)');
    this.#deletions = ['postings', 'fresh'].map((table) =>
      database.prepare(`DELETE FROM ${table} WHERE ${KEY}`),
    );
    this.#deleteListing = database.prepare(
      'DELETE FROM listing WHERE folder = ? AND start = ? AND number = ? AND hash = ?',
    );
    this.#deleteUnsized = database.prepare('DELETE FROM unsized WHERE start = ? AND number = ?');
    this.#hasUnsized = database.prepare('SELECT 1 FROM unsized WHERE start = ? AND number = ?');
    this.#storedAt = database.prepare(`SELECT coalesce(
      (SELECT stored FROM fresh WHERE ${KEY}), (SELECT stored FROM postings WHERE ${KEY})) AS stored`);
    this.#rowsAt = arrays(
      database,
      `SELECT folder, rest, stored FROM postings WHERE ${HERE}
       UNION ALL SELECT folder, rest, stored FROM fresh WHERE ${HERE}`,
    );
    this.#freshRows = Number(database.prepare('SELECT count(*) AS count FROM fresh').get()?.['count']);
  }

  /** Comes before some `put`s, which are written many at a time: what others left half-done is forgotten. */
  begin(): void {
    this.#newRows.drop();
    this.#newUnsized.drop();
  }

  /** True where it is new. Of one that is there, size and storage are changed where the size is told. */
  put(folder: number, { name, sizeBytes, archived = false }: ListedFile): boolean {
    const keys = keysOf(folder, name);
    if (keys === null) return false;
    const { start, home, other } = keys;
    const stored = storedOf(sizeBytes, archived);
    if (Number(this.#insertListing.run(folder, start, home.number, hashOf(name)).changes) === 0) {
      if (sizeBytes !== null) this.#resize(keys, stored);
      return false;
    }
    this.#newRows.add([home.number, start, folder, home.rest, stored]);
    if (other !== null) this.#newRows.add([other.number, start, folder, other.rest, stored]);
    this.#freshRows += 2;
    if (sizeBytes === null) this.#newUnsized.add([start, home.number]);
    return true;
  }

  /** Comes after the last `put`. */
  finish(): void {
    this.#newRows.end();
    this.#newUnsized.end();
  }

  /** False where it is not there. */
  remove(folder: number, name: string): boolean {
    const keys = keysOf(folder, name);
    if (keys === null || !this.#drop(keys, keys.home)) return false;
    const { start, home, other } = keys;
    if (other !== null) this.#drop(keys, other);
    this.#deleteListing.run(folder, start, home.number, hashOf(name));
    this.#forgetUnsized(start, home.number);
    return true;
  }

  /** The name behind a row of `listing`; null where the tables disagree. */
  nameOf(folder: number, start: number, number: number, hash: number): string | null {
    const isIt = (home: Home): boolean => home.folder === folder && hashOf(home.name) === hash;
    return this.#homesAt(start, number).find(isIt)?.name ?? null;
  }

  /** Files of unknown size that begin at this second and have this number first. */
  unsizedAt(start: number, number: number): { readonly folder: number; readonly name: string }[] {
    return this.#homesAt(start, number).flatMap(({ folder, name, stored }) =>
      stored < 0 ? [{ folder, name }] : [],
    );
  }

  /** Moves what is fresh to the others, where there is much of it. */
  mergeFresh(): void {
    if (this.#freshRows <= MAX_FRESH) return;
    this.#database.exec('INSERT OR REPLACE INTO postings SELECT * FROM fresh; DELETE FROM fresh');
    this.#freshRows = 0;
  }

  #resize({ folder, start, home, other }: Keys, stored: number): void {
    this.finish();
    const before = Number(this.#storedAt.get(home.number, start, folder, home.rest)?.['stored']);
    if (before === stored) return;
    this.#putFresh.run(home.number, start, folder, home.rest, stored);
    if (other !== null) this.#putFresh.run(other.number, start, folder, other.rest, stored);
    this.#freshRows += 2;
    if (before < 0) this.#forgetUnsized(start, home.number);
  }

  #drop({ folder, start }: Keys, { number, rest }: Posting): boolean {
    const runs = this.#deletions.map((each) => each.run(number, start, folder, rest));
    return runs.some(({ changes }) => Number(changes) > 0);
  }

  /** After a file of unknown size has got one, or has gone. */
  #forgetUnsized(start: number, number: number): void {
    if (this.#hasUnsized.get(start, number) === undefined) return;
    if (this.unsizedAt(start, number).length === 0) this.#deleteUnsized.run(start, number);
  }

  /** The files whose home is here. What is fresh stands for what it replaces. */
  #homesAt(start: number, number: number): Home[] {
    const homes = new Map<string, Home>();
    for (const [folder, rest, stored] of this.#rowsAt.all(number, start) as unknown as Row[]) {
      const name = isHome(rest) ? nameOfPosting(number, start, rest) : null;
      if (name !== null) homes.set(`${folder}/${rest}`, { folder, name, stored });
    }
    return [...homes.values()];
  }
}

function keysOf(folder: number, name: string): Keys | null {
  const read = readIndexName(name);
  if (read === null) return null;
  return { folder, start: read.start, home: homeOf(name, read), other: otherOf(name, read) };
}
