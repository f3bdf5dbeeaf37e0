import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { AppError } from '../platform/errors.ts';
import type { IndexHit, IndexQuery, IndexReader, NearestQuery } from './index-database.ts';
import { broken, indexError } from './index-errors.ts';
import { isArchived, nameOfPosting, numberOf, sizeOf, startOf } from './index-name.ts';
import { prefixOfFolder } from './key-ranges.ts';
import { arrays } from './schema.ts';

/** Paths of folders that are kept: all of most trees. */
const MAX_PATHS = 100_000;

/** Rows that are looked at for what is nearest: more where there is nothing wanted among the first. */
const NEAREST_ROWS = [64, 1024, 16_384];

const FOUND = 'SELECT start, folder, rest, stored,';
const ASKED = 'WHERE number = ?1 AND start BETWEEN ?2 AND ?3';

/** Of both tables, each of which has them in this order. */
const BESIDE = {
  before: 'WHERE number = ?1 AND start < ?2',
  after: 'WHERE number = ?1 AND start > ?2',
};
const NEAREST_FIRST = { before: 'ORDER BY start DESC LIMIT ?3', after: 'ORDER BY start LIMIT ?3' };

type Row = readonly [start: number, folder: number, rest: string, stored: number, fresh: number];

interface RawHit {
  readonly start: number;
  readonly key: string;
  readonly stored: number;
  readonly fresh: number;
}

/** Reads an index by a connection of its own. It closes that when it is disposed of. */
export function createIndexReader(database: DatabaseSync, path: string, serial: number): IndexReader {
  const postings = arrays(
    database,
    `${FOUND} 0 FROM postings ${ASKED} UNION ALL ${FOUND} 1 FROM fresh ${ASKED}`,
  );
  const beside = (side: NearestQuery['side']): StatementSync =>
    arrays(
      database,
      `${FOUND} 0 FROM postings ${BESIDE[side]} UNION ALL ${FOUND} 1 FROM fresh ${BESIDE[side]} ${NEAREST_FIRST[side]}`,
    );
  const nearestOf = { before: beside('before'), after: beside('after') };
  const pathOf = arrays(database, 'SELECT path FROM folders WHERE id = ?');
  const word = arrays(database, 'SELECT 1 FROM folder_names WHERE name = ? LIMIT 1');
  /** A folder's path never changes, and its id is not given again. */
  const prefixes = new Map<number, string>();

  const prefixOf = (folder: number): string => {
    const known = prefixes.get(folder);
    if (known !== undefined) return known;
    const found = (pathOf.get(folder) as unknown as [string] | undefined)?.[0];
    if (found === undefined) throw new Error(`folder ${folder} is nowhere`);
    const prefix = prefixOfFolder(found);
    if (prefixes.size >= MAX_PATHS) prefixes.clear();
    prefixes.set(folder, prefix);
    return prefix;
  };

  const rawHits = (number: number, rows: readonly Row[]): RawHit[] =>
    rows.map(([start, folder, rest, stored, fresh]) => {
      const name = nameOfPosting(number, start, rest);
      if (name === null) throw new Error(`a row that nobody wrote: ${number} ${start}`);
      return { start, key: prefixOf(folder) + name, stored, fresh };
    });

  const hitsOf = ({ extensions, start, end }: IndexQuery): RawHit[] => {
    const hits: RawHit[] = [];
    const [first, last] = [startOf(start), startOf(end)];
    for (const extension of new Set(extensions)) {
      const number = numberOf(extension);
      if (number === null) continue;
      for (const hit of rawHits(number, postings.all(number, first, last) as unknown as Row[]))
        hits.push(hit);
    }
    return hits;
  };

  const nearestTo = ({ extension, side, moment, limit, wanted }: NearestQuery): IndexHit[] | null => {
    const number = numberOf(extension);
    if (number === null) return [];
    for (const count of NEAREST_ROWS) {
      const rows = nearestOf[side].all(number, startOf(moment), count) as unknown as Row[];
      const hits = ordered(rawHits(number, rows)).filter(({ key }) => wanted(key));
      if (side === 'before') hits.reverse();
      if (hits.length > 0 || rows.length < count) return hits.slice(0, limit);
    }
    return null;
  };

  /** In one transaction, so that all of it is of one moment. */
  const reading = <T>(work: () => T): T => {
    try {
      database.exec('BEGIN');
      try {
        return work();
      } finally {
        if (database.isTransaction) database.exec('COMMIT');
      }
    } catch (error) {
      const ours = indexError(error, path);
      // Nothing else can be wrong here than what the file holds.
      throw ours instanceof AppError ? ours : broken(path, error);
    }
  };

  return {
    serial,
    query: (asked) => reading(() => ordered(hitsOf(asked))),
    nearest: (asked) => reading(() => nearestTo(asked)),
    hasFolderNamed: (name) => reading(() => word.get(name.toLowerCase()) !== undefined),
    [Symbol.dispose]: () => {
      if (database.isOpen) database.close();
    },
  };
}

/** By start, then key; each once (what two of the extensions have in common; what is fresh and replaces another). */
function ordered(hits: RawHit[]): IndexHit[] {
  hits.sort((a, b) => a.start - b.start || (a.key < b.key ? -1 : a.key > b.key ? 1 : b.fresh - a.fresh));
  return hits
    .filter(({ key }, index) => key !== hits[index - 1]?.key)
    .map(({ key, stored }) => ({ key, sizeBytes: sizeOf(stored), archived: isArchived(stored) }));
}
