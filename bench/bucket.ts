import { dayRangeOf } from '../node/recordings/day-folders.ts';
import { type Ceph, startCeph } from '../test/support/ceph.ts';
import { temporaryDirectory } from '../test/support/process.ts';
import { missingOf } from '../test/support/requirements.ts';
import { type Contender, fullListing, ours, rclone } from './bucket/contenders.ts';
import { fillBucket, putObjects } from './bucket/fill.ts';
import { buildFlatIndex } from './bucket/flat.ts';
import { datedKeys, DAYS, flatKeys, laterKeys, QUERY } from './bucket/keys.ts';
import { readCommandLine } from './common/command-line.ts';
import { ms, table, writeFigures } from './common/report.ts';
import { percentile } from './common/statistics.ts';

/**
 * Finding the recordings of ten extensions and two days among 200,000 objects of a bucket on Ceph: ours beside rclone and
 * beside a listing of the whole bucket by the SDK, by turns; and what the index of a bucket without dates costs.
 * `node bench/bucket.ts [dated|flat …] [--quick] [--json FILE]`; exit code 1 where a goal is missed.
 */
const PARTS = ['dated', 'flat'] as const;
const OBJECTS = { whole: 200_000, quick: 10_000 };
const ROUNDS = { whole: 7, quick: 3 };
const LATER = 1_000;
/** Of our search of a dated bucket: how many times as long a listing of the whole takes. */
const GOAL_RATIO = { whole: 20, quick: 2 };
/** The directories of two days and their neighbours, a page each. */
const GOAL_PAGES = 4;

interface Round {
  readonly ms: number;
  readonly pages: number | null;
}

interface Settings {
  readonly objects: number;
  readonly rounds: number;
  readonly goalRatio: number;
}

/** Each by turns, round after round, after one that warms up. All must find the same. */
async function compare(
  contenders: Readonly<Record<string, Contender>>,
  rounds: number,
): Promise<Record<string, Round[]>> {
  const measured: Record<string, Round[]> = {};
  let expected: string | null = null;
  for (let round = 0; round <= rounds; round += 1) {
    for (const [name, search] of Object.entries(contenders)) {
      const begun = performance.now();
      const { found, pages } = await search();
      const took = performance.now() - begun;
      expected ??= found.join('\n');
      if (found.join('\n') !== expected || found.length === 0)
        throw new Error(`${name} found something else`);
      if (round > 0) (measured[name] ??= []).push({ ms: took, pages });
    }
  }
  return measured;
}

const median = (values: readonly number[]): number => percentile(values, 0.5);

function summaryOf(measured: Readonly<Record<string, Round[]>>) {
  const own = measured['ours'] ?? [];
  return Object.entries(measured).map(([name, rounds]) => ({
    name,
    ms: median(rounds.map((round) => round.ms)),
    /** Of the same round, so that what else the machine did meets both. */
    ratio: median(rounds.map((round, index) => round.ms / (own[index]?.ms ?? Number.NaN))),
    pages: rounds[0]?.pages ?? null,
  }));
}

