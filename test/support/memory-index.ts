import { byTimeThenKey, matchesOf } from '../../node/recordings/match.ts';
import { parseRecordingName } from '../../node/recordings/name.ts';
import type {
  IndexBuilder,
  IndexHit,
  IndexQuery,
  IndexReader,
  ListedFile,
} from '../../node/indexing/index-database.ts';

interface MemoryFolder {
  readonly id: number;
  readonly path: string;
  settled: number | null;
  readonly files: Map<string, ListedFile>;
}

/** An index in memory: what the one in SQLite promises, as far as a keeper sees it. */
export interface MemoryIndex extends IndexBuilder, Omit<IndexReader, typeof Symbol.dispose | 'serial'> {
  /** Every key in it, sorted. */
  keys(): string[];
}

export function createMemoryIndex(serial = 1): MemoryIndex {
  const folders = new Map<number, MemoryFolder>();
  const facts = new Map<string, string>();
  let lastId = 0;
  const filesOf = (id: number): Map<string, ListedFile> => {
    const folder = folders.get(id);
    if (folder === undefined) throw new Error(`no folder ${id}`);
    return folder.files;
  };
  const isRecording = (name: string): boolean => /^[A-Za-z]+-[^-]*-[^-]*-\d{8}-\d{6}-./.test(name);
  const keyOf = (path: string, name: string): string => (path === '' ? name : `${path}/${name}`);
  const hits = (query: IndexQuery): IndexHit[] => {
    const candidates = [...folders.values()].flatMap(({ path, files }) =>
      [...files.values()].map(({ name, sizeBytes }) => {
        return { key: keyOf(path, name), sizeBytes, underServer: false };
      }),
    );
    const size = new Map(candidates.map(({ key, sizeBytes }) => [key, sizeBytes]));
    return matchesOf(candidates, { ...query, server: null }, 'origin-dest')
      .map(({ candidate: { key }, parsed }) => ({ ...parsed, key, sizeBytes: 0 }))
      .toSorted(byTimeThenKey)
      .map(({ key }) => ({ key, sizeBytes: size.get(key) ?? null, archived: false }));
  };
  const index: MemoryIndex = {
    path: '/nowhere',
    serial,
    complete: () => undefined,
    [Symbol.dispose]: () => undefined,
    folders: () => [...folders.values()].map(({ id, path, settled }) => ({ id, path, settled })),
    putFolder: (path, settled) => {
      const known = [...folders.values()].find((folder) => folder.path === path);
      if (known !== undefined) {
        known.settled = settled;
        return known.id;
      }
      lastId += 1;
      folders.set(lastId, { id: lastId, path, settled, files: new Map() });
      return lastId;
    },
    removeFolder: (id) => {
      const path = folders.get(id)?.path;
      if (path === undefined) throw new Error(`no folder ${id}`);
      const below = [...folders.values()].filter(
        (folder) => folder.id === id || path === '' || folder.path.startsWith(`${path}/`),
      );
      for (const folder of below) folders.delete(folder.id);
      return below.reduce((sum, { files }) => sum + files.size, 0);
    },
    add: (id, files) => {
      const there = filesOf(id);
      const before = there.size;
      for (const file of files) {
        if (!isRecording(file.name)) continue;
        const sizeBytes = file.sizeBytes ?? there.get(file.name)?.sizeBytes ?? null;
        there.set(file.name, { ...file, sizeBytes });
      }
      return there.size - before;
    },
    remove: (id, names) => names.filter((name) => filesOf(id).delete(name)).length,
    replace: (id, files) => {
      const there = filesOf(id);
      const listed = [...files];
      const names = new Set(listed.map(({ name }) => name));
      const removed = index.remove(
        id,
        [...there.keys()].filter((name) => !names.has(name)),
      );
      return { added: index.add(id, listed), removed };
    },
    replaceRange: () => {
      throw new Error('only a bucket is listed in ranges');
    },
    unsized: (limit) =>
      [...folders.values()]
        .flatMap(({ id, files }) => [...files.values()].map((file) => ({ folder: id, ...file })))
        .filter(({ sizeBytes }) => sizeBytes === null)
        .slice(0, limit),
    counts: () => ({
      files: [...folders.values()].reduce((sum, { files }) => sum + files.size, 0),
      folders: folders.size,
    }),
    fact: (name) => facts.get(name) ?? null,
    setFact: (name, value) => {
      if (value === null) facts.delete(name);
      else facts.set(name, value);
    },
    transaction: (work) => work(),
    check: () => null,
    keys: () =>
      [...folders.values()]
        .flatMap(({ path, files }) => [...files.keys()].map((name) => keyOf(path, name)))
        .toSorted(),
    query: hits,
    nearest: ({ extension, side, moment, limit, wanted }) => {
      const all = hits({ extensions: [extension], start: '0000', end: '9999' }).filter(({ key }) =>
        wanted(key),
      );
      const at = (key: string): string =>
        parseRecordingName(key.slice(key.lastIndexOf('/') + 1), 'origin-dest')?.startedAt ?? '';
      return side === 'before'
        ? all
            .filter(({ key }) => at(key) < moment)
            .toReversed()
            .slice(0, limit)
        : all.filter(({ key }) => at(key) > moment).slice(0, limit);
    },
    hasFolderNamed: (name) =>
      [...folders.values()].some(({ path }) => path.toLowerCase().split('/').includes(name.toLowerCase())),
  };
  return index;
}
