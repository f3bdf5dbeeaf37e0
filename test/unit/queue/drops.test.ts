import type * as fs from 'node:fs';
import type * as files from 'node:fs/promises';
import { mkdir, readdir, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { systemClock } from '../../../node/platform/clock.ts';
import { AppError } from '../../../node/platform/errors.ts';
import { createLog } from '../../../node/platform/log.ts';
import { createSetAside } from '../../../node/platform/set-aside.ts';
import { createDrops } from '../../../node/queue/drops.ts';
import { eventually, temporaryDirectory } from '../../support/process.ts';

/** What the system does: refuses to watch, refuses to read names with `secret`; how often the directory was listed. */
const system = vi.hoisted(() => ({ watchFails: false, secret: false, listings: 0 }));

vi.mock('node:fs', async (original) => {
  const real = await original<typeof fs>();
  const watch = ((...parameters: Parameters<typeof real.watch>) => {
    if (!system.watchFails) return real.watch(...parameters);
    throw Object.assign(new Error('System limit for number of file watchers reached'), { code: 'ENOSPC' });
  }) as typeof real.watch;
  return { ...real, watch };
});

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof files>();
  const readFile = (async (...parameters: Parameters<typeof real.readFile>) => {
    const [path] = parameters;
    const refused = system.secret && typeof path === 'string' && path.includes('secret');
    if (refused) throw Object.assign(new Error('permission denied'), { code: 'EACCES' });
    return real.readFile(...parameters);
  }) as typeof real.readFile;
  const list = ((...parameters: Parameters<typeof real.readdir>) => {
    if (String(parameters[0]).endsWith('/pending')) system.listings += 1;
    return real.readdir(...parameters);
  }) as typeof real.readdir;
  return { ...real, readFile, readdir: list };
});

let cleanUp: AsyncDisposable;
let directory: string;
let aside: string;
let admitted: unknown[];
let admit: (document: unknown) => void;
let drops: ReturnType<typeof createDrops>;
let lines: string[];
/** Milliseconds by which the clock for durations has been put forward. */
let aheadMs: number;

beforeEach(async () => {
  const temporary = await temporaryDirectory();
  cleanUp = temporary;
  directory = join(temporary.path, 'pending');
  aside = join(temporary.path, 'set-aside');
  await mkdir(directory);
  admitted = [];
  admit = () => undefined;
  lines = [];
  aheadMs = 0;
  Object.assign(system, { watchFails: false, secret: false, listings: 0 });
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
    clock: { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + aheadMs },
    log: createLog({ level: 'warn', style: 'terminal', write: (line) => lines.push(line) }),
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
/** Has the directory looked at now; the nudge itself is taken. */
const nudge = async (): Promise<void> => {
  const before = admitted.length;
  await writeFile(join(directory, 'nudge.tmp'), '{"nudge":1}');
  await eventually('the nudge', () => admitted.length > before);
};

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
  aheadMs = 15_000;
  await eventually('five set aside', async () => (await asideNames()).length === 5);
  expect((await readdir(directory)).toSorted()).toEqual(['.still-copying', 'own-7.json']);
  await eventually('a reason beside each', async () => (await readdir(aside)).length === 10);
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

test('a file that is never finished is moved aside after a while, whatever its time says', async () => {
  await writeFile(join(directory, 'future.json'), '{"a":');
  const future = Date.UTC(2999, 0, 1) / 1000;
  await utimes(join(directory, 'future.json'), future, future);
  await writeFile(join(directory, 'past.json'), '{"a":');
  await utimes(join(directory, 'past.json'), 1_000_000, 1_000_000);
  drops.start();
  await nudge();
  expect((await readdir(directory)).toSorted()).toEqual(['future.json', 'past.json']);
  aheadMs = 14_000;
  await writeFile(join(directory, 'past.json'), '{"a":1,');
  await nudge();
  aheadMs = 16_000;
  await eventually('the one from the future to go', async () => (await asideNames()).length === 1);
  expect(await readdir(directory)).toEqual(['past.json']);
  aheadMs = 30_000;
  await eventually('the other to go', async () => (await asideNames()).length === 2);
});

test('the node starts where nothing can be watched any more, and files are still taken', async () => {
  system.watchFails = true;
  await writeFile(join(directory, 'req.json'), '{"a":1}');
  drops.start();
  await eventually('the file', () => admitted.length === 1);
  expect(lines.join('')).toContain('ENOSPC');
});

test('temporary files of the spool do not have the directory read again', async () => {
  drops.start();
  await nudge();
  await eventually('quiet', async () => {
    const before = system.listings;
    await systemClock.sleep(300);
    return system.listings === before;
  });
  const before = system.listings;
  for (let index = 0; index < 20; index += 1) {
    await writeFile(join(directory, `.tmp-own-${index}`), '{');
    await rename(join(directory, `.tmp-own-${index}`), join(directory, `own-${index}`));
    await rm(join(directory, `own-${index}`));
  }
  await systemClock.sleep(100);
  expect(system.listings).toBe(before);
});

test('a file that may not be read is told of once, and moved aside after an hour', async () => {
  system.secret = true;
  await writeFile(join(directory, 'secret.json'), '{"a":1}');
  drops.start();
  for (let count = 0; count < 3; count += 1) await nudge();
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain('EACCES');
  aheadMs = 3_600_000;
  await nudge();
  await eventually('it to go', async () => (await asideNames()).length === 1);
});
