import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { IndexBuilder, IndexWriter, ListedFile } from '../../../node/indexing/index-database.ts';
import { beginIndex, openIndex, openReader } from '../../../node/indexing/index-files.ts';
import { readIndexName } from '../../../node/indexing/index-name.ts';
import { parseRecordingName } from '../../../node/recordings/name.ts';
import { indexNames } from '../../support/index-names.ts';
import { temporaryDirectory } from '../../support/process.ts';

const NUMBERS = ['1121', '0042', '1122', '11210', '12345678', '123'];
const PATHS = ['', 'a', 'a/b', 'ab', 'a0', 'Cliente Ünï/2025', 'Cliente Ünï/2025/10'];

interface Known {
  sizeBytes: number | null;
  archived: boolean;
}

/** What an index should say, kept in maps. */
class Model {
  readonly folders = new Map<string, Map<string, Known>>();

  put(path: string): void {
    if (!this.folders.has(path)) this.folders.set(path, new Map());
  }

  add(path: string, files: readonly ListedFile[]): number {
    const folder = this.folders.get(path) ?? new Map<string, Known>();
    let added = 0;
    for (const { name, sizeBytes, archived = false } of files) {
      if (numbersOf(name).length === 0) continue;
      if (!folder.has(name)) added += 1;
      if (!folder.has(name) || sizeBytes !== null) folder.set(name, { sizeBytes, archived });
    }
    return added;
  }

  remove(path: string, names: readonly string[]): number {
    return names.filter((name) => this.folders.get(path)?.delete(name) === true).length;
  }

  replace(path: string, files: readonly ListedFile[]): { added: number; removed: number } {
    const keep = new Set(files.map(({ name }) => name));
    const gone = [...(this.folders.get(path)?.keys() ?? [])].filter((name) => !keep.has(name));
    return { added: this.add(path, files), removed: this.remove(path, gone) };
  }

  removeFolder(path: string): number {
    let removed = 0;
    for (const [each, files] of this.folders) {
      if (each !== path && path !== '' && !each.startsWith(`${path}/`)) continue;
      removed += files.size;
      this.folders.delete(each);
    }
    return removed;
  }

  counts(): { files: number; folders: number } {
    const files = [...this.folders.values()].reduce((sum, { size }) => sum + size, 0);
    return { files, folders: this.folders.size };
  }

  all(): { path: string; name: string; key: string; startedAt: string; known: Known }[] {
    return [...this.folders].flatMap(([path, files]) =>
      [...files].map(([name, known]) => {
        const startedAt = parseRecordingName(name, 'origin-dest')?.startedAt ?? '';
        return { path, name, key: path === '' ? name : `${path}/${name}`, startedAt, known };
      }),
    );
  }

  query(extensions: readonly string[], start: string, end: string): unknown[] {
    const asked = new Set(extensions);
    return this.all()
      .filter(({ name, startedAt }) => {
        const isAsked = numbersOf(name).some((number) => asked.has(number));
        return isAsked && startedAt >= start && startedAt <= end;
      })
      .toSorted((a, b) => compare(a.startedAt, b.startedAt) || compare(a.key, b.key))
      .map(({ key, known }) => ({ key, ...known }));
  }
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The numbers of a name that a request can ask for. */
function numbersOf(name: string): string[] {
  const parsed = parseRecordingName(name, 'origin-dest');
  return [parsed?.origin, parsed?.destination].filter(
    (number): number is string => number !== undefined && /^\d{3,8}$/.test(number),
  );
}

const file = fc.record(
  {
    name: indexNames(NUMBERS),
    sizeBytes: fc.oneof(fc.constant(null), fc.nat(5_000_000), fc.constant(3 * 2 ** 32)),
    archived: fc.boolean(),
  },
  { requiredKeys: ['name', 'sizeBytes'] },
);
const files = fc.array(file, { maxLength: 12 });
const path = fc.constantFrom(...PATHS);

type Step =
  | {
      readonly kind: 'add' | 'remove' | 'replace' | 'undone';
      readonly path: string;
      readonly files: ListedFile[];
    }
  | { readonly kind: 'removeFolder' | 'putFolder' | 'size'; readonly path: string }
  | { readonly kind: 'complete' };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('add' as const), path, files }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constantFrom('remove', 'replace', 'undone'), path, files }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('removeFolder', 'putFolder', 'size'), path }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('complete' as const) }) },
) as fc.Arbitrary<Step>;

/** An index and what it should be: steps happen to both. */
class Pair {
  readonly model = new Model();
  readonly directory: string;
  #ids = new Map<string, number>();
  #builder: IndexBuilder | null;
  writer: IndexWriter;

  constructor(directory: string) {
    this.directory = directory;
    this.#builder = beginIndex(directory, 'audio');
    this.writer = this.#builder;
  }

  take(one: Step): void {
    switch (one.kind) {
      case 'complete':
        return this.complete();
      case 'putFolder':
        this.#folder(one.path);
        return;
      case 'removeFolder':
        return this.#removeFolder(one.path);
      case 'size':
        return this.#size();
      default:
        return this.#change(one.kind, one.path, one.files);
    }
  }

