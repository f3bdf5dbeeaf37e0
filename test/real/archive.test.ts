import { execFile } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { expect } from 'vitest';
import { archiveRecordings } from '../../node/delivery/archive.ts';
import { nameRecordings } from '../../node/delivery/entry-name.ts';
import { openZip } from '../../node/delivery/zip-archiver.ts';
import type { Recording, RecordingSource } from '../../node/recordings/source.ts';
import { wav } from '../support/audio.ts';
import { readZip } from '../support/delivery.ts';
import { temporaryDirectory } from '../support/process.ts';
import { needs } from '../support/requirements.ts';

const { describe, test } = needs('unzip', 'python');
const run = promisify(execFile);
const { signal } = new AbortController();
const BOUNDARY = 0xffff_ffff;
const CHUNK = Buffer.alloc(1024 * 1024);
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/** So many zeros. */
async function* zeros(sizeBytes: number): AsyncGenerator<Buffer> {
  for (let left = sizeBytes; left > 0; left -= CHUNK.length)
    yield CHUNK.subarray(0, Math.min(left, CHUNK.length));
}

/** Writes a ZIP to a file, but for its blocks of zeros, which become holes: gigabytes cost no disk. */
async function writeSparse(path: string, zip: Readable): Promise<number> {
  await using file = await open(path, 'w');
  let at = 0;
  for await (const chunk of zip as AsyncIterable<Buffer>) {
    if (chunk.length < CHUNK.length || !chunk.equals(CHUNK)) await file.write(chunk, 0, chunk.length, at);
    at += chunk.length;
  }
  await file.truncate(at);
  return at;
}

/** Adds entries to a ZIP of which a file is made. */
async function zipOf(
  path: string,
  entries: Iterable<{ readonly name: string; readonly content: Buffer | { readonly zeros: number } }>,
): Promise<number> {
  const output = new PassThrough({ highWaterMark: 4 * CHUNK.length });
  const written = writeSparse(path, output);
  const zip = openZip(output, { level: 1, signal });
  for (const { name, content } of entries) {
    const head = { name, date: '2025-10-27T08:00:00' };
    const method = 'store' as const;
    if (!Buffer.isBuffer(content)) {
      await zip.add(head, { method, stream: zeros(content.zeros) });
      continue;
    }
    const sizeBytes = content.length;
    await zip.add(head, {
      method,
      chunks: [content],
      sizeBytes,
      packedBytes: sizeBytes,
      crc32: crc32(content),
    });
  }
  await zip.finish();
  return written;
}

/** What Python makes of a ZIP: an expression over `z`, a ZipFile. */
async function python(path: string, expression: string): Promise<unknown> {
  const program = `import json, sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); print(json.dumps(${expression}))`;
  const { stdout } = await run('python3', ['-c', program, path], { maxBuffer: MAX_OUTPUT_BYTES });
  return JSON.parse(stdout);
}

/** @throws Error where Info-ZIP finds a fault */
async function testByUnzip(path: string): Promise<void> {
  await run('unzip', ['-tqq', path], { maxBuffer: MAX_OUTPUT_BYTES });
}

/** Recordings that are made when they are opened. */
function madeUp(count: number, contentOf: (index: number) => Buffer, format = 'wav') {
  const recordings = Array.from({ length: count }, (_, index): Recording => {
    const startedAt = Temporal.PlainDateTime.from('2025-10-27T08:00:00').add({ seconds: index }).toString();
    return { key: String(index), origin: '1121', destination: '2000', startedAt, sizeBytes: 1, format };
  });
  const source: Pick<RecordingSource, 'open'> = {
    open: async ({ key }) => {
      const content = contentOf(Number(key));
      const audio = { seconds: null, playable: true };
      return { stream: Readable.from([content]), sizeBytes: content.length, fault: null, audio };
    },
  };
  return { source: source as RecordingSource, entries: nameRecordings(recordings), leftOut: new Map() };
}

const options = { manifestName: 'manifesto.csv', evenEmpty: false, progress: () => undefined, signal };

