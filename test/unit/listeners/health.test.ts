import { chmod } from 'node:fs/promises';
import type * as files from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { IngestState, IngestStatus } from '../../../node/ingest/ingest.ts';
import { ingestView, readinessOf } from '../../../node/listeners/health.ts';
import { temporaryDirectory } from '../../support/process.ts';

const disk = vi.hoisted(() => ({ bavail: 1_000_000, ffree: 1000 }));

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof files>();
  return { ...real, statfs: async () => ({ bsize: 4096, files: 1000, ...disk }) };
});

beforeEach(() => {
  Object.assign(disk, { bavail: 1_000_000, ffree: 1000 });
});

const BEFORE = Temporal.Instant.from('2026-03-02T12:00:00.25Z');
const AFTER = Temporal.Instant.from('2026-03-02T12:00:05Z');

function status(change: Partial<IngestStatus> = {}): IngestStatus {
  return { state: 'watching', connectedSince: AFTER, lastMailAt: null, lastError: null, ...change };
}

describe('a node', () => {
  test.each<[IngestState, boolean]>([
    ['watching', true],
    ['working', true],
    ['connecting', false],
    ['waiting', false],
    ['paused', false],
    ['stopped', false],
  ])('that reads the mailbox and is %s: ready %s, and says no more', async (state, ready) => {
    await using directory = await temporaryDirectory();
    expect(await readinessOf(directory.path, status({ state }))).toEqual({
      ready,
      sentence: ready ? 'ready' : 'not ready',
    });
  });

  test('that does not read the mailbox is ready while its queue can be written', async () => {
    await using directory = await temporaryDirectory();
    await chmod(directory.path, 0o700);
    const isReady = async (path = directory.path): Promise<boolean> => (await readinessOf(path, null)).ready;
    expect(await isReady()).toBe(true);
    expect(await isReady(join(directory.path, 'gone'))).toBe(false);
    disk.bavail = 10;
    expect(await isReady()).toBe(false);
    Object.assign(disk, { bavail: 1_000_000, ffree: 0 });
    expect(await isReady()).toBe(false);
  });
});

describe('the last error of the mailbox', () => {
  const lastError = { code: 'mailbox.unavailable', message: 'connection lost', at: BEFORE };

  test('is told with its time', () => {
    expect(ingestView(status({ state: 'waiting', connectedSince: null, lastError }))).toEqual({
      state: 'waiting',
      paused: false,
      lastMailAt: null,
      lastError: 'mailbox.unavailable: connection lost (2026-03-02T12:00:00Z)',
    });
  });

  test('is told as past once the mailbox is watched again', () => {
    expect(ingestView(status({ lastError }))?.lastError).toBe(
      'mailbox.unavailable: connection lost (2026-03-02T12:00:00Z; over since 2026-03-02T12:00:05Z)',
    );
  });

  test('of a connection that goes on is told as it is', () => {
    const at = AFTER.add({ seconds: 1 });
    expect(ingestView(status({ lastError: { ...lastError, at } }))?.lastError).not.toContain('over');
  });
});
