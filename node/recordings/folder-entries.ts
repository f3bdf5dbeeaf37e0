import { type Dirent, opendirSync, statSync } from 'node:fs';
import { isMissing } from '../platform/durable.ts';
import { codeOf } from '../platform/errors.ts';
import { looksLikeYear } from './day-folders.ts';

/** Deeper trees are reported as unreadable rather than followed. */
export const MAX_DEPTH = 24;
/** Links looked at in one go to tell whether they lead to directories. */
export const MAX_LINKS = 1000;
/** A year holds at most twelve months: a directory with more entries is none. */
const MAX_PEEK = 13;
/** Names of recordings, which are mostly what links in such a tree are. */
const STAMPED = /-\d{8}-\d{6}-/;

/** Whether an entry of a directory can be a recording. What a link leads to, only a search looks at. */
export function isCandidate(entry: Pick<Dirent, 'isFile' | 'isSymbolicLink'>): boolean {
  return entry.isFile() || entry.isSymbolicLink();
}

/** Whether a link may lead to a directory, going by its name. */
export function mayLeadToFolder(name: string): boolean {
  return !STAMPED.test(name);
}

/** Whether a link leads to a directory. Such are not entered: loops and what lies outside are not searched. */
export function leadsToFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    // It leads nowhere, or where we may not look: nothing would be found behind it.
    return false;
  }
}

/** Whether an error says that nothing lies there: the way down is gone too, or is none any more (ENOTDIR). */
export function isGone(error: unknown): boolean {
  return isMissing(error) || codeOf(error) === 'ENOTDIR';
}

/** Whether a directory named like a year holds months and nothing else. */
export function isYearFolder(path: string): boolean {
  try {
    using directory = opendirSync(path, { bufferSize: MAX_PEEK });
    const children: { name: string; directory: boolean }[] = [];
    for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
      if (entry.name.startsWith('.')) continue;
      children.push({ name: entry.name, directory: entry.isDirectory() });
      if (children.length > MAX_PEEK) return false;
    }
    return looksLikeYear(children);
  } catch {
    // It is entered as an ordinary directory, which reports that it cannot be read.
    return false;
  }
}
