import { closeSync, openSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';

/** Another form than this is built anew. */
const SCHEMA_VERSION = 1;

const PAGE_BYTES = 4096;
/** Of the thread that writes. */
const WRITER_CACHE_KIB = 16_384;
/** Of the main thread: holds what queries of the last months touch. */
const READER_CACHE_KIB = 32_768;
const BUSY_TIMEOUT_MS = 5_000;
/** Pages after which the log is written back into the file: 16 MB, so that a burst of new files does not wait for it. */
const CHECKPOINT_PAGES = 4_000;
/** What a log that was larger is cut down to. */
const LOG_LIMIT_BYTES = 64 * 1024 * 1024;

/**
 * `postings` answers queries: one row for each number of a name that can be asked for (index-name.ts). `fresh` is
 * the same for what came or changed last, and counts where both have a row: a thousand files touch a dozen pages
 * there and a thousand in `postings`, where they go many at a time. `listing` says what a folder holds (its names as
 * hashes, name-set.ts), `unsized` where files of unknown size are (start and number of their home postings),
 * `folder_names` each word of a folder's path in lower case. `keys` is filled for a bucket alone (key-rows.ts).
 */
const TABLES = `
CREATE TABLE state (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE folders (
  id INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL UNIQUE, settled REAL, files INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE folder_names (
  name TEXT NOT NULL, folder INTEGER NOT NULL, PRIMARY KEY (name, folder)
) STRICT, WITHOUT ROWID;
CREATE TABLE postings (
  number INTEGER NOT NULL, start INTEGER NOT NULL, folder INTEGER NOT NULL, rest TEXT NOT NULL,
  stored INTEGER NOT NULL, PRIMARY KEY (number, start, folder, rest)
) STRICT, WITHOUT ROWID;
CREATE TABLE fresh (
  number INTEGER NOT NULL, start INTEGER NOT NULL, folder INTEGER NOT NULL, rest TEXT NOT NULL,
  stored INTEGER NOT NULL, PRIMARY KEY (number, start, folder, rest)
) STRICT, WITHOUT ROWID;
CREATE TABLE listing (
  folder INTEGER NOT NULL, start INTEGER NOT NULL, number INTEGER NOT NULL, hash INTEGER NOT NULL,
  PRIMARY KEY (folder, start, number, hash)
) STRICT, WITHOUT ROWID;
CREATE TABLE unsized (
  start INTEGER NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (start, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE keys (
  folder INTEGER NOT NULL, name TEXT NOT NULL, stored INTEGER NOT NULL, PRIMARY KEY (folder, name)
) STRICT, WITHOUT ROWID;
PRAGMA user_version = ${SCHEMA_VERSION};
`;

/**
 * A file of its own for a build: nothing is synced and nothing logged, since what a crash leaves is thrown away. The
 * journal is kept in memory, where appending hardly fills it.
 */
export function createBuildDatabase(path: string): DatabaseSync {
  // Made here, for its mode; SQLite gives the files beside it the same.
  closeSync(openSync(path, 'wx', 0o600));
  const database = new DatabaseSync(path);
  database.exec(`
    PRAGMA page_size = ${PAGE_BYTES};
    PRAGMA journal_mode = MEMORY;
    PRAGMA synchronous = OFF;
    PRAGMA locking_mode = EXCLUSIVE;
    PRAGMA cache_size = -${WRITER_CACHE_KIB};
    ${TABLES}`);
  return database;
}

/**
 * Never mapped into memory: a file that is cut short would then end the process (SIGBUS), and here it is an error.
 * `NORMAL`: a power cut takes the last commits and leaves the file sound.
 */
export function openWritable(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
  database.exec(`
    PRAGMA mmap_size = 0;
    PRAGMA cell_size_check = ON;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES};
    PRAGMA journal_size_limit = ${LOG_LIMIT_BYTES};
    PRAGMA cache_size = -${WRITER_CACHE_KIB}`);
  return database;
}

/** As `openWritable`, for reading alone. */
export function openReadable(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
  database.exec(`
    PRAGMA mmap_size = 0;
    PRAGMA cell_size_check = ON;
    PRAGMA cache_size = -${READER_CACHE_KIB}`);
  return database;
}

/** Rows as arrays: half the cost of objects. */
export function arrays(database: DatabaseSync, sql: string): StatementSync {
  const statement = database.prepare(sql);
  statement.setReturnArrays(true);
  return statement;
}

/** Whether a file has the present form and its build came to its end. */
export function isComplete(database: DatabaseSync): boolean {
  const version = database.prepare('PRAGMA user_version').get()?.['user_version'];
  if (version !== SCHEMA_VERSION) return false;
  return database.prepare("SELECT value FROM state WHERE name = 'complete'").get()?.['value'] === 'yes';
}

/** On disk when it returns. */
export function markComplete(database: DatabaseSync): void {
  database.exec(`
    PRAGMA synchronous = FULL;
    INSERT OR REPLACE INTO state VALUES ('complete', 'yes');
    PRAGMA synchronous = NORMAL`);
}

/** SQLite's examination of all pages (`quick_check`), or of all that belongs together (`integrity_check`). */
export function examine(database: DatabaseSync, how: 'quick_check' | 'integrity_check'): string | null {
  const said = database.prepare(`PRAGMA ${how}(1)`).get()?.[how];
  return said === 'ok' ? null : String(said);
}
