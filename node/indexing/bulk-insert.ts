import type { DatabaseSync } from 'node:sqlite';

/** Rows that one statement inserts: a third of the time of one by one. */
const ROWS_AT_ONCE = 50;

export interface BulkInsert {
  add(row: readonly (number | string)[]): void;
  /** Inserts what is left: until then not all rows are in the table. */
  end(): void;
  /** Forgets what is left. */
  drop(): void;
}

/** Inserts rows many at a time. `sql` is a statement up to its `VALUES`, `width` how many of these a row has. */
export function bulkInsert(database: DatabaseSync, sql: string, width: number): BulkInsert {
  const row = `(${Array.from({ length: width }, () => '?').join(', ')})`;
  const rows = Array.from({ length: ROWS_AT_ONCE }, () => row);
  const many = database.prepare(`${sql} VALUES ${rows.join(', ')}`);
  const one = database.prepare(`${sql} VALUES ${row}`);
  const values: (number | string)[] = [];
  return {
    add: (added) => {
      for (const value of added) values.push(value);
      if (values.length < width * ROWS_AT_ONCE) return;
      const all = values.splice(0);
      many.run(...all);
    },
    drop: () => {
      values.length = 0;
    },
    end: () => {
      const rest = values.splice(0);
      for (let at = 0; at < rest.length; at += width) one.run(...rest.slice(at, at + width));
    },
  };
}
