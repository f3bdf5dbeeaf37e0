import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { beginIndex, openIndex, openReader } from '../../../node/indexing/index-files.ts';
import { AppError } from '../../../node/platform/errors.ts';
import { temporaryDirectory } from '../../support/process.ts';

const PAGE_BYTES = 4096;
const FILES = 6_000;
const ASKED = {
  extensions: Array.from({ length: 50 }, (_, index) => String(1100 + index)),
  start: '2025-10-01T00:00:00',
  end: '2025-10-31T23:59:59',
};

const name = (index: number): string => {
  const day = String(1 + (index % 28)).padStart(2, '0');
  return `internal-${1100 + (index % 50)}-${1100 + (index % 37)}-202510${day}-080000-1761562800.${index}.wav`;
};

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let sound: string;
beforeAll(async () => {
  directory = await temporaryDirectory();
  const place = join(directory.path, 'sound');
  using builder = beginIndex(place, 'audio');
  const files = Array.from({ length: FILES }, (_, index) => ({ name: name(index), sizeBytes: null }));
  builder.add(builder.putFolder('', null), files);
  builder.complete();
  sound = builder.path;
});
afterAll(() => directory?.[Symbol.asyncDispose]());

let copies = 0;
/** A copy of the sound index, damaged. */
function damaged(damage: (path: string) => void): { place: string; path: string } {
  const place = join(directory.path, `copy-${(copies += 1)}`);
  mkdirSync(place);
  const path = join(place, 'audio-1.db');
  copyFileSync(sound, path);
  damage(path);
  return { place, path };
}

function overwrite(path: string, at: number, bytes: Uint8Array): void {
  const file = openSync(path, 'r+');
  try {
    writeSync(file, bytes, 0, bytes.length, at);
  } finally {
    closeSync(file);
  }
}

/** What happens in a reader: an answer, or our word for damage. */
function readAll(place: string): 'answered' | 'broken' {
  try {
    using reader = openReader(place, 'audio', 1);
    const hits = reader.query(ASKED);
    reader.hasFolderNamed('x');
    expect(hits.every(({ key }) => key.length > 0)).toBe(true);
    return 'answered';
  } catch (error) {
    expect(error).toBeInstanceOf(AppError);
    expect((error as AppError).code).toBe('index.broken');
    return 'broken';
  }
}

const GARBAGE = Buffer.alloc(PAGE_BYTES, 0xa5);
const ZEROS = Buffer.alloc(PAGE_BYTES);
const middle = (path: string): number => Math.floor(statSync(path).size / PAGE_BYTES / 2) * PAGE_BYTES;

describe('a damaged index', () => {
  test('a copy that is not damaged is opened', () => {
    const { place } = damaged(() => undefined);
    expect(readAll(place)).toBe('answered');
    using writer = openIndex(place, 'audio');
    expect(writer?.counts().files).toBe(FILES);
  });

  test.for<[string, (path: string) => void]>([
    ['its header is zeros', (path) => overwrite(path, 0, ZEROS.subarray(0, 100))],
    ['its header is garbage', (path) => overwrite(path, 0, GARBAGE.subarray(0, 100))],
    ['its first page is garbage behind the header', (path) => overwrite(path, 100, GARBAGE.subarray(100))],
    ['a page in the middle is garbage', (path) => overwrite(path, middle(path), GARBAGE)],
    ['a page in the middle is zeros', (path) => overwrite(path, middle(path), ZEROS)],
    ['it ends in the middle', (path) => truncateSync(path, middle(path))],
    ['it ends in the middle of a page', (path) => truncateSync(path, middle(path) + 100)],
    [
      'it is no database',
      (path) => overwrite(path, 0, Buffer.from('a text of somebody else, longer than a word')),
    ],
    ['it is empty', (path) => truncateSync(path, 0)],
  ])('is not opened and goes, where %s', ([, damage]) => {
    const { place, path } = damaged(damage);
    expect(openIndex(place, 'audio')).toBeNull();
    expect(existsSync(path)).toBe(false);
    expect(readdirSync(place)).toEqual([]);
  });

  test('wherever the damage is, a reader gives an answer or says index.broken', () => {
    const page = fc.record({
      at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      bytes: fc.uint8Array({ minLength: 1, maxLength: PAGE_BYTES }),
    });
    const seen = new Set<string>();
    fc.assert(
      fc.property(fc.array(page, { minLength: 1, maxLength: 20 }), (pages) => {
        const { place } = damaged((path) => {
          const { size } = statSync(path);
          for (const { at, bytes } of pages) overwrite(path, Math.floor(at * (size - PAGE_BYTES)), bytes);
        });
        seen.add(readAll(place));
        rmSync(place, { recursive: true });
      }),
      { numRuns: 40 },
    );
    expect(seen).toContain('broken');
  });

  test('damage that comes while it is open shows as index.broken', () => {
    const { place, path } = damaged(() => undefined);
    using reader = openReader(place, 'audio', 1);
    const { size } = statSync(path);
    for (let at = 0; at < size; at += PAGE_BYTES) overwrite(path, at, GARBAGE);
    expect(() => reader.query(ASKED)).toThrow(expect.objectContaining({ code: 'index.broken' }));
  });

  test('a file cut short while it is open shows as index.broken, and the process lives', () => {
    const { place, path } = damaged(() => undefined);
    using reader = openReader(place, 'audio', 1);
    truncateSync(path, PAGE_BYTES);
    expect(() => reader.query(ASKED)).toThrow(expect.objectContaining({ code: 'index.broken' }));
  });

  test('one without its tables is none', () => {
    const { place, path } = damaged(() => undefined);
    const database = new DatabaseSync(path);
    database.exec('DROP TABLE postings');
    database.close();
    expect(readAll(place)).toBe('broken');
    expect(openIndex(place, 'audio')).toBeNull();
  });
});
