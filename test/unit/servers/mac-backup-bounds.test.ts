import { expect, test } from 'vitest';
import { silentLog } from '../../../node/platform/log.ts';
import { type BackupBounds, createBackupTidier } from '../../../node/servers/mac-backup-bounds.ts';
import type { RemoteFiles } from '../../../node/servers/remote.ts';
import { createMemoryRemote } from '../../support/memory-remote.ts';
import { sipServer } from '../../support/sip-server.ts';

const BACKUPS = '/var/backups/parelha';
const KILOBYTE = 1_000;

async function world(bounds: BackupBounds) {
  const remote = createMemoryRemote();
  const server = sipServer({ id: 'gv2p', macBackupDir: BACKUPS });
  const at = remote.at('gv2p');
  const tidy = createBackupTidier(silentLog, bounds);
  const session = await remote.open(server, new AbortController().signal);
  const files: RemoteFiles = await session.files();
  /** The backup of a minute, with so many kilobytes in two files. */
  const backUp = (minute: number, kilobytes: number, state = 'finished'): string => {
    const name = `20260302T12${String(minute).padStart(2, '0')}00Z-3010-aaaaaaaaaaaa-00000000`;
    const half = 'x'.repeat((kilobytes * KILOBYTE) / 2);
    for (const file of ['0-a.def', '1-b.def']) at.write(`${BACKUPS}/${name}/${file}`, half);
    const edits: unknown[] = [];
    const manifest = {
      ...{ version: 1, jobId: 'a', edits, moves: [], trash: [] },
      request: { extension: '3010', from: null, to: null },
      report: { state: 'changed', files: [], duplicates: [], refusal: null, warnings: [], backup: null },
    };
    at.write(`${BACKUPS}/${name}/manifest.json`, JSON.stringify(manifest));
    at.write(`${BACKUPS}/${name}/state.${state}`, '');
    return name;
  };
  /** Minutes of the backups that are there. */
  const left = (): number[] => [
    ...new Set(
      at
        .below(BACKUPS)
        .filter((path) => path.endsWith('Z-3010-aaaaaaaaaaaa-00000000'))
        .map((path) => Number(path.slice(BACKUPS.length + 12, BACKUPS.length + 14))),
    ),
  ];
  return { at, backUp, left, tidy: () => tidy(files, server) };
}

test('the oldest go where there are too many, and with them all that is theirs', async () => {
  const { backUp, left, tidy, at } = await world({ maxKept: 3, alwaysKept: 1 });
  for (let minute = 1; minute <= 5; minute += 1) backUp(minute, 1);
  await tidy();
  expect(left()).toEqual([3, 4, 5]);
  expect(at.below(BACKUPS).filter((path) => path.includes('T1201') || path.includes('T1202'))).toEqual([]);
});

test('the oldest go where they take too much together, but the youngest stay whatever they take', async () => {
  const { backUp, left, tidy } = await world({ maxBytes: 25 * KILOBYTE, alwaysKept: 2 });
  for (const minute of [1, 2, 3, 4]) backUp(minute, 10);
  await tidy();
  expect(left()).toEqual([3, 4]);
  backUp(5, 100);
  await tidy();
  expect(left()).toEqual([4, 5]);
});

test('a change that is not finished keeps its backup, however old it is', async () => {
  const { backUp, left, tidy } = await world({ maxKept: 2, alwaysKept: 1 });
  backUp(1, 1, 'prepared');
  backUp(2, 1, 'changed');
  for (const minute of [3, 4, 5]) backUp(minute, 1);
  await tidy();
  expect(left()).toEqual([1, 2, 4, 5]);
});

test('each is looked into once, and not too many at a time', async () => {
  const { backUp, left, tidy, at } = await world({ maxBytes: 41 * KILOBYTE, alwaysKept: 1 });
  for (let minute = 0; minute < 59; minute += 1) backUp(minute, 1);
  const stats = (): number => at.log.filter((what) => what.startsWith('stat')).length;
  await tidy();
  expect(left()).toHaveLength(59);
  expect(stats()).toBe(30 * 4);
  await tidy();
  await tidy();
  await tidy();
  expect(stats()).toBe(59 * 4);
  const bytes = at.below(BACKUPS).reduce((sum, path) => sum + (at.entries.get(path)?.content.length ?? 0), 0);
  expect(bytes).toBeLessThanOrEqual(41 * KILOBYTE);
  expect(left().length).toBeGreaterThan(20);
});

test('what goes wrong with the tidying does not touch the change', async () => {
  const { backUp, left, tidy, at } = await world({ maxKept: 1, alwaysKept: 1 });
  for (const minute of [1, 2]) backUp(minute, 1);
  at.before = ({ kind }) => {
    if (kind === 'remove') throw new Error('denied');
  };
  await tidy();
  expect(left()).toEqual([1, 2]);
  at.before = null;
  await tidy();
  expect(left()).toEqual([2]);
});

test('one that cannot be understood stays, and keeps no other from being removed', async () => {
  const { backUp, left, tidy, at } = await world({ maxKept: 2, alwaysKept: 1 });
  const damaged = backUp(1, 1);
  at.write(`${BACKUPS}/${damaged}/manifest.json`, '{"version":');
  for (const minute of [2, 3, 4]) backUp(minute, 1);
  await tidy();
  expect(left()).toEqual([1, 3, 4]);
});
