import * as z from 'zod';
import type { DoorTokens } from '../access/door-token.ts';
import { EVERYBODY, type Lockout } from '../access/lockout.ts';
import type { People } from '../access/people.ts';
import type { StoredToken, TokenStore } from '../access/token-store.ts';
import type { AuditEvent } from '../audit.ts';
import type { Clock } from '../platform/clock.ts';
import { AppError } from '../platform/errors.ts';
import { type HandlersOf, idPrefixOf } from './control-table.ts';

/** As many as are kept, of people and of nobody. */
const MAX_LISTED = 20_000;
const MAX_LOCKS = 2_000;
const MAX_HOURS = 24 * 3_660;
const MAX_NOTE_LENGTH = 200;
const BY = 'node-ctl';

const address = z
  .string()
  .max(320)
  .regex(/^[^\s@]+@[A-Za-z0-9.-]+$/, 'must be an address, as pessoa@example.com');
const instant = z.string();

/** A token as an operator sees it: never what it is. */
export const tokenViewSchema = z.object({
  id: z.string(),
  /** Null: anybody on the whitelist. */
  for: z.string().nullable(),
  state: z.enum(['good', 'expired', 'used', 'revoked']),
  singleUse: z.boolean(),
  expiresAt: instant.nullable(),
  /** Id of the job. */
  usedBy: z.string().nullable(),
  note: z.string(),
  addedAt: instant,
  addedBy: z.string(),
});
export type TokenView = z.infer<typeof tokenViewSchema>;

/** A sender, or everybody (`*`), who tried too many tokens. */
export const lockViewSchema = z.object({ who: z.string(), since: instant, until: instant });
export type LockView = z.infer<typeof lockViewSchema>;

/** The calls about tokens and about who is locked out, for the table of all. */
export const TOKEN_METHODS = {
  /** The newest first. */
  tokens: {
    params: z.strictObject({}),
    result: z.object({ tokens: z.array(tokenViewSchema).max(MAX_LISTED) }),
  },
  /** The only time that a token is shown. `expiresHours` is null for one that does not end. */
  tokenAdd: {
    params: z.strictObject({
      for: address,
      expiresHours: z.int().min(1).max(MAX_HOURS).nullable(),
      singleUse: z.boolean(),
      note: z.string().max(MAX_NOTE_LENGTH),
    }),
    result: z.object({
      id: z.string(),
      token: z.string(),
      expiresAt: instant.nullable(),
      /** What keeps it from opening the door yet. */
      warning: z.string().nullable(),
    }),
  },
  tokenRevoke: {
    params: z.strictObject({ id: idPrefixOf('a token') }),
    result: z.object({ id: z.string(), message: z.string() }),
  },
  /** Takes those of TOKEN_FILE over. */
  tokenImport: {
    params: z.strictObject({}),
    result: z.object({ imported: z.int().nonnegative(), message: z.string() }),
  },
  lockouts: {
    params: z.strictObject({}),
    result: z.object({ locks: z.array(lockViewSchema).max(MAX_LOCKS) }),
  },
  lockoutClear: {
    params: z.strictObject({ who: z.union([address, z.literal(EVERYBODY)]) }),
    result: z.object({ message: z.string() }),
  },
} as const;

export type TokenControl = HandlersOf<typeof TOKEN_METHODS, []>;

export interface TokenControlOptions {
  readonly tokens: TokenStore;
  /** Of TOKEN_FILE; null where there is none. */
  readonly doorTokens: Pick<DoorTokens, 'enabled'> | null;
  readonly lockout: Lockout;
  readonly people: Pick<People, 'allows'>;
  /** REQUIRE_TOKEN. */
  readonly requireToken: boolean;
  readonly clock: Clock;
  /** Writes into the audit log. */
  readonly record: (event: AuditEvent) => Promise<void>;
}

/** What node-ctl can have a node do about tokens. Events tell a token's id, never the token. */
export function createTokenControl(options: TokenControlOptions): TokenControl {
  const { tokens, doorTokens, lockout, clock, record } = options;
  return {
    tokens: async () => ({ tokens: tokens.list().map((token) => viewOf(token, clock.now())) }),
    tokenAdd: async (params) => {
      const person = params.for.toLowerCase();
      const { expiresHours, singleUse, note } = params;
      const expiresAt = expiresHours === null ? null : clock.now().add({ hours: expiresHours });
      const { id, token } = await tokens.add({ for: person, expiresAt, singleUse, note }, BY);
      const ends = expiresAt?.toString({ smallestUnit: 'second' }) ?? null;
      await record({ event: 'token.added', token: id, for: person, expiresAt: ends, singleUse });
      return { id, token, expiresAt: ends, warning: warningOn(options, person) };
    },
    tokenRevoke: async ({ id: prefix }) => {
      const { id, for: person } = await tokens.revoke(prefix, BY);
      await record({ event: 'token.revoked', token: id, for: person });
      const isOfFile = doorTokens !== null && person === null;
      const also = isOfFile
        ? '; where TOKEN_FILE lists it still, it opens the door: take it out there too'
        : '';
      return { id, message: `token ${id} opens nothing any more${also}` };
    },
    tokenImport: async () => {
      if (doorTokens === null) throw new AppError('request.invalid', 'no TOKEN_FILE is configured');
      const imported = await tokens.importAll(await doorTokens.enabled(), BY);
      await record({ event: 'token.imported', count: imported });
      // REQUIRE_TOKEN follows TOKEN_FILE: without either, the door would be open to who has no token at all.
      const then = options.requireToken
        ? 'TOKEN_FILE can go, once REQUIRE_TOKEN=yes is there'
        : 'TOKEN_FILE can go';
      const message = `taken over from TOKEN_FILE: ${imported}; with all of them here, ${then}`;
      return { imported, message };
    },
    lockouts: async () => ({ locks: [...lockout.list()] }),
    lockoutClear: async ({ who }) => {
      const held = await lockout.clear(who);
      await record({ event: 'lockout.cleared', who });
      const name = who === EVERYBODY ? 'everybody' : who;
      return { message: held ? `${name} may try again` : `no lock on ${name} holds` };
    },
  };
}

function warningOn({ people, requireToken }: TokenControlOptions, person: string): string | null {
  if (!people.allows(person)) return `${person} is not on the whitelist: no token lets them in`;
  return requireToken ? null : 'REQUIRE_TOKEN is off: nobody needs a token';
}

function viewOf(token: StoredToken, now: Temporal.Instant): TokenView {
  const { enabled, expiresAt, usedBy, ...rest } = token;
  const isOver = expiresAt !== null && Temporal.Instant.compare(Temporal.Instant.from(expiresAt), now) <= 0;
  const ended = isOver ? 'expired' : 'good';
  const state = !enabled ? 'revoked' : usedBy !== null ? 'used' : ended;
  return { ...rest, state, expiresAt, usedBy };
}
