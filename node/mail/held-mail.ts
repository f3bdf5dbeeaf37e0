import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { isMissing, syncDirectory, TEMPORARY_PREFIX, writeDurable } from '../platform/durable.ts';
import { AppError, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';

const SUFFIX = '.json';
/** Put aside for somebody to look at, where it cannot be understood. */
const BROKEN = '.broken';
/** More of these make room when the store is opened, the oldest first. */
const MAX_BROKEN = 100;
/** More than that wait in their jobs. */
const MAX_HELD = 20_000;
const MAX_LENGTH = 128 * 1024 * 1024;
const NAME_DIGITS = 32;

const heldSchema = z.strictObject({
  to: z.string(),
  messageId: z.string(),
  job: z.string(),
  kind: z.string(),
  subject: z.string(),
  text: z.string(),
  at: z.string(),
});

/** An answer that somebody gets in a digest. */
export type HeldAnswer = z.infer<typeof heldSchema>;

/** The same without its words. */
export interface HeldEntry extends Omit<HeldAnswer, 'text' | 'subject'> {
  /** The same for the same answer to the same person. */
  readonly name: string;
  /** Characters of its text. */
  readonly length: number;
}

/** Answers that are held back until their digest goes out; on disk, each in a file of its own. */
export interface HeldMail {
  /** On disk when it resolves; once, however often. @throws AppError `mail.unavailable` (retriable) */
  put(answer: HeldAnswer): Promise<void>;
  /** To whom a mail is held back. */
  recipientsOf(messageId: string): readonly string[];
  /** All, the oldest first. */
  list(): readonly HeldEntry[];
  /** Those of these names that are there. */
  read(names: readonly string[]): Promise<readonly HeldAnswer[]>;
  /** They have gone out. */
  remove(names: readonly string[]): Promise<void>;
  /** What an operator should know. */
  warnings(): string[];
}

export interface HeldMailOptions {
  readonly directory: string;
  readonly log: Log;
  readonly maxHeld?: number;
  /** Characters of all texts together. */
  readonly maxLength?: number;
}

/** Opens the store; what cannot be understood in it is put aside and told of. */
export async function openHeldMail(options: HeldMailOptions): Promise<HeldMail> {
  const { directory, log, maxHeld = MAX_HELD, maxLength = MAX_LENGTH } = options;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const entries = new Map<string, HeldEntry>();
  const pathOf = (name: string): string => join(directory, `${name}${SUFFIX}`);

  const read = async (name: string): Promise<HeldAnswer | null> => {
    let content: string;
    try {
      content = await readFile(pathOf(name), 'utf8');
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
    try {
      return heldSchema.parse(JSON.parse(content));
    } catch (error) {
      await rename(pathOf(name), join(directory, `${name}${BROKEN}`));
      log.error('an answer that was held back cannot be read and is put aside', {
        name,
        reason: messageOf(error),
      });
      return null;
    }
  };

  for (const file of await readdir(directory)) {
    if (file.startsWith(TEMPORARY_PREFIX)) await unlink(join(directory, file));
    if (file.startsWith(TEMPORARY_PREFIX) || !file.endsWith(SUFFIX)) continue;
    const name = file.slice(0, -SUFFIX.length);
    const answer = await read(name);
    if (answer !== null) entries.set(name, entryOf(name, answer));
  }

  await keepFew(directory);

  return {
    put: async (answer) => {
      const name = nameOf(answer);
      if (entries.has(name)) return;
      const held = [...entries.values()].reduce((sum, { length }) => sum + length, answer.text.length);
      if (entries.size >= maxHeld || held > maxLength) {
        const message = `${entries.size} answers are held back, which is all that fit`;
        throw new AppError('mail.unavailable', message, { retriable: true });
      }
      try {
        await writeDurable(pathOf(name), JSON.stringify(answer));
      } catch (error) {
        const message = `an answer could not be held back: ${messageOf(error)}`;
        throw new AppError('mail.unavailable', message, { retriable: true, cause: error });
      }
      entries.set(name, entryOf(name, answer));
    },
    recipientsOf: (messageId) =>
      [...entries.values()].filter((one) => one.messageId === messageId).map(({ to }) => to),
    list: () => [...entries.values()].toSorted((a, b) => (a.at < b.at ? -1 : Number(a.at > b.at))),
    read: async (names) => {
      const found = await Promise.all(names.map(read));
      return found.filter((answer) => answer !== null);
    },
    remove: async (names) => {
      for (const name of names) {
        try {
          await unlink(pathOf(name));
        } catch (error) {
          if (!isMissing(error)) throw error;
        }
        entries.delete(name);
      }
      await syncDirectory(directory);
    },
    warnings: () =>
      entries.size === 0
        ? []
        : [
            `${entries.size} answers are held back for digests: REPLIES_PER_SENDER or REPLIES_PER_DAY was reached`,
          ],
  };
}

/** Removes all but some of what could not be understood. */
async function keepFew(directory: string): Promise<void> {
  const broken = (await readdir(directory)).filter((file) => file.endsWith(BROKEN));
  if (broken.length <= MAX_BROKEN) return;
  const paths = broken.map((file) => join(directory, file));
  const aged = await Promise.all(paths.map(async (path) => ({ path, atMs: (await stat(path)).ctimeMs })));
  for (const { path } of aged.toSorted((a, b) => b.atMs - a.atMs).slice(MAX_BROKEN)) await unlink(path);
}

function nameOf({ messageId, to }: HeldAnswer): string {
  return createHash('sha256')
    .update(JSON.stringify([messageId, to]))
    .digest('hex')
    .slice(0, NAME_DIGITS);
}

function entryOf(name: string, { to, messageId, job, kind, at, text }: HeldAnswer): HeldEntry {
  return { name, to, messageId, job, kind, at, length: text.length };
}
