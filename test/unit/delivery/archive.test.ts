import { readdir } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { readZip } from '../../../demo/zip-reader.ts';
import { archiveRecordings } from '../../../node/delivery/archive.ts';
import { nameRecordings } from '../../../node/delivery/entry-name.ts';
import { recordingName, unfinishedWav, wav } from '../../support/audio.ts';
import { allRecordings } from '../../support/delivery.ts';
import { createMemorySource, type MemorySource } from '../../support/memory-source.ts';
import { eventually } from '../../support/process.ts';

const FIRST = recordingName('1121', '2000', '20251027-080000');
const SECOND = recordingName('1121', '2001', '20251027-090001');
const THIRD = recordingName('1121', '2002', '20251028-100000');

async function archiveOf(source: MemorySource, signal = new AbortController().signal) {
  const entries = nameRecordings(await allRecordings(source));
  return archiveRecordings({ source, entries, leftOut: new Map(), signal });
}

const threeFiles = (): Record<string, Buffer> => ({
  [FIRST]: wav(200_000, 1),
  [SECOND]: wav(70_000, 2),
  [THIRD]: wav(1_000_000, 3),
});

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

  test('breaks off where a recording does, and tells which', async () => {
    const source = createMemorySource(threeFiles());
    source.breaks.set(SECOND, 1);
    const archive = await archiveOf(source);
    await expect(buffer(archive.stream!)).rejects.toMatchObject({ code: 'recordings.unreadable' });
    expect((await archive.outcome).failed?.key).toBe(SECOND);
    expect(source.openStreams.now).toBe(0);
  });

  test('opens one recording at a time, and no sooner than it is read', async () => {
    const source = createMemorySource(threeFiles());
    const archive = await archiveOf(source);
    await nextTurn();
    await buffer(archive.stream!);
    expect(source.openStreams).toEqual({ now: 0, most: 1 });
  });

  test('is produced no faster than it is taken', async () => {
    const files: Record<string, Buffer> = {};
    for (let index = 0; index < 40; index += 1)
      files[recordingName('1121', `${2000 + index}`, '20251027-080000')] = wav(500_000);
    let opened = 0;
    const source = createMemorySource(files);
    const counting = {
      ...source,
      open: (...args: Parameters<typeof source.open>) => ((opened += 1), source.open(...args)),
    };
    const entries = nameRecordings(await allRecordings(source));
    const archive = await archiveRecordings({
      source: counting,
      entries,
      leftOut: new Map(),
      signal: new AbortController().signal,
    });
    for (let turn = 0; turn < 200; turn += 1) await nextTurn();
    expect(opened).toBeLessThan(8);
    archive.stream!.destroy();
    await archive.outcome;
  });

  test.each(['an abort', 'its reader giving up'])('ends with %s and leaves nothing open', async (how) => {
    const source = createMemorySource(threeFiles());
    const aborter = new AbortController();
    const archive = await archiveOf(source, aborter.signal);
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
