import { join } from 'node:path';
import { startCeph } from '../test/support/ceph.ts';
import { eventually, temporaryDirectory } from '../test/support/process.ts';
import { missingOf } from '../test/support/requirements.ts';
import { readCommandLine } from './common/command-line.ts';
import { ms, table, writeFigures } from './common/report.ts';
import { percentile } from './common/statistics.ts';
import { startWorld, type World } from './latency/world.ts';
import { ask, type Asked, STAGES } from './request/ask.ts';
import { ASKED, fillDisk, fillRecordingsBucket } from './request/place.ts';

/**
 * A request for 500 recordings of a megabyte among a million, from mail to mail, and where its time goes: on disk
 * (`audio`, PUBLISH=web) and in a bucket (`s3`, PUBLISH=s3).
 * `node bench/request.ts [audio|s3 …] [--quick] [--objects N] [--json FILE]`; Ceph takes about a thousand objects a
 * second, so that the bucket has fewer unless told otherwise.
 */
const BUCKET = 'recordings-bench';
const RESULTS = 'results-bench';
const FILL_TIMEOUT_MS = 300_000;

interface Sizes {
  readonly files: number;
  readonly objects: number;
  readonly rounds: number;
}

const PARTS = ['audio', 's3'] as const;
const MEASURES = { audio: onDisk, s3: inBucket };

async function onDisk({ files, rounds }: Sizes): Promise<Asked[]> {
  await using world = await startWorld({ fill: (root) => fillDisk(root, files) });
  const isReady = async (): Promise<boolean> =>
    /"state": ?"ready"/.test((await world.node.ctl('index', 'status', '--json')).out);
  await eventually('the index to be built', isReady, FILL_TIMEOUT_MS);
  console.log(`${ASKED} recordings among ${files} files on disk, PUBLISH=web\n`);
  return await askAgainAndAgain(world, rounds);
}

async function inBucket({ objects, rounds }: Sizes): Promise<Asked[]> {
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(await temporaryDirectory());
  const ceph = stack.use(await startCeph());
  await ceph.makeBucket(RESULTS);
  await fillRecordingsBucket(ceph, BUCKET, join(directory.path, 'voices'), objects);
  const settings = {
    SOURCES: 's3',
    S3_RECORDINGS_BUCKET: BUCKET,
    S3_RECORDINGS_LAYOUT: '{yyyy}/{mm}/{dd}/',
  };
  const world = stack.use(await startWorld({ s3: { ceph, bucket: RESULTS }, settings }));
  console.log(`${ASKED} recordings among ${objects} objects of a bucket, by day, PUBLISH=s3\n`);
  return await askAgainAndAgain(world, rounds);
}

async function askAgainAndAgain(world: World, rounds: number): Promise<Asked[]> {
  // The first loads what later ones find ready.
  const first = await ask(world, 1);
  console.log(`The first after the start took ${ms(first.totalMs)} ms.\n`);
  const asked: Asked[] = [];
  for (let round = 1; round <= rounds; round += 1) asked.push(await ask(world, round + 1));
  return asked;
}

function report(asked: readonly Asked[]): Record<string, number> {
  const median = (pick: (one: Asked) => number): number => percentile(asked.map(pick), 0.5);
  const rows = STAGES.map(([stage, what]) => [what, ms(median((one) => one.stages[stage]))]);
  const totalMs = median((one) => one.totalMs);
  const searchMs = median((one) => one.searchMs);
  const peakMb = Math.max(...asked.map((one) => one.peakMb));
  console.log(table([['', 'ms'], ...rows, ['from mail to mail', ms(totalMs)]]));
  console.log(`\nThe search alone: ${ms(searchMs)} ms; the node's memory at most: ${peakMb.toFixed(0)} MB\n`);
  const stages = Object.fromEntries(STAGES.map(([stage]) => [stage, median((one) => one.stages[stage])]));
  return { ...stages, totalMs, searchMs, peakMb };
}

const { parts, quick, json, options } = readCommandLine(PARTS, ['objects']);
const sizes: Sizes = quick
  ? { files: 20_000, objects: Number(options.objects ?? 3_000), rounds: 2 }
  : { files: 1_000_000, objects: Number(options.objects ?? 100_000), rounds: 5 };
for (const name of parts) {
  const missing = missingOf(name === 's3' ? ['dovecot', 'exim', 'ceph'] : ['dovecot', 'exim']);
  if (missing.length > 0) {
    console.log(`${name}: not measured, for want of ${missing.join(', ')}`);
    continue;
  }
  console.log(`— ${name} —`);
  const figures = report(await MEASURES[name](sizes));
  if (json !== undefined) await writeFigures(json, `request.${name}`, figures);
}
