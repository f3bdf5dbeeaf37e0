import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { IndexWriter, ListedFile } from '../../../node/indexing/index-database.ts';
import { beginIndex, openReader } from '../../../node/indexing/index-files.ts';
import { compareKeys, type KeyRange } from '../../../node/indexing/key-ranges.ts';
import { recordingName } from '../../support/audio.ts';
import { temporaryDirectory } from '../../support/process.ts';

const ALL = { extensions: ['1121'], start: '2000-01-01T00:00:00', end: '2100-01-01T00:00:00' };
const UNIQUES = ['1', '2', 'a b', '-', '\uFF5E', '\u{1F600}', 'é'];
const NAMES = UNIQUES.map((unique) => recordingName('1121', '2000', '20251027-080000', unique)).concat(
  'leia.txt',
);

const file: fc.Arbitrary<ListedFile> = fc.record({
  name: fc.constantFrom(...NAMES),
  sizeBytes: fc.integer({ min: 0, max: 3 }),
  archived: fc.boolean(),
});
const files = fc.uniqueArray(file, { selector: ({ name }) => name, maxLength: NAMES.length });
const bound = fc.option(fc.constantFrom(...NAMES));
const page = fc.record({ after: bound, upTo: bound, files, complete: fc.boolean() });

function isWithin(name: string, { after, upTo }: KeyRange): boolean {
  return (after === null || compareKeys(name, after) > 0) && (upTo === null || compareKeys(name, upTo) <= 0);
}

describe('a range of the names of a folder', () => {
  test('holds exactly what was listed of it, and what lies beside it stays, in a build and after it', async () => {
    await using directory = await temporaryDirectory();
    await fc.assert(
      fc.asyncProperty(fc.array(page, { maxLength: 6 }), async (pages) => {
        using builder = beginIndex(directory.path, 's3');
        const folder = builder.putFolder('empresa', null);
        const other = builder.putFolder('outra', null);
        const beside: ListedFile = { name: NAMES[0] ?? '', sizeBytes: 9, archived: false };
        builder.replaceRange(other, { after: null, upTo: null }, [beside]);
        const model = new Map<string, ListedFile>();
        let completed = false;
        for (const { files: some, complete, ...range } of pages) {
          if (complete && !completed) builder.complete();
          completed ||= complete;
          apply(builder, folder, range, some, model);
        }
        if (!completed) builder.complete();
        using reader = openReader(directory.path, 's3', builder.serial);
        const hits = reader.query(ALL).toSorted((a, b) => compareKeys(a.key, b.key));
        const expected = [...model.values()]
          .toSorted((a, b) => compareKeys(a.name, b.name))
          .map(({ name, sizeBytes, archived }) => ({ key: `empresa/${name}`, sizeBytes, archived }));
        expect(hits).toEqual([...expected, { key: `outra/${beside.name}`, sizeBytes: 9, archived: false }]);
        expect(builder.counts().files).toBe(expected.length + 1);
      }),
      { numRuns: 25 },
    );
  });
});

function apply(
  writer: IndexWriter,
  folder: number,
  range: KeyRange,
  some: readonly ListedFile[],
  model: Map<string, ListedFile>,
): void {
  const listed = some.filter(({ name }) => isWithin(name, range));
  const recordings = listed.filter(({ name }) => name.startsWith('internal-'));
  const before = [...model.keys()].filter((name) => isWithin(name, range));
  const change = writer.replaceRange(folder, range, listed);
  const names = new Set(recordings.map(({ name }) => name));
  expect(change).toEqual({
    added: recordings.filter(({ name }) => !before.includes(name)).length,
    removed: before.filter((name) => !names.has(name)).length,
  });
  for (const name of before) model.delete(name);
  for (const one of recordings) model.set(one.name, one);
}
