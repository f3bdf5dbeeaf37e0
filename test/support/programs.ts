import { accessSync, constants } from 'node:fs';
import { delimiter, resolve } from 'node:path';

/** Debian keeps daemons in `sbin`, which is not on the PATH of an ordinary user. */
const SBIN = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** The PATH of this process with the directories of daemons at its end. */
export function pathWithDaemons(): string {
  const directories = (process.env['PATH'] ?? '').split(delimiter);
  return [...directories, ...SBIN.filter((directory) => !directories.includes(directory))].join(delimiter);
}

/** Where a program of this name lies, or that of this absolute path. @throws where it cannot be run */
export function absolutePathOf(name: string): string {
  for (const directory of pathWithDaemons().split(delimiter)) {
    const path = resolve(directory, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // It is not in this one.
    }
  }
  throw new Error(`no program ${name} on this machine`);
}

/** Whether a program of this name, or at this absolute path, can be run. */
export function hasProgram(name: string): boolean {
  try {
    return absolutePathOf(name) !== '';
  } catch {
    return false;
  }
}
