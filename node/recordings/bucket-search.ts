import type { ListedObject, ListPage } from '../bucket/list-page.ts';
import { afterAll, type Lister } from '../bucket/lister.ts';
import { mapBounded } from '../platform/concurrency.ts';
import { AppError } from '../platform/errors.ts';
import { type BucketLayout, type Step, tellsServers, waysTo } from './bucket-layout.ts';
import { dayRangeOf } from './day-folders.ts';
import { isUnderServer } from './match.ts';
import { patternOf } from './name.ts';
import type { RecordingQuery } from './source.ts';

/** Directories listed at a time. */
const LISTINGS_AT_A_TIME = 12;

/** Where in a bucket recordings are. */
export interface BucketPlace {
  readonly layout: BucketLayout;
  /** Before the key of each recording: empty, or with a `/` at its end. */
  readonly root: string;
  /** What begins like this is never looked at (published results in the same bucket); null: nothing of the kind. */
  readonly except: string | null;
}

/** An object whose name may be that of a recording asked for. */
export interface Listed {
  /** Below the root. */
  readonly key: string;
  readonly object: ListedObject;
  readonly underServer: boolean;
}

export interface SearchResult {
  readonly found: readonly Listed[];
  /** Whether there is a directory called as the server asked for. */
  readonly sawServer: boolean;
  /** Directories that may not be listed, or that the bound on pages left out. */
  readonly unreadable: readonly string[];
  readonly directories: number;
  readonly pages: number;
  /** Objects looked at. */
  readonly objects: number;
}

interface Search {
  readonly lister: Lister;
  readonly place: BucketPlace;
  readonly server: string | null;
  readonly wanted: RegExp;
  readonly maxPages: number;
  readonly signal: AbortSignal;
  readonly found: Listed[];
  readonly unreadable: string[];
  /** The first error of a directory that may not be listed. */
  refusal: AppError | null;
  sawServer: boolean;
  pages: number;
  answered: number;
  objects: number;
}

/**
 * Lists the directories of the days that can hold what a query asks for, and those of all servers and companies in
 * which such days are, several at once. At most `maxPages` pages; what is left out then is `unreadable`.
 * @throws AppError `recordings.unavailable` (retriable) where anything could not be listed for now: an answer that
 * lacks a day by accident is worse than one that comes later. `recordings.refused` where nothing may be listed
 */
export async function searchBucket(
  lister: Lister,
  place: BucketPlace,
  query: RecordingQuery,
  maxPages: number,
  signal: AbortSignal,
): Promise<SearchResult> {
  const search: Search = {
    lister,
    place,
    server: query.server?.toLowerCase() ?? null,
    wanted: patternOf(query.extensions),
    maxPages,
    signal,
    found: [],
    unreadable: [],
    refusal: null,
    sawServer: false,
    pages: 0,
    answered: 0,
    objects: 0,
  };
  const directories = await directoriesOf(search, waysTo(place.layout, dayRangeOf(query)));
  await mapBounded(directories, LISTINGS_AT_A_TIME, (directory) =>
    guarded(search, directory, () => listObjects(search, directory)),
  );
  if (search.refusal !== null && search.answered === 0) throw search.refusal;
  return { ...search, directories: directories.length };
}

/** A directory that has been reached, and the steps that go on from it. */
interface Reached {
  readonly directory: string;
  readonly steps: readonly Step[];
}

/** The prefixes that the ways lead to; directories that must be listed are, each once, level by level. */
async function directoriesOf(search: Search, ways: readonly (readonly Step[])[]): Promise<string[]> {
  const { place } = search;
  let reached: readonly Reached[] = ways.map((steps) => walk({ directory: place.root, steps }));
  for (;;) {
    const parents = new Set(reached.flatMap(({ directory, steps }) => (steps.length > 0 ? [directory] : [])));
    if (parents.size === 0) break;
    const listed = await mapBounded(
      [...parents],
      LISTINGS_AT_A_TIME,
      async (parent) => [parent, await listDirectories(search, parent)] as const,
    );
    const below = new Map(listed);
    reached = reached.flatMap((one) => goOn(search, one, below.get(one.directory) ?? []));
  }
  return reached.map(({ directory }) => directory).filter((directory) => !isExcepted(place, directory));
}

