import { readFileSync, statSync, writeFileSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { createIndexedSource } from '../../node/indexing/indexed-source.ts';
import { openReader } from '../../node/indexing/index-files.ts';
import { createIndex } from '../../node/indexing/index-thread.ts';
import { systemClock } from '../../node/platform/clock.ts';
import { silentLog } from '../../node/platform/log.ts';
import { dayRangeOf } from '../../node/recordings/day-folders.ts';
import { createDiskConfirm, createDiskSource } from '../../node/recordings/disk-source.ts';
import { walk } from '../../node/recordings/disk-walk.ts';
import { matchesOf } from '../../node/recordings/match.ts';
import { patternOf } from '../../node/recordings/name.ts';
import { eventually } from '../../test/support/process.ts';
import type { Asked } from './names.ts';
import { addFiles, type Layout } from './tree.ts';

/** What this process, which is the node as far as searching goes, is asked to do. */
export type Order =
  | { readonly do: 'open'; readonly root: string; readonly directory: string; readonly watched: boolean }
  | { readonly do: 'query'; readonly asked: readonly Asked[] }
  | { readonly do: 'find' | 'walk' | 'pruned' | 'cold-query'; readonly asked: Asked }
  | RefreshOrder
  | { readonly do: 'memory' }
  | { readonly do: 'close' };

interface RefreshOrder {
  readonly do: 'refresh';
  readonly layout: Layout;
  readonly today: string;
  readonly count: number;
  readonly seed: number;
}

export interface Timed {
  readonly ms: number;
  readonly count: number;
}

export interface Refreshed {
  /** From when the last file lay there until a search could know them all. */
  readonly ms: number;
  /** The processor's time that it took, from when the first file lay there; making them is not in it. */
  readonly cpuMs: number;
}

export interface Memory {
  readonly nowMb: number;
  readonly peakMb: number;
  readonly databaseMb: number;
}

const MEGABYTE = 1024 * 1024;
const ALL_DAYS = { first: '1970-01-01', last: '9999-12-31' };
const BUILD_LIMIT_MS = 300_000;

const { signal } = new AbortController();

function createOurs(root: string, directory: string, watched: boolean) {
  const clock = systemClock;
  const log = silentLog;
  const order = 'origin-dest';
  const keeper = { kind: 'disk', root, ...(watched ? {} : { maxWatches: 0 }) } as const;
  const index = createIndex({ source: 'audio', directory, keeper, clock, log });
  const base = createDiskSource({ root, order, clock, log });
  const source = createIndexedSource({ base, index, order, clock, log, confirm: createDiskConfirm(root) });
  const settled = async (asked: Asked) => {
    const access = await index.settle(dayRangeOf(asked), signal);
    if (access === null) throw new Error(`there is no index: ${index.status().message}`);
    return access.reader;
  };

  return {
    open: async (): Promise<number> => {
      const begun = performance.now();
      index.start();
      await eventually(
        'the index to be built',
        () => {
          const { state, message } = index.status();
          if (state !== 'failed') return state === 'ready';
          throw new Error(message);
        },
        BUILD_LIMIT_MS,
        5,
      );
      return performance.now() - begun;
    },
    query: async (asked: readonly Asked[]): Promise<Timed[]> => {
      const [first] = asked;
      if (first === undefined) return [];
      const reader = await settled(first);
      return asked.map((each) => {
        const begun = performance.now();
        const hits = reader.query(each);
        return { ms: performance.now() - begun, count: hits.length };
      });
    },
    /** A search as a request does it: settled, asked, each hit looked at. */
    find: (asked: Asked): Promise<Timed> =>
      timed(async () => (await source.find({ ...asked, server: null }, signal)).recordings.length),
    /** Without an index, but no day left out: the best that a walk of everything can be here. */
    walk: (asked: Asked): Promise<Timed> =>
      timed(async () => {
        const wanted = patternOf(asked.extensions);
        const test = (name: string): boolean => wanted.test(name);
        const { found } = await walk({ root, range: ALL_DAYS, server: null, wanted: test, signal });
        return matchesOf(found, { ...asked, server: null }, order).length;
      }),
    /** Without an index: as a request is answered until it is built. */
    pruned: (asked: Asked): Promise<Timed> =>
      timed(async () => (await base.find({ ...asked, server: null }, signal)).recordings.length),
    /** By a connection that has read nothing yet. */
    coldQuery: (asked: Asked): Promise<Timed> =>
      timed(async () => {
        using reader = openReader(directory, 'audio', serialOf(directory));
        return reader.query(asked).length;
      }),
    refresh: async ({ layout, today, count, seed }: RefreshOrder): Promise<Refreshed> => {
      const day = Temporal.PlainDate.from(today);
      const asked = {
        extensions: Array.from({ length: 1400 }, (_, each) => String(1000 + each)),
        start: `${today}T23:00:00`,
        end: `${today}T23:59:59`,
      };
      const before = (await settled(asked)).query(asked).length;
      const all = process.cpuUsage();
      const making = process.threadCpuUsage();
      const keys = addFiles(root, layout, day, count, seed);
      const makingMs = msOf(process.threadCpuUsage(making));
      const begun = performance.now();
      const reader = await settled(asked);
      const ms = performance.now() - begun;
      const cpuMs = msOf(process.cpuUsage(all)) - makingMs;
      const added = reader.query(asked).length - before;
      if (added !== count) throw new Error(`of ${count} new files ${added} are found`);
      // A tree that is kept is to be as it was.
      for (const key of keys) unlinkSync(join(root, key));
      await settled(asked);
      return { ms, cpuMs };
    },
    memory: (): Memory => {
      const status = readFileSync('/proc/self/status', 'utf8');
      const kib = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]);
      const { size } = statSync(join(directory, `audio-${serialOf(directory)}.db`));
      // The peak begins anew here (proc(5)).
      writeFileSync('/proc/self/clear_refs', '5');
      return { nowMb: kib('VmRSS') / 1024, peakMb: kib('VmHWM') / 1024, databaseMb: size / MEGABYTE };
    },
    close: () => index.close(),
  };
}

/** The only index in a directory of this bench. */
function serialOf(directory: string): number {
  for (let serial = 1; serial < 10; serial += 1) {
    if (statSync(join(directory, `audio-${serial}.db`), { throwIfNoEntry: false }) !== undefined)
      return serial;
  }
  throw new Error('there is no index');
}

async function timed(work: () => Promise<number>): Promise<Timed> {
  const begun = performance.now();
  const count = await work();
  return { ms: performance.now() - begun, count };
}

function msOf({ user, system }: NodeJS.CpuUsage): number {
  return (user + system) / 1000;
}

let ours: ReturnType<typeof createOurs> | null = null;

async function obey(order: Order): Promise<unknown> {
  if (order.do === 'open') {
    ours = createOurs(order.root, order.directory, order.watched);
    return ours.open();
  }
  if (ours === null) throw new Error('nothing is open');
  switch (order.do) {
    case 'query':
      return ours.query(order.asked);
    case 'find':
      return ours.find(order.asked);
    case 'walk':
      return ours.walk(order.asked);
    case 'pruned':
      return ours.pruned(order.asked);
    case 'cold-query':
      return ours.coldQuery(order.asked);
    case 'refresh':
      return ours.refresh(order);
    case 'memory':
      return ours.memory();
    default:
      return ours.close();
  }
}

if (import.meta.main) {
  process.on('message', (order: Order) => {
    obey(order).then(
      (answer) => process.send?.({ answer }),
      (error: unknown) => process.send?.({ error: inspect(error) }),
    );
  });
  process.once('disconnect', () => process.exit());
}
