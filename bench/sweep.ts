import { execFile } from 'node:child_process';
import { subscribe } from 'node:diagnostics_channel';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { systemClock } from '../node/platform/clock.ts';
import { type Ceph, startCeph } from '../test/support/ceph.ts';
import { temporaryDirectory } from '../test/support/process.ts';
import { missingOf } from '../test/support/requirements.ts';
import { readCommandLine } from './common/command-line.ts';
import { ms, table, writeFigures } from './common/report.ts';
import { percentile } from './common/statistics.ts';
import { BUCKET, deliverExpired, fill, jobOf, type Place, publisherOf, storeOf } from './sweep/place.ts';

/**
 * What it costs to remove ten deliveries that have expired beside none, 1,000 and 10,000 that are open: time, requests
 * to the bucket, and peak memory; and to look for what has no record. Each measurement is a fresh process.
 * `node bench/sweep.ts [web|s3 …] [--quick] [--json FILE]`; exit code 1 where a goal is missed.
 */
const OPEN = { whole: [0, 1_000, 10_000], quick: [0, 100, 1_000] };
const EXPIRED = 10;
const ROUNDS = { whole: 9, quick: 5 };
/** Of the time beside none. */
const GOAL_RATIO = 1.5;
const GOAL_GROWTH_MB = 20;
/** Jobs of the expired deliveries; those of the open ones are smaller. */
const FIRST_EXPIRED = 1_000_000;

interface Measured {
  readonly sweepMs: number;
  readonly sweepRequests: number;
  readonly orphansMs: number;
  readonly orphansRequests: number;
  readonly peakMb: number;
}

/** The measured process: sweeps, each after ten deliveries have expired. */
async function child(place: Place, rounds: number): Promise<Measured> {
  const { signal } = new AbortController();
  let requests = 0;
  subscribe('http.client.request.start', () => (requests += 1));
  const publisher = await publisherOf(place);
  const store = await storeOf(place, publisher);
  const counted = async (work: () => Promise<string>, expected: string) => {
    const before = requests;
    const begun = performance.now();
    const said = await work();
    const took = performance.now() - begun;
    if (said !== expected) throw new Error(said);
    return { ms: took, requests: requests - before };
  };
  const sweeps: { ms: number; requests: number }[] = [];
  const orphans: { ms: number; requests: number }[] = [];
  // One more, that warms up.
  for (let round = 0; round <= rounds; round += 1) {
    for (let each = 0; each < EXPIRED; each += 1)
      await deliverExpired(store, publisher, jobOf(FIRST_EXPIRED + each));
    const now = systemClock.now();
    const expected = `removed ${EXPIRED} expired deliveries`;
    sweeps.push(await counted(() => store.sweepExpired(now, signal), expected));
    const none = 'removed 0 deliveries without a record';
    orphans.push(await counted(() => store.sweepOrphans(now, signal), none));
  }
  store.close();
  const medianMs = (all: { ms: number }[]): number =>
    percentile(
      all.slice(1).map((one) => one.ms),
      0.5,
    );
  return {
    ...{ sweepMs: medianMs(sweeps), sweepRequests: sweeps.at(-1)?.requests ?? 0 },
    ...{ orphansMs: medianMs(orphans), orphansRequests: orphans.at(-1)?.requests ?? 0 },
    peakMb: process.resourceUsage().maxRSS / 1024,
  };
}

async function measure(place: Place, rounds: number): Promise<Measured> {
  const { stdout } = await promisify(execFile)(process.execPath, [import.meta.filename], {
    env: { ...process.env, BENCH_SWEEP: JSON.stringify({ place, rounds }) },
  });
  return JSON.parse(stdout) as Measured;
}

/** Measures one publisher and prints a table; whether the goals are met. */
async function run(
  publisher: 'web' | 's3',
  steps: readonly number[],
  rounds: number,
): Promise<{ readonly passed: boolean; readonly figures: unknown }> {
  await using directory = await temporaryDirectory();
  await using stack = new AsyncDisposableStack();
  let ceph: Ceph | null = null;
  if (publisher === 's3') {
    ceph = stack.use(await startCeph());
    await ceph.makeBucket(BUCKET);
  }
  const { endpoint = '', accessKey = '', secretKey = '' } = ceph ?? {};
  const stateDir = join(directory.path, 'state');
  await mkdir(stateDir);
  const place: Place = { publisher, stateDir, endpoint, accessKey, secretKey };
  const results: { readonly open: number; readonly measured: Measured }[] = [];
  let filled = 0;
  for (const open of steps) {
    await fill(place, ceph, filled, open - filled);
    filled = open;
    results.push({ open, measured: await measure(place, rounds) });
  }
  const first = results[0]?.measured;
  const last = results.at(-1)?.measured;
  if (first === undefined || last === undefined) throw new Error('nothing was measured');
  console.log(
    table([
      [publisher, 'sweep ms', 'ratio', 'requests', 'orphans ms', 'requests', 'peak MB'],
      ...results.map(({ open, measured }) => [
        `${open} open`,
        ms(measured.sweepMs),
        (measured.sweepMs / first.sweepMs).toFixed(2),
        String(measured.sweepRequests),
        ms(measured.orphansMs),
        String(measured.orphansRequests),
        measured.peakMb.toFixed(0),
      ]),
    ]),
  );
  const ratio = last.sweepMs / first.sweepMs;
  const growth = last.peakMb - first.peakMb;
  const passed =
    ratio <= GOAL_RATIO && growth <= GOAL_GROWTH_MB && last.sweepRequests === first.sweepRequests;
  console.log(
    `${publisher.padEnd(4)} ${passed ? 'PASS' : 'FAIL'}: ${ratio.toFixed(2)} times as long beside ${filled} (goal: at most ${GOAL_RATIO}),` +
      ` ${growth.toFixed(0)} MB more (goal: at most ${GOAL_GROWTH_MB}), ${last.sweepRequests} requests (goal: ${first.sweepRequests})\n`,
  );
  return { passed, figures: results };
}

async function main(): Promise<void> {
  const { parts, quick, json } = readCommandLine(['web', 's3']);
  const size = quick ? 'quick' : 'whole';
  for (const publisher of parts) {
    if (publisher === 's3' && missingOf(['ceph']).length > 0) {
      console.log('s3   not measured: Ceph is not installed');
      continue;
    }
    const { passed, figures } = await run(publisher, OPEN[size], ROUNDS[size]);
    if (!passed) process.exitCode = 1;
    if (json !== undefined) await writeFigures(json, `sweep.${publisher}`, figures);
  }
}

const asked = process.env['BENCH_SWEEP'];
if (asked === undefined) {
  await main();
} else {
  const { place, rounds } = JSON.parse(asked) as { place: Place; rounds: number };
  console.log(JSON.stringify(await child(place, rounds)));
}
