import { randomBytes } from 'node:crypto';
import * as z from 'zod';
import { instantSchema } from '../../protocol/ledger.ts';
import type { Clock } from '../platform/clock.ts';
import { AppError } from '../platform/errors.ts';
import { createKeyedMutex } from '../platform/mutex.ts';
import { idByPrefix, notFound } from '../queue/id-prefix.ts';
import type { AccessStore } from './access-store.ts';
import { hashToken, isSameHash, newSalt, newToken } from './token-code.ts';

const PREFIX = 'token:';
const ID_BYTES = 6;
/** Of one person, and of those that are anybody's: each costs time to compare. */
const MAX_OF_A_PERSON = 20;
const MAX_OF_ANYBODY = 1_000;
/** What opens nothing any more is shown for so long, then forgotten. */
const KEPT_DAYS = 90;
const MAX_FORGOTTEN_AT_ONCE = 50;
const MAX_NOTE = 500;
/** Who used a token, as the store says it. */
const BY_NODE = 'node';
/** Tokens of a subject that are looked at; nobody writes more. */
export const MAX_GUESSES = 3;
/** A guess is hashed with each salt: those of one person, and of anybody's on both nodes; the peer may tell of more. */
const MAX_SALTS = 50;
const TOKENS = { one: 'token', many: 'tokens', hint: ': see node-ctl token list' };

const valueSchema = z.object({
  /** Whose it is, in lower case; null for anybody on the whitelist. */
  for: z.string().max(320).nullable(),
  salt: z.string().regex(/^[0-9a-f]{2,128}$/),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  expiresAt: instantSchema.nullable(),
  singleUse: z.boolean(),
  /** The job that it was used for. */
  usedBy: z.string().max(100).nullable(),
  note: z.string().max(MAX_NOTE),
  enabled: z.boolean(),
  addedAt: instantSchema,
  addedBy: z.string().max(320),
});
type TokenValue = z.infer<typeof valueSchema>;

/** A token without what it is made of. */
export interface StoredToken extends Readonly<Omit<TokenValue, 'salt' | 'hash'>> {
  readonly id: string;
}

/** A token as it is stored. */
interface Kept {
  readonly id: string;
  readonly value: TokenValue;
}

export interface NewTokenOptions {
  readonly for: string;
  readonly expiresAt: Temporal.Instant | null;
  readonly singleUse: boolean;
  readonly note: string;
}

/** Tokens that the nodes of a pair know together, each as a salted hash. */
export interface TokenStore {
  /** The newest first. */
  list(): readonly StoredToken[];
  /** Makes a token, which nobody can show again. @throws AppError `access.too-many`, `access.unwritable` */
  add(options: NewTokenOptions, by: string): Promise<{ readonly id: string; readonly token: string }>;
  /** Takes tokens over that anybody may use; those that are there already are passed over. Gives how many were new. */
  importAll(
    tokens: readonly { readonly token: string; readonly note: string }[],
    by: string,
  ): Promise<number>;
  /** Whether there is one; it opens nothing any more. @throws AppError `job.not-found`, `job.ambiguous` */
  revoke(idPrefix: string, by: string): Promise<StoredToken>;
  /**
   * The id of a token among these that opens the door to `sender` for `job`; null where none does. One that is used
   * already opens it to the job that used it, so that a mail that is decided on again is decided the same.
   */
  find(guesses: readonly string[], sender: string, job: string): Promise<string | null>;
  /** Marks a single-use token as used by a job; nothing for others. On disk when it resolves. */
  use(id: string, job: string): Promise<void>;
}

export function createTokenStore(store: AccessStore, clock: Clock): TokenStore {
  const inTurn = createKeyedMutex();
  const book: Book = {
    clock,
    kept: () => keptIn(store),
    put: (id, value, by) => store.put(PREFIX + id, value, by),
  };
  const { kept, put } = book;
  return {
    list: () =>
      kept()
        .map(shown)
        .toSorted((a, b) => b.addedAt.localeCompare(a.addedAt)),
    add: (options, by) => inTurn('write', () => addToken(book, options, by)),
    importAll: (tokens, by) => inTurn('write', () => importTokens(book, tokens, by)),
    revoke: (prefix, by) =>
      inTurn('write', async () => {
        const ids = kept().map(({ id }) => id);
        const id = idByPrefix(ids, prefix, TOKENS);
        const found = kept().find((one) => one.id === id);
        if (found === undefined) throw notFound(prefix, TOKENS);
        const value = { ...found.value, enabled: false };
        await put(id, value, by);
        return shown({ id, value });
      }),
    find: (guesses, sender, job) => findToken(book, guesses, sender.toLowerCase(), job),
    use: (id, job) =>
      inTurn('write', async () => {
        const value = kept().find((one) => one.id === id)?.value;
        if (value === undefined || !value.singleUse || value.usedBy !== null) return;
        await put(id, { ...value, usedBy: job }, BY_NODE);
      }),
  };
}

