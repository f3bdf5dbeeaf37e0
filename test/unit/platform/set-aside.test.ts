import { execFile } from 'node:child_process';
import type * as files from 'node:fs/promises';
import { lstat, mkdir, readdir, readFile, symlink, utimes, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { createSetAside } from '../../../node/platform/set-aside.ts';
import { temporaryDirectory } from '../../support/process.ts';

const run = promisify(execFile);

/** Whether set-aside lies on another file system than what is moved there. */
const disks = vi.hoisted(() => ({ apart: false }));

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof files>();
  return {
    ...real,
    rename: async (from: string, to: string) => {
      const crosses = disks.apart && from.includes('/pending/') !== to.includes('/pending/');
      if (crosses) throw Object.assign(new Error('cross-device link not permitted'), { code: 'EXDEV' });
      await real.rename(from, to);
    },
  };
});

beforeEach(() => {
  disks.apart = false;
});

async function setup() {
  const temporary = await temporaryDirectory();
  const pending = join(temporary.path, 'pending');
  const aside = join(temporary.path, 'set-aside');
  await mkdir(pending);
  return {
    pending,
    aside,
    store: createSetAside(aside),
    names: async (): Promise<string[]> =>
      (await readdir(aside)).filter((name) => !name.endsWith('.reason.txt')),
    [Symbol.asyncDispose]: () => temporary[Symbol.asyncDispose](),
  };
}

describe.each([false, true])('what is set aside, on another file system: %s', (apart) => {
  beforeEach(() => {
    disks.apart = apart;
  });

  test('is moved with its content, beside a reason', async () => {
    await using made = await setup();
    await writeFile(join(made.pending, 'x.json'), '{"a":');
    const path = await made.store.file(join(made.pending, 'x.json'), 'not whole');
    expect(await readFile(path, 'utf8')).toBe('{"a":');
    expect(await readFile(`${path}.reason.txt`, 'utf8')).toBe('not whole\n');
    expect(await readdir(made.pending)).toEqual([]);
  });

  test('does not overwrite what had the same name', async () => {
    await using made = await setup();
    const paths: string[] = [];
    for (const content of ['first', 'second']) {
      await writeFile(join(made.pending, 'x.json'), content);
      paths.push(await made.store.file(join(made.pending, 'x.json'), content));
    }
    paths.push(await made.store.bytes('x.json', Buffer.from('third'), 'third'));
    expect(await Promise.all(paths.map((path) => readFile(path, 'utf8')))).toEqual([
      'first',
      'second',
      'third',
    ]);
    expect(await made.names()).toHaveLength(3);
  });

  test('is a link itself, never what it leads to', async () => {
    await using made = await setup();
    await writeFile(join(made.pending, '../secret'), 'secret');
    await symlink('../secret', join(made.pending, 'link.json'));
    await made.store.file(join(made.pending, 'link.json'), 'not a regular file');
    await expect(lstat(join(made.pending, 'link.json'))).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await readFile(join(made.pending, '../secret'), 'utf8')).toBe('secret');
    for (const name of await made.names())
      expect((await lstat(join(made.aside, name))).isSymbolicLink()).toBe(true);
    const [reason = ''] = (await readdir(made.aside)).filter((name) => name.endsWith('.reason.txt'));
    const text = await readFile(join(made.aside, reason), 'utf8');
    expect(text).toContain('not a regular file');
    if (apart) expect(text).toContain('symbolic link');
  });

  test('may be a FIFO, which is not read', async () => {
    await using made = await setup();
    await run('mkfifo', [join(made.pending, 'pipe.json')]);
    await made.store.file(join(made.pending, 'pipe.json'), 'not a regular file');
    expect(await readdir(made.pending)).toEqual([]);
  });

  test('may be a directory, with what lies in it', async () => {
    await using made = await setup();
    await mkdir(join(made.pending, 'folder/below'), { recursive: true });
    await writeFile(join(made.pending, 'folder/below/a.txt'), 'a');
    await symlink('/etc/hostname', join(made.pending, 'folder/link'));
    const path = await made.store.file(join(made.pending, 'folder'), 'not a regular file');
    expect(await readFile(join(path, 'below/a.txt'), 'utf8')).toBe('a');
    expect(await readdir(made.pending)).toEqual([]);
  });
});

