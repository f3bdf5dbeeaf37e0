import { readdirSync } from 'node:fs';
import { open, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished } from 'vitest';
import { createIndex, type IndexOptions } from '../../node/indexing/index-thread.ts';
import { createIndexedSource } from '../../node/indexing/indexed-source.ts';
import type { KeeperSpec } from '../../node/indexing/messages.ts';
import { systemClock } from '../../node/platform/clock.ts';
import { createLog, silentLog } from '../../node/platform/log.ts';
import { createDiskConfirm, createDiskSource } from '../../node/recordings/disk-source.ts';
import { recordingName, wav } from '../support/audio.ts';
import { eventually, startChild } from '../support/process.ts';
import { type RecordingTree, recordingTree } from '../support/recording-tree.ts';
import { needs } from '../support/requirements.ts';

const { describe, test } = needs();

const { signal } = new AbortController();
const QUERY = {
  extensions: ['1121'],
  start: '2025-10-27T00:00:00',
  end: '2025-10-27T23:59:59',
  server: null,
};
const DAYS = { first: '2025-10-26', last: '2025-10-28' };
const NAME = recordingName('1121', '2000', '20251027-080000');

/** More than a build goes through in one turn of its thread. */
const MANY_FOLDERS: Readonly<Record<string, string>> = Object.fromEntries(
  Array.from({ length: 200 }, (_, count) => [`${count}/notas.txt`, '']),
);

function threaded({ root, directory }: RecordingTree, options: Partial<IndexOptions> = {}) {
  const keeper: KeeperSpec = { kind: 'disk', root };
  const shared = { clock: systemClock, log: silentLog };
  const index = createIndex({ source: 'audio', directory, keeper, ...shared, ...options });
  onTestFinished(() => index.close());
  index.start();
  const base = createDiskSource({ root, order: 'origin-dest', ...shared });
  const confirm = createDiskConfirm(root);
  const source = createIndexedSource({ base, index, order: 'origin-dest', confirm, ...shared });
  const ready = (): Promise<unknown> => eventually('the index', () => index.status().state === 'ready');
  return { index, source, ready };
}

