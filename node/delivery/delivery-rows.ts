import type { DatabaseSync, SQLInputValue, SQLOutputValue } from 'node:sqlite';
import * as z from 'zod';
import { AppError } from '../platform/errors.ts';
import { type DeliveredItem, type DeliveredZip, type Delivery, deliverySchema } from './manifest.ts';
import { nameOf } from './object-key.ts';

const rowSchema = z.object({
  id: z.int(),
  job: z.string(),
  publisher: z.enum(['web', 's3']),
  place: z.string().nullable(),
  about: z.string().nullable(),
  expires: z.string(),
  ends: z.int(),
  due: z.int(),
  complete: z.int(),
  recordings: z.int(),
  bytes: z.int(),
  zips: z.string(),
  revoked: z.string().nullable(),
  removed: z.int(),
  opened: z.int(),
  last_opened: z.string().nullable(),
});
/** A delivery without its recordings. */
export type DeliveryRow = z.infer<typeof rowSchema>;
export type NewRow = Pick<DeliveryRow, 'job' | 'publisher' | 'place' | 'about' | 'expires'>;

/** What a name stands for: a position among the recordings, or among the ZIPs. */
export interface NameRow {
  readonly kind: 'recording' | 'playing' | 'zip';
  readonly position: number;
}

/** The statements of the store. Each is a transaction of its own, unless it is in one. */
export interface DeliveryRows {
  /** All or nothing. */
  transaction<T>(work: () => T): T;
  row(job: string): DeliveryRow | null;
  /** In place of the one that there is of its job. Gives its id. */
  insert(row: NewRow): number;
  /** Removes it with all that is of it. */
  remove(id: number): void;
  /** Recordings from `first` on, of which `nth` before can be had. Gives their length as JSON. */
  addItems(id: number, first: number, nth: number, items: readonly DeliveredItem[]): number;
  /** Forgets its recordings. */
  dropItems(id: number): void;
  /** It is not delivered (any more): forgets its recordings and ZIPs. */
  reset(id: number): void;
  /** From then on it is delivered. */
  complete(id: number, delivery: Omit<Delivery, 'items'>, recordings: number): void;
  items(id: number): unknown[];
  /** Those that can be had, from the `offset`th on. */
  available(id: number, offset: number, limit: number): unknown[];
  item(id: number, position: number): unknown;
  name(id: number, name: string): NameRow | null;
  revoke(id: number, at: string, dueMs: number): void;
  /** What was revoked is gone. */
  removed(id: number, dueMs: number): void;
  postpone(id: number, dueMs: number): void;
  opened(job: string, at: string): void;
  due(nowMs: number, limit: number): DeliveryRow[];
  /** Those of the jobs that there is no row of. */
  unknown(jobs: readonly string[]): string[];
  jobsWith(prefix: string, limit: number): string[];
  list(openAtMs: number | null, limit: number): { readonly rows: DeliveryRow[]; readonly total: number };
  /** Gives pages that hold nothing back to the file system, a bounded number at a time. */
  vacuum(): void;
}

const VACUUMED_PAGES = 2_000;
const COLUMNS = Object.keys(rowSchema.shape).join(', ');
/** Rows for a sweep: what can be large is left out. */
const SLIM = COLUMNS.replace('about', 'NULL AS about').replace('zips', "'[]' AS zips");
/** By the index of `due`: what it costs depends on what is due alone. */
export const SELECT_DUE = `SELECT ${SLIM} FROM deliveries WHERE due <= ? ORDER BY due LIMIT ?`;
const OPEN = 'revoked IS NULL AND ends > ?1';

