import type { DatabaseSync } from 'node:sqlite';
import { bulkInsert } from './bulk-insert.ts';
import { homeOf, type IndexName, otherOf } from './index-name.ts';

/**
 * Files that a build holds before it writes them in order: about 100 MB. A million and a little, so that the trees that
 * this is for are written in one go; twice as many in two.
 */
const MAX_FILES = 1_048_576;
const FIRST_FILES = 16_384;
const FIRST_BYTES = FIRST_FILES * 64;
/** A name is of 255 characters at most, of up to 3 bytes in UTF-8. */
const MAX_NAME_BYTES = 3 * 255;
/** 2,048 places to write to at a time stay within the processor's nearest cache. */
const RADIX_BITS = 11;
const RADIX = 2 ** RADIX_BITS;
const SECONDS_PER_DAY = 86_400;

/** A run of files in memory: columns, and their names in one buffer. */
export interface IndexRun {
  readonly count: number;
  readonly full: boolean;
  push(folder: number, name: string, hash: number, read: IndexName, stored: number): void;
  /** Of the names of one folder. */
  hashesOf(folder: number): Iterable<number>;
  /** Writes all into the tables, each in the order of its key, and forgets it. */
  writeTo(database: DatabaseSync): void;
}

interface Columns {
  readonly folder: Uint32Array;
  readonly start: Float64Array;
  /** 0: none. */
  readonly first: Uint32Array;
  readonly second: Uint32Array;
  readonly stored: Float64Array;
  readonly hash: Float64Array;
  /** Where the name ends in the buffer; it begins where the one before ends. */
  readonly nameEnd: Uint32Array;
}

export function createIndexRun(): IndexRun {
  let columns = columnsFor(FIRST_FILES);
  let names = Buffer.allocUnsafe(FIRST_BYTES);
  let count = 0;
  let nameBytes = 0;
  let isAscii = true;

  const nameAt = (index: number): string => {
    const from = index === 0 ? 0 : columns.nameEnd[index - 1];
    // Latin 1 is read in half the time, and is the same where there is nothing but ASCII.
    return names.toString(isAscii ? 'latin1' : 'utf8', from, columns.nameEnd[index]);
  };

  return {
    get count() {
      return count;
    },
    get full() {
      return count >= MAX_FILES;
    },
    push: (folder, name, hash, read, stored) => {
      if (count === columns.folder.length) columns = enlarged(columns);
      if (nameBytes + MAX_NAME_BYTES > names.length) {
        names = Buffer.concat([names.subarray(0, nameBytes)], names.length * 2);
      }
      const length = names.write(name, nameBytes);
      isAscii &&= length === name.length;
      nameBytes += length;
      columns.folder[count] = folder;
      columns.start[count] = read.start;
      columns.first[count] = read.first ?? 0;
      columns.second[count] = read.second ?? 0;
      columns.stored[count] = stored;
      columns.hash[count] = hash;
      columns.nameEnd[count] = nameBytes;
      count += 1;
    },
    *hashesOf(folder) {
      for (let index = 0; index < count; index += 1) {
        if (columns.folder[index] === folder) yield columns.hash[index] ?? 0;
      }
    },
    writeTo: (database) => {
      write(database, columns, count, nameAt);
      columns = columnsFor(FIRST_FILES);
      names = Buffer.allocUnsafe(FIRST_BYTES);
      count = 0;
      nameBytes = 0;
      isAscii = true;
    },
  };
}

function columnsFor(files: number): Columns {
  return {
    folder: new Uint32Array(files),
    start: new Float64Array(files),
    first: new Uint32Array(files),
    second: new Uint32Array(files),
    stored: new Float64Array(files),
    hash: new Float64Array(files),
    nameEnd: new Uint32Array(files),
  };
}

function enlarged(columns: Columns): Columns {
  const larger = columnsFor(columns.folder.length * 2);
  for (const name of Object.keys(columns) as (keyof Columns)[]) larger[name].set(columns[name]);
  return larger;
}

