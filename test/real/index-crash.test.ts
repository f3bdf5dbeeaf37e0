import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { beginIndex, openIndex, openReader } from '../../node/indexing/index-files.ts';
import { eventually, startChild, temporaryDirectory } from '../support/process.ts';
import { needs } from '../support/requirements.ts';

const { describe, test } = needs();

const FILLER = join(import.meta.dirname, '../support/index-filler.ts');
const ROUNDS = 4;

/** Starts it, lets it write for a while, kills it. */
async function fillAndKill(directory: string, how: 'build' | 'live', round: number): Promise<void> {
  const child = startChild(process.execPath, [FILLER, directory, how]);
  await eventually('it to write', () => child.output().includes('writing'), 10_000);
  // Each time elsewhere in a transaction.
  for (let turn = 0; turn < round * 7; turn += 1) await new Promise(setImmediate);
  await child.end('SIGKILL');
}

describe('an index whose writer is killed', () => {
  test('is sound and holds whole transactions only, again and again', async () => {
    await using directory = await temporaryDirectory();
    const place = join(directory.path, 'index');
    using builder = beginIndex(place, 'audio');
    builder.complete();
    builder[Symbol.dispose]();
    let before = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      await fillAndKill(place, 'live', round);
      using writer = openIndex(place, 'audio');
      const files = writer?.counts().files ?? 0;
      expect(files).toBeGreaterThan(before);
      expect(Number(writer?.fact('files'))).toBe(files);
      expect(writer?.check()).toBeNull();
      using reader = openReader(place, 'audio', 1);
      const extensions = Array.from({ length: 1400 }, (_, index) => String(1000 + index));
      const asked = { extensions, start: '2025-10-27T00:00:00', end: '2025-10-27T23:59:59' };
      expect(reader.query(asked)).toHaveLength(files);
      before = files;
    }
  });

  test('in the middle of a build is no index, and what it left goes', async () => {
    await using directory = await temporaryDirectory();
    await fillAndKill(directory.path, 'build', 0);
    expect(await readdir(directory.path)).not.toEqual([]);
    expect(openIndex(directory.path, 'audio')).toBeNull();
    expect(await readdir(directory.path)).toEqual([]);
  });
});