describe('the set-aside directory', () => {
  test('keeps the 500 that were set aside last, of directories and dead links too', async () => {
    await using made = await setup();
    await mkdir(made.aside);
    for (let index = 0; index < 500; index += 1) {
      const path = join(made.aside, `old-${index}`);
      if (index === 0) {
        await mkdir(path);
        await writeFile(join(path, 'in-it'), '');
      } else if (index === 1) {
        await symlink('nowhere', path);
      } else if (index !== 2) {
        await writeFile(path, '');
      }
      await writeFile(`${path}.reason.txt`, '');
      await utimes(`${path}.reason.txt`, 1_000_000 + index, 1_000_000 + index);
    }
    for (const name of ['a', 'b', 'c']) {
      await writeFile(join(made.pending, name), name);
      // As old as can be: what counts is when it was set aside.
      await utimes(join(made.pending, name), 1, 1);
      await made.store.file(join(made.pending, name), 'foreign');
    }
    const left = await readdir(made.aside);
    expect(left.filter((name) => /^old-[012](?:\.|$)/.test(name))).toEqual([]);
    expect(left.filter((name) => name.endsWith('.reason.txt'))).toHaveLength(500);
    expect(left.filter((name) => /-[abc]$/.test(name))).toHaveLength(3);
  });

  test('keeps no more bytes than it may, the youngest first, with what lies in directories', async () => {
    await using made = await setup();
    const store = createSetAside(made.aside, { maxBytes: 400_000 });
    await mkdir(join(made.pending, 'folder/below'), { recursive: true });
    await writeFile(join(made.pending, 'folder/below/a'), Buffer.alloc(250_000, 1));
    const paths: string[] = [];
    const agedBy = async (path: string, seconds: number): Promise<void> => {
      await utimes(`${path}.reason.txt`, 1_000_000 - seconds, 1_000_000 - seconds);
      paths.push(path);
    };
    await agedBy(await store.file(join(made.pending, 'folder'), 'no file'), 30);
    await agedBy(await store.bytes('small', Buffer.alloc(50_000, 1), 'first'), 20);
    await agedBy(await store.bytes('next', Buffer.alloc(80_000, 1), 'second'), 10);
    expect(await made.names()).toHaveLength(2);
    expect(await made.names()).not.toContain(paths[0]?.split('/').at(-1));
    const reasons = (await readdir(made.aside)).filter((name) => name.endsWith('.reason.txt'));
    expect(reasons).toHaveLength(2);
  });

  test('keeps what was put there last, however large it is and whatever comes at the same time', async () => {
    await using made = await setup();
    const store = createSetAside(made.aside, { maxBytes: 100_000 });
    await store.bytes('first', Buffer.of(1), 'first');
    const large = await store.bytes('large', Buffer.alloc(300_000, 1), 'large');
    expect(await readFile(large)).toHaveLength(300_000);
    expect(await made.names()).toHaveLength(1);
    const many = Array.from({ length: 10 }, (_, index) => store.bytes(`m${index}`, Buffer.of(1), 'many'));
    const last = (await Promise.all(many)).map((path) => basename(path));
    expect((await made.names()).toSorted()).toEqual(last.toSorted());
  });

  test('is not confused by a file that is called like a reason', async () => {
    await using made = await setup();
    await writeFile(join(made.pending, 'x.reason.txt'), 'x');
    const path = await made.store.file(join(made.pending, 'x.reason.txt'), 'foreign');
    expect(path).not.toMatch(/\.reason\.txt$/);
  });
});
