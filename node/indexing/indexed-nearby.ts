import { type Candidate, type Confirm, isUnderServer, type Match } from '../recordings/match.ts';
import { type NumberOrder, parseRecordingName } from '../recordings/name.ts';
import { isOfSystem, nearbyOf } from '../recordings/nearby.ts';
import type { Nearby, NearbyRecording, RecordingQuery } from '../recordings/source.ts';
import type { IndexAccess } from './index-access.ts';
import type { IndexReader, NearestQuery } from './index-database.ts';

/** Recordings on each side of a range that are looked at where they lie: the nearest may be gone. */
const CANDIDATES = 8;

/** An extension's nearest recordings on both sides, the nearest first. */
export interface NearestCandidates {
  readonly extension: string;
  readonly before: readonly Match<Candidate>[];
  readonly after: readonly Match<Candidate>[];
}

/**
 * What the index has beside a range, of the query's server where anything tells servers apart; null where a bounded
 * look did not tell. @throws as `IndexReader.query`
 */
export function nearestIn(
  reader: IndexReader,
  query: RecordingQuery,
  order: NumberOrder,
): readonly NearestCandidates[] | null {
  const server = query.server?.toLowerCase() ?? null;
  const everything = (): boolean => true;
  if (server === null) return besideOf(reader, query, order, everything);
  const isOfServer = (key: string): boolean => {
    const parsed = parseRecordingName(nameOf(key), order);
    return isUnderServer(key, server) || (parsed !== null && isOfSystem(parsed, server));
  };
  const ofServer = besideOf(reader, query, order, isOfServer);
  if (reader.hasFolderNamed(server)) return ofServer;
  const isAny = ofServer?.some(({ before, after }) => before.length + after.length > 0) ?? false;
  return isAny ? ofServer : besideOf(reader, query, order, everything);
}

function besideOf(
  reader: IndexReader,
  { extensions, start, end }: RecordingQuery,
  order: NumberOrder,
  wanted: NearestQuery['wanted'],
): readonly NearestCandidates[] | null {
  const found: NearestCandidates[] = [];
  for (const extension of extensions) {
    const common = { extension, limit: CANDIDATES, wanted };
    const before = reader.nearest({ ...common, side: 'before', moment: start });
    const after = reader.nearest({ ...common, side: 'after', moment: end });
    if (before === null || after === null) return null;
    const matches = (hits: readonly { readonly key: string }[]): Match<Candidate>[] =>
      hits.flatMap(({ key }) => {
        const parsed = parseRecordingName(nameOf(key), order);
        return parsed === null ? [] : [{ candidate: { key, underServer: false }, parsed }];
      });
    found.push({ extension, before: matches(before), after: matches(after) });
  }
  return found;
}

/** The nearest of each that are there; null where all candidates of a side are gone, so that nobody knows. */
export async function confirmNearest(
  { index, confirm }: { readonly index: Pick<IndexAccess, 'gone'>; readonly confirm?: Confirm },
  candidates: readonly NearestCandidates[],
  signal: AbortSignal,
): Promise<Nearby | null> {
  const all = candidates.flatMap(({ before, after }) => [...before, ...after]);
  const looked = await confirm?.(all, signal);
  const gone = new Set(looked?.gone);
  if (gone.size > 0) index.gone([...gone]);
  const there = new Set(looked?.recordings.map(({ key }) => key));
  const isThere = ({ candidate: { key } }: Match<Candidate>): boolean =>
    looked === undefined || (there.has(key) && !gone.has(key));

  const unknown = candidates
    .flatMap(({ before, after }) => [before, after])
    .some((side) => side.length === CANDIDATES && !side.some(isThere));
  if (unknown) return null;
  const first = (side: readonly Match<Candidate>[]): NearbyRecording | null => {
    const match = side.find(isThere);
    return match === undefined ? null : nearbyOf(match.parsed);
  };
  return {
    extensions: candidates.map(({ extension, before, after }) => {
      return { extension, before: first(before), after: first(after) };
    }),
    days: null,
  };
}

function nameOf(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1);
}