function write(
  database: DatabaseSync,
  columns: Columns,
  count: number,
  nameAt: (index: number) => string,
): void {
  const { folder, start, first, second, stored, hash } = columns;
  const homeNumber = (index: number): number => first[index] || (second[index] ?? 0);
  const byStart = orderBy(count, (index) => secondsOf(start[index] ?? 0));

  const unsized = bulkInsert(database, 'INSERT OR IGNORE INTO unsized', 2);
  for (const index of byStart) {
    if ((stored[index] ?? 0) < 0) unsized.add([start[index] ?? 0, homeNumber(index)]);
  }
  unsized.end();

  const listing = bulkInsert(database, 'INSERT OR IGNORE INTO listing', 4);
  const byFolder = Uint32Array.from(byStart);
  radixSort(
    byFolder.map((index) => folder[index] ?? 0),
    byFolder,
  );
  for (const index of byFolder) {
    listing.add([folder[index] ?? 0, start[index] ?? 0, homeNumber(index), hash[index] ?? 0]);
  }
  listing.end();

  const postings = bulkInsert(database, 'INSERT OR IGNORE INTO postings', 5);
  for (const entry of postingsByNumber(byStart, columns)) {
    const index = entry >>> 1;
    const name = nameAt(index);
    const read = { start: 0, first: first[index] || null, second: second[index] || null };
    const posting = entry % 2 === 1 ? otherOf(name, read) : homeOf(name, read);
    if (posting === null) continue;
    const { number, rest } = posting;
    postings.add([number, start[index] ?? 0, folder[index] ?? 0, rest, stored[index] ?? 0]);
  }
  postings.end();
}

/** Postings by number and within that as `order` has their files: twice the index of the file, plus one for its other number. */
function postingsByNumber(order: Uint32Array, { first, second }: Columns): Uint32Array {
  const entries = new Uint32Array(order.length * 2);
  const numbers = new Uint32Array(order.length * 2);
  let length = 0;
  const add = (entry: number, number: number): void => {
    entries[length] = entry;
    numbers[length] = number;
    length += 1;
  };
  for (const index of order) {
    const [one, two] = [first[index] ?? 0, second[index] ?? 0];
    add(index * 2, one === 0 ? two : one);
    if (one !== 0 && two !== 0) add(index * 2 + 1, two);
  }
  radixSort(numbers.subarray(0, length), entries.subarray(0, length));
  return entries.subarray(0, length);
}

/** The numbers from 0 up to `count`, ordered by a key of 32 bits each. */
function orderBy(count: number, keyOf: (index: number) => number): Uint32Array {
  const order = new Uint32Array(count);
  const keys = new Uint32Array(count);
  for (let index = 0; index < count; index += 1) {
    order[index] = index;
    keys[index] = keyOf(index);
  }
  radixSort(keys, order);
  return order;
}

/** A number that grows with the start; it repeats after 130 years, which costs some order and nothing else. */
function secondsOf(start: number): number {
  const date = Math.floor(start / 1_000_000);
  const time = start % 1_000_000;
  const day = Math.floor(date / 10_000) * 372 + (Math.floor(date / 100) % 100) * 31 + (date % 100);
  const seconds = Math.floor(time / 10_000) * 3_600 + (Math.floor(time / 100) % 100) * 60 + (time % 100);
  return (day * SECONDS_PER_DAY + seconds) >>> 0;
}

interface Sorted {
  readonly keys: Uint32Array;
  readonly values: Uint32Array;
}

/** Sorts keys and the values beside them, and keeps the order of equal ones: a fraction of the time of a comparing sort. */
function radixSort(keys: Uint32Array, values: Uint32Array): void {
  let from: Sorted = { keys, values };
  let to: Sorted = { keys: new Uint32Array(keys.length), values: new Uint32Array(keys.length) };
  for (let shift = 0; shift < 32; shift += RADIX_BITS) {
    const places = new Uint32Array(RADIX + 1);
    for (const key of from.keys) {
      const next = ((key >>> shift) & (RADIX - 1)) + 1;
      places[next] = (places[next] ?? 0) + 1;
    }
    for (let digit = 1; digit <= RADIX; digit += 1) {
      places[digit] = (places[digit] ?? 0) + (places[digit - 1] ?? 0);
    }
    for (let index = 0; index < from.keys.length; index += 1) {
      const key = from.keys[index] ?? 0;
      const digit = (key >>> shift) & (RADIX - 1);
      const place = places[digit] ?? 0;
      places[digit] = place + 1;
      to.keys[place] = key;
      to.values[place] = from.values[index] ?? 0;
    }
    [from, to] = [to, from];
  }
  // An odd number of passes has left it in the others.
  keys.set(from.keys);
  values.set(from.values);
}
