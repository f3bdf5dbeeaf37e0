import { execFileSync } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { writeFileSync } from 'node:fs';
import { percentile, type Spread, spreadOf } from '../common/statistics.ts';
import { type Asked, questions } from './names.ts';
import type { Memory, Refreshed } from './ours.ts';
import { listAll, type Peer } from './peers.ts';
import { type Ours, startOurs } from './process.ts';
import type { Layout } from './tree.ts';

export interface Extent {
  readonly builds: number;
  readonly warmRounds: number;
  readonly coldRounds: number;
  readonly queries: number;
  readonly refreshes: number;
}

export const NEW_FILES = 1_000;
const WARM_UP_QUERIES = 200;

/** Milliseconds of each contender, medians. */
export type Medians = Readonly<Record<string, number>>;

export interface Figures {
  readonly layout: Layout;
  readonly files: number;
  readonly hits: number;
  readonly query: Spread;
  readonly warm: Medians;
  /** Null where the system's caches cannot be dropped. */
  readonly cold: Medians | null;
  readonly buildMs: number;
  readonly listMs: number;
  readonly buildPeakMb: number;
  /** How long opening the index that lies there takes. */
  readonly openMs: number;
  readonly memory: Memory;
  readonly watched: Refreshed;
  readonly unwatched: Refreshed;
}

export const QUERY = 'our index: the query';
export const FIND = 'our index: a whole search';
export const WALK = 'our walk of everything';
const PRUNED = 'our walk of the days asked';

interface Contender {
  readonly name: string;
  run(asked: Asked): Promise<{ readonly ms: number; readonly count: number }>;
}

/** Measures everything for one tree. `directory` is the index's, in a place of its own. */
export async function measure(
  tree: {
    readonly root: string;
    readonly layout: Layout;
    readonly files: number;
    readonly today: Temporal.PlainDate;
  },
  directory: string,
  peers: readonly Peer[],
  extent: Extent,
): Promise<Figures> {
  const { root, layout, files, today } = tree;
  const built = await measureBuilds(root, directory, extent.builds);
  await using stack = new AsyncDisposableStack();
  const ours = stack.use(startOurs(root, directory));
  const openMs = await ours.open();
  const asked = questions(today, WARM_UP_QUERIES + extent.queries);
  const timed = (await ours.query(asked)).slice(WARM_UP_QUERIES);
  const query = spreadOf(timed.map(({ ms }) => ms));
  const hits = percentile(
    timed.map(({ count }) => count),
    0.5,
  );
  const memory = await ours.memory();

  const contenders = contendersOf(root, layout, ours, peers);
  const warm = await compare(contenders, questions(today, 1 + extent.warmRounds, 7), null);
  const cold = canDropCaches()
    ? await compare(coldOnes(contenders, ours), questions(today, 1 + extent.coldRounds, 8), dropCaches)
    : null;
  const watched = await refreshes(ours, tree, extent.refreshes, 0);
  await ours[Symbol.asyncDispose]();

  const unwatching = stack.use(startOurs(root, directory));
  await unwatching.open(false);
  const unwatched = await refreshes(unwatching, tree, Math.ceil(extent.refreshes / 3), 1_000);
  return {
    layout,
    files,
    hits,
    query,
    warm: { ...warm, [QUERY]: query.p50 },
    cold,
    ...built,
    openMs,
    memory,
    watched,
    unwatched,
  };
}

/** A whole build, from nothing to an index that is complete and on disk, by turns with a plain listing of all names. */
async function measureBuilds(
  root: string,
  directory: string,
  rounds: number,
): Promise<Pick<Figures, 'buildMs' | 'listMs' | 'buildPeakMb'>> {
  const builds: number[] = [];
  const lists: number[] = [];
  const peaks: number[] = [];
  await listAll(root);
  for (let round = 0; round < rounds; round += 1) {
    await rm(directory, { recursive: true, force: true });
    const begun = performance.now();
    await listAll(root);
    lists.push(performance.now() - begun);
    await using ours = startOurs(root, directory);
    builds.push(await ours.open());
    peaks.push((await ours.memory()).peakMb);
  }
  const median = (values: readonly number[]): number => percentile(values, 0.5);
  return { buildMs: median(builds), listMs: median(lists), buildPeakMb: median(peaks) };
}

function contendersOf(root: string, layout: Layout, ours: Ours, peers: readonly Peer[]): Contender[] {
  const own: [string, 'find' | 'walk' | 'pruned'][] = [
    [FIND, 'find'],
    [WALK, 'walk'],
    ...(layout === 'dated' ? ([[PRUNED, 'pruned']] as const) : []).map(([name, how]): [string, 'pruned'] => [
      name,
      how,
    ]),
  ];
  return [
    {
      name: QUERY,
      run: async (asked) => (await ours.query([asked]))[0] ?? { ms: Number.NaN, count: 0 },
    },
    ...own.map(([name, how]) => ({ name, run: (asked: Asked) => ours.one(how, asked) })),
    ...peers.map((peer) => ({
      name: peer.name,
      run: async (asked: Asked) => {
        const begun = performance.now();
        const count = await peer.find(root, asked);
        return { ms: performance.now() - begun, count };
      },
    })),
  ];
}

/** The same, where the query uses a connection that has read nothing yet. */
function coldOnes(contenders: readonly Contender[], ours: Ours): Contender[] {
  const query = { name: QUERY, run: (asked: Asked) => ours.one('cold-query', asked) };
  return contenders.map((each) => (each.name === QUERY ? query : each));
}

/** By turns, after a round that warms up. @throws Error where they do not find the same */
async function compare(
  contenders: readonly Contender[],
  rounds: readonly Asked[],
  before: (() => void) | null,
): Promise<Medians> {
  const times = new Map<string, number[]>(contenders.map(({ name }) => [name, []]));
  for (const [round, asked] of rounds.entries()) {
    let expected: number | null = null;
    for (const { name, run } of contenders) {
      if (round === 0 && before !== null) continue;
      before?.();
      const { ms, count } = await run(asked);
      expected ??= count;
      if (count !== expected) throw new Error(`${name} finds ${count}, others ${expected}`);
      if (round > 0) times.get(name)?.push(ms);
    }
  }
  return Object.fromEntries([...times].map(([name, values]) => [name, percentile(values, 0.5)]));
}

async function refreshes(
  ours: Ours,
  { layout, today }: { readonly layout: Layout; readonly today: Temporal.PlainDate },
  rounds: number,
  seed: number,
): Promise<Refreshed> {
  const all: Refreshed[] = [];
  for (let round = 0; round <= rounds; round += 1) {
    const order = { layout, today: today.toString(), count: NEW_FILES, seed: seed + round + 1 };
    const one = await ours.refresh(order);
    if (round > 0) all.push(one);
  }
  return {
    ms: percentile(
      all.map(({ ms }) => ms),
      0.5,
    ),
    cpuMs: percentile(
      all.map(({ cpuMs }) => cpuMs),
      0.5,
    ),
  };
}

const DROP_CACHES = '/proc/sys/vm/drop_caches';

/** Whether this process may: root, outside a container. */
function canDropCaches(): boolean {
  try {
    writeFileSync(DROP_CACHES, '1');
    return true;
  } catch {
    return false;
  }
}

/** Pages, names and inodes (proc(5)); what is not written yet would stay. */
function dropCaches(): void {
  execFileSync('sync');
  writeFileSync(DROP_CACHES, '3');
}
