import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startCeph } from '../test/support/ceph.ts';
import { temporaryDirectory } from '../test/support/process.ts';
import { missingOf } from '../test/support/requirements.ts';
import type { Measured, Order } from './archive/contender.ts';
import { measureNode, measureProgram, type Program, PROGRAMS } from './archive/programs.ts';
import { makeSparseFiles, makeVoiceFiles } from './archive/voice-files.ts';
import { readCommandLine } from './common/command-line.ts';
import { table, writeFigures } from './common/report.ts';
import { percentile } from './common/statistics.ts';

/**
 * Putting recordings into a ZIP: 500 of a megabyte to a file, beside programs and libraries that do it, and to Ceph
 * S3, beside sending the same files singly; and the memory that large archives take. All by turns, each in a process
 * of its own.
 * `node bench/archive.ts [file|s3|memory …] [--quick] [--json FILE]`; exit code 1 where a goal is missed.
 */
const GOAL_TO_ZIP = 1.5;
const GOAL_TO_SINGLY = 1.2;
const GOAL_2GB_MB = 300;
const GOAL_70000_MB = 350;
const PARTS = ['file', 's3', 'memory'] as const;
const SIZE = {
  whole: { recordings: 500, rounds: 7, deflatedRounds: 3 },
  quick: { recordings: 100, rounds: 3, deflatedRounds: 1 },
};
const BUCKET = 'archive-bench';
const MEGABYTE = 1024 * 1024;

type Size = (typeof SIZE)['whole'];
/** How one is measured; it removes what it writes. */
type Contenders = ReadonlyMap<string, { readonly rounds: number; measure(): Promise<Measured> }>;
type Figures = Record<string, Measured & { readonly megabytesPerSecond: number; readonly toOurs: number }>;

/** All by turns, round after round, after one that warms up. Medians; of the ratios (times, to ours) too. */
async function compare(contenders: Contenders, ours: string, inputMb: number): Promise<Figures> {
  const rounds = Math.max(...[...contenders.values()].map((each) => each.rounds));
  const seen = new Map([...contenders.keys()].map((name) => [name, [] as (Measured & { toOurs: number })[]]));
  for (let round = 0; round <= rounds; round += 1) {
    const results = new Map<string, Measured>();
    for (const [name, contender] of contenders) {
      if (round > contender.rounds || (round === 0 && contender.rounds < rounds)) continue;
      // What others have written is not to be waited for in somebody else's time.
      await promisify(execFile)('sync');
      results.set(name, await contender.measure());
    }
    const own = results.get(ours)?.seconds ?? Number.NaN;
    if (round === 0) continue;
    for (const [name, result] of results) seen.get(name)?.push({ ...result, toOurs: result.seconds / own });
  }
  const figures: Figures = {};
  for (const [name, results] of seen) {
    const median = (of: (one: (typeof results)[number]) => number): number =>
      percentile(results.map(of), 0.5);
    const seconds = median((one) => one.seconds);
    figures[name] = {
      seconds,
      cpuSeconds: median((one) => one.cpuSeconds),
      peakMb: median((one) => one.peakMb),
      bytes: median((one) => one.bytes),
      megabytesPerSecond: inputMb / seconds,
      toOurs: median((one) => one.toOurs),
    };
  }
  return figures;
}

function print(title: string, figures: Figures): void {
  console.log(`\n${title}\n`);
  const rows = Object.entries(figures).map(([name, one]) => [
    name,
    one.seconds.toFixed(2),
    one.megabytesPerSecond.toFixed(0),
    one.toOurs.toFixed(2),
    one.cpuSeconds.toFixed(2),
    one.peakMb.toFixed(0),
    (one.bytes / MEGABYTE).toFixed(0),
  ]);
  console.log(table([['', 's', 'MB/s', 'time : ours', 'CPU s', 'peak MB', 'written MB'], ...rows]));
}

function judge(what: string, measured: number, goal: number, atLeast: boolean): boolean {
  const passed = atLeast ? measured >= goal : measured <= goal;
  const bound = atLeast ? 'at least' : 'at most';
  console.log(`${passed ? 'PASS' : 'FAIL'}: ${what} ${measured.toFixed(2)} (goal: ${bound} ${goal})`);
  return passed;
}

interface Outcome {
  readonly passed: boolean;
  readonly figures: unknown;
}

