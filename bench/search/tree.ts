import { fork } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { isMissing } from '../../node/platform/durable.ts';
import { namesUpTo } from './names.ts';

export const LAYOUTS = ['flat', 'dated'] as const;
export type Layout = (typeof LAYOUTS)[number];

interface Order {
  readonly root: string;
  readonly layout: Layout;
  readonly count: number;
  readonly today: string;
  /** Which of how many parts. */
  readonly part: number;
  readonly parts: number;
}

const AN_HOUR_SECONDS = 3_600;
/** Half a second of 16-bit sound at 8 kHz. */
const RECORDED = Buffer.alloc(8_044);

/**
 * A tree of that many empty files, each of its own (no links: their inodes are read when they are looked at), made by
 * several processes. Where it is to be kept and lies there already, it is used as it is.
 */
export async function makeTree(
  place: string,
  layout: Layout,
  count: number,
  today: Temporal.PlainDate,
): Promise<string> {
  const root = join(place, `${layout}-${count}`);
  const marker = join(place, `.${layout}-${count}`);
  const made = await readFile(marker, 'utf8').catch((error: unknown) => {
    if (isMissing(error)) return null;
    throw error;
  });
  if (made === today.toString()) return root;
  await rm(root, { recursive: true, force: true });
  await mkdir(root, { recursive: true });
  const parts = availableParallelism();
  const makers = Array.from({ length: parts }, (_, part) => {
    const child = fork(import.meta.filename, { stdio: 'inherit' });
    child.send({ root, layout, count, today: today.toString(), part, parts } satisfies Order);
    return once(child, 'exit') as Promise<[number | null]>;
  });
  for (const [code] of await Promise.all(makers)) {
    if (code !== 0) throw new Error(`the tree could not be made: a maker ended with ${code}`);
  }
  rest(root);
  await writeFile(marker, today.toString());
  return root;
}

/** As if nothing had been written for an hour: what is younger, an index does not rely on. */
function rest(root: string): void {
  const before = Math.floor(Temporal.Now.instant().epochMilliseconds / 1000) - AN_HOUR_SECONDS;
  for (const entry of readdirSync(root, { withFileTypes: true })) {
    if (!entry.isDirectory()) break;
    rest(join(root, entry.name));
  }
  utimesSync(root, before, before);
}

/** Its days, in turns with the other makers; of a flat tree its names. */
function make({ root, layout, count, today, part, parts }: Order): void {
  let turn = -1;
  let folder = '';
  let index = 0;
  for (const { day, name } of namesUpTo(Temporal.PlainDate.from(today), count)) {
    if (layout === 'dated') {
      if (!folder.endsWith(day)) {
        folder = join(root, day);
        turn += 1;
        if (turn % parts === part) mkdirSync(folder, { recursive: true });
      }
    } else {
      folder = root;
      turn = index;
      index += 1;
    }
    if (turn % parts === part) closeSync(openSync(join(folder, name), 'w'));
  }
}

/** Recordings of today that were not there before, half a second of sound each. Gives their keys. */
export function addFiles(
  root: string,
  layout: Layout,
  today: Temporal.PlainDate,
  count: number,
  seed: number,
): string[] {
  const date = today.toString();
  const below = layout === 'dated' ? `${date.replaceAll('-', '/')}/` : '';
  return Array.from({ length: count }, (_, index) => {
    const [from, to] = [1000 + ((index * 7 + seed) % 1400), 1000 + ((index * 13 + seed) % 1400)];
    const time = `23${String(Math.floor(index / 60) % 60).padStart(2, '0')}${String(index % 60).padStart(2, '0')}`;
    const key = `${below}internal-${from}-${to}-${date.replaceAll('-', '')}-${time}-new${seed}.${index}.wav`;
    const path = join(root, key);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, RECORDED);
    return key;
  });
}

if (import.meta.main) {
  const [order] = (await once(process, 'message')) as [Order];
  make(order);
  process.disconnect?.();
}
