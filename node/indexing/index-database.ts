import type { WallTime } from '../recordings/source.ts';

/**
 * The index of one source as it lies on disk: `<STATE_DIR>/index/<source>-<serial>.db`, SQLite with a write-ahead log.
 * The file of the highest serial that is complete counts; others are removed when it is opened. A build makes the next
 * serial, so that the present one serves meanwhile and a crash leaves nothing half-done in use. One thread writes;
 * another reads by a connection of its own.
 */

/** A folder of recordings: a directory, or the part of an object's key before the last `/`. */
export interface FolderRow {
  readonly id: number;
  /** Below the root, with `/`; empty for the root itself. */
  readonly path: string;
  /** What tells whether it changed since it was last read whole (for a directory the later of mtime and ctime, in ms); null: it must be read. */
  readonly settled: number | null;
}

/** A file as a folder lists it. */
export interface ListedFile {
  readonly name: string;
  /** Null where nobody has looked yet. */
  readonly sizeBytes: number | null;
  readonly archived?: boolean;
}

/** A recording that the index knows. */
export interface IndexHit {
  /** Folder path and name, with `/`. */
  readonly key: string;
  readonly sizeBytes: number | null;
  readonly archived: boolean;
}

export interface IndexQuery {
  readonly extensions: readonly string[];
  /** Both included. */
  readonly start: WallTime;
  readonly end: WallTime;
}

/** What lies beside a moment. */
export interface NearestQuery {
  readonly extension: string;
  readonly side: 'before' | 'after';
  /** Not included. */
  readonly moment: WallTime;
  /** At most so many. */
  readonly limit: number;
  /** By key: which are asked for. */
  readonly wanted: (key: string) => boolean;
}

/** Written by one thread. What is not put into a transaction is one of its own. */
export interface IndexWriter extends Disposable {
  readonly path: string;
  readonly serial: number;
  folders(): FolderRow[];
  /** Inserts it or changes `settled`; gives its id. */
  putFolder(path: string, settled: number | null): number;
  /** Removes it and the folders below it with all their files; how many files. */
  removeFolder(id: number): number;
  /**
   * Adds files that are not there yet, and changes size and storage of those that are. Names that no request can
   * match (no recording's, or without a number of 3 to 8 digits) are passed over. How many are new.
   */
  add(folder: number, files: readonly ListedFile[]): number;
  /** How many were there. */
  remove(folder: number, names: readonly string[]): number;
  /** Makes a folder hold exactly these. Bounded memory for a folder of two million files. */
  replace(folder: number, files: Iterable<ListedFile>): { readonly added: number; readonly removed: number };
  /**
   * As `replace`, of the names after `after` (not included) up to `upTo` (included) alone, compared as UTF-8 bytes; null:
   * no bound there. For a bucket, whose listing comes in pages of about 1,000 keys in that order: a folder of a million
   * names is gone through in a thousand calls, so a call must not cost more than its own range.
   */
  replaceRange(
    folder: number,
    range: { readonly after: string | null; readonly upTo: string | null },
    files: readonly ListedFile[],
  ): { readonly added: number; readonly removed: number };
  /** Files of unknown size, at most `limit`, the newest by start time first. */
  unsized(limit: number): readonly { readonly folder: number; readonly name: string }[];
  counts(): { readonly files: number; readonly folders: number };
  /** Small facts of the keeper (watermarks, instants); null where there is none. */
  fact(name: string): string | null;
  setFact(name: string, value: string | null): void;
  /** All or nothing, and far faster than one by one. */
  transaction<T>(work: () => T): T;
  /** SQLite's own examination; null where it is sound. */
  check(): string | null;
}

/** A writer that fills a new file fast, without a thought for crashes: until `complete` nobody opens it. */
export interface IndexBuilder extends IndexWriter {
  /** Makes it durable and the one that counts; it goes on as the writer. */
  complete(): void;
}

/** Reads only; sees what is committed. */
export interface IndexReader extends Disposable {
  readonly serial: number;
  /** By start time, then key; each recording once. @throws AppError `index.broken` where the file is damaged */
  query(query: IndexQuery): IndexHit[];
  /**
   * The extension's recordings beside a moment, the nearest first. Null where a bounded number was looked at and not one
   * was wanted, though there are more. @throws as `query`
   */
  nearest(query: NearestQuery): IndexHit[] | null;
  /** Whether a folder anywhere is called like this, in any case of letters. */
  hasFolderNamed(name: string): boolean;
}
