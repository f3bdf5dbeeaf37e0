import { statSync, writeFileSync } from 'node:fs';
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createDiskKeeper } from '../../../node/indexing/disk-keeper.ts';
import { createIndexedSource } from '../../../node/indexing/indexed-source.ts';
import { type Clock, systemClock } from '../../../node/platform/clock.ts';
import { silentLog } from '../../../node/platform/log.ts';
import { createDiskConfirm, createDiskSource } from '../../../node/recordings/disk-source.ts';
import type { FindResult, RecordingSource } from '../../../node/recordings/source.ts';
import { recordingName, wav } from '../../support/audio.ts';
import { createMemoryIndex } from '../../support/memory-index.ts';
import { temporaryDirectory } from '../../support/process.ts';

const { signal } = new AbortController();
const RUNS = Number(process.env['MODEL_RUNS'] ?? 12);
const MAX_STEPS = 25;

/** Recordings of four days, each in a place where a search of its day looks. */
const DAYS = ['20251026', '20251027', '20251028', '20251101'];
const slashed = (day: string): string => `${day.slice(0, 4)}/${day.slice(4, 6)}/${day.slice(6)}`;
const PLACES = ['', 'D', 'empresa', 'empresa/D', 'outra/D', '2010', 'gv1p/fundo', 'DAY', 'empresa/DAY'];
const placed = (place: string, day: string): string => place.replace('DAY', day).replace('D', slashed(day));

const day = fc.constantFrom(...DAYS);
const place = fc.constantFrom(...PLACES);
const unique = fc.constantFrom('1.1', '1.2', 'gv1p-1.3', '2.4-é x');
const file = fc.record({ day, place, unique });
/** Folders that are moved or removed whole, with recordings of any day, do not say a day themselves. */
const folder = fc.constantFrom('empresa', 'outra', 'gv1p', '2010', 'empresa2', 'gv1p/fundo', '2025');

type File = { day: string; place: string; unique: string };
type Step =
  | { readonly do: 'write' | 'remove' | 'link'; readonly file: File }
  | { readonly do: 'rename'; readonly file: File; readonly to: string }
  | { readonly do: 'note'; readonly folder: string }
  | { readonly do: 'remove-folder'; readonly folder: string }
  | { readonly do: 'move-folder'; readonly folder: string; readonly to: string }
  | { readonly do: 'find' | 'restart' };

/** No year becomes another: a walk passes over what lies below it then, and the index may have it, by what is stamped on it. */
const move = fc
  .record({ do: fc.constant('move-folder' as const), folder, to: folder })
  .filter((one) => one.folder !== '2025' || one.to !== '2010');

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('write' as const), file }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('remove' as const, 'link' as const), file }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('rename' as const), file, to: unique }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('note' as const), folder }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('remove-folder' as const), folder }) },
  { weight: 2, arbitrary: move },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('find' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
);

const keyOf = ({ day: of, place: at, unique: tail }: File): string =>
  join(placed(at, of), recordingName('1121', '2000', `${of}-080000`, tail));

async function perform(root: string, one: Step): Promise<void> {
  // What cannot be done in the present tree is not done.
  const attempt = (work: Promise<unknown>): Promise<unknown> => work.catch(() => undefined);
  if ('file' in one) {
    const path = join(root, keyOf(one.file));
    if (one.do === 'remove') await attempt(rm(path));
    else if (one.do === 'rename')
      await attempt(rename(path, join(root, keyOf({ ...one.file, unique: one.to }))));
    else {
      await attempt(mkdir(dirname(path), { recursive: true }));
      await attempt(one.do === 'write' ? writeFile(path, wav(100)) : symlink(join(root, 'ancora'), path));
    }
  } else if (one.do === 'note') {
    await attempt(writeFile(join(root, one.folder, 'notas.txt'), 'x'));
  } else if (one.do === 'remove-folder') {
    await attempt(rm(join(root, one.folder), { recursive: true, force: true }));
  } else if (one.do === 'move-folder') {
    await attempt(rename(join(root, one.folder), join(root, one.to)));
  }
}

/** For whom all that happens happened long ago. */
const laterClock: Clock = { ...systemClock, now: () => systemClock.now().add({ seconds: 10 }) };

/** Waits until what is changed next gets another time than what was changed before: that takes a tick of the kernel. */
function nextTick(scratch: string): void {
  const timeOf = (): number => {
    writeFileSync(scratch, 'x');
    return statSync(scratch).mtimeMs;
  };
  const before = timeOf();
  while (timeOf() === before);
}

const QUERIES = ['2025-10-27', '2025-10-28', '2025-11-01'].map((of) => {
  return { extensions: ['1121'], start: `${of}T00:00:00`, end: `${of}T23:59:59`, server: null };
});

async function findAll(source: RecordingSource): Promise<FindResult[]> {
  return Promise.all(QUERIES.map((query) => source.find(query, signal)));
}

describe('a search by the index', () => {
  test.each([
    ['at once, with folders watched', 4096, false],
    ['at once, with some folders watched', 3, false],
    ['at once, with none watched', 0, false],
    ['long ago, with folders watched', 4096, true],
    ['long ago, with some folders watched', 3, true],
    ['long ago, with none watched', 0, true],
  ])('finds what a walk finds after whatever happened %s', async (_, maxWatches, isLongAgo) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: MAX_STEPS }), async (steps) => {
        await using directory = await temporaryDirectory();
        await using scratch = await temporaryDirectory();
        const root = directory.path;
        await writeFile(join(root, 'ancora'), wav(100));
        const clock = isLongAgo ? laterClock : systemClock;
        const options = { root, clock, log: silentLog, maxWatches };
        const index = createMemoryIndex();
        let keeper = createDiskKeeper(options);
        await keeper.build(index, () => undefined, signal);
        keeper.adopt(index);
        const base = createDiskSource({ ...options, order: 'origin-dest' });
        const source = createIndexedSource({
          base,
          order: 'origin-dest',
          clock: systemClock,
          log: silentLog,
          confirm: createDiskConfirm(root),
          index: {
            present: () => null,
            settle: async (range, aborted) => {
              await keeper.settle(range, aborted);
              return { reader: index, unreadable: keeper.unreadable?.(range) ?? [] };
            },
            gone: (keys) => keeper.gone(keys),
            broken: (error) => {
              throw error;
            },
          },
        });
        try {
          for (const one of [...steps, { do: 'find' } as const]) {
            if (one.do === 'find') {
              expect(await findAll(source)).toEqual(await findAll(base));
            } else if (one.do === 'restart') {
              await keeper[Symbol.asyncDispose]();
              keeper = createDiskKeeper(options);
              keeper.adopt(index);
            } else {
              await perform(root, one);
              if (isLongAgo) nextTick(join(scratch.path, 'x'));
            }
          }
          // Nothing is left over that no search has asked for.
          await keeper.sweep(signal);
          const verdict = await keeper.audit(signal);
          expect(verdict).toMatchObject({ missing: 0, stale: 0 });
        } finally {
          await keeper[Symbol.asyncDispose]();
        }
      }),
      { numRuns: RUNS },
    );
  });
});
