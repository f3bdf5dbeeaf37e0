import { randomBytes } from 'node:crypto';
import { appendFile, open as openFile, readdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import type { Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readZip } from '../../../demo/zip-reader.ts';
import { type ArchiveOptions, archiveRecordings } from '../../../node/delivery/archive.ts';
import { nameRecordings } from '../../../node/delivery/entry-name.ts';
import { WHOLE_MAX_BYTES } from '../../../node/delivery/read-ahead.ts';
import { AppError } from '../../../node/platform/errors.ts';
import { exactStream } from '../../../node/recordings/exact-stream.ts';
import { recordingName, unfinishedWav, wav } from '../../support/audio.ts';
import { allRecordings } from '../../support/delivery.ts';
import { createMemorySource, type MemorySource } from '../../support/memory-source.ts';
import { eventually, temporaryDirectory } from '../../support/process.ts';

const FIRST = recordingName('1121', '2000', '20251027-080000');
const SECOND = recordingName('1121', '2001', '20251027-090001');
const THIRD = recordingName('1121', '2002', '20251028-100000');

async function archiveOf(source: MemorySource, options: Partial<ArchiveOptions> = {}) {
  return archiveRecordings({
    source,
    entries: nameRecordings(await allRecordings(source)),
    leftOut: new Map(),
    level: 0,
    manifestName: 'manifesto.csv',
    evenEmpty: false,
    progress: () => undefined,
    signal: new AbortController().signal,
    ...options,
  });
}

const threeFiles = (): Record<string, Buffer> => ({
  [FIRST]: wav(200_000, 1),
  [SECOND]: wav(70_000, 2),
  [THIRD]: wav(1_000_000, 3),
});

/** A recording's name whose place is `index` in order of time. */
function nameAt(index: number): string {
  const time = `${String(Math.floor(index / 60)).padStart(2, '0')}${String(index % 60).padStart(2, '0')}00`;
  return recordingName('1121', '2000', `20251027-${time}`);
}

/** As `buffer`, but its failure can be shown: that of `buffer` has all the bytes with it. */
async function collect(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe('the ZIP', () => {
  test('holds every recording byte for byte, in order of time, and the manifest at its end', async () => {
    const source = createMemorySource(threeFiles());
    const archive = await archiveOf(source);
    const entries = readZip(await buffer(archive.stream!));
    expect(entries.map((entry) => entry.name)).toEqual([
      '20251027-080000_1121_2000.wav',
      '20251027-090001_1121_2001.wav',
      '20251028-100000_1121_2002.wav',
      'manifesto.csv',
    ]);
    expect(entries[0]?.content.equals(wav(200_000, 1))).toBe(true);
    expect(entries[2]?.content.equals(wav(1_000_000, 3))).toBe(true);
    expect(await archive.outcome).toMatchObject({ failed: null, lines: [{ sizeBytes: 200_000 }, {}, {}] });
  });

  test('has the same bytes whenever it is made', async () => {
    const first = await buffer((await archiveOf(createMemorySource(threeFiles()))).stream!);
    const second = await buffer((await archiveOf(createMemorySource(threeFiles()))).stream!);
    expect(first.equals(second)).toBe(true);
  });

  test('bears the wall times of the recordings, whatever the zone of this host', async () => {
    const zip = await buffer((await archiveOf(createMemorySource(threeFiles()))).stream!);
    // MS-DOS date and time of the first local header (APPNOTE.TXT 4.4.6): 2025-10-27 08:00:00.
    expect([zip.readUInt16LE(12), zip.readUInt16LE(10)]).toEqual([
      ((2025 - 1980) << 9) | (10 << 5) | 27,
      8 << 11,
    ]);
  });

  test('leaves out what cannot be delivered and says so in the manifest', async () => {
    const source = createMemorySource({ ...threeFiles(), [SECOND]: Buffer.alloc(44) });
    source.faults.set(FIRST, 'unreadable').set(THIRD, 'growing');
    const entries = readZip(await buffer((await archiveOf(source)).stream!));
    expect(entries.map((entry) => entry.name)).toEqual(['20251028-100000_1121_2002.wav', 'manifesto.csv']);
    const manifest = entries.at(-1)?.content.toString().split('\r\n') ?? [];
    expect(manifest[1]).toContain('Não incluída: não foi possível ler o arquivo');
    expect(manifest[2]).toContain('Não incluída: o arquivo está vazio');
    expect(manifest[3]).toContain('Incluída com ressalva');
  });

  test('is not made where nothing could be put into it', async () => {
    const archive = await archiveOf(createMemorySource({ [FIRST]: unfinishedWav(10) }));
    expect(archive.stream).toBeNull();
    expect(await archive.outcome).toMatchObject({
      lines: [{ fault: 'empty', sizeBytes: null }],
      failed: null,
    });
  });

  test('takes a recording that breaks off once, and leaves out one that always does', async () => {
    const source = createMemorySource(threeFiles());
    source.breaks.set(FIRST, 1).set(SECOND, 1000);
    const archive = await archiveOf(source);
    const entries = readZip(await buffer(archive.stream!));
    expect(entries.map((entry) => entry.name)).toEqual([
      '20251027-080000_1121_2000.wav',
      '20251028-100000_1121_2002.wav',
      'manifesto.csv',
    ]);
    expect(entries[0]?.content.equals(wav(200_000, 1))).toBe(true);
    expect(await archive.outcome).toMatchObject({ failed: null, lines: [{}, { fault: 'unreadable' }, {}] });
    expect(source.openStreams.now).toBe(0);
  });

  test('breaks off where a recording does that is too large to be read ahead, and tells which', async () => {
    const source = createMemorySource({ ...threeFiles(), [SECOND]: wav(WHOLE_MAX_BYTES + 1, 2) });
    source.breaks.set(SECOND, 1);
    const archive = await archiveOf(source);
    await expect(collect(archive.stream!)).rejects.toMatchObject({ code: 'recordings.unreadable' });
    expect((await archive.outcome).failed?.key).toBe(SECOND);
    expect(source.openStreams.now).toBe(0);
  });

  test('fails with a source that is away, and no recording is blamed', async () => {
    const source = createMemorySource({ ...threeFiles(), [FIRST]: wav(WHOLE_MAX_BYTES + 1, 2) });
    const away = new AppError('recordings.unavailable', 'unmounted', { retriable: true });
    const open: MemorySource['open'] = async (recording, signal) => {
      if (recording.key === THIRD) throw away;
      return source.open(recording, signal);
    };
    const archive = await archiveOf(source, { source: { ...source, open } });
    await expect(collect(archive.stream!)).rejects.toBe(away);
    expect((await archive.outcome).failed).toBeNull();
    expect(source.openStreams.now).toBe(0);
  });

  test('opens a bounded number of recordings at a time, and a large one only when its turn comes', async () => {
    const files: Record<string, Buffer> = {};
    for (let index = 0; index < 80; index += 1) files[nameAt(index)] = wav(1_000 + index, index);
    const source = createMemorySource(files);
    await buffer((await archiveOf(source)).stream!);
    expect(source.openStreams.now).toBe(0);
    expect(source.openStreams.most).toBeGreaterThan(4);
    expect(source.openStreams.most).toBeLessThanOrEqual(16);

    const large = createMemorySource({ ...threeFiles(), [THIRD]: wav(WHOLE_MAX_BYTES + 1) });
    const opened: string[] = [];
    const open: MemorySource['open'] = async (recording, signal) => {
      opened.push(recording.key);
      if (recording.key === THIRD) expect(large.openStreams.now).toBe(0);
      return large.open(recording, signal);
    };
    await collect((await archiveOf(large, { source: { ...large, open } })).stream!);
    expect(opened).toEqual([FIRST, SECOND, THIRD]);
  });

  test('is produced no faster than it is taken', async () => {
    const files: Record<string, Buffer> = {};
    for (let index = 0; index < 60; index += 1) files[nameAt(index)] = wav(300_000);
    let opened = 0;
    const source = createMemorySource(files);
    const open: MemorySource['open'] = (...args) => ((opened += 1), source.open(...args));
    const archive = await archiveOf(source, { source: { ...source, open } });
    for (let turn = 0; turn < 400; turn += 1) await nextTurn();
    expect(opened).toBeLessThan(24);
    archive.stream!.destroy();
    await archive.outcome;
    expect(source.openStreams.now).toBe(0);
  });

  test('keeps the order of the recordings, whichever of them is read first', async () => {
    const files: Record<string, Buffer> = {};
    for (let index = 0; index < 40; index += 1) files[nameAt(index)] = wav(500 + index, index);
    const source = createMemorySource(files);
    let turns = 40;
    const open: MemorySource['open'] = async (...args) => {
      turns -= 1;
      for (let turn = turns; turn > 0; turn -= 1) await nextTurn();
      return source.open(...args);
    };
    const entries = readZip(await buffer((await archiveOf(source, { source: { ...source, open } })).stream!));
    expect(entries.slice(0, -1).map(({ content }) => content.length)).toEqual(
      Array.from({ length: 40 }, (_, index) => 500 + index),
    );
  });

  test('does not open what lies in cold storage, and says that it must be restored', async () => {
    const source = createMemorySource(threeFiles());
    const [first, ...others] = await allRecordings(source);
    const entries = nameRecordings([{ ...first!, archived: true }, ...others]);
    const archive = await archiveOf(source, { entries });
    const zip = readZip(await buffer(archive.stream!));
    expect(zip).toHaveLength(3);
    expect(zip.at(-1)?.content.toString()).toContain('(armazenamento frio) e precisa ser restaurado antes');
    expect((await archive.outcome).lines[0]).toMatchObject({ fault: 'archived', sizeBytes: null });
  });

  test('holds its manifest alone where it is one of several and nothing could be put into it', async () => {
    const source = createMemorySource({ [FIRST]: unfinishedWav(10 + 34) });
    const archive = await archiveOf(source, { evenEmpty: true, manifestName: 'manifesto-parte-2-de-3.csv' });
    const entries = readZip(await buffer(archive.stream!));
    expect(entries.map(({ name }) => name)).toEqual(['manifesto-parte-2-de-3.csv']);
  });

  test('tells of each recording and its bytes as they are put into it', async () => {
    const source = createMemorySource({ ...threeFiles(), [THIRD]: wav(WHOLE_MAX_BYTES + 5) });
    source.faults.set(SECOND, 'unreadable');
    const told: [number, number][] = [];
    const progress: ArchiveOptions['progress'] = (...args) => void told.push(args);
    await collect((await archiveOf(source, { progress })).stream!);
    expect(told.slice(0, 2)).toEqual([
      [1, 200_000],
      [1, 0],
    ]);
    expect(told.length).toBeGreaterThan(4);
    expect(told.reduce((sum, [, bytes]) => sum + bytes, 0)).toBe(200_000 + WHOLE_MAX_BYTES + 5);
    expect(told.reduce((sum, [recordings]) => sum + recordings, 0)).toBe(3);
  });

  test.each(['an abort', 'its reader giving up'])('ends with %s and leaves nothing open', async (how) => {
    const source = createMemorySource(threeFiles());
    const aborter = new AbortController();
    const archive = await archiveOf(source, { signal: aborter.signal });
    await archive.stream![Symbol.asyncIterator]().next();
    if (how === 'an abort') aborter.abort(new Error('enough'));
    else archive.stream!.destroy();
    expect((await archive.outcome).failed).toBeNull();
    expect(archive.stream!.destroyed).toBe(true);
    expect(source.openStreams.now).toBe(0);
  });

  test('has no file descriptor left open when it is over', async () => {
    const before = (await readdir('/proc/self/fd')).length;
    await buffer((await archiveOf(createMemorySource(threeFiles()))).stream!);
    await eventually('descriptors', async () => (await readdir('/proc/self/fd')).length <= before);
  });
});

describe('what is compressed', () => {
  const mp3 = recordingName('1121', '2001', '20251027-090001').replace('.wav', '.mp3');

  /** Method (APPNOTE.TXT 4.4.5) and name of each entry, from the directory; the content has been checked. */
  async function methodsOf(files: Readonly<Record<string, Buffer>>, level: number) {
    const zip = await collect((await archiveOf(createMemorySource(files), { level })).stream!);
    const entries = readZip(zip);
    const methods: Record<string, number> = {};
    for (let at = zip.indexOf('PK\u0001\u0002'); at >= 0; at = zip.indexOf('PK\u0001\u0002', at + 4)) {
      const name = zip.toString('latin1', at + 46, at + 46 + zip.readUInt16LE(at + 28));
      methods[name.slice(name.lastIndexOf('.') + 1)] = zip.readUInt16LE(at + 10);
    }
    return { entries, methods, sizeBytes: zip.length };
  }

  test('is sound as it was sampled, and never what is compressed already', async () => {
    const quiet = Buffer.concat([wav(1_000), Buffer.alloc(200_000)]);
    const files = { [FIRST]: quiet, [mp3]: quiet };
    const stored = await methodsOf(files, 0);
    expect(stored.methods).toEqual({ wav: 0, mp3: 0, csv: 0 });
    const deflated = await methodsOf(files, 1);
    expect(deflated.methods).toEqual({ wav: 8, mp3: 0, csv: 8 });
    expect(stored.sizeBytes - deflated.sizeBytes).toBeGreaterThan(195_000);
    expect(deflated.entries[0]?.content.equals(quiet)).toBe(true);
  });

  test('is stored where deflating would make it larger', async () => {
    const { methods } = await methodsOf({ [FIRST]: Buffer.concat([wav(100), randomBytes(50_000)]) }, 9);
    expect(methods['wav']).toBe(0);
  });

  test('is compressed as it streams where it is too large to be read ahead', async () => {
    const large = Buffer.concat([wav(2_000_000), Buffer.alloc(WHOLE_MAX_BYTES)]);
    const { methods, entries, sizeBytes } = await methodsOf({ [FIRST]: large, [SECOND]: wav(5_000) }, 1);
    expect(methods['wav']).toBe(8);
    expect(entries[0]?.content.equals(large)).toBe(true);
    expect(entries[1]?.content.equals(wav(5_000))).toBe(true);
    expect(sizeBytes).toBeLessThan(large.length / 2);
  });
});

test('property: whatever the recordings are and however they break off, the ZIP is sound and holds those that can be read', async () => {
  const file = fc.record({
    sizeBytes: fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 45, max: 5_000 }) }, fc.constant(44)),
    breaks: fc.constantFrom(0, 0, 0, 1, 2),
    format: fc.constantFrom('wav', 'mp3', 'gsm'),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(file, { maxLength: 40 }), fc.constantFrom(0, 1, 9), async (files, level) => {
      const nameOf = (index: number): string => nameAt(index).replace('wav', files[index]?.format ?? '');
      const content = files.map(({ sizeBytes }, index) =>
        wav(Math.max(45, sizeBytes), index).subarray(0, sizeBytes),
      );
      const source = createMemorySource(
        Object.fromEntries(content.map((bytes, index) => [nameOf(index), bytes])),
      );
      for (const [index, { breaks }] of files.entries()) source.breaks.set(nameOf(index), breaks);
      const archive = await archiveOf(source, { level, evenEmpty: true });
      const entries = readZip(await collect(archive.stream!));
      const expected = content.filter(({ length }, index) => length > 44 && (files[index]?.breaks ?? 0) < 2);
      expect(entries.slice(0, -1).map((entry) => entry.content)).toEqual(expected);
      expect((await archive.outcome).lines).toHaveLength(files.length);
      expect(source.openStreams.now).toBe(0);
    }),
    { numRuns: 60 },
  );
});

