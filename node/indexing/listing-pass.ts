import type { ListedObject } from '../bucket/list-page.ts';
import { afterAll, type Lister } from '../bucket/lister.ts';
import { mapBounded } from '../platform/concurrency.ts';
import { AppError } from '../platform/errors.ts';
import { compareKeys, evenly, type KeyRange, rangesBetween } from './key-ranges.ts';

/** Listings under way at a time. Latency of S3 is what a pass consists of. */
const LISTINGS_AT_A_TIME = 16;
/** Several for each of those, since keys shift between passes and no listing is to be left alone at the end. */
const CUTS = 63;
/** Each range lists part of a page beyond its end in vain (a page has 1,000 keys): that is to be little of the whole. */
const KEYS_PER_RANGE = 4_000;
/** Of so many keys one is kept, to cut the next pass by. */
const SAMPLED = 250;
/** Requests that look for cuts where none are known. */
const MAX_PROBES = 24;

/** The part of a bucket that is indexed. Keys here are below its root. */
export interface ListedPart {
  readonly lister: Lister;
  /** Empty, or with a `/` at its end. */
  readonly root: string;
  /** Keys beginning so are not recordings (published results); below no root. Null: none. */
  readonly except: string | null;
}

/** Some of the listing: these objects, below the root, are all that there are in the range. */
export interface ListedRange {
  readonly range: KeyRange;
  readonly objects: readonly ListedObject[];
}

/** A pass over everything, as far as it has come; plain data, so that it can go on after a restart. */
export interface PassState {
  /** RFC 3339: what was there by then is in the index when it ends. */
  readonly begunAt: string;
  /** Where the keys are cut into ranges, which are listed side by side. */
  readonly cuts: readonly string[];
  /** How far each range has come: a key, null at its beginning, `true` at its end. */
  readonly reached: readonly (string | null | true)[];
}

export function beginPass(begunAt: Temporal.Instant, cuts: readonly string[]): PassState {
  return { begunAt: begunAt.toString(), cuts, reached: rangesBetween(cuts).map(() => null) };
}

/**
 * Lists what is still to be listed, several ranges at a time; `take` is given each page with how far its range has come.
 * Gives the cuts for the next pass and how many pages there were. @throws AppError as `Lister.page`
 */
export async function listPass(
  part: ListedPart,
  state: PassState,
  take: (listed: ListedRange, index: number, reached: string | true) => void,
  signal: AbortSignal,
): Promise<{ readonly cuts: readonly string[]; readonly pages: number }> {
  const ranges = await mapBounded(rangesBetween(state.cuts), LISTINGS_AT_A_TIME, async (range, index) => {
    const reached = state.reached[index] ?? null;
    if (reached === true) return { sample: [], pages: 0 };
    const rest = { after: reached ?? range.after, upTo: range.upTo };
    return listRange(part, rest, (listed, to) => take(listed, index, to), signal);
  });
  const sample = ranges.flatMap((range) => range.sample);
  const count = Math.min(CUTS, Math.floor((sample.length * SAMPLED) / KEYS_PER_RANGE));
  return { cuts: evenly(sample, count), pages: ranges.reduce((sum, { pages }) => sum + pages, 0) };
}

/** Gives some of the keys, at even distances. */
async function listRange(
  { lister, root, except }: ListedPart,
  range: KeyRange,
  take: (listed: ListedRange, reached: string | true) => void,
  signal: AbortSignal,
): Promise<{ readonly sample: readonly string[]; readonly pages: number }> {
  const sample: string[] = [];
  let seen = 0;
  let position = range.after;
  let from: { readonly after: string | null; readonly token: string | null } = {
    after: position === null ? null : root + position,
    token: null,
  };
  for (let pages = 1; ; pages += 1) {
    const page = await lister.page({ prefix: root, ...from }, signal);
    const last = page.objects.at(-1)?.key;
    const end = last?.slice(root.length) ?? position;
    if (position !== null && end !== null && last !== undefined && compareKeys(end, position) <= 0) {
      throw new AppError('recordings.unavailable', 'the listing of the bucket turns in a circle', {
        retriable: true,
      });
    }
    const isPast = range.upTo !== null && end !== null && compareKeys(end, range.upTo) >= 0;
    const isOver = isPast || page.token === null;
    const upTo = isOver ? range.upTo : end;
    const objects = below(page.objects, root, except, isPast ? range.upTo : null);
    for (const { key } of objects) {
      seen += 1;
      if (seen % SAMPLED === 0) sample.push(key);
    }
    if (isOver || end !== position)
      take({ range: { after: position, upTo }, objects }, isOver ? true : (end ?? true));
    if (isOver) return { sample, pages };
    position = end;
    // What is excepted may be large: it is not listed through.
    const isExcepted = except !== null && last?.startsWith(except) === true;
    from = isExcepted ? { after: afterAll(except), token: null } : { after: null, token: page.token };
  }
}

/** Their keys below the root; without what is excepted, and without those after `upTo`. */
function below(
  objects: readonly ListedObject[],
  root: string,
  except: string | null,
  upTo: string | null,
): ListedObject[] {
  return objects
    .filter(({ key }) => except === null || !key.startsWith(except))
    .map((object) => ({ ...object, key: object.key.slice(root.length) }))
    .filter(({ key }) => upTo === null || compareKeys(key, upTo) <= 0);
}

/**
 * Cuts where nothing is known yet. Names of recordings are fields between `-`, and S3 tells what the first and the second
 * of them are without listing the names: a bucket of a million is cut by its extensions in a few requests.
 */
export async function probeCuts(
  { lister, root }: ListedPart,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const begins = async (prefix: string): Promise<readonly string[]> =>
    (await lister.page({ prefix, delimiter: '-' }, signal)).directories;
  const kinds = (await begins(root)).slice(0, MAX_PROBES - 1);
  const fields = await mapBounded(kinds, LISTINGS_AT_A_TIME, begins);
  const cuts = fields.flatMap((each, index) => [kinds[index] ?? '', ...evenly(each, CUTS)]);
  return evenly(
    cuts.filter((cut) => cut !== '').map((cut) => cut.slice(root.length)),
    CUTS,
  );
}
