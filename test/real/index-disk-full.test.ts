import { expect } from 'vitest';
import { beginIndex, openReader } from '../../node/indexing/index-files.ts';
import { AppError } from '../../node/platform/errors.ts';
import { recordingName } from '../support/audio.ts';
import { needs } from '../support/requirements.ts';
import { mountSmallDisk } from '../support/small-disk.ts';

const { describe, test } = needs('tmpfs');

const MEGABYTE = 1024 * 1024;
const FULL = { code: 'index.full', retriable: true };

const files = (from: number, count: number): { name: string; sizeBytes: null }[] =>
  Array.from({ length: count }, (_, index) => ({
    name: recordingName(
      '1121',
      String(1000 + ((from + index) % 1400)),
      '20251027-080000',
      `17.${from + index}`,
    ),
    sizeBytes: null,
  }));

/** Adds until there is no room; how many were added. */
function fillUp(add: (from: number) => number): number {
  let total = 0;
  try {
    while (total < 10_000_000) total += add(total);
  } catch (error) {
    expect(error).toMatchObject(FULL);
    expect(error).toBeInstanceOf(AppError);
    return total;
  }
  throw new Error('it was never full');
}

describe('an index on a full disk', () => {
  test('says so, loses nothing that it has said yes to, and goes on when there is room', async () => {
    await using disk = await mountSmallDisk(4 * MEGABYTE);
    using writer = beginIndex(disk.path, 'audio');
    const folder = writer.putFolder('', null);
    writer.complete();
    await disk.fill(MEGABYTE);
    const total = fillUp((from) => writer.add(folder, files(from, 500)));
    const query = { extensions: ['1121'], start: '2025-01-01T00:00:00', end: '2025-12-31T00:00:00' };
    using reader = openReader(disk.path, 'audio', writer.serial);
    expect(reader.query(query)).toHaveLength(total);
    expect(writer.counts().files).toBe(total);
    expect(writer.check()).toBeNull();

    await disk.free();
    expect(writer.add(folder, files(total, 500))).toBe(500);
    expect(reader.query(query)).toHaveLength(total + 500);
  });

  test('cannot be built, which is no damage', async () => {
    await using disk = await mountSmallDisk(MEGABYTE);
    using builder = beginIndex(disk.path, 'audio');
    const folder = builder.putFolder('', null);
    const build = (): void => {
      builder.add(folder, files(0, 50_000));
      builder.complete();
    };
    expect(build).toThrow(expect.objectContaining(FULL));
  });
});