async function toFile(size: Size): Promise<Outcome> {
  await using place = await temporaryDirectory();
  const directory = join(place.path, 'recordings');
  await makeVoiceFiles(directory, size.recordings);
  const output = join(place.path, 'a.zip');
  const contenders = new Map<string, { rounds: number; measure(): Promise<Measured> }>();
  const add = (name: string, deflates: boolean, measured: () => Promise<Measured>): void => {
    const measure = async (): Promise<Measured> => {
      const result = await measured();
      await rm(output, { recursive: true });
      return result;
    };
    contenders.set(name, { rounds: deflates ? size.deflatedRounds : size.rounds, measure });
  };
  const node = (name: Order['name'], level: number) => () => measureNode({ name, directory, output, level });
  add('ours', false, node('ours', 0));
  add('ours, published (fsync)', false, node('web', 0));
  for (const name of Object.keys(PROGRAMS) as Program[]) {
    add(name, name.endsWith('1'), () => measureProgram(name, directory, output));
  }
  add('archiver', false, node('archiver', 0));
  add('yazl', false, node('yazl', 0));
  add('ours, level 1', true, node('ours', 1));
  add('ours, level 6', true, node('ours', 6));
  const figures = await compare(contenders, 'ours', size.recordings);
  print(`${size.recordings} recordings of 1 MB into a ZIP; medians`, figures);
  console.log('');
  return {
    passed: judge('zip -0 : ours', figures['zip -0']?.toOurs ?? Number.NaN, GOAL_TO_ZIP, true),
    figures,
  };
}

/** A Ceph with a bucket, as an order names it. */
async function startStore(stack: AsyncDisposableStack): Promise<NonNullable<Order['s3']>> {
  const {
    endpoint,
    accessKey: accessKeyId,
    secretKey: secretAccessKey,
    makeBucket,
  } = stack.use(await startCeph());
  await makeBucket(BUCKET);
  return { endpoint, bucket: BUCKET, accessKeyId, secretAccessKey };
}

async function toS3(size: Size): Promise<Outcome> {
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(await temporaryDirectory());
  const directory = join(path, 'recordings');
  await makeVoiceFiles(directory, size.recordings);
  const s3 = await startStore(stack);
  const node = (name: Order['name'], level: number, rounds: number) => ({
    rounds,
    measure: () => measureNode({ name, directory, output: '', level, s3 }),
  });
  const contenders = new Map([
    ['ours', node('s3', 0, size.rounds)],
    ['singly, no ZIP', node('s3-singly', 0, size.rounds)],
    ['ours, level 1', node('s3', 1, size.deflatedRounds)],
  ]);
  const figures = await compare(contenders, 'ours', size.recordings);
  print(`${size.recordings} recordings of 1 MB into a ZIP in Ceph S3; medians`, figures);
  console.log('');
  const ratio = 1 / (figures['singly, no ZIP']?.toOurs ?? Number.NaN);
  return { passed: judge('ours : sending the files singly', ratio, GOAL_TO_SINGLY, false), figures };
}

/** Peak memory of large archives: 2 GB, and 70,000 entries. */
async function memory(quick: boolean): Promise<Outcome> {
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(await temporaryDirectory());
  const large = join(path, 'large');
  const many = join(path, 'many');
  await makeSparseFiles(large, quick ? 128 : 512, 4 * MEGABYTE);
  await makeSparseFiles(many, quick ? 10_000 : 70_000, 2_000);
  const hasCeph = missingOf(['ceph']).length === 0;
  const s3 = hasCeph ? await startStore(stack) : undefined;
  const output = join(path, 'web');
  console.log('\nPeak memory of the process that makes the ZIP and publishes it\n');
  const figures: Record<string, Measured> = {};
  let passed = true;
  for (const [what, directory, goalMb] of [
    [quick ? '512 MB' : '2 GB', large, GOAL_2GB_MB],
    [quick ? '10,000 entries' : '70,000 entries', many, GOAL_70000_MB],
  ] as const) {
    for (const [name, level] of [
      ['web', 0],
      ['web', 1],
      ['s3', 0],
    ] as const) {
      if (name === 's3' && s3 === undefined) continue;
      const order = { name, directory, output, level, ...(name === 's3' && s3 !== undefined ? { s3 } : {}) };
      const measured = await measureNode(order);
      await rm(output, { recursive: true, force: true });
      const label = `${what}, ${name}${level === 0 ? '' : `, level ${level}`}`;
      figures[label] = measured;
      passed =
        judge(`${label}: ${measured.seconds.toFixed(1)} s, MB`, measured.peakMb, goalMb, false) && passed;
    }
  }
  return { passed, figures };
}

async function main(): Promise<void> {
  const { parts, quick, json } = readCommandLine(PARTS);
  const size = quick ? SIZE.quick : SIZE.whole;
  const figures: Record<string, unknown> = {};
  for (const part of parts) {
    const lacking = missingOf(part === 's3' ? ['ceph'] : part === 'file' ? ['python', 'zip-tools'] : []);
    if (lacking.length > 0) {
      console.log(`\n${part} is not measured: not here: ${lacking.join(', ')}`);
      continue;
    }
    const outcome = await { file: toFile, s3: toS3, memory: () => memory(quick) }[part](size);
    figures[part] = outcome.figures;
    if (!outcome.passed) process.exitCode = 1;
  }
  if (json !== undefined) await writeFigures(json, 'archive', figures);
}

await main();