  complete(): void {
    if (this.#builder === null) {
      // Closed and opened: it says the same.
      this.writer[Symbol.dispose]();
      const opened = openIndex(this.directory, 'audio');
      if (opened === null) throw new Error('it is not there any more');
      this.writer = opened;
      return;
    }
    this.#builder.complete();
    this.#builder = null;
  }

  #folder(of: string): number {
    const id = this.writer.putFolder(of, null);
    this.#ids.set(of, id);
    this.model.put(of);
    return id;
  }

  #removeFolder(of: string): void {
    const id = this.#ids.get(of);
    if (id === undefined || !this.model.folders.has(of)) return;
    expect(this.writer.removeFolder(id)).toBe(this.model.removeFolder(of));
  }

  #change(kind: 'add' | 'remove' | 'replace' | 'undone', of: string, some: readonly ListedFile[]): void {
    const id = this.#folder(of);
    const names = [...new Set(some.map(({ name }) => name))];
    if (kind === 'add') expect(this.writer.add(id, some)).toBe(this.model.add(of, some));
    if (kind === 'remove') expect(this.writer.remove(id, names)).toBe(this.model.remove(of, names));
    if (kind === 'replace') expect(this.writer.replace(id, some)).toEqual(this.model.replace(of, some));
    // A build is all or nothing as a whole.
    if (kind === 'undone' && this.#builder === null) {
      const undone = (): void =>
        this.writer.transaction(() => {
          this.writer.add(id, some);
          this.writer.removeFolder(id);
          throw new Error('changed its mind');
        });
      expect(undone).toThrow('changed its mind');
    }
  }

  #size(): void {
    for (const { folder, name } of this.writer.unsized(3)) {
      const of = this.writer.folders().find(({ id }) => id === folder)?.path ?? 'nowhere';
      expect(this.model.folders.get(of)?.get(name)?.sizeBytes).toBeNull();
      this.writer.add(folder, [{ name, sizeBytes: 77 }]);
      this.model.add(of, [{ name, sizeBytes: 77 }]);
    }
  }
}

function expectSame({ model, writer, directory }: Pair): void {
  using reader = openReader(directory, 'audio', writer.serial);
  for (const [extensions, start, end] of [
    [NUMBERS, '1970-01-01T00:00:00', '9999-12-31T23:59:59'],
    [['1121', '1121', 'nenhum'], '2025-10-27T08:00:00', '2025-10-27T08:00:01'],
    [['0042', '42', '123'], '2025-10-27T08:00:01', '2025-12-31T00:00:00'],
  ] as const) {
    expect(reader.query({ extensions, start, end })).toEqual(model.query(extensions, start, end));
  }
  const words = new Set([...model.folders.keys()].flatMap((each) => each.toLowerCase().split('/')));
  for (const word of ['A', 'B', 'AB', 'cliente ünï', '2025', '10', '1']) {
    expect(reader.hasFolderNamed(word)).toBe(words.has(word.toLowerCase()));
  }
  expectUnsized(model, writer);
  expect(
    writer
      .folders()
      .map((folder) => folder.path)
      .toSorted(),
  ).toEqual([...model.folders.keys()].toSorted());
  expect(writer.check()).toBeNull();
}

function expectUnsized(model: Model, writer: IndexWriter): void {
  const paths = new Map(writer.folders().map(({ id, path: of }) => [id, of]));
  const unsized = model.all().filter(({ known }) => known.sizeBytes === null);
  const listed = writer.unsized(1_000).map(({ folder, name }) => {
    const startedAt = parseRecordingName(name, 'origin-dest')?.startedAt ?? '';
    return { path: paths.get(folder), name, startedAt };
  });
  expect(listed.map(({ startedAt }) => startedAt)).toEqual(
    unsized.map(({ startedAt }) => startedAt).toSorted((a, b) => compare(b, a)),
  );
  expect(new Set(listed.map((each) => `${each.path}/${each.name}`))).toEqual(
    new Set(unsized.map((each) => `${each.path}/${each.name}`)),
  );
}

describe('an index', () => {
  test('agrees with a plain map after any changes, during its build and later', async () => {
    await using directory = await temporaryDirectory();
    let serial = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const pair = new Pair(`${directory.path}/${(serial += 1)}`);
        try {
          for (const each of steps) {
            pair.take(each);
            expect(pair.writer.counts()).toEqual(pair.model.counts());
          }
          pair.complete();
          expectSame(pair);
        } finally {
          pair.writer[Symbol.dispose]();
        }
      }),
      { numRuns: 40 },
    );
  });

  test('takes exactly the names of recordings that can be asked for', () => {
    fc.assert(
      fc.property(fc.oneof(indexNames(NUMBERS), fc.string({ unit: 'grapheme' })), (name) => {
        expect(readIndexName(name) !== null).toBe(numbersOf(name).length > 0);
      }),
      { numRuns: 5_000 },
    );
  });
});
