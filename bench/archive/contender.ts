import { createReadStream, createWriteStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ZipArchive } from 'archiver';
import yazl from 'yazl';
import { archiveRecordings } from '../../node/delivery/archive.ts';
import { type NamedRecording, nameRecordings } from '../../node/delivery/entry-name.ts';
import type { Publisher } from '../../node/delivery/publisher.ts';
import { createS3Publisher } from '../../node/delivery/s3-publisher.ts';
import { createWebPublisher } from '../../node/delivery/web-publisher.ts';
import { systemClock } from '../../node/platform/clock.ts';
import { mapBounded } from '../../node/platform/concurrency.ts';
import { silentLog } from '../../node/platform/log.ts';
import { createDiskSource } from '../../node/recordings/disk-source.ts';
import type { RecordingSource } from '../../node/recordings/source.ts';

/** Those that run in Node. `web` and `s3` are our ZIP as a delivery publishes it; `singly` the files without a ZIP. */
export type NodeContender = 'ours' | 'archiver' | 'yazl' | 'web' | 's3' | 's3-singly';

/** What a process of its own is told to do. */
export interface Order {
  readonly name: NodeContender;
  /** Recordings as files. */
  readonly directory: string;
  /** File that is written; of `web` the folder. */
  readonly output: string;
  readonly level: number;
  readonly s3?: {
    readonly endpoint: string;
    readonly bucket: string;
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
  };
}

export interface Measured {
  readonly seconds: number;
  /** Of the processor, by all threads: what else the machine does changes it little. */
  readonly cpuSeconds: number;
  readonly peakMb: number;
  /** What was written or sent. */
  readonly bytes: number;
}

/** As many as parts of a ZIP are sent at a time (node/delivery/s3-upload.ts). */
const SINGLES_AT_A_TIME = 4;
const JOB = 'c'.repeat(64);
const { signal } = new AbortController();

async function recordingsOf(directory: string) {
  const source = createDiskSource({
    root: directory,
    order: 'origin-dest',
    clock: systemClock,
    log: silentLog,
    maxRecordings: 100_000,
  });
  const { recordings } = await source.find(
    { extensions: ['1121'], start: '2025-01-01T00:00:00', end: '2026-12-31T23:59:59', server: null },
    signal,
  );
  return { source, named: nameRecordings(recordings) };
}

async function ourZip(source: RecordingSource, entries: readonly NamedRecording[], level: number) {
  const { stream } = await archiveRecordings({
    ...{ source, entries, leftOut: new Map(), level, signal },
    ...{ manifestName: 'manifesto.csv', evenEmpty: true, progress: () => undefined },
  });
  if (stream === null) throw new Error('no recordings');
  return stream;
}

/** A file the way each of them writes one best: large writes, and no fsync. */
const fileAt = (path: string) => createWriteStream(path, { highWaterMark: 1024 * 1024 });

async function publisherOf({ name, output, s3 }: Order): Promise<Publisher> {
  if (s3 === undefined) return createWebPublisher({ root: output, nodeId: 'bench' });
  const { endpoint, bucket, ...credentials } = s3;
  return createS3Publisher({
    ...{ endpoint, bucket, credentials, region: 'us-east-1', prefix: name, nodeId: 'bench' },
    ...{ clock: systemClock, log: silentLog },
  });
}

const objectOf = (fileName: string) => ({
  key: `${JOB}/${fileName}`,
  fileName,
  contentType: 'application/octet-stream',
  disposition: 'attachment' as const,
});

/** Does what is to be measured; gives the bytes. The recordings have been found, as they have before a delivery. */
async function begin(order: Order): Promise<() => Promise<number>> {
  const { name, directory, output, level } = order;
  const paths = async (): Promise<[string, string][]> =>
    (await readdir(directory)).toSorted().map((file) => [file, join(directory, file)]);
  if (name === 'archiver') {
    const files = await paths();
    return async () => {
      const zip = new ZipArchive({ store: true });
      const written = pipeline(zip, fileAt(output));
      for (const [file, path] of files) zip.append(createReadStream(path), { name: file });
      await Promise.all([zip.finalize(), written]);
      return zip.pointer();
    };
  }
  if (name === 'yazl') {
    const files = await paths();
    return async () => {
      const zip = new yazl.ZipFile();
      for (const [file, path] of files) zip.addFile(path, file, { compress: false });
      const target = fileAt(output);
      zip.end();
      await pipeline(zip.outputStream, target);
      return target.bytesWritten;
    };
  }
  const { source, named } = await recordingsOf(directory);
  if (name === 'ours') {
    return async () => {
      const target = fileAt(output);
      await pipeline(await ourZip(source, named, level), target);
      return target.bytesWritten;
    };
  }
  const publisher = await publisherOf(order);
  if (name !== 's3-singly') {
    const expected = named.reduce((sum, { recording }) => sum + recording.sizeBytes, 0);
    return async () => publisher.put(objectOf('a.zip'), await ourZip(source, named, level), signal, expected);
  }
  return async () => {
    const sizes = await mapBounded(named, SINGLES_AT_A_TIME, async ({ recording, fileName }) => {
      const opened = await source.open(recording, signal);
      if (typeof opened === 'string') throw new Error(`${recording.key}: ${opened}`);
      return publisher.put(objectOf(fileName), opened.stream, signal, opened.sizeBytes);
    });
    return sizes.reduce((sum, size) => sum + size, 0);
  };
}

const given = process.env['BENCH_ARCHIVE_ORDER'];
if (given !== undefined) {
  const order = JSON.parse(given) as Order;
  const work = await begin(order);
  const begunMs = performance.now();
  const usedBefore = process.cpuUsage();
  const bytes = await work();
  const { user, system } = process.cpuUsage(usedBefore);
  const seconds = (performance.now() - begunMs) / 1000;
  const cpuSeconds = (user + system) / 1e6;
  const measured: Measured = { seconds, cpuSeconds, peakMb: process.resourceUsage().maxRSS / 1024, bytes };
  console.log(JSON.stringify(measured));
  if (order.s3 !== undefined) await (await publisherOf(order)).removeJob(JOB, signal);
}