/** The tokens of a store, to be read and written. */
interface Book {
  readonly clock: Clock;
  kept(): readonly Kept[];
  put(id: string, value: TokenValue | null, by: string): Promise<unknown>;
}

async function addToken({ clock, kept, put }: Book, options: NewTokenOptions, by: string) {
  const now = clock.now();
  const dead = kept().filter(({ value }) => isLongDead(value, now));
  for (const { id } of dead.slice(0, MAX_FORGOTTEN_AT_ONCE)) await put(id, null, by);
  const own = kept().filter(({ value }) => value.for === options.for && isAlive(value, now));
  if (own.length >= MAX_OF_A_PERSON) {
    throw new AppError('access.too-many', `${options.for} has ${MAX_OF_A_PERSON} tokens already`);
  }
  const { singleUse, note } = options;
  const [token, id, salt] = [newToken(), newId(), newSalt()];
  const expiresAt = options.expiresAt?.toString({ smallestUnit: 'second' }) ?? null;
  const value = { for: options.for, salt, hash: await hashToken(token, salt), expiresAt, singleUse, note };
  await put(id, { ...value, ...fresh(now, by) }, by);
  return { id, token };
}

async function importTokens(
  { clock, kept, put }: Book,
  tokens: readonly { readonly token: string; readonly note: string }[],
  by: string,
): Promise<number> {
  const there = kept().filter(({ value }) => value.for === null);
  // One salt for all that are anybody's: a guess is hashed once, however many there are.
  const salt = there[0]?.value.salt ?? newSalt();
  const known = new Set(there.map(({ value }) => value.hash));
  let count = 0;
  for (const { token, note } of tokens) {
    const hash = await hashToken(token, salt);
    if (known.has(hash)) continue;
    if (known.size >= MAX_OF_ANYBODY) {
      throw new AppError('access.too-many', `there are ${MAX_OF_ANYBODY} tokens of nobody in particular`);
    }
    known.add(hash);
    const value = { for: null, salt, hash, expiresAt: null, singleUse: false, note: note.slice(0, MAX_NOTE) };
    await put(newId(), { ...value, ...fresh(clock.now(), by) }, by);
    count += 1;
  }
  return count;
}

async function findToken(
  { clock, kept }: Book,
  guesses: readonly string[],
  sender: string,
  job: string,
): Promise<string | null> {
  const usable = kept().filter(
    ({ value }) =>
      (value.for === null || value.for === sender) &&
      (isAlive(value, clock.now()) || (value.enabled && value.usedBy === job)),
  );
  const salts = [...new Set(usable.map(({ value }) => value.salt))].slice(0, MAX_SALTS);
  let found: string | null = null;
  for (const guess of guesses.slice(0, MAX_GUESSES)) {
    for (const salt of salts) {
      const hash = await hashToken(guess.toUpperCase(), salt);
      // All are compared, whichever fits: the time tells nothing about a token.
      for (const { id, value } of usable) {
        if (value.salt === salt && isSameHash(value.hash, hash)) found ??= id;
      }
    }
  }
  return found;
}

function newId(): string {
  return randomBytes(ID_BYTES).toString('hex');
}

/** All that can be read; what was removed, or is of a later version, opens nothing. */
function keptIn(store: AccessStore): Kept[] {
  return store.list(PREFIX).flatMap(({ key, value }) => {
    const parsed = valueSchema.safeParse(value);
    return parsed.success ? [{ id: key.slice(PREFIX.length), value: parsed.data }] : [];
  });
}

function shown({ id, value: { salt: _salt, hash: _hash, ...rest } }: Kept): StoredToken {
  return { id, ...rest };
}

function fresh(now: Temporal.Instant, by: string) {
  return {
    usedBy: null,
    enabled: true,
    addedAt: now.toString({ smallestUnit: 'second' }),
    addedBy: by,
  };
}

/** Whether it opens the door to a job that has not used it. */
function isAlive({ enabled, expiresAt, usedBy }: TokenValue, now: Temporal.Instant): boolean {
  return enabled && usedBy === null && (expiresAt === null || isAfter(expiresAt, now));
}

function isLongDead(value: TokenValue, now: Temporal.Instant): boolean {
  const then = now.subtract({ hours: KEPT_DAYS * 24 });
  return (
    !isAlive(value, now) && !isAfter(value.addedAt, then) && !isAfter(value.expiresAt ?? value.addedAt, then)
  );
}

function isAfter(instant: string, now: Temporal.Instant): boolean {
  return Temporal.Instant.compare(Temporal.Instant.from(instant), now) > 0;
}