describe('a large ZIP', () => {
  test('of 70,000 recordings is sound to unzip and to Python', { timeout: 60_000 }, async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'a.zip');
    const archive = await archiveRecordings({
      ...options,
      ...madeUp(70_000, (index) => wav(60 + (index % 50), index)),
      level: 0,
    });
    await pipeline(archive.stream!, createWriteStream(path));
    await testByUnzip(path);
    expect(
      await python(path, '[len(z.infolist()), z.testzip(), len(z.read("manifesto.csv").splitlines())]'),
    ).toEqual([70_001, null, 70_001]);
  });

  test(
    'of more than 4 GB, with an entry as long as what stands for ZIP64, is sound',
    { timeout: 60_000 },
    async () => {
      await using directory = await temporaryDirectory();
      const path = join(directory.path, 'a.zip');
      const last = wav(100_000);
      const entries = [
        { name: 'first.wav', content: wav(70_000) },
        { name: 'zeros.wav', content: { zeros: BOUNDARY } },
        { name: 'last.wav', content: last },
      ];
      const sizeBytes = await zipOf(path, entries);
      expect(sizeBytes).toBeGreaterThan(2 ** 32);
      await testByUnzip(path);
      const listed = '[[i.filename, i.file_size, i.CRC] for i in z.infolist()]';
      // Reading checks the sum; the zeros have been read by unzip.
      expect(await python(path, `[len(z.read("first.wav")), len(z.read("last.wav")), ${listed}]`)).toEqual([
        70_000,
        100_000,
        [
          ['first.wav', 70_000, crc32(wav(70_000))],
          ['zeros.wav', BOUNDARY, expect.any(Number)],
          ['last.wav', 100_000, crc32(last)],
        ],
      ]);
    },
  );

  test.each([-1, 0, 1])(
    'has its entries found at 4 GiB - 1 and %i bytes',
    { timeout: 60_000 },
    async (beyond) => {
      await using directory = await temporaryDirectory();
      const path = join(directory.path, 'a.zip');
      // Before the second header: the first (30 bytes and the name), its content, and its data descriptor of 16.
      const before = BOUNDARY + beyond - 30 - 'zeros.wav'.length - 16;
      const last = wav(1_000);
      await zipOf(path, [
        { name: 'zeros.wav', content: { zeros: before } },
        { name: 'last.wav', content: last },
      ]);
      const seen =
        '[z.getinfo("last.wav").header_offset, z.getinfo("zeros.wav").file_size, len(z.read("last.wav"))]';
      expect(await python(path, seen)).toEqual([BOUNDARY + beyond, before, 1_000]);
      await run('unzip', ['-tqq', path, 'last.wav']);
    },
  );

  test.each([65_534, 65_535])('of %i entries has them all', { timeout: 60_000 }, async (count) => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'a.zip');
    const content = Buffer.from('x');
    function* entries() {
      for (let index = 0; index < count; index += 1) yield { name: `${index}.wav`, content };
    }
    await zipOf(path, entries());
    await testByUnzip(path);
    expect(await python(path, 'len(z.infolist())')).toBe(count);
    // A count of 65,535 says that ZIP64's record has it (4.4.1.4): there must be one.
    expect((await readFile(path)).includes('PK\u0006\u0007')).toBe(count > 65_534);
  });
});

test('what is deflated and what is stored is sound beside each other', async () => {
  const sizes = [50, 3_000, 400_000, 7_000_000];
  const made = madeUp(sizes.length, (index) =>
    Buffer.concat([wav(sizes[index]!), Buffer.alloc(sizes[index]!)]),
  );
  const entries = made.entries.map(({ recording, fileName }, index) => {
    const format = index % 2 === 0 ? 'wav' : 'mp3';
    return { recording: { ...recording, format }, fileName: fileName.replace('wav', format) };
  });
  await using directory = await temporaryDirectory();
  const path = join(directory.path, 'a.zip');
  const archive = await archiveRecordings({ ...options, ...made, entries, level: 6 });
  await pipeline(archive.stream!, createWriteStream(path));
  await testByUnzip(path);
  expect(await python(path, '[z.testzip(), [[i.file_size, i.compress_type] for i in z.infolist()]]')).toEqual(
    [null, [...sizes.map((size, index) => [size * 2, index % 2 === 0 ? 8 : 0]), [expect.any(Number), 8]]],
  );
});

test('property: sets of recordings come out of Python as they went in', { timeout: 60_000 }, async () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 30_000 }), { minLength: 1, maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(sizes, fc.constantFrom(0, 1, 9), async (all, level) => {
      const made = madeUp(all.length, (index) => wav(all[index]! + 44, index));
      const archive = await archiveRecordings({ ...options, ...made, level });
      const zip: Buffer[] = [];
      for await (const chunk of archive.stream as AsyncIterable<Buffer>) zip.push(chunk);
      const read = await readZip(Buffer.concat(zip));
      const expected = made.entries.map(({ fileName }, index) => [fileName, wav(all[index]! + 44, index)]);
      expect([...read].slice(0, -1)).toEqual(expected);
    }),
    { numRuns: 12 },
  );
});
