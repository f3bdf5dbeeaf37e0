import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing } from '../platform/durable.ts';
import { hashOf, readEntry } from './chain.ts';
import type { AuditEvent } from './event.ts';
import { cutTornLine, linesBackwards, monthFiles } from './files.ts';
import { type Head, NO_ENTRY, readHead } from './head.ts';

/** The event by which a node says, at its start, that lines which it had written are not there any more. */
export const GAP_EVENT = 'audit.gap';

/** Where a log goes on. */
export interface Beginning {
  /** The newest entry that lies there. */
  readonly head: Head;
  /** What is entered into the log where an entry is missing that was there before; null where all is well. */
  readonly gap: AuditEvent | null;
}

/** Finds the newest entry of a log, cuts off what a crash left of a last line, and looks whether the head's entry is there. */
export async function beginningOf(directory: string): Promise<Beginning> {
  const said = await readHead(directory);
  const newest = await newestIn(directory);
  const { head } = newest;
  if (said === 'broken') return { head, gap: { event: GAP_EVENT, reason: 'head-broken' } };
  if (said === 'none') {
    // Before there was a chain there was no head; since then there is one before the first entry.
    return { head, gap: newest.isChained ? { event: GAP_EVENT, reason: 'head-missing' } : null };
  }
  if (await lies(directory, said)) return { head, gap: null };
  return { head, gap: { event: GAP_EVENT, reason: 'entries-missing', expected: said } };
}

async function newestIn(directory: string): Promise<{ readonly head: Head; readonly isChained: boolean }> {
  for (const file of (await monthFiles(directory)).toReversed()) {
    await cutTorn(join(directory, file));
    for await (const { bytes, end } of linesBackwards(directory, file)) {
      const isChained = readEntry(bytes.toString('utf8'))?.prev !== undefined;
      return { head: { file, end, sha256: hashOf(bytes) }, isChained };
    }
  }
  return { head: NO_ENTRY, isChained: false };
}

async function cutTorn(path: string): Promise<void> {
  await using file = await open(path, 'a+');
  await cutTornLine(file);
}

/** Whether the entry that a head names lies where it says. */
async function lies(directory: string, { file, end, sha256 }: Head): Promise<boolean> {
  if (file === null) return true;
  try {
    for await (const line of linesBackwards(directory, file, end)) {
      return line.end === end && hashOf(line.bytes) === sha256;
    }
    return false;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}
