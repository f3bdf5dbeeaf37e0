import { makeClient, type S3Account } from '../bucket/client.ts';
import { type HasWarnings, watchCredentials } from '../bucket/credentials.ts';
import { emptyBucket } from '../bucket/errors.ts';
import { createLister, type Lister } from '../bucket/lister.ts';
import { createPresigner } from '../bucket/presign.ts';
import { loadS3Sdk } from '../bucket/sdk.ts';
import { bestEffort } from '../platform/best-effort.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { BucketLayout } from './bucket-layout.ts';
import { openObject } from './bucket-object.ts';
import { type BucketPlace, isRestricted, searchBucket, type SearchResult } from './bucket-search.ts';
import { byTimeThenKey, matchesOf, narrow, recordingOf, refuseTooMany } from './match.ts';
import type { NumberOrder } from './name.ts';
import { gatherNearest } from './nearby.ts';
import type {
  FindResult,
  Measured,
  Nearby,
  Recording,
  RecordingQuery,
  RecordingSource,
  WallTime,
} from './source.ts';

/** Of one search: ten million objects. */
const MAX_PAGES = 10_000;
/** The confirmation waits for its numbers no longer than about a second, and so many pages. */
const MAX_MEASURED_PAGES = 40;
const MEASURE_MS = 3_000;
/** What is looked at beside a search that found nothing: so many days on each side, pages of each, and no longer. */
const NEARBY_DAYS = 7;
const MAX_NEARBY_PAGES = 200;
const NEARBY_MS = 20_000;

export interface S3SourceOptions extends S3Account {
  /** S3_RECORDINGS_BUCKET. */
  readonly bucket: string;
  /** S3_RECORDINGS_PREFIX, without slashes at its ends; may be empty. */
  readonly prefix: string;
  /** S3_RECORDINGS_LAYOUT. */
  readonly layout: BucketLayout;
  /** Of the same bucket, where results are published: is never searched. Without slashes at its ends; null: no such prefix. */
  readonly except: string | null;
  /** RECORDINGS_ORDER. */
  readonly order: NumberOrder;
  readonly clock: Clock;
  readonly log: Log;
  /** A search that finds more is refused with `recordings.too-many`. */
  readonly maxRecordings?: number;
  /** A recording's body that brings nothing for so long has broken off. */
  readonly idleMs?: number;
}

interface Source {
  readonly options: S3SourceOptions;
  readonly lister: Lister;
  readonly place: BucketPlace;
}

/**
 * Recordings in a bucket, searched by listing: with a dated layout the directories of the days in question, else all of
 * it (which an index spares). They open where they lie, by presigned links. Errors: `recordings.unavailable` (retriable)
 * and `recordings.refused`, which says what to do.
 */
export async function createS3Source(options: S3SourceOptions): Promise<RecordingSource & HasWarnings> {
  const sdk = await loadS3Sdk();
  const client = makeClient(sdk, options);
  const { bucket, clock, log } = options;
  const place = placeOf(options);
  const source: Source = { options, lister: createLister({ sdk, client, bucket, clock }), place };
  const presigner = createPresigner({ sdk, client, bucket, use: 'recordings', clock });
  const reader = { ...options, sdk, client };
  return {
    name: 's3',
    direct: {
      link: async ({ key }, as, expiresAt) =>
        canBeLinked(place.root + key) ? presigner.link(place.root + key, as, expiresAt) : null,
      linksUntil: presigner.linksUntil,
    },
    find: (query, signal) => find(source, query, signal),
    measure: (query, signal) => measure(source, query, signal),
    nearby: (query, signal) => nearby(source, query, signal),
    open: (recording, signal) => openObject(reader, place.root + recording.key, recording, signal),
    ...watchCredentials({ client, use: 'recordings', clock, log }),
  };
}

/** Browsers leave `.` and `..` out of a path before they ask for it (WHATWG URL): it is not what was signed any more. */
function canBeLinked(key: string): boolean {
  return !key.split('/').some((segment) => segment === '.' || segment === '..');
}

/** Where the recordings of these options lie. */
function placeOf({
  layout,
  prefix,
  except,
}: Pick<S3SourceOptions, 'layout' | 'prefix' | 'except'>): BucketPlace {
  return { layout, root: prefix === '' ? '' : `${prefix}/`, except: except === null ? null : `${except}/` };
}

async function find(source: Source, query: RecordingQuery, signal: AbortSignal): Promise<FindResult> {
  signal.throwIfAborted();
  const { options, lister, place } = source;
  const { clock, log } = options;
  const begun = clock.monotonicMs();
  const searched = await searchBucket(lister, place, query, MAX_PAGES, signal);
  if (searched.objects === 0) await examineNothing(source, query, signal);
  const { recordings, narrowed } = recordingsOf(source, query, searched);
  log.info('searched the recordings in the bucket', {
    directories: searched.directories,
    pages: searched.pages,
    objects: searched.objects,
    matches: recordings.length,
    unreadable: searched.unreadable.length,
    ms: Math.round(clock.monotonicMs() - begun),
  });
  return { recordings, narrowedByServer: narrowed, unreadable: searched.unreadable.toSorted() };
}

