import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { createIndex } from '../../node/indexing/index-thread.ts';
import { createIndexedSource } from '../../node/indexing/indexed-source.ts';
import { mapBounded } from '../../node/platform/concurrency.ts';
import { systemClock } from '../../node/platform/clock.ts';
import { silentLog } from '../../node/platform/log.ts';
import { createDiskConfirm, createDiskSource } from '../../node/recordings/disk-source.ts';
import { recordingName } from '../support/audio.ts';
import { eventually } from '../support/process.ts';
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
const STAMP = '20251027-080000';
const EXTRAS = [
  '-',
  ' ',
  '  ',
  'ção',
  '漢字',
  '🎧',
  'e\u0301',
  'é',
  "'",
  '"',
  '\\',
  '%20',
  '&',
  '#',
  '?',
  '\t',
  '.wav',
];

/** Unlike each other, and unlike what anybody expects. */
function oddName(index: number): string {
  const [one, two, three] = [index, index * 7 + 3, index * 13 + 5].map((at) => EXTRAS[at % EXTRAS.length]);
  return recordingName(
    index % 2 === 0 ? '1121' : '3000',
    '1121',
    STAMP,
    `${one}gv-${index}${two}-${three}.${index}`,
  );
}

function indexed({ root, directory }: RecordingTree) {
  const shared = { clock: systemClock, log: silentLog };
  const index = createIndex({ source: 'audio', directory, keeper: { kind: 'disk', root }, ...shared });
  onTestFinished(() => index.close());
  index.start();
  const base = createDiskSource({ root, order: 'origin-dest', ...shared });
  const confirm = createDiskConfirm(root);
  return {
    index,
    base,
    source: createIndexedSource({ base, index, order: 'origin-dest', confirm, ...shared }),
    ready: () => eventually('the index', () => index.status().state === 'ready'),
  };
}

describe('the index of a large tree', () => {
  test('gives 10,000 odd names back as they are, in any layout, and finds them again after a restart', async () => {
    const folders = ['', '2025/10/27', 'Companhia de Água & Cia', 'a-b/20251027'];
    const names = Array.from({ length: 10_000 }, (_, count) =>
      join(folders[count % folders.length] ?? '', oddName(count)),
    );
    await using tree = await recordingTree(Object.fromEntries(names.map((name) => [name, 'x'])));
    const first = indexed(tree);
    await first.ready();
    const walked = await first.base.find(QUERY, signal);
    expect(walked.recordings).toHaveLength(10_000);
    expect(await first.source.find(QUERY, signal)).toEqual(walked);
    expect(await first.source.measure(QUERY, signal)).toBeOneOf([null, { count: 10_000, bytes: 10_000 }]);
    await first.index.close();
    const second = indexed(tree);
    await second.ready();
    expect(await second.source.find(QUERY, signal)).toEqual(walked);
    expect(await second.index.verify(signal)).toMatchObject({ files: 10_000, missing: 0, stale: 0 });
  });

  test('answers right while it is built and while recordings come in', async () => {
    const files = Object.fromEntries(
      Array.from({ length: 30_000 }, (_, count) => [recordingName('3000', '3001', STAMP, `1.${count}`), '']),
    );
    await using tree = await recordingTree(files);
    const { index, source, ready } = indexed(tree);
    for (let count = 0; count < 60; count += 1) {
      await writeFile(join(tree.root, recordingName('1121', '2000', STAMP, `2.${count}`)), 'x');
      const { recordings } = await source.find(QUERY, signal);
      expect(recordings).toHaveLength(count + 1);
      if (count === 50) await ready();
    }
    expect(index.status().state).toBe('ready');
  });

  test('finds 20,000 recordings that come at once, more than the kernel keeps events of', async () => {
    await using tree = await recordingTree({ 'leia-me.txt': 'x' });
    const { source, ready } = indexed(tree);
    await ready();
    const names = Array.from({ length: 20_000 }, (_, count) =>
      recordingName('1121', '2000', STAMP, `1.${count}`),
    );
    // More than the kernel keeps events of: some are lost.
    await mapBounded(names, 8, (name) => writeFile(join(tree.root, name), ''));
    const found = await source.find(QUERY, signal);
    expect(found.recordings).toHaveLength(20_000);
  });
});
