import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, rmSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import { type SourceName, sourceNameSchema } from '../../protocol/job.ts';
import { AppError } from '../platform/errors.ts';
import { createIndexBuilder } from './index-builder.ts';
import type { IndexBuilder, IndexReader, IndexWriter } from './index-database.ts';
import { broken, guarded } from './index-errors.ts';
import { createIndexReader } from './index-reader.ts';
import { createIndexWriter } from './index-writer.ts';
import {
  createBuildDatabase,
  examine,
  isComplete,
  markComplete,
  openReadable,
  openWritable,
} from './schema.ts';

/** What SQLite keeps beside a database. */
const BESIDE = ['', '-wal', '-shm', '-journal'];

/**
 * Opens the index of a source that counts: the one of the highest serial that is complete, has the present schema and
 * is sound. The others are removed. Null where there is none. Sound: SQLite's `quick_check` goes through every page (0.3 s
 * for a million files), which is what finds a file that was cut short or written over.
 * @throws AppError `index.locked` where another process is writing to it
 */
export function openIndex(directory: string, source: SourceName): IndexWriter | null {
  let counting: IndexWriter | null = null;
  for (const serial of serialsIn(directory, source).toReversed()) {
    const path = fileOf(directory, source, serial);
    counting ??= openIfSound(path, serial);
    if (counting?.serial !== serial) removeFiles(path);
  }
  return counting;
}

/** Begins the index of the next serial, in a directory that is made where it is missing. */
export function beginIndex(directory: string, source: SourceName): IndexBuilder {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const serial = (serialsIn(directory, source).at(-1) ?? 0) + 1;
  const path = fileOf(directory, source, serial);
  const database = guarded(path, () => createBuildDatabase(path));
  const goOn = (): IndexWriter => {
    // What was written without a sync is on disk before the file says that it is complete.
    sync(path);
    const writable = openWritable(path);
    markComplete(writable);
    sync(directory);
    return createIndexWriter(writable, path, serial);
  };
  const giveUp = (): void => removeFiles(path);
  return guarded(path, () => createIndexBuilder({ database, path, serial, goOn, giveUp }));
}

/** Opens an index for queries. @throws AppError `index.broken` where it is not there or none */
export function openReader(directory: string, source: SourceName, serial: number): IndexReader {
  const path = fileOf(directory, source, serial);
  return guarded(path, () => {
    const database = openReadable(path);
    try {
      return createIndexReader(database, path, serial);
    } catch (error) {
      database.close();
      throw error;
    }
  });
}

/** Removes the indexes of a source but for one: those that a new build has replaced. Who has one open can go on reading it. */
export function removeOtherIndexes(directory: string, source: SourceName, serial: number): void {
  for (const other of serialsIn(directory, source)) {
    if (other !== serial) removeFiles(fileOf(directory, source, other));
  }
}

/**
 * Removes the indexes of sources that have none any more (SOURCES, RECORDINGS_INDEX, S3_RECORDINGS_LAYOUT), which nobody
 * would open again; whose that were. For a node's start, when no index is open yet.
 */
export function removeLeftIndexes(directory: string, indexed: readonly SourceName[]): SourceName[] {
  return sourceNameSchema.options.filter((source) => {
    if (indexed.includes(source)) return false;
    const left = serialsIn(directory, source);
    for (const serial of left) removeFiles(fileOf(directory, source, serial));
    return left.length > 0;
  });
}

function openIfSound(path: string, serial: number): IndexWriter | null {
  let database: DatabaseSync | null = null;
  try {
    return guarded(path, () => {
      database = openWritable(path);
      if (!isComplete(database)) throw broken(path, 'not complete, or of another version');
      const damage = examine(database, 'quick_check');
      if (damage !== null) throw broken(path, damage);
      return createIndexWriter(database, path, serial);
    });
  } catch (error) {
    (database as DatabaseSync | null)?.close();
    if (error instanceof AppError && error.code === 'index.broken') return null;
    throw error;
  }
}

function fileOf(directory: string, source: SourceName, serial: number): string {
  return join(directory, `${source}-${serial}.db`);
}

/** Ascending. */
function serialsIn(directory: string, source: SourceName): number[] {
  if (!existsSync(directory)) return [];
  const pattern = new RegExp(`^${RegExp.escape(source)}-([1-9]\\d{0,14})\\.db$`);
  return readdirSync(directory)
    .flatMap((name) => pattern.exec(name)?.[1] ?? [])
    .map(Number)
    .toSorted((a, b) => a - b);
}

function removeFiles(path: string): void {
  for (const suffix of BESIDE) rmSync(path + suffix, { force: true });
}

function sync(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
