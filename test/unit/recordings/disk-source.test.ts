import {
  appendFile,
  chmod,
  mkdir,
  readdir,
  rm,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test } from 'vitest';
import { mapBounded } from '../../../node/platform/concurrency.ts';
import { systemClock } from '../../../node/platform/clock.ts';
import { createLog, silentLog } from '../../../node/platform/log.ts';
import { createDiskSource, type DiskSourceOptions } from '../../../node/recordings/disk-source.ts';
import type { OpenedRecording, Recording } from '../../../node/recordings/source.ts';
import { recordingName, unfinishedWav, wav } from '../../support/audio.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { createMemorySource } from '../../support/memory-source.ts';
import { eventually, temporaryDirectory } from '../../support/process.ts';
import { recordingTree } from '../../support/recording-tree.ts';
import { sourceContract } from '../../support/source-contract.ts';

const { signal } = new AbortController();
const QUERY = {
  extensions: ['1121'],
  start: '2025-10-27T00:00:00',
  end: '2025-10-27T23:59:59',
  server: null,
};
const NAME = recordingName('1121', '2000', '20251027-080000');
const WRITTEN_AT = '2025-10-27T11:05:00Z';

async function tree(files: Readonly<Record<string, Buffer>>, options: Partial<DiskSourceOptions> = {}) {
  const directory = await temporaryDirectory();
  await mapBounded(Object.entries(files), 16, async ([key, content]) => {
    const path = join(directory.path, key);
    if (key.includes('/')) await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
    if (content.length > 0) await utimes(path, new Date(WRITTEN_AT), new Date(WRITTEN_AT));
  });
  const clock = fixedClock(WRITTEN_AT);
  const source = createDiskSource({
    root: directory.path,
    order: 'origin-dest',
    clock,
    log: silentLog,
    ...options,
  });
  return {
    source,
    clock,
    path: directory.path,
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
}

async function findOne(made: Awaited<ReturnType<typeof tree>>): Promise<Recording> {
  const { recordings } = await made.source.find(QUERY, signal);
  expect(recordings).toHaveLength(1);
  return recordings[0]!;
}

async function openOne(made: Awaited<ReturnType<typeof tree>>): Promise<OpenedRecording> {
  const opened = await made.source.open(await findOne(made), signal);
  if (typeof opened === 'string') throw new Error(opened);
  onTestFinished(() => {
    opened.stream.destroy();
  });
  return opened;
}

const openDescriptors = async (): Promise<number> => (await readdir('/proc/self/fd')).length;

sourceContract('disk', tree);
sourceContract('memory', async (files) => ({
  source: createMemorySource(files),
  [Symbol.asyncDispose]: async () => undefined,
}));

describe('the walk over the tree', () => {
  test('passes over the directories of other days', async () => {
    await using made = await tree({
      [`2025/10/27/${NAME}`]: wav(100),
      // A right name in a directory that a search of this day has no reason to enter.
      [`2025/10/20/${recordingName('1121', '2001', '20251027-080000')}`]: wav(100),
      [`2024/10/27/${recordingName('1121', '2002', '20251027-080000')}`]: wav(100),
      [`20251020/${recordingName('1121', '2003', '20251027-080000')}`]: wav(100),
      [`2025/10/28/${recordingName('1121', '2004', '20251027-235959')}`]: wav(100),
    });
    const { recordings } = await made.source.find(QUERY, signal);
    expect(recordings.map((one) => one.destination)).toEqual(['2000', '2004']);
  });

  test('enters a company or an extension that is called like a year', async () => {
    await using made = await tree({ [`2010/${NAME}`]: wav(100), '2010/01/notas.txt': wav(100) });
    expect((await findOne(made)).key).toBe(`2010/${NAME}`);
  });

  test('finds all of many thousand names, flat, and lets others run meanwhile', async () => {
    const files: Record<string, Buffer> = {};
    for (let index = 0; index < 5_000; index += 1) {
      files[recordingName(index % 1000 === 7 ? '1121' : '3000', '2000', '20251027-080000', `${index}.1`)] =
        Buffer.alloc(0);
    }
    await using made = await tree(files);
    let turns = 0;
    const count = (): void => {
      turns += 1;
      timer = setImmediate(count);
    };
    let timer = setImmediate(count);
    const { recordings } = await made.source.find(QUERY, signal);
    clearImmediate(timer);
    expect(recordings).toHaveLength(5);
    expect(turns).toBeGreaterThan(1);
  });

  test('ends in the middle when its signal aborts', async () => {
    const files: Record<string, Buffer> = {};
    for (let index = 0; index < 5_000; index += 1) files[`${index}`] = Buffer.alloc(0);
    await using made = await tree(files);
    const aborter = new AbortController();
    const reason = new Error('enough');
    setImmediate(() => aborter.abort(reason));
    await expect(made.source.find(QUERY, aborter.signal)).rejects.toBe(reason);
  });

  test('refuses a search that matches more than the limit', async () => {
    const other = recordingName('1121', '2001', '20251027-080000');
    await using made = await tree({ [NAME]: wav(100), [other]: wav(100) }, { maxRecordings: 1 });
    await expect(made.source.find(QUERY, signal)).rejects.toMatchObject({
      code: 'recordings.too-many',
      retriable: false,
    });
  });

  test('says that the recordings are not there rather than that nothing was found', async () => {
    await using made = await tree({});
    await rm(made.path, { recursive: true });
    await expect(made.source.find(QUERY, signal)).rejects.toMatchObject({
      code: 'recordings.unavailable',
      retriable: true,
    });
  });

  test.skipIf(process.getuid?.() === 0)('names the directories it could not read', async () => {
    await using made = await tree({ [`fechada/${NAME}`]: wav(100), [`aberta/${NAME}`]: wav(100) });
    await chmod(join(made.path, 'fechada'), 0o000);
    const found = await made.source.find(QUERY, signal);
    await chmod(join(made.path, 'fechada'), 0o700);
    expect(found.recordings.map((one) => one.key)).toEqual([`aberta/${NAME}`]);
    expect(found.unreadable).toEqual(['fechada']);
  });

  test('follows the deepest tree only so far, and says where it stopped', async () => {
    const deep = Array.from({ length: 30 }, () => 'd').join('/');
    await using made = await tree({ [`${deep}/${NAME}`]: wav(100) });
    const found = await made.source.find(QUERY, signal);
    expect(found.recordings).toEqual([]);
    expect(found.unreadable).toHaveLength(1);
  });
});

describe('symlinks in the tree', () => {
  test('to a file in the tree are recordings', async () => {
    await using made = await tree({ 'dados/arquivo': wav(100, 3) });
    await symlink('dados/arquivo', join(made.path, NAME));
    expect((await findOne(made)).sizeBytes).toBe(100);
    const { stream } = await openOne(made);
    expect((await buffer(stream)).equals(wav(100, 3))).toBe(true);
  });

  test('to a file or a directory outside are not seen', async () => {
    await using outside = await tree({ [`pasta/${NAME}`]: wav(100) });
    await using made = await tree({ vazia: Buffer.alloc(0) });
    await symlink(join(outside.path, 'pasta', NAME), join(made.path, NAME));
    await symlink(join(outside.path, 'pasta'), join(made.path, 'pasta'));
    await symlink('.', join(made.path, 'volta'));
    expect((await made.source.find(QUERY, signal)).recordings).toEqual([]);
  });

  test('that were put in place of a recording, or of its directory, after the search are not opened', async () => {
    await using outside = await tree({ [NAME]: wav(100) });
    await using made = await tree({ [`pasta/${NAME}`]: wav(100) });
    const recording = await findOne(made);
    await rm(join(made.path, 'pasta'), { recursive: true });
    await symlink(outside.path, join(made.path, 'pasta'));
    expect(await made.source.open(recording, signal)).toBe('unreadable');
    expect(await made.source.open({ ...recording, key: `../${NAME}` }, signal)).toBe('vanished');
  });

  test('that lead nowhere are not seen', async () => {
    await using made = await tree({ vazia: Buffer.alloc(0) });
    await symlink('nada', join(made.path, NAME));
    expect((await made.source.find(QUERY, signal)).recordings).toEqual([]);
  });
});

describe('an opened recording', () => {
  test('is growing while its header does not fit and it was written to lately, then broken', async () => {
    await using made = await tree({ [NAME]: unfinishedWav(1000) });
    made.clock.advance({ minutes: 4, seconds: 59 });
    expect(await openOne(made)).toMatchObject({ fault: 'growing', sizeBytes: 1000 });
    made.clock.advance({ seconds: 1 });
    const opened = await openOne(made);
    expect(opened.fault).toBe('broken');
    expect(await buffer(opened.stream)).toHaveLength(1000);
  });

  test('is broken where it calls itself a WAV and is none', async () => {
    await using made = await tree({ [NAME]: Buffer.alloc(1000, 'x') });
    made.clock.advance({ hours: 1 });
    expect((await openOne(made)).fault).toBe('broken');
  });

  test('of another format is taken as it is', async () => {
    await using made = await tree({ [NAME.replace('.wav', '.mp3')]: Buffer.alloc(1000, 'x') });
    expect(await openOne(made)).toMatchObject({ fault: null, sizeBytes: 1000 });
  });

  test.each([44, 45])('of %i bytes: 44 hold no sound', async (size) => {
    await using made = await tree({ [NAME]: wav(size) });
    const opened = await made.source.open(await findOne(made), signal);
    expect(opened === 'empty').toBe(size === 44);
    if (typeof opened !== 'string') opened.stream.destroy();
  });

  test('gives the bytes it had when it was opened though it grows meanwhile', async () => {
    await using made = await tree({ [NAME]: wav(400_000) });
    const { stream, sizeBytes } = await openOne(made);
    await appendFile(join(made.path, NAME), Buffer.alloc(100_000));
    expect((await buffer(stream)).equals(wav(400_000))).toBe(true);
    expect(sizeBytes).toBe(400_000);
  });

  test('fails clearly when it shrinks meanwhile', async () => {
    await using made = await tree({ [NAME]: wav(400_000) });
    const { stream } = await openOne(made);
    await truncate(join(made.path, NAME), 150_000);
    await expect(buffer(stream)).rejects.toMatchObject({ code: 'recordings.shrunk', retriable: true });
  });

  test('is read to its end though its name is gone', async () => {
    await using made = await tree({ [NAME]: wav(400_000) });
    const { stream } = await openOne(made);
    await rm(join(made.path, NAME));
    expect(await buffer(stream)).toHaveLength(400_000);
  });

  test('is closed when it is given up, read to its end, or found to be empty', async () => {
    await using made = await tree({ [NAME]: wav(400_000) });
    const recording = await findOne(made);
    const before = await openDescriptors();
    (await openOne(made)).stream.destroy();
    await buffer((await openOne(made)).stream);
    await truncate(join(made.path, NAME), 10);
    expect(await made.source.open(recording, signal)).toBe('empty');
    await eventually('every file to be closed', async () => (await openDescriptors()) <= before);
  });

  test('that is a directory is unreadable', async () => {
    await using made = await tree({ [NAME]: wav(100) });
    const recording = await findOne(made);
    await rm(join(made.path, NAME));
    await mkdir(join(made.path, NAME));
    expect(await made.source.open(recording, signal)).toBe('unreadable');
  });
});

describe('directories that are symlinks', () => {
  test('are not searched, and the log of the search tells how many there are', async () => {
    const lines: string[] = [];
    const log = createLog({ level: 'warn', style: 'terminal', write: (line) => lines.push(line) });
    await using elsewhere = await tree({ [`empresa/${NAME}`]: wav(1000) });
    await using made = await tree({ [`aqui/${NAME}`]: wav(1000) }, { log });
    await symlink(join(elsewhere.path, 'empresa'), join(made.path, 'empresa'));
    await symlink(elsewhere.path, join(made.path, 'aqui/outra'));
    await symlink('nowhere', join(made.path, 'morto'));
    await symlink(join(elsewhere.path, 'empresa'), join(made.path, '2001-01-01'));
    const { recordings } = await made.source.find(QUERY, signal);
    expect(recordings.map(({ key }) => key)).toEqual([`aqui/${NAME}`]);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('directories=2');
  });

  test('are not warned of where there are none, nor are links to recordings', async () => {
    const lines: string[] = [];
    const log = createLog({ level: 'warn', style: 'terminal', write: (line) => lines.push(line) });
    await using made = await tree({ [`aqui/${NAME}`]: wav(1000) }, { log });
    await symlink(join(made.path, 'aqui', NAME), join(made.path, NAME));
    await symlink(join(made.path, 'aqui', NAME), join(made.path, 'leia-me'));
    expect((await made.source.find(QUERY, signal)).recordings).toHaveLength(2);
    expect(lines).toEqual([]);
  });
});

describe('what is near', () => {
  const EVERYTHING = {
    extensions: ['1121'],
    start: '2025-10-27T00:00:00',
    end: '2025-10-27T23:59:59',
    server: null,
  };

  test('is of any day, whatever the directories are called', async () => {
    await using place = await recordingTree({
      [`2010/01/02/${recordingName('1121', '2000', '20100102-080000')}`]: wav(100),
      [`2030-05-06/${recordingName('2000', '1121', '20300506-080000')}`]: wav(100),
    });
    const source = createDiskSource({
      root: place.root,
      order: 'dest-origin',
      clock: systemClock,
      log: silentLog,
    });
    expect(await source.nearby(EVERYTHING, signal)).toEqual({
      extensions: [
        {
          extension: '1121',
          before: { startedAt: '2010-01-02T08:00:00', origin: '2000', destination: '1121' },
          after: { startedAt: '2030-05-06T08:00:00', origin: '1121', destination: '2000' },
        },
      ],
      days: null,
    });
  });

  test('is not known where the tree cannot be read, or takes too long', async () => {
    await using place = await recordingTree({ [recordingName('1121', '2000', '20100102-080000')]: wav(100) });
    const nowhere = { root: join(place.root, 'x'), order: 'origin-dest', log: silentLog } as const;
    const away = createDiskSource({ ...nowhere, clock: systemClock });
    expect(await away.nearby(EVERYTHING, signal)).toBeNull();
    const hasty = { ...systemClock, sleep: async () => undefined };
    const late = createDiskSource({ ...nowhere, root: place.root, clock: hasty });
    await place.write(Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`f/${index}.txt`, ''])));
    expect(await late.nearby(EVERYTHING, signal)).toBeNull();
    const reason = new Error('enough');
    await expect(away.nearby(EVERYTHING, AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});
