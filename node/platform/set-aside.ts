import { randomUUID } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { cp, lstat, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { bytesOf } from './space-use.ts';
import { isMissing, syncDirectory, writeDurable } from './durable.ts';
import { codeOf } from './errors.ts';
import { createKeyedMutex } from './mutex.ts';

/** Set-aside things are for people to look at; past one of these the oldest make room. */
const MAX_FILES = 500;
const MAX_BYTES = 256 * 1024 * 1024;
const REASON = '.reason.txt';

/** A place for what could not be taken, each file beside a `.reason.txt`. */
export interface SetAside {
  /**
   * Moves a file or directory there; gives its new path. From another file system files are copied; what is neither
   * file nor directory is then removed, and its reason tells what it was.
   */
  file(path: string, reason: string): Promise<string>;
  /** Stores bytes there under `name`; gives the path. */
  bytes(name: string, content: Uint8Array, reason: string): Promise<string>;
}

export interface SetAsideBounds {
  readonly maxFiles?: number;
  /** As they take on disk. What was set aside last stays, however large it is. */
  readonly maxBytes?: number;
}

export function createSetAside(directory: string, bounds: SetAsideBounds = {}): SetAside {
  const inTurn = createKeyedMutex();
  /** A new path for something called `name`. */
  async function pathFor(name: string): Promise<string> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    return join(directory, safeName(name));
  }

  async function finish(path: string, reason: string): Promise<string> {
    await writeDurable(path + REASON, `${reason}\n`);
    await inTurn(directory, () => keepBounded(directory, basename(path), bounds));
    return path;
  }

  return {
    file: async (path, reason) => {
      const target = await pathFor(basename(path));
      let removed = '';
      try {
        await rename(path, target);
      } catch (error) {
        if (codeOf(error) !== 'EXDEV') throw error;
        removed = await moveAcross(path, target);
      }
      await syncDirectory(directory);
      return finish(target, reason + removed);
    },
    bytes: async (name, content, reason) => {
      const target = await pathFor(name);
      await writeDurable(target, content);
      return finish(target, reason);
    },
  };
}

/** A name of ours for a name from outside: what is readable of it, after something random, so that two never meet. */
function safeName(name: string): string {
  const readable = name
    .replaceAll(/[^A-Za-z0-9._-]+/g, '_')
    .replace(/^\.+/, '')
    .slice(-80)
    .replace(/\.reason\.txt$/, '_reason.txt');
  return `${randomUUID().slice(0, 8)}-${readable}`;
}

/** Moves to another file system; says in words what was removed instead. Nothing but regular files is ever read. */
async function moveAcross(path: string, target: string): Promise<string> {
  const about = await lstat(path);
  if (about.isFile()) {
    await copyRegular(path, target);
  } else if (about.isDirectory()) {
    const isKept = (one: Stats): boolean => one.isFile() || one.isDirectory();
    await cp(path, target, { recursive: true, filter: async (source) => isKept(await lstat(source)) });
  }
  await rm(path, { recursive: true });
  if (about.isFile() || about.isDirectory()) return '';
  return `; it was ${kindOf(about)} and has been removed`;
}

/** Opened without following or waiting, should it be exchanged for a link or a FIFO meanwhile. */
async function copyRegular(path: string, target: string): Promise<void> {
  await using from = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  if (!(await from.stat()).isFile()) throw new Error(`${path} is not a regular file any more`);
  try {
    await using to = await open(target, 'wx', 0o600);
    for await (const chunk of from.createReadStream({ autoClose: false }))
      await to.writeFile(chunk as Buffer);
    await to.sync();
  } catch (error) {
    await rm(target, { force: true });
    throw error;
  }
}

function kindOf(about: Stats): string {
  if (about.isSymbolicLink()) return 'a symbolic link';
  if (about.isFIFO()) return 'a FIFO';
  return about.isSocket() ? 'a socket' : 'a device';
}

/** Removes what was set aside first; its reason tells when that was. What has just been put there stays. */
async function keepBounded(
  directory: string,
  justPut: string,
  { maxFiles = MAX_FILES, maxBytes = MAX_BYTES }: SetAsideBounds,
): Promise<void> {
  const things = (await thingsIn(directory)).filter(({ name }) => name !== justPut);
  let bytes = await sizeOf(directory, justPut);
  let kept = 1;
  let isFull = false;
  // From the newest on: where it is full once, all that is older goes.
  for (const { name } of things.toSorted((a, b) => b.atMs - a.atMs)) {
    const size: number = isFull ? 0 : await sizeOf(directory, name);
    isFull ||= kept + 1 > maxFiles || bytes + size > maxBytes;
    if (isFull) await removeThing(directory, name);
    else {
      kept += 1;
      bytes += size;
    }
  }
  if (isFull) await syncDirectory(directory);
}

/** All that lies there, and when it was set aside. */
async function thingsIn(directory: string): Promise<{ readonly name: string; readonly atMs: number }[]> {
  const all = (await readdir(directory)).filter((name) => !name.startsWith('.'));
  const names = new Set(all.map((name) => (name.endsWith(REASON) ? name.slice(0, -REASON.length) : name)));
  return Promise.all(
    [...names].map(async (name) => ({ name, atMs: await setAsideAt(join(directory, name)) })),
  );
}

async function sizeOf(directory: string, name: string): Promise<number> {
  return (await bytesOf(join(directory, name))) + (await bytesOf(join(directory, name + REASON)));
}

async function removeThing(directory: string, name: string): Promise<void> {
  for (const path of [join(directory, name), join(directory, name + REASON)]) {
    await rm(path, { recursive: true, force: true });
  }
}

/** Milliseconds since 1970; later than all others where it is being set aside and has no reason yet. */
async function setAsideAt(path: string): Promise<number> {
  try {
    return (await lstat(path + REASON)).mtimeMs;
  } catch (error) {
    if (isMissing(error)) return Number.MAX_SAFE_INTEGER;
    throw error;
  }
}