describe('a file that changes while it is read ahead', () => {
  /** Recordings as files; `meddle` is called when one has been opened and before it is read. */
  async function archiveOfFiles(meddle: (path: string, opened: number) => Promise<void>) {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'a.wav');
    await writeFile(path, wav(300_000));
    let opened = 0;
    const source = createMemorySource(threeFiles());
    const open: MemorySource['open'] = async (recording, signal) => {
      if (recording.key !== SECOND) return source.open(recording, signal);
      const file = await openFile(path);
      const { size } = await file.stat();
      opened += 1;
      await meddle(path, opened);
      return {
        stream: exactStream(file, size, recording.key),
        ...{ sizeBytes: size, fault: null, audio: { seconds: null, playable: true } },
      };
    };
    const archive = await archiveOf(source, { source: { ...source, open } });
    const entries = readZip(await collect(archive.stream!));
    return { entries, lines: (await archive.outcome).lines, opened };
  }

  test('is read again where it was truncated, as it is then', async () => {
    const { entries, opened } = await archiveOfFiles(async (path, times) => {
      if (times === 1) await truncate(path, 200_000);
    });
    expect(opened).toBe(2);
    expect(entries[1]?.content.equals(wav(300_000).subarray(0, 200_000))).toBe(true);
  });

  test('is left out where it is truncated again and again', async () => {
    const { entries, lines } = await archiveOfFiles((path, times) => truncate(path, 200_000 - times));
    expect(entries).toHaveLength(3);
    expect(lines[1]).toMatchObject({ fault: 'unreadable', sizeBytes: null });
  });

  test('is delivered as it was when it was opened where it grows', async () => {
    const { entries, opened } = await archiveOfFiles((path) => appendFile(path, Buffer.alloc(5_000)));
    expect(opened).toBe(1);
    expect(entries[1]?.content.equals(wav(300_000))).toBe(true);
  });
});
