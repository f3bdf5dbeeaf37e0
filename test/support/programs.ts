import { accessSync, constants } from 'node:fs';
import { delimiter, resolve } from 'node:path';

/** Debian keeps daemons in `sbin`, which is not on the PATH of an ordinary user. */
const SBIN = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** The PATH of this process with the directories of daemons at its end. */
export function pathWithDaemons(): string {
  const directories = (process.env['PATH'] ?? '').split(delimiter);
  return [...directories, ...SBIN.filter((directory) => !directories.includes(directory))].join(delimiter);
}

/** Whether a program of this name, or at this absolute path, can be run. */
export function hasProgram(name: string): boolean {
  return pathWithDaemons()
    .split(delimiter)
    .some((directory) => {
      try {
        accessSync(resolve(directory, name), constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}
