import { bestEffort } from '../platform/best-effort.ts';
import type { Clock } from '../platform/clock.ts';
import { codeOf, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { dayRangeOf } from '../recordings/day-folders.ts';
import {
  byTimeThenKey,
  type Candidate,
  type Confirm,
  isUnderServer,
  type Match,
  matchesOf,
  narrow,
  recordingOf,
  refuseTooMany,
} from '../recordings/match.ts';
import type { NumberOrder } from '../recordings/name.ts';
import type {
  FindResult,
  Measured,
  Recording,
  RecordingQuery,
  RecordingSource,
} from '../recordings/source.ts';
import type { IndexAccess, Settled } from './index-access.ts';
import type { IndexHit } from './index-database.ts';
import { confirmNearest, nearestIn } from './indexed-nearby.ts';

/** Recordings of unknown size that are looked at for a measure; with more there is none. */
const MAX_UNSIZED = 2000;
/** A confirmation does not wait longer for its numbers. */
const MEASURE_LIMIT_MS = 3000;
/** Nor an answer for what was near. */
const NEARBY_LIMIT_MS = 20_000;

export interface IndexedSourceOptions {
  /** Opens what was found, and searches where there is no index to be used. */
  readonly base: RecordingSource;
  readonly index: IndexAccess;
  /** RECORDINGS_ORDER. */
  readonly order: NumberOrder;
  readonly clock: Clock;
  readonly log: Log;
  /** Looks at what was found where it lies; without it the index is believed. */
  readonly confirm?: Confirm;
  /** A search that finds more is refused with `recordings.too-many`. */
  readonly maxRecordings?: number;
}

interface IndexCandidate extends Candidate {
  readonly hit: IndexHit;
}

interface Chosen {
  readonly matches: readonly Match<IndexCandidate>[];
  readonly narrowed: boolean | null;
}

/** A source that is searched by its index, and as without one where that cannot be used. */
export function createIndexedSource(options: IndexedSourceOptions): RecordingSource {
  const { base, index } = options;
  return {
    name: base.name,
    direct: base.direct,
    find: async (query, signal) => {
      signal.throwIfAborted();
      const begunMs = options.clock.monotonicMs();
      const settled = await index.settle(dayRangeOf(query), signal);
      const settledMs = options.clock.monotonicMs();
      const chosen = settled === null ? null : choose(options, settled, query);
      if (settled === null || chosen === null) return base.find(query, signal);
      const found = await confirmed(options, chosen, settled, signal);
      options.log.info('searched the recordings by their index', {
        matches: found.recordings.length,
        unreadable: found.unreadable.length,
        settleMs: Math.round(settledMs - begunMs),
        ms: Math.round(options.clock.monotonicMs() - begunMs),
      });
      return found;
    },
    measure: async (query, signal) => {
      try {
        const settled = await index.settle(dayRangeOf(query), signal, MEASURE_LIMIT_MS);
        const chosen = settled === null ? null : choose(options, settled, query);
        return chosen === null ? await base.measure(query, signal) : await measured(options, chosen, signal);
      } catch (error) {
        signal.throwIfAborted();
        options.log.debug('a search could not be measured', { code: codeOf(error), cause: messageOf(error) });
        return null;
      }
    },
    nearby: async (query, signal) => {
      signal.throwIfAborted();
      // As the search before it has settled it: what is near may be of any day, and settling all would take too long.
      const reader = index.present();
      const candidates =
        reader === null ? null : reading(options, () => nearestIn(reader, query, options.order));
      if (candidates === null) return base.nearby(query, signal);
      return bestEffort(options.clock, NEARBY_LIMIT_MS, signal, (inTime) =>
        confirmNearest(options, candidates, inTime),
      );
    },
    open: (recording, signal) => base.open(recording, signal),
  };
}

/** What the index holds for a query; null where it cannot be read. @throws AppError `recordings.too-many` */
function choose(options: IndexedSourceOptions, { reader }: Settled, query: RecordingQuery): Chosen | null {
  const { order, maxRecordings } = options;
  const read = reading(options, () => ({
    hits: reader.query(query),
    sawServer: query.server !== null && reader.hasFolderNamed(query.server),
  }));
  if (read === null) return null;
  const { hits, sawServer } = read;
  const server = query.server?.toLowerCase() ?? null;
  const isUnder = (key: string): boolean => server !== null && isUnderServer(key, server);
  const candidates = hits.map((hit) => ({ key: hit.key, hit, underServer: isUnder(hit.key) }));
  const { chosen, narrowed } = narrow(matchesOf(candidates, query, order), sawServer, query.server);
  refuseTooMany(chosen.length, maxRecordings);
  return { matches: chosen, narrowed };
}

/** What is read of the index; null where it cannot be. */
function reading<T>({ index, log }: IndexedSourceOptions, read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (codeOf(error) === 'index.broken') index.broken(error);
    else log.warn('the index cannot be read now', { code: codeOf(error), cause: messageOf(error) });
    return null;
  }
}

async function confirmed(
  { index, confirm }: IndexedSourceOptions,
  { matches, narrowed }: Chosen,
  { unreadable }: Settled,
  signal: AbortSignal,
): Promise<FindResult> {
  let recordings: readonly Recording[];
  if (confirm === undefined) {
    recordings = matches.map((match) => {
      const { sizeBytes, archived } = match.candidate.hit;
      return recordingOf(match, sizeBytes ?? 0, archived);
    });
  } else {
    const looked = await confirm(matches, signal);
    recordings = looked.recordings.toSorted(byTimeThenKey);
    if (looked.gone.length > 0) index.gone(looked.gone);
  }
  return { recordings, narrowedByServer: narrowed, unreadable };
}

/** Touches nothing but what nobody has looked at yet; null where that would be too much. */
async function measured(
  { confirm }: IndexedSourceOptions,
  { matches }: Chosen,
  signal: AbortSignal,
): Promise<Measured | null> {
  // A link that leads out of the tree has no size in the index, and a search does not find it.
  const unknown = matches.filter(({ candidate: { hit } }) => hit.sizeBytes === null || hit.sizeBytes === 0);
  let bytes = matches.reduce((sum, { candidate: { hit } }) => sum + (hit.sizeBytes ?? 0), 0);
  if (unknown.length === 0 || confirm === undefined) return { count: matches.length, bytes };
  if (unknown.length > MAX_UNSIZED) return null;
  const { recordings } = await confirm(unknown, signal);
  for (const { sizeBytes } of recordings) bytes += sizeBytes;
  return { count: matches.length - unknown.length + recordings.length, bytes };
}
