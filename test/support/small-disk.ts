import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { temporaryDirectory } from './process.ts';

const BLOCK_BYTES = 4096;

/** A file system of a few megabytes that can be filled up. */
export interface SmallDisk extends AsyncDisposable {
  readonly path: string;
  /** Takes all the room there is, but for so many bytes. */
  fill(leaveBytes?: number): Promise<void>;
  /** Gives it back. */
  free(): Promise<void>;
}

let mountable: boolean | null = null;

/** Whether this process may mount a tmpfs: a root of a container may not. */
export function canMountTmpfs(): boolean {
  mountable ??= tryToMount();
  return mountable;
}

function tryToMount(): boolean {
  const directory = mkdtempSync(join(tmpdir(), 'parelha-mount-'));
  try {
    mount(directory, 2 * BLOCK_BYTES);
    umount(directory);
    return true;
  } catch {
    return false;
  } finally {
    rmdirSync(directory);
  }
}

export async function mountSmallDisk(sizeBytes: number): Promise<SmallDisk> {
  const directory = await temporaryDirectory();
  const { path } = directory;
  mount(path, sizeBytes);
  const filler = join(path, '.filler');
  return {
    path,
    fill: async (leaveBytes = 0) => {
      await using file = await open(filler, 'w');
      const block = Buffer.alloc(BLOCK_BYTES, 1);
      let taken = 0;
      try {
        for (;;) taken += (await file.write(block)).bytesWritten;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
      await file.truncate(Math.max(0, taken - leaveBytes));
    },
    free: () => rm(filler, { force: true }),
    [Symbol.asyncDispose]: async () => {
      umount(path);
      await directory[Symbol.asyncDispose]();
    },
  };
}

function mount(path: string, sizeBytes: number): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes},mode=700`, 'tmpfs', path], {
    stdio: 'ignore',
  });
}

/** What still has a file open there keeps it until it ends. */
function umount(path: string): void {
  execFileSync('umount', ['--lazy', path], { stdio: 'ignore' });
}
