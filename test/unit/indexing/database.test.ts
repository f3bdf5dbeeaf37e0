import { readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { IndexBuilder, IndexWriter, ListedFile } from '../../../node/indexing/index-database.ts';
import {
  beginIndex,
  openIndex,
  openReader,
  removeLeftIndexes,
  removeOtherIndexes,
} from '../../../node/indexing/index-files.ts';
import { temporaryDirectory } from '../../support/process.ts';

const EVER = { start: '1970-01-01T00:00:00', end: '9999-12-31T23:59:59' };

const named = (name: string, sizeBytes: number | null = null): ListedFile => ({ name, sizeBytes });
const call = (extension: string, index: number, time = '080000'): ListedFile =>
  named(`internal-${extension}-2000-20251027-${time}-1761562800.${index}.wav`);

async function place(): Promise<string> {
  const directory = await temporaryDirectory();
  onTestFinished(() => directory[Symbol.asyncDispose]());
  return join(directory.path, 'index');
}

function closing<T extends Disposable>(it: T): T {
  onTestFinished(() => it[Symbol.dispose]());
  return it;
}

function built(directory: string, files: readonly ListedFile[] = [call('1121', 1)]): IndexBuilder {
  const builder = closing(beginIndex(directory, 'audio'));
  builder.add(builder.putFolder('2025/10/27', 5.25), files);
  builder.complete();
  return builder;
}

function keysOf(directory: string, writer: IndexWriter, ...extensions: string[]): string[] {
  using reader = openReader(directory, 'audio', writer.serial);
  return reader.query({ extensions, ...EVER }).map(({ key }) => key);
}

describe('files of an index', () => {
  test('where nothing lies there is no index, and the first build makes a private place for it', async () => {
    const directory = await place();
    expect(openIndex(directory, 'audio')).toBeNull();
    const builder = built(directory);
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    expect((await readdir(directory)).filter((name) => name.endsWith('.db'))).toEqual(['audio-1.db']);
    for (const name of await readdir(directory)) {
      expect((await stat(join(directory, name))).mode & 0o777).toBe(0o600);
    }
    expect(builder.path).toBe(join(directory, 'audio-1.db'));
  });

  test('what was built is there again when it is opened', async () => {
    const directory = await place();
    const builder = built(directory);
    builder.setFact('builtAt', 'today');
    builder[Symbol.dispose]();
    const writer = closing(openIndex(directory, 'audio') ?? expect.fail('it is not there'));
    expect(writer.folders()).toEqual([{ id: 1, path: '2025/10/27', settled: 5.25 }]);
    expect(writer.counts()).toEqual({ files: 1, folders: 1 });
    expect(writer.fact('builtAt')).toBe('today');
    expect(writer.fact('unheard of')).toBeNull();
    expect(keysOf(directory, writer, '2000')).toEqual([`2025/10/27/${call('1121', 1).name}`]);
  });

  test('a build that was not completed is not opened, and removed', async () => {
    const directory = await place();
    built(directory)[Symbol.dispose]();
    const { path, serial } = built(directory, [call('1122', 1)]);
    expect(serial).toBe(2);
    using database = new DatabaseSync(path);
    database.exec("DELETE FROM state WHERE name = 'complete'");
    const writer = closing(openIndex(directory, 'audio') ?? expect.fail('it is not there'));
    expect(writer.serial).toBe(1);
    expect((await readdir(directory)).filter((name) => name.startsWith('audio-2'))).toEqual([]);
  });

  test('of several that are complete the last one counts, and the others go', async () => {
    const directory = await place();
    const old = built(directory, [call('1121', 1)]);
    const other = beginIndex(directory, 's3');
    other.complete();
    other[Symbol.dispose]();
    await writeFile(join(directory, 'audio-notes.db'), 'not ours');
    built(directory, [call('1121', 2)])[Symbol.dispose]();
    old[Symbol.dispose]();
    const writer = closing(openIndex(directory, 'audio') ?? expect.fail('it is not there'));
    expect(writer.serial).toBe(2);
    const databases = (await readdir(directory)).filter((name) => name.endsWith('.db'));
    expect(databases.toSorted()).toEqual(['audio-2.db', 'audio-notes.db', 's3-1.db']);
    expect(closing(openIndex(directory, 's3') ?? expect.fail('it is not there')).serial).toBe(1);
  });

  test('those of sources that have no index any more go, and nothing else', async () => {
    const directory = await place();
    expect(removeLeftIndexes(directory, [])).toEqual([]);
    built(directory);
    built(directory);
    closing(beginIndex(directory, 's3')).complete();
    await writeFile(join(directory, 'audio-notes.db'), 'not ours');
    expect(removeLeftIndexes(directory, ['audio', 's3'])).toEqual([]);
    const before = await readdir(directory);
    expect(removeLeftIndexes(directory, ['s3'])).toEqual(['audio']);
    const kept = before.filter((name) => name.startsWith('s3-1.db') || name === 'audio-notes.db');
    expect((await readdir(directory)).toSorted()).toEqual(kept.toSorted());
    expect(removeLeftIndexes(directory, ['s3'])).toEqual([]);
  });

  test('one of another schema is removed', async () => {
    const directory = await place();
    const { path } = built(directory);
    using database = new DatabaseSync(path);
    database.exec('PRAGMA user_version = 99');
    expect(openIndex(directory, 'audio')).toBeNull();
    expect(await readdir(directory)).toEqual([]);
  });

  test('a build that is given up leaves nothing behind', async () => {
    const directory = await place();
    beginIndex(directory, 'audio')[Symbol.dispose]();
    expect(await readdir(directory)).toEqual([]);
  });

  test('a build in which a step failed cannot be completed', async () => {
    const directory = await place();
    const builder = beginIndex(directory, 'audio');
    const failing = (): void =>
      builder.transaction(() => {
        builder.putFolder('half', null);
        throw new Error('the disk went away');
      });
    expect(failing).toThrow('the disk went away');
    expect(() => builder.complete()).toThrow(expect.objectContaining({ code: 'index.broken' }));
    builder[Symbol.dispose]();
    expect(await readdir(directory)).toEqual([]);
  });
});

describe('a reader', () => {
  test('sees what the writer has committed, and nothing of what it has not', async () => {
    const directory = await place();
    const writer = built(directory);
    using reader = openReader(directory, 'audio', writer.serial);
    const count = (): number => reader.query({ extensions: ['1121'], ...EVER }).length;
    expect(count()).toBe(1);
    writer.transaction(() => {
      writer.add(1, [call('1121', 2)]);
      expect(count()).toBe(1);
    });
    expect(count()).toBe(2);
    expect(reader.hasFolderNamed('2026')).toBe(false);
    writer.putFolder('2026/Filial', null);
    expect(reader.hasFolderNamed('FILIAL')).toBe(true);
  });

  test('can go on while its file is removed, and its successor is opened', async () => {
    const directory = await place();
    const old = built(directory);
    using reader = openReader(directory, 'audio', old.serial);
    const next = built(directory, [call('1121', 7)]);
    removeOtherIndexes(directory, 'audio', next.serial);
    old[Symbol.dispose]();
    expect(reader.query({ extensions: ['1121'], ...EVER })).toHaveLength(1);
    expect((await readdir(directory)).filter((name) => name.startsWith('audio-1'))).toEqual([]);
    expect(keysOf(directory, next, '1121')).toEqual([`2025/10/27/${call('1121', 7).name}`]);
  });

  test('of an index that is not there says that it is broken', async () => {
    const directory = await place();
    expect(() => openReader(directory, 'audio', 3)).toThrow(
      expect.objectContaining({ code: 'index.broken' }),
    );
    built(directory);
    expect(() => openReader(directory, 'audio', 3)).toThrow(
      expect.objectContaining({ code: 'index.broken' }),
    );
  });

  test('finds by whole numbers on either side, both ends of the time included, in order of time and key', async () => {
    const directory = await place();
    const files = [
      named('internal-1121-0042-20251027-080000-1.3.wav', 10),
      named('internal-1121-0042-20251027-080000-1.2.wav', 20),
      named('out-0042-11912345678-20251027-075959-pbx-1-1.4.WAV', 30),
      named('internal-0042-0042-20251027-080001-ação 1.gsm', 40),
      named('internal-42-anonymous-20251027-080000-1.5.wav', 50),
      named('internal-00420-s-20251027-080000-1.6.wav', 60),
    ];
    const writer = built(directory, files);
    using reader = openReader(directory, 'audio', writer.serial);
    const asked = {
      extensions: ['0042', '1121', '42', ''],
      start: '2025-10-27T08:00:00',
      end: '2025-10-27T08:00:01',
    };
    const below = (name: string | undefined): string => `2025/10/27/${name}`;
    expect(reader.query(asked)).toEqual([
      { key: below(files[1]?.name), sizeBytes: 20, archived: false },
      { key: below(files[0]?.name), sizeBytes: 10, archived: false },
      { key: below(files[3]?.name), sizeBytes: 40, archived: false },
    ]);
    expect(writer.counts().files).toBe(5);
  });
});

describe('a writer', () => {
  test('keeps together what is fresh and what was moved, whatever happens to it', async () => {
    const directory = await place();
    const files = Array.from({ length: 12_000 }, (_, index) => call(String(3000 + (index % 5)), index));
    const writer = built(directory, files.slice(0, 2_000));
    for (let at = 0; at < files.length; at += 3_000) writer.add(1, files.slice(at, at + 3_000));
    expect(writer.counts().files).toBe(12_000);
    expect(keysOf(directory, writer, '2000')).toHaveLength(12_000);

    const [first, last] = [files[0]?.name ?? '', files.at(-1)?.name ?? ''];
    writer.add(1, [named(first, 5), { name: last, sizeBytes: 2 ** 40, archived: true }]);
    using reader = openReader(directory, 'audio', writer.serial);
    const hits = reader.query({ extensions: ['2000', '3000'], ...EVER });
    expect(hits).toHaveLength(12_000);
    const sizes = hits.flatMap(({ sizeBytes }) => sizeBytes ?? []);
    expect(sizes.toSorted((a, b) => a - b)).toEqual([5, 2 ** 40]);
    expect(writer.unsized(20_000)).toHaveLength(11_998);
    expect(writer.remove(1, [first, last, 'nothing.wav'])).toBe(2);
    expect(keysOf(directory, writer, '2000')).toHaveLength(11_998);
    expect(writer.replace(1, files)).toEqual({ added: 2, removed: 0 });
    expect(writer.unsized(20_000)).toHaveLength(12_000);
  });

  test('removes a folder with those below it, and none that is only called alike', async () => {
    const directory = await place();
    const writer = built(directory);
    const ids = ['a', 'a/b', 'a/b/c', 'a b', 'aa'].map((path) => writer.putFolder(path, null));
    for (const [index, id] of ids.entries()) writer.add(id, [call('1130', index)]);
    expect(writer.removeFolder(ids[0] ?? 0)).toBe(3);
    expect(writer.folders().map(({ path }) => path)).toEqual(['2025/10/27', 'a b', 'aa']);
    expect(writer.removeFolder(999)).toBe(0);
    // An id is not given again: who knew the old folder does not mistake the new one for it.
    expect(ids).not.toContain(writer.putFolder('a', null));
  });

  test('refuses files for a folder that is not there', async () => {
    const writer = built(await place());
    expect(() => writer.add(77, [call('1121', 5)])).toThrow('no folder 77');
    expect(writer.counts().files).toBe(1);
  });

  test('lets errors that are not its own pass as they are', async () => {
    const directory = await place();
    const writer = built(directory);
    const mine = Object.assign(new Error('no such directory'), { code: 'ENOENT' });
    const files = function* (): Generator<ListedFile> {
      yield call('1121', 9);
      throw mine;
    };
    expect(() => writer.replace(1, files())).toThrow(mine);
    expect(writer.counts().files).toBe(1);
    // Nor does it come to light later.
    writer.add(1, [call('1121', 10)]);
    expect(keysOf(directory, writer, '1121')).toHaveLength(2);
    expect(writer.unsized(10)).toHaveLength(2);
  });
});
