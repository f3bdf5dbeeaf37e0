import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { deliver } from '../node/delivery/deliver.ts';
import type { Publisher } from '../node/delivery/publisher.ts';
import { createS3Publisher } from '../node/delivery/s3-publisher.ts';
import { createWebPublisher } from '../node/delivery/web-publisher.ts';
import { systemClock } from '../node/platform/clock.ts';
import { silentLog } from '../node/platform/log.ts';
import { createDiskSource } from '../node/recordings/disk-source.ts';
import { startCeph } from '../test/support/ceph.ts';
import { temporaryDirectory } from '../test/support/process.ts';
import { missingOf } from '../test/support/requirements.ts';
import { makeSparseFiles } from './archive/voice-files.ts';
import { readCommandLine } from './common/command-line.ts';
import { writeFigures } from './common/report.ts';

/**
 * Peak memory of a delivery (each recording singly, and all in one ZIP), small and large, to each publisher. Every
 * measurement is a fresh process, whose peak resident size the kernel tells.
 * `node bench/memory.ts [web|s3 …] [--quick] [--json FILE]`; exit code 1 where a goal is missed.
 */
const MEGABYTE = 1024 * 1024;
const RECORDING_BYTES = 4 * MEGABYTE;
const GOAL_GROWTH_MB = 60;
const GOAL_PEAK_MB = 300;
const BUCKET = 'memory-bench';

interface Measured {
  readonly peakMb: number;
  readonly seconds: number;
  readonly deliveredMb: number;
}

interface Place {
  readonly publisher: 'web' | 's3';
  readonly sizeMb: number;
  readonly directory: string;
  readonly endpoint: string;
  readonly accessKey: string;
  readonly secretKey: string;
}

function sizeBytesOf(files: readonly { readonly sizeBytes: number }[]): number {
  return files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

async function publisherOf(place: Place): Promise<Publisher> {
  if (place.publisher === 'web') {
    const root = join(place.directory, 'web');
    return createWebPublisher({ root, nodeId: 'bench' });
  }
  return createS3Publisher({
    bucket: BUCKET,
    region: 'us-east-1',
    endpoint: place.endpoint,
    credentials: { accessKeyId: place.accessKey, secretAccessKey: place.secretKey },
    prefix: 'bench',
    nodeId: 'bench',
    clock: systemClock,
    log: silentLog,
  });
}

/** The measured process: one search and one delivery. */
async function child(place: Place): Promise<Measured> {
  const root = join(place.directory, `recordings-${place.sizeMb}`);
  const source = createDiskSource({ root, order: 'origin-dest', clock: systemClock, log: silentLog });
  const { signal } = new AbortController();
  const query = {
    extensions: ['1121'],
    start: '2025-10-27T00:00:00',
    end: '2025-10-27T23:59:59',
    server: null,
  };
  const { recordings } = await source.find(query, signal);
  const publisher = await publisherOf(place);
  const begun = performance.now();
  const expiresAt = systemClock.now().add({ hours: 1 });
  const delivery = await deliver({
    ...{ source, publisher, job: 'b'.repeat(64), recordings, expiresAt, signal },
    ...{ transcoder: null, space: () => Promise.resolve(null) },
    archiving: { level: 0, maxBytes: 2 * sizeBytesOf(recordings), maxFiles: recordings.length },
    clock: systemClock,
    log: silentLog,
  });
  return {
    peakMb: process.resourceUsage().maxRSS / 1024,
    seconds: (performance.now() - begun) / 1000,
    deliveredMb: (delivery.totalBytes + sizeBytesOf(delivery.zips)) / MEGABYTE,
  };
}

async function measure(place: Place): Promise<Measured> {
  const count = Math.ceil((place.sizeMb * MEGABYTE) / RECORDING_BYTES);
  await makeSparseFiles(join(place.directory, `recordings-${place.sizeMb}`), count, RECORDING_BYTES);
  const env = { ...process.env, BENCH_MEMORY_PLACE: JSON.stringify(place) };
  const { stdout } = await promisify(execFile)(process.execPath, [import.meta.filename], { env });
  await rm(join(place.directory, 'web'), { recursive: true, force: true });
  return JSON.parse(stdout) as Measured;
}

/** Measures one publisher and prints its lines; whether the goals are met. */
async function run(
  publisher: 'web' | 's3',
  sizesMb: readonly [number, number],
): Promise<{ readonly passed: boolean; readonly figures: unknown }> {
  await using directory = await temporaryDirectory();
  await using stack = new AsyncDisposableStack();
  let connection = { endpoint: '', accessKey: '', secretKey: '' };
  if (publisher === 's3') {
    const ceph = stack.use(await startCeph());
    await ceph.makeBucket(BUCKET);
    connection = { endpoint: ceph.endpoint, accessKey: ceph.accessKey, secretKey: ceph.secretKey };
  }
  const results: Measured[] = [];
  for (const sizeMb of sizesMb) {
    const measured = await measure({ publisher, sizeMb, directory: directory.path, ...connection });
    results.push(measured);
    const { peakMb, seconds, deliveredMb } = measured;
    console.log(
      `${publisher.padEnd(4)} ${String(sizeMb).padStart(5)} MB  peak ${peakMb.toFixed(0).padStart(4)} MB` +
        `  ${seconds.toFixed(1).padStart(5)} s  ${(deliveredMb / seconds).toFixed(0).padStart(4)} MB/s`,
    );
  }
  const [small, large] = results.map((result) => result.peakMb);
  const growth = (large ?? 0) - (small ?? 0);
  const passed = growth <= GOAL_GROWTH_MB && (large ?? 0) < GOAL_PEAK_MB;
  console.log(
    `${publisher.padEnd(4)} ${passed ? 'PASS' : 'FAIL'}: ${growth.toFixed(0)} MB more at ${sizesMb[1]} MB` +
      ` (goal: at most ${GOAL_GROWTH_MB}), peak ${(large ?? 0).toFixed(0)} MB (goal: under ${GOAL_PEAK_MB})`,
  );
  return { passed, figures: Object.fromEntries(sizesMb.map((sizeMb, index) => [sizeMb, results[index]])) };
}

async function main(): Promise<void> {
  const { parts, quick, json } = readCommandLine(['web', 's3']);
  const sizes: [number, number] = quick ? [20, 400] : [50, 2048];
  for (const publisher of parts) {
    if (publisher === 's3' && missingOf(['ceph']).length > 0) {
      console.log('s3   not measured: Ceph is not installed');
      continue;
    }
    const { passed, figures } = await run(publisher, sizes);
    if (!passed) process.exitCode = 1;
    if (json !== undefined) await writeFigures(json, `memory.${publisher}`, figures);
  }
}

const place = process.env['BENCH_MEMORY_PLACE'];
if (place === undefined) await main();
else console.log(JSON.stringify(await child(JSON.parse(place) as Place)));
