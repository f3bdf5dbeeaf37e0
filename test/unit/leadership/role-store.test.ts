import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openRoleStore } from '../../../node/leadership/role-store.ts';
import { temporaryDirectory } from '../../support/process.ts';
import { record } from './story.ts';

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let path: string;

beforeEach(async () => {
  directory = await temporaryDirectory();
  path = join(directory.path, 'role.json');
});
afterEach(() => directory[Symbol.asyncDispose]());

test('a missing file is a node that never had a role', async () => {
  const store = await openRoleStore(path, 'audio');
  expect(store.current()).toBeNull();
  expect(store.history()).toEqual([]);
});

test('a record is on disk when it was written, for nobody else to read, with those before it', async () => {
  const store = await openRoleStore(path, 'audio');
  await store.write(record({ term: 1 }));
  await store.write(record({ term: 2 }));
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  const again = await openRoleStore(path, 'audio');
  expect(again.current()).toEqual(record({ term: 2 }));
  expect(again.history().map(({ term }) => term)).toEqual([1, 2]);
});

test('the last two hundred before it are kept', async () => {
  const history = Array.from({ length: 200 }, (_, index) => record({ term: index + 1 }));
  await writeFile(path, JSON.stringify({ version: 1, current: record({ term: 201 }), history }));
  await (await openRoleStore(path, 'audio')).write(record({ term: 202 }));
  const terms = (await openRoleStore(path, 'audio')).history().map(({ term }) => term);
  expect(terms).toEqual(Array.from({ length: 201 }, (_, index) => index + 2));
});

test.each([
  ['half a file', '{"version":1,"current":'],
  ['nothing', ''],
  ['another version', '{"version":2,"current":null,"history":[]}'],
  [
    'a record without a term',
    JSON.stringify({ version: 1, current: { ...record(), term: null }, history: [] }),
  ],
])('%s is damaged, and refused with what to do', async (_what, content) => {
  await writeFile(path, content);
  await expect(openRoleStore(path, 'audio')).rejects.toMatchObject({
    code: 'leadership.damaged',
    message: expect.stringContaining(`mv ${path} ${path}.damaged`),
  });
});

test('the record of another node is refused: STATE_DIR was copied', async () => {
  await (await openRoleStore(path, 'audio')).write(record());
  await expect(openRoleStore(path, 'audio2')).rejects.toMatchObject({ code: 'leadership.other-node' });
});

test('a write that fails says so, and the store goes on with what it had', async () => {
  const store = await openRoleStore(join(directory.path, 'missing', 'role.json'), 'audio');
  await expect(store.write(record())).rejects.toMatchObject({
    code: 'leadership.unwritable',
    retriable: true,
  });
  expect(store.current()).toBeNull();
});
