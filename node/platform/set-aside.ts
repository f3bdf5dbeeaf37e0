import { createHash } from 'node:crypto';
import { copyFile, mkdir, readdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { removeDurable, syncDirectory, writeDurable } from './durable.ts';
import { codeOf } from './errors.ts';

/** Set-aside things are for people to look at; past this the oldest make room. */
const MAX_FILES = 500;

/** A place for what could not be taken, each file beside a `.reason.txt`. */
export interface SetAside {
  /** Moves a file there; gives its new path. */
  file(path: string, reason: string): Promise<string>;
  /** Stores bytes there under `name`; gives the path. */
  bytes(name: string, content: Uint8Array, reason: string): Promise<string>;
}

export function createSetAside(directory: string): SetAside {
  async function make(): Promise<void> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
  }

  async function finish(path: string, reason: string): Promise<string> {
    await writeDurable(`${path}.reason.txt`, `${reason}\n`);
    await keepBounded(directory);
    return path;
  }

  return {
    file: async (path, reason) => {
      await make();
      const target = join(directory, safeName(path));
      try {
        await rename(path, target);
      } catch (error) {
        if (codeOf(error) !== 'EXDEV') throw error;
        await copyFile(path, target);
        await removeDurable(path);
      }
      await syncDirectory(directory);
      return finish(target, reason);
    },
    bytes: async (name, content, reason) => {
      await make();
      const target = join(directory, safeName(name));
      await writeDurable(target, content);
      return finish(target, reason);
    },
  };
}

/** A name of ours for a name from outside: what is readable of it, and a digest so that two never meet. */
function safeName(path: string): string {
  const name = path.split('/').at(-1) ?? '';
  const readable = name
    .replaceAll(/[^A-Za-z0-9._-]+/g, '_')
    .replace(/^\.+/, '')
    .slice(-80);
  return `${createHash('sha256').update(path).digest('hex').slice(0, 8)}-${readable}`;
}

async function keepBounded(directory: string): Promise<void> {
  const names = (await readdir(directory)).filter((name) => !name.endsWith('.reason.txt'));
  if (names.length <= MAX_FILES) return;
  const aged = await Promise.all(
    names.map(async (name) => ({ name, mtimeMs: (await stat(join(directory, name))).mtimeMs })),
  );
  for (const { name } of aged.toSorted((a, b) => a.mtimeMs - b.mtimeMs).slice(0, names.length - MAX_FILES)) {
    await removeDurable(join(directory, name));
    await removeDurable(join(directory, `${name}.reason.txt`));
  }
}
