import * as z from 'zod';
import type { ListedObject } from '../bucket/list-page.ts';
import type { IndexWriter, ListedFile } from './index-database.ts';
import { createFolderOrder, type FolderOrder, splitKey, withinFolder } from './key-ranges.ts';
import type { ListedRange, PassState } from './listing-pass.ts';

/** An index of a bucket, and where its folders are among the keys. */
export interface BucketIndex {
  readonly writer: IndexWriter;
  /** By path. */
  readonly ids: Map<string, number>;
  readonly order: FolderOrder;
}

/** Facts that the index keeps of its bucket. */
const FACTS = {
  /** Keys that cut all of them into equal parts, as of the last pass. */
  cuts: 'bucket.cuts',
  /** A pass that has not come to its end. */
  pass: 'bucket.pass',
  /** When the last pass that came to its end began. */
  listed: 'bucket.listed',
} as const;

const cutsSchema = z.array(z.string());
const passSchema: z.ZodType<PassState> = z.object({
  begunAt: z.iso.datetime({ precision: null }),
  cuts: cutsSchema,
  reached: z.array(z.union([z.string(), z.null(), z.literal(true)])),
});

/** Reads where its folders are. */
export function openBucketIndex(writer: IndexWriter): BucketIndex {
  const folders = writer.folders();
  return {
    writer,
    ids: new Map(folders.map(({ path, id }) => [path, id])),
    order: createFolderOrder(folders.map(({ path }) => path)),
  };
}

/** Makes the index agree with a range of the listing; how many recordings that changed. */
export function applyListed(
  index: BucketIndex,
  { range, objects }: ListedRange,
): { readonly added: number; readonly removed: number } {
  const listed = byFolder(objects);
  const folders = new Set([...index.order.touching(range), ...listed.keys()]);
  if (index.ids.has('')) folders.add('');
  let added = 0;
  let removed = 0;
  for (const folder of folders) {
    const names = withinFolder(folder, range);
    if (names === null) continue;
    const change = index.writer.replaceRange(idOf(index, folder), names, listed.get(folder) ?? []);
    added += change.added;
    removed += change.removed;
  }
  return { added, removed };
}

/** After a transaction that failed: folders that were new in it are not there. */
export function rereadFolders({ writer, ids }: BucketIndex): void {
  ids.clear();
  for (const { path, id } of writer.folders()) ids.set(path, id);
}

/** Takes out what was found to be gone; how many. */
export function forget({ writer, ids }: BucketIndex, keys: readonly string[]): number {
  let removed = 0;
  for (const key of keys) {
    const { folder, name } = splitKey(key);
    const id = ids.get(folder);
    if (id !== undefined) removed += writer.remove(id, [name]);
  }
  return removed;
}

function byFolder(objects: readonly ListedObject[]): Map<string, ListedFile[]> {
  const folders = new Map<string, ListedFile[]>();
  for (const { key, sizeBytes, archived } of objects) {
    const { folder, name } = splitKey(key);
    // The marker that some programs put for a folder.
    if (name === '') continue;
    const files = folders.get(folder) ?? [];
    files.push({ name, sizeBytes, archived });
    folders.set(folder, files);
  }
  return folders;
}

function idOf({ writer, ids, order }: BucketIndex, folder: string): number {
  const known = ids.get(folder);
  if (known !== undefined) return known;
  const id = writer.putFolder(folder, null);
  ids.set(folder, id);
  order.add(folder);
  return id;
}

/** Where the last pass found the keys cut into equal parts; none where nobody knows. */
export function knownCuts({ writer }: BucketIndex): readonly string[] {
  return cutsSchema.safeParse(parsed(writer.fact(FACTS.cuts))).data ?? [];
}

/** The pass that has not come to its end; null where the last one did. */
export function brokenOffPass({ writer }: BucketIndex): PassState | null {
  return passSchema.safeParse(parsed(writer.fact(FACTS.pass))).data ?? null;
}

/** When the pass began that the index is of; null where none has come to its end. */
export function listedAt({ writer }: BucketIndex): Temporal.Instant | null {
  const text = writer.fact(FACTS.listed);
  return text === null ? null : Temporal.Instant.from(text);
}

/** Null: there is none to be gone on with. */
export function notePass({ writer }: BucketIndex, state: PassState | null): void {
  writer.setFact(FACTS.pass, state === null ? null : JSON.stringify(state));
}

/** `cuts`: null where the pass has not seen all keys, and so knows no better. */
export function noteEnd({ writer }: BucketIndex, begunAt: string, cuts: readonly string[] | null): void {
  writer.transaction(() => {
    writer.setFact(FACTS.pass, null);
    writer.setFact(FACTS.listed, begunAt);
    if (cuts !== null) writer.setFact(FACTS.cuts, JSON.stringify(cuts));
  });
}

/** Undefined for what is no JSON: the database may be damaged, and then no more than a pass is lost. */
function parsed(text: string | null): unknown {
  try {
    return text === null ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
