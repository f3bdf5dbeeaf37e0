/** Keys of a bucket come in the order of their UTF-8 bytes, which is not JavaScript's for characters beyond U+FFFF. */
export function compareKeys(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** Keys after `after` (not included) up to `upTo` (included); null: no bound there. */
export interface KeyRange {
  readonly after: string | null;
  readonly upTo: string | null;
}

/** The ranges that these keys, in order, cut all keys into. */
export function rangesBetween(cuts: readonly string[]): KeyRange[] {
  return [...cuts, null].map((upTo, index) => ({ after: cuts[index - 1] ?? null, upTo }));
}

/** At most `count` of them, at even distances. */
export function evenly(keys: readonly string[], count: number): string[] {
  if (keys.length <= count) return [...keys];
  const step = keys.length / (count + 1);
  return Array.from({ length: count }, (_, index) => keys[Math.floor((index + 1) * step)] ?? '');
}

/** A key's folder and name. The folder of a key without `/` is empty, that of `/x` is `/`, of `//x` `//`. */
export function splitKey(key: string): { readonly folder: string; readonly name: string } {
  const slash = key.lastIndexOf('/');
  return { folder: folderOfPrefix(key.slice(0, slash + 1)), name: key.slice(slash + 1) };
}

/** What the keys of a folder begin with. */
export function prefixOfFolder(folder: string): string {
  return isSlashes(folder) ? folder : `${folder}/`;
}

function folderOfPrefix(prefix: string): string {
  return isSlashes(prefix) ? prefix : prefix.slice(0, -1);
}

/** Nothing but slashes, and then nothing may be taken off: the root would not be told from them. */
function isSlashes(text: string): boolean {
  return /^\/*$/.test(text);
}

/** What a range of keys is of a folder's names; null where none of the folder's keys can lie in it. */
export function withinFolder(folder: string, { after, upTo }: KeyRange): KeyRange | null {
  const prefix = prefixOfFolder(folder);
  const isPast = after !== null && !after.startsWith(prefix) && compareKeys(after, prefix) > 0;
  const isAhead = upTo !== null && compareKeys(upTo, prefix) < 0;
  if (isPast || isAhead) return null;
  const nameOf = (key: string | null): string | null =>
    key?.startsWith(prefix) === true ? key.slice(prefix.length) : null;
  return { after: nameOf(after), upTo: nameOf(upTo) };
}

/** Folders by the place that their keys have among all keys. The root, whose keys can be anywhere, is not one of them. */
export interface FolderOrder {
  add(folder: string): void;
  /** Those whose keys can lie in the range: what begins in it, and what is around its beginning. */
  touching(range: KeyRange): string[];
}

export function createFolderOrder(folders: Iterable<string>): FolderOrder {
  const prefixes = [...folders]
    .filter((folder) => folder !== '')
    .map(prefixOfFolder)
    .toSorted(compareKeys);
  /** How many are not after the key. */
  const upTo = (key: string): number => {
    let low = 0;
    let high = prefixes.length;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (compareKeys(prefixes[middle] ?? '', key) <= 0) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  const has = (prefix: string): boolean => prefixes[upTo(prefix) - 1] === prefix;
  return {
    add: (folder) => {
      const prefix = prefixOfFolder(folder);
      if (folder !== '' && !has(prefix)) prefixes.splice(upTo(prefix), 0, prefix);
    },
    touching: (range) => {
      const from = range.after === null ? 0 : upTo(range.after);
      const to = range.upTo === null ? prefixes.length : upTo(range.upTo);
      const around = prefixesOf(range.after ?? '').filter(has);
      return [...around, ...prefixes.slice(from, to)].map(folderOfPrefix);
    },
  };
}

/** The directories that a key lies in, each with its `/`. */
function prefixesOf(key: string): string[] {
  return [...key.matchAll(/\//g)].map(({ index }) => key.slice(0, index + 1));
}
