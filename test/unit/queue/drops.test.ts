import { mkdir, readdir, rename, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../../node/platform/clock.ts';
import { AppError } from '../../../node/platform/errors.ts';
import { silentLog } from '../../../node/platform/log.ts';
import { createSetAside } from '../../../node/platform/set-aside.ts';
import { createDrops } from '../../../node/queue/drops.ts';
import { eventually, temporaryDirectory } from '../../support/process.ts';

let cleanUp: AsyncDisposable;
let directory: string;
let aside: string;
let admitted: unknown[];
let admit: (document: unknown) => void;
let drops: ReturnType<typeof createDrops>;

beforeEach(async () => {
  const temporary = await temporaryDirectory();
  cleanUp = temporary;
  directory = join(temporary.path, 'pending');
  aside = join(temporary.path, 'set-aside');
  await mkdir(directory);
  admitted = [];
  admit = () => undefined;
  const setAside = createSetAside(aside);
  drops = createDrops({
    directory,
    isOwn: (name) => name.startsWith('own-'),
    admit: async (_content, document) => {
      admit(document);
      admitted.push(document);
      return 'taken';
    },
    setAside: async (path, reason) => {
      await setAside.file(path, reason);
    },
    clock: systemClock,
    log: silentLog,
  });
});

afterEach(async () => {
  await drops.stop();
  await cleanUp[Symbol.asyncDispose]();
});

const asideNames = async (): Promise<string[]> => {
  const names = await readdir(aside).catch(() => []);
  return names.filter((name) => !name.endsWith('.reason.txt'));
};
const longAgo = async (path: string): Promise<void> => utimes(path, 1_000_000, 1_000_000);

test('a document that lies there at start, or comes later, is admitted and its file removed', async () => {
  await writeFile(join(directory, 'req001.json'), '{"a":1}');
  drops.start();
  await eventually('the first', () => admitted.length === 1);
  await writeFile(join(directory, 'later.tmp'), '{"a":2}');
  await rename(join(directory, 'later.tmp'), join(directory, 'req002.json'));
  await eventually('the directory to be empty', async () => (await readdir(directory)).length === 0);
  expect(admitted).toEqual([{ a: 1 }, { a: 2 }]);
});

test('a document written in pieces is admitted once it is whole', async () => {
  drops.start();
  await writeFile(join(directory, 'req.json'), '{"a":');
  await writeFile(join(directory, 'other.json'), '{"b":1}');
  await eventually('the whole one', () => admitted.length === 1);
  expect(await readdir(directory)).toEqual(['req.json']);
  await writeFile(join(directory, 'req.json'), '{"a":1}');
  await eventually('the one in pieces', () => admitted.length === 2);
});

test('half-written and foreign files are moved aside with a reason and do not stop the others', async () => {
  await writeFile(join(directory, '1-half.json'), '{"a":');
  await longAgo(join(directory, '1-half.json'));
  await mkdir(join(directory, '2-directory'));
  await symlink('/etc/passwd', join(directory, '3-link.json'));
  await writeFile(join(directory, '4-huge.json'), 'x'.repeat(100_000));
  await writeFile(join(directory, '5-foreign.json'), '"refuse me"');
  await writeFile(join(directory, '6-good.json'), '{"a":1}');
  await writeFile(join(directory, '.still-copying'), '{');
  await writeFile(join(directory, 'own-7.json'), '{}');
  admit = (document) => {
    if (document === 'refuse me') throw new AppError('drop.refused', 'not a queue document');
  };
  drops.start();
  await eventually('the good one', () => admitted.length === 1);
  await eventually('five set aside', async () => (await asideNames()).length === 5);
  expect((await readdir(directory)).toSorted()).toEqual(['.still-copying', 'own-7.json']);
  expect(await readdir(aside)).toHaveLength(10);
});

test('a document that cannot be taken for now stays where it is', async () => {
  let full = true;
  admit = () => {
    if (full) throw new AppError('spool.unwritable', 'disk full', { retriable: true });
  };
  await writeFile(join(directory, 'req.json'), '{"a":1}');
  drops.start();
  await writeFile(join(directory, 'nudge.json'), '{"a":2}');
  expect(await asideNames()).toEqual([]);
  full = false;
  await writeFile(join(directory, 'nudge2.json'), '{"a":3}');
  await eventually('all three', async () => (await readdir(directory)).length === 0);
  expect(admitted).toHaveLength(3);
});
