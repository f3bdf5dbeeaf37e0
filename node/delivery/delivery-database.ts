import { closeSync, existsSync, openSync, renameSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { AppError, messageOf } from '../platform/errors.ts';

const SCHEMA_VERSION = 1;
const BUSY_TIMEOUT_MS = 5_000;
const CACHE_KIB = 4_096;
/** What a log that was larger is cut down to. */
const LOG_LIMIT_BYTES = 8 * 1024 * 1024;
/** Files that SQLite has beside a database with a write-ahead log. */
const BESIDE = ['-wal', '-shm'];
const DAMAGED = '.damaged';

/** Primary result codes (sqlite.org/rescode.html). */
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_NOTADB = 26;
/** Extended: the shared memory beside a write-ahead log could not be made larger, which is how a full disk shows there. */
const SQLITE_IOERR_SHMSIZE = 4874;

/**
 * A delivery has a row, each of its recordings one (`items`, as JSON), and each name under which something of it is
 * opened one (`names`): what a name stands for is one lookup. `ends` is when its links die, `due` when a sweep has to do
 * with it, both in ms since 1970.
 * `nth` counts the recordings that can be had; it is never more than `position`.
 */
const TABLES = `
CREATE TABLE deliveries (
  id INTEGER PRIMARY KEY AUTOINCREMENT, job TEXT NOT NULL UNIQUE,
  publisher TEXT NOT NULL, place TEXT, about TEXT,
  expires TEXT NOT NULL, ends INTEGER NOT NULL, due INTEGER NOT NULL, complete INTEGER NOT NULL DEFAULT 0,
  recordings INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0, zips TEXT NOT NULL DEFAULT '[]',
  revoked TEXT, removed INTEGER NOT NULL DEFAULT 0,
  opened INTEGER NOT NULL DEFAULT 0, last_opened TEXT
) STRICT;
CREATE INDEX deliveries_due ON deliveries (due);
CREATE TABLE items (
  delivery INTEGER NOT NULL REFERENCES deliveries ON DELETE CASCADE,
  position INTEGER NOT NULL, nth INTEGER, item TEXT NOT NULL, PRIMARY KEY (delivery, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE names (
  delivery INTEGER NOT NULL REFERENCES deliveries ON DELETE CASCADE,
  name TEXT NOT NULL, kind TEXT NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (delivery, name)
) STRICT, WITHOUT ROWID;
PRAGMA user_version = ${SCHEMA_VERSION};
`;

/**
 * Opens the database of deliveries, made where there is none. `synchronous = FULL`: what is committed survives a power
 * cut. @throws AppError `delivery.newer-store`; see {@link storeError}
 */
export function openDeliveryDatabase(path: string): DatabaseSync {
  let database: DatabaseSync | null = null;
  try {
    // Made here, for its mode; SQLite gives the files beside it the same.
    closeSync(openSync(path, 'a', 0o600));
    database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
    database.exec(`
      PRAGMA mmap_size = 0;
      PRAGMA cell_size_check = ON;
      PRAGMA foreign_keys = ON;
      PRAGMA auto_vacuum = INCREMENTAL;
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
      PRAGMA journal_size_limit = ${LOG_LIMIT_BYTES};
      PRAGMA cache_size = -${CACHE_KIB}`);
    const version = Number(database.prepare('PRAGMA user_version').get()?.['user_version']);
    if (version === 0) database.exec(`BEGIN IMMEDIATE; ${TABLES} COMMIT`);
    if (version > SCHEMA_VERSION) {
      throw new AppError(
        'delivery.newer-store',
        `${path} is of a later version of this program: run that, or move the file away (links already mailed stop working)`,
      );
    }
    return database;
  } catch (error) {
    database?.close();
    throw storeError(error, path);
  }
}

/**
 * What went wrong in the database, in our words: `delivery.broken-store` (retriable: a new one is opened) where its file
 * is damaged, else `delivery.unavailable` (retriable). What is no error of the database comes back as it is.
 */
export function storeError(error: unknown, path: string): unknown {
  if (error instanceof AppError || !(error instanceof Error) || !('code' in error)) return error;
  if (error.code !== 'ERR_SQLITE_ERROR') return error;
  const result = 'errcode' in error && typeof error.errcode === 'number' ? error.errcode : 0;
  const primary = result & 0xff;
  const options = { retriable: true, cause: error };
  if (primary === SQLITE_CORRUPT || primary === SQLITE_NOTADB) {
    return new AppError('delivery.broken-store', `${path} is damaged: ${messageOf(error)}`, options);
  }
  const isFull = primary === SQLITE_FULL || result === SQLITE_IOERR_SHMSIZE;
  const why = isFull ? 'the disk is full' : messageOf(error);
  return new AppError('delivery.unavailable', `${path} cannot be used: ${why}`, options);
}

/** Moves a damaged database out of the way, in place of one that was set aside before. Gives where it lies. */
export function setDatabaseAside(path: string): string {
  for (const suffix of ['', ...BESIDE]) {
    rmSync(path + DAMAGED + suffix, { force: true });
    if (existsSync(path + suffix)) renameSync(path + suffix, path + DAMAGED + suffix);
  }
  return path + DAMAGED;
}
