import type { DoorTokens } from './door-token.ts';
import { concealTokens } from './token-conceal.ts';
import { cutTokens } from './token-cut.ts';
import type { Whitelist } from './whitelist.ts';

export type AccessReason = 'not-allowed' | 'token-missing' | 'token-wrong';

export interface AccessDecision {
  readonly allowed: boolean;
  /** Null where it is allowed. */
  readonly reason: AccessReason | null;
  /** The subject without its tokens: the only form that goes further. */
  readonly subject: string;
}

/** The door: who may have a command carried out. */
export interface Access {
  /** Decides on a sender (null where the mail names none, or several) and the subject as received. */
  decide(from: string | null, subject: string): Promise<AccessDecision>;
  /** A raw mail that is to be kept, one character for each octet, with its tokens blanked; as long as before. */
  conceal(raw: string): Promise<string>;
}

export interface AccessOptions {
  readonly whitelist: Whitelist;
  /** Null where there is no TOKEN_FILE. */
  readonly tokens: DoorTokens | null;
  /** REQUIRE_TOKEN. */
  readonly requireToken: boolean;
}

/** The sender first: who is not on the list learns nothing about tokens. */
export function createAccess({ whitelist, tokens, requireToken }: AccessOptions): Access {
  const reasonFor = async (
    from: string | null,
    candidates: readonly string[],
  ): Promise<AccessReason | null> => {
    if (from === null || !whitelist.allows(from)) return 'not-allowed';
    if (!requireToken) return null;
    if (candidates.length === 0) return 'token-missing';
    return (await tokens?.accepts(candidates)) === true ? null : 'token-wrong';
  };
  const listed = async (): Promise<ReadonlySet<string>> => (await tokens?.listed()) ?? new Set();
  return {
    decide: async (from, subject) => {
      const cut = cutTokens(subject, await listed());
      const reason = await reasonFor(from, cut.tokens);
      return { allowed: reason === null, reason, subject: cut.subject };
    },
    conceal: async (raw) => concealTokens(raw, await listed()),
  };
}