/**
 * A layout with `{server}` tells servers apart for certain: one that has no directory has no recordings there, and those
 * of the others are not to be given in its stead. Elsewhere it is as on disk. @throws AppError `recordings.too-many`
 */
function recordingsOf(
  { options, place }: Source,
  query: RecordingQuery,
  searched: SearchResult,
): { readonly recordings: readonly Recording[]; readonly narrowed: boolean | null } {
  const matches = matchesOf(searched.found, query, options.order);
  const { chosen, narrowed } = isRestricted(place, query)
    ? { chosen: matches, narrowed: true }
    : narrow(matches, searched.sawServer, query.server);
  refuseTooMany(chosen.length, options.maxRecordings);
  const recordings = chosen.map((match) => {
    const { sizeBytes, archived } = match.candidate.object;
    return recordingOf(match, sizeBytes, archived);
  });
  return { recordings: recordings.toSorted(byTimeThenKey), narrowed };
}

/**
 * Nothing lies in the directories of these days. That may be so; or the settings lead to where nothing is, which an answer
 * of "nothing found" would hide. @throws AppError `recordings.unavailable` where there is nothing at all
 */
async function examineNothing(
  { options, lister, place }: Source,
  query: RecordingQuery,
  signal: AbortSignal,
): Promise<void> {
  const { bucket, log } = options;
  const top = await lister.page({ prefix: place.root, delimiter: '/', limit: 100 }, signal);
  const names = [...top.directories, ...top.objects.map(({ key }) => key)].filter(
    (name) => name !== place.except && name !== place.root,
  );
  if (names.length === 0 && top.token === null) {
    throw emptyBucket(bucket, place.root);
  }
  log.warn('the bucket has nothing in the directories of these days: does S3_RECORDINGS_LAYOUT fit it?', {
    start: query.start,
    end: query.end,
    server: query.server,
    there: names.slice(0, 5).join(' '),
  });
}

/** By the search itself, as long as that is quick: a directory's listing tells the sizes of what it lists. */
async function measure(source: Source, query: RecordingQuery, signal: AbortSignal): Promise<Measured | null> {
  return bestEffort(source.options.clock, MEASURE_MS, signal, async (inTime) => {
    const { lister, place } = source;
    const searched = await searchBucket(lister, place, query, MAX_MEASURED_PAGES, inTime);
    if (searched.unreadable.length > 0) return null;
    const { recordings } = recordingsOf(source, query, searched);
    return { count: recordings.length, bytes: recordings.reduce((sum, one) => sum + one.sizeBytes, 0) };
  });
}

/** The directories of some days before the range and after it; a bucket without such would have to be listed whole. */
async function nearby(source: Source, query: RecordingQuery, signal: AbortSignal): Promise<Nearby | null> {
  const { options, lister, place } = source;
  if (place.layout.kind === 'flat') return null;
  return bestEffort(options.clock, NEARBY_MS, signal, async (inTime) => {
    const nearest = gatherNearest(query);
    const { before, after, days } = daysBeside(query);
    let sawServer = isRestricted(place, query);
    for (const beside of [before, after]) {
      const searched = await searchBucket(lister, place, beside, MAX_NEARBY_PAGES, inTime);
      if (searched.unreadable.length > 0) return null;
      sawServer ||= searched.sawServer;
      for (const { candidate, parsed } of matchesOf(searched.found, beside, options.order))
        nearest.note(parsed, candidate.underServer || isRestricted(place, query));
    }
    return { extensions: nearest.result(sawServer), days };
  });
}

/** The searches before and after a search. */
function daysBeside(query: RecordingQuery): {
  readonly before: RecordingQuery;
  readonly after: RecordingQuery;
  readonly days: NonNullable<Nearby['days']>;
} {
  const [start, end] = [Temporal.PlainDateTime.from(query.start), Temporal.PlainDateTime.from(query.end)];
  const first = start.toPlainDate().subtract({ days: NEARBY_DAYS }).toString();
  const last = end.toPlainDate().add({ days: NEARBY_DAYS }).toString();
  return {
    before: { ...query, start: `${first}T00:00:00`, end: wallTime(start.subtract({ seconds: 1 })) },
    after: { ...query, start: wallTime(end.add({ seconds: 1 })), end: `${last}T23:59:59` },
    days: { first, last },
  };
}

function wallTime(at: Temporal.PlainDateTime): WallTime {
  return at.toString({ smallestUnit: 'second' });
}
