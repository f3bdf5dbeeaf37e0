import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { isMissing, writeDurable } from '../platform/durable.ts';

const NAME = 'head.json';
/** Always the same, so that a newer word covers an older one. */
const LENGTH = 256;

const headSchema = z.strictObject({
  /** File of the newest entry; null where there is none. */
  file: z.string().nullable(),
  /** Where in it the entry's line ends, in bytes. */
  end: z.int().nonnegative(),
  /** SHA-256 of that line. */
  sha256: z.string().nullable(),
});

/** Which entry is the newest: without this word nobody would miss the last lines of a log. */
export type Head = z.infer<typeof headSchema>;

export const NO_ENTRY: Head = { file: null, end: 0, sha256: null };

/** `none` where there is no such file; `broken` where it cannot be understood. */
export async function readHead(directory: string): Promise<Head | 'none' | 'broken'> {
  let text: string;
  try {
    text = await readFile(join(directory, NAME), 'utf8');
  } catch (error) {
    if (isMissing(error)) return 'none';
    throw error;
  }
  try {
    return headSchema.parse(JSON.parse(text));
  } catch {
    return 'broken'; // the caller enters into the log that it is
  }
}

/** Writes the head so that it is there for good. */
export async function writeHeadDurable(directory: string, head: Head): Promise<void> {
  await writeDurable(join(directory, NAME), printed(head));
}

/**
 * Writes the head over the one before, without waiting for the disk: that would double the cost of each entry. A power
 * cut can so leave a head that is some entries behind; it is never ahead, as the entry is on disk before.
 */
export async function writeHead(directory: string, head: Head): Promise<void> {
  await writeFile(join(directory, NAME), printed(head), { flag: 'r+' });
}

function printed(head: Head): string {
  return `${JSON.stringify(head).padEnd(LENGTH - 1)}\n`;
}