async function dated(ceph: Ceph, { objects, rounds, goalRatio }: Settings): Promise<unknown> {
  const seconds = await fillBucket(ceph, 'dated', datedKeys(objects));
  console.log(`\nbucket.dated: ${objects} objects in ${DAYS} days (put in ${seconds.toFixed(0)} s)\n`);
  const { first, last } = dayRangeOf(QUERY);
  const days: string[] = [];
  for (let day = first; day <= last; day = Temporal.PlainDate.from(day).add({ days: 1 }).toString())
    days.push(day.replaceAll('-', '/'));
  const withRclone = missingOf(['rclone']).length === 0;
  const measured = await compare(
    {
      ours: await ours(ceph, 'dated', '{yyyy}/{mm}/{dd}/'),
      'ListObjectsV2, all': fullListing(ceph, 'dated'),
      ...(withRclone
        ? { 'rclone lsf -R': rclone(ceph, 'dated', null), 'rclone, days only': rclone(ceph, 'dated', days) }
        : {}),
    },
    rounds,
  );
  const summary = summaryOf(measured);
  console.log(
    table([
      ['', 'ms', 'times ours', 'pages'],
      ...summary.map((each) => [each.name, ms(each.ms), each.ratio.toFixed(1), String(each.pages ?? '')]),
    ]),
  );
  const own = summary[0];
  const ratio = summary.find(({ name }) => name.startsWith('ListObjectsV2'))?.ratio ?? Number.NaN;
  judge(`pages fetched: ${own?.pages} (goal: at most ${GOAL_PAGES})`, (own?.pages ?? Infinity) <= GOAL_PAGES);
  judge(`a full listing takes ${ratio.toFixed(1)} times as long (goal: ${goalRatio})`, ratio >= goalRatio);
  return { objects, days: DAYS, fillSeconds: seconds, contenders: summary };
}

async function flat(ceph: Ceph, { objects, rounds }: Settings): Promise<unknown> {
  const seconds = await fillBucket(ceph, 'flat', flatKeys(objects));
  console.log(`\nbucket.flat: ${objects} objects (put in ${seconds.toFixed(0)} s)\n`);
  await using directory = await temporaryDirectory();
  const listing = fullListing(ceph, 'flat');
  const searching = await ours(ceph, 'flat', 'flat');
  const time = async (work: () => unknown): Promise<number> => {
    const begun = performance.now();
    await work();
    return performance.now() - begun;
  };
  const buildBegun = performance.now();
  await using index = await buildFlatIndex(ceph, 'flat', directory.path);
  const buildMs = performance.now() - buildBegun;
  const took: Record<string, number[]> = { refresh: [], query: [], listing: [], searching: [] };
  for (let round = 0; round < rounds; round += 1) {
    took['refresh']?.push(await time(() => index.refresh()));
    for (let each = 0; each < 20; each += 1) took['query']?.push(await time(() => index.query()));
    took['listing']?.push(await time(listing));
    took['searching']?.push(await time(searching));
  }
  await putObjects(ceph, 'flat', laterKeys(LATER));
  const laterMs = await time(() => index.refresh());
  const isWhole = index.files() === objects + LATER;
  const medians = Object.fromEntries(Object.entries(took).map(([name, each]) => [name, median(each)]));
  const row = (what: string, value = Number.NaN): string[] => [
    what,
    value < 1 ? value.toFixed(3) : ms(value),
    ((medians['listing'] ?? Number.NaN) / value).toFixed(1),
  ];
  console.log(
    table([
      ['', 'ms', 'a full listing takes, times'],
      row('ListObjectsV2, all', medians['listing']),
      row('index, first pass', buildMs),
      row('index, refresh, nothing new', medians['refresh']),
      row(`index, refresh, ${LATER} new`, laterMs),
      row('index, query alone', medians['query']),
      row('ours without index', medians['searching']),
    ]),
  );
  judge(`the index has all ${objects + LATER} objects`, isWhole);
  return { objects, fillSeconds: seconds, buildMs, refreshWithNewMs: laterMs, medians };
}

function judge(what: string, passed: boolean): void {
  console.log(`${passed ? 'PASS' : 'FAIL'}: ${what}`);
  if (!passed) process.exitCode = 1;
}

async function main(): Promise<void> {
  const { parts, quick, json } = readCommandLine(PARTS);
  const size = quick ? 'quick' : 'whole';
  const settings = { objects: OBJECTS[size], rounds: ROUNDS[size], goalRatio: GOAL_RATIO[size] };
  const figures: Record<string, unknown> = {};
  const measures = { dated, flat };
  for (const part of parts) {
    // A Ceph for each: it holds everything in memory.
    await using ceph = await startCeph();
    figures[part] = await measures[part](ceph, settings);
  }
  if (json !== undefined) await writeFigures(json, 'bucket', figures);
}

await main();