describe('an index with a thread of its own', () => {
  test('answers by walking while it is built, then by itself, and tells how it is', async () => {
    await using tree = await recordingTree({ [`empresa/${NAME}`]: wav(100) });
    const lines: string[] = [];
    const log = createLog({ level: 'info', style: 'terminal', write: (line) => lines.push(line) });
    const { index, source, ready } = threaded(tree, { log: log.with({ room: 'indexing' }) });
    expect(index.status()).toMatchObject({ source: 'audio', state: 'starting', builtAt: null });
    expect((await source.find(QUERY, signal)).recordings).toHaveLength(1);
    expect(await source.measure(QUERY, signal)).toBeNull();
    await ready();
    expect(index.status()).toMatchObject({ files: 1, folders: 2, progress: null });
    expect(index.status().databaseBytes).toBeGreaterThan(0);
    await tree.write({ [`outra/${NAME}`]: wav(200) });
    expect((await source.find(QUERY, signal)).recordings).toHaveLength(2);
    expect(await source.measure(QUERY, signal)).toEqual({ count: 2, bytes: 300 });
    expect(lines.join('')).toMatch(/the index is built.*room=indexing/);
  });

  test('is there at once at the next start, and has what happened meanwhile', async () => {
    await using tree = await recordingTree({ [NAME]: wav(100) });
    const first = threaded(tree);
    await first.ready();
    const { builtAt } = first.index.status();
    await first.index.close();
    await tree.write({ [`nova/${NAME}`]: wav(100) });
    await rm(join(tree.root, NAME));
    const second = threaded(tree);
    await second.ready();
    expect(second.index.status().builtAt).toBe(builtAt);
    const { recordings } = await second.source.find(QUERY, signal);
    expect(recordings.map(({ key }) => key)).toEqual([`nova/${NAME}`]);
  });

  test('is built anew when its file is damaged, and requests are answered meanwhile', async () => {
    await using tree = await recordingTree({ [NAME]: wav(100) });
    const first = threaded(tree);
    await first.ready();
    await first.index.close();
    const [file = ''] = await readdir(tree.directory);
    const database = await open(join(tree.directory, file), 'r+');
    await database.write(Buffer.alloc(8192, 'x'), 0, 8192, 0);
    await database.close();
    const second = threaded(tree);
    expect((await second.source.find(QUERY, signal)).recordings).toHaveLength(1);
    await second.ready();
    expect((await second.source.find(QUERY, signal)).recordings).toHaveLength(1);
    expect(second.index.status()).toMatchObject({ files: 1 });
  });

  test('survives kill -9 in the middle of a build: the next start builds it', async () => {
    await using tree = await recordingTree({ ...MANY_FOLDERS, [NAME]: 'x' });
    const script = fileURLToPath(new URL('../support/dying-build.ts', import.meta.url));
    const child = startChild(process.execPath, [script, tree.root, tree.directory]);
    await eventually('it to be killed', () => child.process.signalCode === 'SIGKILL');
    expect(child.output()).toMatch(/^\d+ folders$/m); // not all of them
    const left = readdirSync(tree.directory);
    expect(left).toContain('audio-1.db');
    const { source, index, ready } = threaded(tree);
    expect((await source.find(QUERY, signal)).recordings).toHaveLength(1);
    await ready();
    expect(index.status().files).toBe(1);
    expect((await source.find(QUERY, signal)).recordings).toHaveLength(1);
  });

  test('is built anew beside the one in use when that is asked for, and compared when that is', async () => {
    await using tree = await recordingTree({ [NAME]: wav(100) });
    const { index, source, ready } = threaded(tree);
    await ready();
    const { builtAt } = index.status();
    expect(index.rebuild()).toContain('audio');
    await eventually('another build', () => index.status().builtAt !== builtAt);
    expect((await source.find(QUERY, signal)).recordings).toHaveLength(1);
    expect(await index.verify(signal)).toMatchObject({ files: 1, missing: 0, stale: 0 });
    expect((await readdir(tree.directory)).filter((name) => name.endsWith('.db'))).toHaveLength(1);
  });

  test('ends a search by an error that is tried again when its disk does not answer', async () => {
    await using tree = await recordingTree({ [NAME]: wav(100) });
    // No time passes before the limit does.
    const clock = { ...systemClock, sleep: () => Promise.resolve() };
    const { index, ready } = threaded(tree, { clock });
    await ready();
    await expect(index.settle(DAYS, signal)).rejects.toMatchObject({
      code: 'recordings.unavailable',
      retriable: true,
    });
    const reason = new Error('enough');
    await expect(index.settle(DAYS, AbortSignal.abort(reason))).rejects.toBe(reason);
  });

  test('says that it cannot be built, and goes on trying', async () => {
    await using tree = await recordingTree({ [NAME]: wav(100) });
    await writeFile(tree.directory, 'no directory');
    const { index, source } = threaded(tree);
    await eventually('the failure', () => index.status().state === 'failed');
    expect(index.status().message).toContain('tried again');
    expect((await source.find(QUERY, signal)).recordings).toHaveLength(1);
    await expect(index.verify(signal)).rejects.toMatchObject({ code: 'index.not-ready' });
    await rm(tree.directory);
    index.rebuild();
    await eventually('the index', () => index.status().state === 'ready');
  });

  test('says that its thread died, is done without, and starts it again', async () => {
    await using tree = await recordingTree({ [NAME]: wav(100) });
    // A keeper that there is not; and its times of waiting pass at once.
    const clock = { ...systemClock, sleep: () => Promise.resolve() };
    const { index, source } = threaded(tree, { keeper: null as unknown as KeeperSpec, clock });
    await eventually('it to die again', () =>
      /started again in ([2-9]|\d\d+) s/.test(index.status().message),
    );
    expect(index.status().state).toBe('failed');
    expect((await source.find(QUERY, signal)).recordings).toHaveLength(1);
  });

  test('is done without where no thread is to be had', async () => {
    await using tree = await recordingTree({ [NAME]: wav(100) });
    // What cannot be handed to a thread: the call that makes it fails at once, as it does without room for one.
    const keeper = (() => undefined) as unknown as KeeperSpec;
    const { index, source } = threaded(tree, { keeper });
    expect(index.status().state).toBe('failed');
    expect((await source.find(QUERY, signal)).recordings).toHaveLength(1);
  });

  test('closes while it builds, without waiting for it', async () => {
    await using tree = await recordingTree(MANY_FOLDERS);
    const lines: string[] = [];
    const log = createLog({ level: 'warn', style: 'terminal', write: (line) => lines.push(line) });
    const { index } = threaded(tree, { log });
    await eventually('the build', () => index.status().state === 'building');
    await index.close();
    expect(lines).toEqual([]); // its thread was not left behind
    await expect(index.settle(DAYS, signal)).resolves.toBeNull();
  });
});
