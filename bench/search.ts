import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryDirectory } from '../test/support/process.ts';
import { readCommandLine } from './common/command-line.ts';
import { ms, table, writeFigures } from './common/report.ts';
import { type Extent, type Figures, FIND, measure, NEW_FILES, QUERY, WALK } from './search/measure.ts';
import { OLD_SCRIPT, type Peer, peers } from './search/peers.ts';
import { type Layout, LAYOUTS, makeTree } from './search/tree.ts';

/**
 * Finding 10 extensions × 30 days among a million recordings, in one directory (`flat`) and in one for each day
 * (`dated`): our index beside walks and the programs one would take, warm and cold; building and refreshing it.
 * `node bench/search.ts [flat|dated …] [--quick] [--json FILE] [--keep DIRECTORY]`; exit code 1 where a goal is missed.
 * `--keep`: makes the trees there and leaves them for the next time.
 */
const FILES = { whole: 1_000_000, quick: 50_000 };
const WHOLE: Extent = { builds: 3, warmRounds: 5, coldRounds: 3, queries: 2_000, refreshes: 9 };
const QUICK: Extent = { builds: 1, warmRounds: 2, coldRounds: 1, queries: 500, refreshes: 3 };

const GOAL_QUERY_P99_MS = 2;
const GOAL_TO_WALK = 400;
const GOAL_TO_OLD_SCRIPT = 2_000;
const GOAL_BUILD_TO_LIST = 10;
const GOAL_REFRESH_TO_WALK = 100;

function print(figures: Figures): void {
  const { warm, cold, query, buildMs, listMs, buildPeakMb, openMs, memory, watched, unwatched } = figures;
  const search = warm[FIND] ?? Number.NaN;
  const rows = Object.entries(warm)
    .toSorted(([, a], [, b]) => a - b)
    .map(([name, value]) => [
      name,
      precise(value),
      ratio(value / query.p50),
      ratio(value / search),
      ...coldCells(cold, name),
    ]);
  const head = ['', 'warm', ': query', ': search', 'cold', ': query', ': search'];
  console.log(
    `\n${figures.hits} hits (median) of ${figures.files} files, ${figures.layout}: milliseconds, and ratios to ours\n`,
  );
  console.log(table([head, ...rows]));
  if (cold === null) console.log('\ncold: not measured, for want of the right to drop the caches (root)');
  console.log(
    `\nquery: p50 ${precise(query.p50)} ms, p90 ${precise(query.p90)} ms, p99 ${precise(query.p99)} ms, max ${precise(query.max)} ms\n`,
  );
  console.log(
    table([
      ['', 'ms', 'beside'],
      ['index built, complete on disk', ms(buildMs), `find, all names: ${ms(listMs)}`],
      ['index opened after a restart', ms(openMs), 'every page examined'],
      [`${NEW_FILES} new files known, watched`, precise(watched.ms), `CPU: ${precise(watched.cpuMs)}`],
      [
        `${NEW_FILES} new files known, not watched`,
        precise(unwatched.ms),
        `CPU: ${precise(unwatched.cpuMs)}`,
      ],
    ]),
  );
  console.log(
    `\nmemory of our process: ${ms(memory.nowMb)} MB after ${query.count} queries, at most ${ms(buildPeakMb)} MB in the build; the index: ${ms(memory.databaseMb)} MB`,
  );
}

function coldCells(cold: Figures['cold'], name: string): string[] {
  const value = cold?.[name];
  if (cold == null || value === undefined) return ['', '', ''];
  return [
    precise(value),
    ratio(value / (cold[QUERY] ?? Number.NaN)),
    ratio(value / (cold[FIND] ?? Number.NaN)),
  ];
}

const precise = (value: number): string => (value < 10 ? value.toFixed(2) : ms(value));
const ratio = (value: number): string => value.toFixed(value < 10 ? 2 : 0);

/** Says which goals are met; ratios are for a million files and mean nothing for fewer. */
function judge({ warm, query, buildMs, listMs, watched, layout }: Figures, whole: boolean): boolean {
  const walk = warm[WALK] ?? Number.NaN;
  const old = warm[OLD_SCRIPT];
  const goals = [atMost('p99 of a query, ms', query.p99, GOAL_QUERY_P99_MS)];
  if (whole) {
    goals.push(atMost('build : find', buildMs / listMs, GOAL_BUILD_TO_LIST));
    goals.push(atLeast('our walk of everything : query', walk / query.p50, GOAL_TO_WALK));
    if (old !== undefined) goals.push(atLeast('old script : query', old / query.p50, GOAL_TO_OLD_SCRIPT));
    goals.push(
      atLeast(`our walk : refresh after ${NEW_FILES} files`, walk / watched.ms, GOAL_REFRESH_TO_WALK),
    );
  }
  console.log('');
  for (const { passed, line } of goals) console.log(`${passed ? 'PASS' : 'FAIL'}: ${layout}: ${line}`);
  if (!whole) console.log('other goals are for a million files: not judged');
  return goals.every(({ passed }) => passed);
}

function atMost(what: string, value: number, goal: number): { passed: boolean; line: string } {
  return { passed: value <= goal, line: `${what}: ${precise(value)} (goal: at most ${goal})` };
}

function atLeast(what: string, value: number, goal: number): { passed: boolean; line: string } {
  return { passed: value >= goal, line: `${what}: ${ratio(value)} (goal: at least ${goal})` };
}

async function run(
  layout: Layout,
  found: readonly Peer[],
  quick: boolean,
  keep: string | null,
): Promise<Figures> {
  await using directory = await temporaryDirectory();
  const files = quick ? FILES.quick : FILES.whole;
  const today = Temporal.Now.plainDateISO();
  const place = keep ?? directory.path;
  await mkdir(place, { recursive: true });
  const begun = performance.now();
  const root = await makeTree(place, layout, files, today);
  console.log(`— ${layout} — ${files} files made in ${ms(performance.now() - begun)} ms`);
  const tree = { root, layout, files, today };
  return await measure(tree, join(directory.path, 'index'), found, quick ? QUICK : WHOLE);
}

const { parts, quick, json, options } = readCommandLine(LAYOUTS, ['keep']);
const { peers: found, missing } = peers();
if (missing.length > 0) console.log(`some peers are not measured, for want of ${missing.join(', ')}`);
for (const layout of parts) {
  const figures = await run(layout, found, quick, options.keep ?? null);
  print(figures);
  if (!judge(figures, !quick)) process.exitCode = 1;
  if (json !== undefined) await writeFigures(json, `search.${layout}`, figures);
  console.log('');
}