/** Prepares the statements. Each throws what SQLite throws. */
export function prepareRows(database: DatabaseSync): DeliveryRows {
  const all = (sql: string) => {
    const statement = database.prepare(sql);
    return (...values: SQLInputValue[]): Record<string, SQLOutputValue>[] => statement.all(...values);
  };
  const run = (sql: string) => {
    const statement = database.prepare(sql);
    return (...values: SQLInputValue[]): number => Number(statement.run(...values).lastInsertRowid);
  };
  const rowsOf = (sql: string) => {
    const found = all(sql);
    return (...values: SQLInputValue[]): DeliveryRow[] => found(...values).map(readRow);
  };
  const transaction = <T>(work: () => T): T => {
    if (database.isTransaction) return work();
    database.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      database.exec('COMMIT');
      return result;
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK');
      throw error;
    }
  };

  const row = rowsOf(`SELECT ${COLUMNS} FROM deliveries WHERE job = ?`);
  const removeJob = run('DELETE FROM deliveries WHERE job = ?');
  const remove = run('DELETE FROM deliveries WHERE id = ?');
  const insert = run(
    'INSERT INTO deliveries (job, publisher, place, about, expires, ends, due) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)',
  );
  const addItem = run('INSERT INTO items (delivery, position, nth, item) VALUES (?, ?, ?, ?)');
  // The first of a name counts: names are made so that there is one of each.
  const addName = run('INSERT OR IGNORE INTO names (delivery, name, kind, position) VALUES (?, ?, ?, ?)');
  const dropItems = run('DELETE FROM items WHERE delivery = ?');
  const dropNames = run('DELETE FROM names WHERE delivery = ?');
  const reset = run("UPDATE deliveries SET complete = 0, zips = '[]' WHERE id = ?");
  const complete = run(
    'UPDATE deliveries SET complete = 1, expires = ?2, ends = ?3, due = ?3, zips = ?4, bytes = ?5, recordings = ?6 WHERE id = ?1',
  );
  const items = all('SELECT item FROM items WHERE delivery = ? ORDER BY position');
  // `nth` never passes `position`, so that all before the offset is passed over unread.
  const available = all(
    'SELECT item FROM items WHERE delivery = ?1 AND position >= ?2 AND nth >= ?2 ORDER BY position LIMIT ?3',
  );
  const item = all('SELECT item FROM items WHERE delivery = ? AND position = ?');
  const name = all('SELECT kind, position FROM names WHERE delivery = ? AND name = ?');
  const revoke = run('UPDATE deliveries SET revoked = ?2, due = ?3 WHERE id = ?1');
  const removed = run('UPDATE deliveries SET removed = 1, due = ?2 WHERE id = ?1');
  const postpone = run('UPDATE deliveries SET due = ?2 WHERE id = ?1');
  const opened = run('UPDATE deliveries SET opened = opened + 1, last_opened = ?2 WHERE job = ?1');
  const due = rowsOf(SELECT_DUE);
  const unknown = all('SELECT value FROM json_each(?) WHERE value NOT IN (SELECT job FROM deliveries)');
  // No digit comes after `f`: a range of the index of `job`.
  const jobsWith = all(
    "SELECT job FROM deliveries WHERE job >= ?1 AND job < ?1 || 'g' ORDER BY job LIMIT ?2",
  );
  const listed = rowsOf(`SELECT ${COLUMNS} FROM deliveries ORDER BY id DESC LIMIT ?1`);
  const listedOpen = rowsOf(`SELECT ${COLUMNS} FROM deliveries WHERE ${OPEN} ORDER BY id DESC LIMIT ?2`);
  const count = all('SELECT count(*) AS total FROM deliveries');
  const countOpen = all(`SELECT count(*) AS total FROM deliveries WHERE ${OPEN}`);
  const vacuum = all(`PRAGMA incremental_vacuum(${VACUUMED_PAGES})`);

  const addNames = (id: number, position: number, { key, playKey, fileName }: DeliveredItem): void => {
    if (key !== null) addName(id, fileName, 'recording', position);
    if (playKey !== null) addName(id, nameOf(playKey), 'playing', position);
  };
  const drop = (id: number): void => {
    dropItems(id);
    dropNames(id);
  };
  return {
    transaction,
    row: (job) => row(job)[0] ?? null,
    insert: (made) =>
      transaction(() => {
        removeJob(made.job);
        return insert(made.job, made.publisher, made.place, made.about, made.expires, msOf(made.expires));
      }),
    remove: (id) => void remove(id),
    addItems: (id, first, nth, added) =>
      transaction(() => {
        let next = nth;
        let length = 0;
        for (const [index, one] of added.entries()) {
          const position = first + index;
          const text = JSON.stringify(one);
          length += text.length;
          addItem(id, position, one.key === null ? null : next, text);
          if (one.key !== null) next += 1;
          addNames(id, position, one);
        }
        return length;
      }),
    dropItems: (id) => transaction(() => drop(id)),
    reset: (id) =>
      transaction(() => {
        drop(id);
        reset(id);
      }),
    complete: (id, { expiresAt, zips, totalBytes }, recordings) =>
      transaction(() => {
        for (const [position, zip] of zips.entries()) addName(id, nameOf(zip.key), 'zip', position);
        complete(id, expiresAt, msOf(expiresAt), JSON.stringify(zips), totalBytes, recordings);
      }),
    items: (id) => items(id).map(parseItem),
    available: (id, offset, limit) => available(id, offset, limit).map(parseItem),
    item: (id, position) => item(id, position).map(parseItem)[0],
    name: (id, asked) => (name(id, asked)[0] as unknown as NameRow | undefined) ?? null,
    revoke: (id, at, dueMs) => void revoke(id, at, dueMs),
    removed: (id, dueMs) => void removed(id, dueMs),
    postpone: (id, dueMs) => void postpone(id, dueMs),
    opened: (job, at) => void opened(job, at),
    due,
    unknown: (jobs) => unknown(JSON.stringify(jobs)).map(({ value }) => String(value)),
    jobsWith: (prefix, limit) => jobsWith(prefix, limit).map(({ job }) => String(job)),
    list: (openAtMs, limit) => {
      const rows = openAtMs === null ? listed(limit) : listedOpen(openAtMs, limit);
      const [counted] = openAtMs === null ? count() : countOpen(openAtMs);
      return { rows, total: Number(counted?.['total'] ?? 0) };
    },
    vacuum: () => void vacuum(),
  };
}

/** When an instant has come for certain, in whole milliseconds since 1970. */
export function msOf(instant: string): number {
  return Math.ceil(Number(Temporal.Instant.from(instant).epochNanoseconds) / 1_000_000);
}

/** The ZIPs of a row. @throws AppError `delivery.broken-record` */
export function zipsOf(row: DeliveryRow): DeliveredZip[] {
  return understood(row.job, () => deliverySchema.shape.zips.parse(JSON.parse(row.zips)));
}

/** @throws AppError `delivery.broken-record` where what was read is not what was written; other AppErrors of `read` */
export function understood<T>(job: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof AppError ? error : brokenRecord(job, error);
  }
}

function parseItem({ item }: Record<string, SQLOutputValue>): unknown {
  return JSON.parse(String(item));
}

function readRow(row: Record<string, SQLOutputValue>): DeliveryRow {
  const parsed = rowSchema.safeParse(row);
  if (parsed.success) return parsed.data;
  throw brokenRecord(String(row['job']), parsed.error);
}

function brokenRecord(job: string, cause: unknown): AppError {
  return new AppError('delivery.broken-record', `the record of the delivery of ${job} is none`, { cause });
}
