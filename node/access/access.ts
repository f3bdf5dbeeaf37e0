import type { DoorTokens } from './door-token.ts';
import type { Lock, Lockout } from './lockout.ts';
import type { People } from './people.ts';
import { concealTokens } from './token-conceal.ts';
import { cutTokens } from './token-cut.ts';
import { MAX_GUESSES, type TokenStore } from './token-store.ts';

/** Before the id of a stored token. */
const STORED = 'token:';

export type AccessReason = 'not-allowed' | 'token-missing' | 'token-wrong' | 'locked-out';

export interface AccessDecision {
  readonly allowed: boolean;
  /** Null where it is allowed. */
  readonly reason: AccessReason | null;
  /** The subject without its tokens: the only form that goes further. */
  readonly subject: string;
  /** What opened the door: `token:<id>`, or `file` for one of TOKEN_FILE; null where none is needed, or none did. */
  readonly token: string | null;
  /** The lock that this sender is under now: what kept the mail out, or came of it. */
  readonly lock: Lock | null;
}

/** The door: who may have a command carried out. */
export interface Access {
  /**
   * Decides on a sender (null where the mail names none, or several) and the subject as received. `job` is what the
   * mail would be: a mail that is decided on again is decided the same, and its wrong token counts once.
   * @throws AppError `access.unwritable` (retriable)
   */
  decide(from: string | null, subject: string, job: string): Promise<AccessDecision>;
  /** Marks the token that opened the door as used by its job, where it is good once; on disk when it resolves. */
  use(decision: AccessDecision, job: string): Promise<void>;
  /** A subject without its tokens. */
  cut(subject: string): Promise<string>;
  /** A raw mail that is to be kept, one character for each octet, with its tokens blanked; as long as before. */
  conceal(raw: string): Promise<string>;
}

export interface AccessOptions {
  readonly people: Pick<People, 'allows'>;
  /** Of TOKEN_FILE; null where there is none. */
  readonly tokens: Pick<DoorTokens, 'accepts' | 'listed'> | null;
  /** Those that `node-ctl token` keeps. */
  readonly stored: Pick<TokenStore, 'find' | 'use'>;
  readonly lockout: Pick<Lockout, 'lockOf' | 'note'>;
  /** REQUIRE_TOKEN. */
  readonly requireToken: boolean;
}

/** The sender first: who is not on the list learns nothing about tokens. */
export function createAccess(options: AccessOptions): Access {
  const { people, tokens, stored, lockout, requireToken } = options;
  const listed = async (): Promise<ReadonlySet<string>> => (await tokens?.listed()) ?? new Set();

  /** What opens the door, as the decision tells it; null where nothing does. */
  const keyOf = async (guesses: readonly string[], from: string, job: string): Promise<string | null> => {
    const kept = await stored.find(guesses, from, job);
    if (kept !== null) return STORED + kept;
    return (await tokens?.accepts(guesses)) === true ? 'file' : null;
  };

  const judge = async (
    from: string | null,
    guesses: readonly string[],
    job: string,
  ): Promise<Omit<AccessDecision, 'allowed' | 'subject'>> => {
    if (from === null || !people.allows(from)) return { reason: 'not-allowed', token: null, lock: null };
    if (!requireToken) return { reason: null, token: null, lock: null };
    const lock = lockout.lockOf(from);
    if (lock !== null) return { reason: 'locked-out', token: null, lock };
    if (guesses.length === 0) return { reason: 'token-missing', token: null, lock: null };
    const key = await keyOf(guesses, from, job);
    if (key !== null) return { reason: null, token: key, lock: null };
    await lockout.note(from, job, guesses.length);
    return { reason: 'token-wrong', token: null, lock: lockout.lockOf(from) };
  };

  return {
    decide: async (from, subject, job) => {
      const cut = cutTokens(subject, await listed());
      const guesses = [...new Set(cut.tokens)].slice(0, MAX_GUESSES);
      const judged = await judge(from, guesses, job);
      return { allowed: judged.reason === null, ...judged, subject: cut.subject };
    },
    use: async ({ token }, job) => {
      if (token?.startsWith(STORED) === true) await stored.use(token.slice(STORED.length), job);
    },
    cut: async (subject) => cutTokens(subject, await listed()).subject,
    conceal: async (raw) => concealTokens(raw, await listed()),
  };
}