/** Down to the next directory that must be listed. */
function walk({ directory, steps: [step, ...rest] }: Reached): Reached {
  if (step === undefined) return { directory, steps: [] };
  if ('listed' in step) return { directory, steps: [step, ...rest] };
  return walk({ directory: directory + step.fixed, steps: rest });
}

/** Into those of the directories in it that are asked for. */
function goOn(search: Search, one: Reached, children: readonly string[]): readonly Reached[] {
  const [step, ...rest] = one.steps;
  if (step === undefined || 'fixed' in step) return [one];
  const isAsked = (child: string): boolean =>
    step.listed === 'any' || search.server === null || nameOf(child, one.directory) === search.server;
  const chosen = children.filter(isAsked);
  if (step.listed === 'server') search.sawServer ||= search.server !== null && chosen.length > 0;
  return chosen.map((directory) => walk({ directory, steps: rest }));
}

/** A directory's own name, in lower case. */
function nameOf(directory: string, parent: string): string {
  return directory.slice(parent.length, -1).toLowerCase();
}

async function listDirectories(search: Search, parent: string): Promise<readonly string[]> {
  const directories: string[] = [];
  await guarded(search, parent, async () => {
    for await (const page of pages(search, { prefix: parent, delimiter: '/' }))
      directories.push(...page.directories);
  });
  return directories.filter((directory) => !isExcepted(search.place, directory));
}

async function listObjects(search: Search, prefix: string): Promise<void> {
  const { place, wanted, server } = search;
  for await (const { objects } of pages(search, { prefix })) {
    search.objects += objects.length;
    for (const object of objects) {
      const isWanted = wanted.test(object.key.slice(object.key.lastIndexOf('/') + 1));
      // Whether the layout tells servers apart shows in any directory's name, not in those of the wanted alone.
      if (!isWanted && (server === null || search.sawServer)) continue;
      if (isExcepted(place, object.key)) continue;
      const key = object.key.slice(place.root.length);
      const underServer = server !== null && isUnderServer(key, server);
      search.sawServer ||= underServer;
      if (isWanted) search.found.push({ key, object, underServer });
    }
  }
}

function isExcepted({ except }: BucketPlace, key: string): boolean {
  return except !== null && key.startsWith(except);
}

async function* pages(
  search: Search,
  request: { readonly prefix: string; readonly delimiter?: '/' },
): AsyncGenerator<ListPage> {
  const { place } = search;
  let from: { readonly token: string } | { readonly after: string } | null = null;
  do {
    if (search.pages >= search.maxPages) {
      search.unreadable.push(request.prefix);
      return;
    }
    search.pages += 1;
    const page: ListPage = await search.lister.page({ ...request, ...from }, search.signal);
    search.answered += 1;
    yield page;
    const last = page.objects.at(-1)?.key ?? '';
    if (page.token === null) from = null;
    // Results may be many: they are passed over, not listed through.
    else if (place.except !== null && last.startsWith(place.except)) from = { after: afterAll(place.except) };
    else from = { token: page.token };
  } while (from !== null);
}

/** A directory that may not be listed is named in the result; where that is true of all, the search fails. */
async function guarded(search: Search, directory: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'recordings.refused') throw error;
    search.refusal ??= error;
    search.unreadable.push(directory);
  }
}

/** Whether a search's result must be told to be of one server: it names one, and so do the directories. */
export function isRestricted(place: BucketPlace, query: RecordingQuery): boolean {
  return query.server !== null && tellsServers(place.layout);
}
