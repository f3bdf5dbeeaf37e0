import { randomUUID } from 'node:crypto';
import * as z from 'zod';
import { type ChangeablePeople, MAX_LIMITS, type Person, roleSchema } from '../access/people.ts';
import { tellOfChange, type TellingOptions } from '../commands/people-changes.ts';
import { AppError, codeOf, messageOf } from '../platform/errors.ts';
import type { HandlersOf } from './control-table.ts';

const MAX_LISTED = 20_000;

const address = z.string().trim().min(3).max(320);
const extensions = z
  .array(z.string().regex(/^[0-9]{3,8}$/, 'must be extensions of 3 to 8 digits'))
  .min(1)
  .max(MAX_LIMITS)
  .nullable();
const servers = z.array(z.string().min(1).max(64)).min(1).max(MAX_LIMITS).nullable();

/** Somebody who may ask for something. */
export const personSchema = z.object({
  address: z.string(),
  role: roleSchema,
  extensions: z.array(z.string()).nullable(),
  servers: z.array(z.string()).nullable(),
  /** Null for those of the configuration. */
  added: z.object({ by: z.string(), at: z.string() }).nullable(),
});
export type PersonEntry = z.infer<typeof personSchema>;

/** The calls about who may ask, for the table of all. */
export const PEOPLE_METHODS = {
  /** By address. */
  people: {
    params: z.strictObject({}),
    result: z.object({ people: z.array(personSchema).max(MAX_LISTED) }),
  },
  /** Adds somebody, or changes what they may do; null for a limit that there is not. */
  putPerson: {
    params: z.strictObject({ address, role: roleSchema, extensions, servers }),
    result: z.object({ changed: z.boolean(), message: z.string() }),
  },
  removePerson: {
    params: z.strictObject({ address }),
    result: z.object({ changed: z.boolean(), message: z.string() }),
  },
} as const;

export type PeopleControl = HandlersOf<typeof PEOPLE_METHODS, []>;

export interface PeopleControlOptions extends TellingOptions {
  readonly people: ChangeablePeople;
  /** Ids of the servers of SERVERS_FILE. */
  readonly servers: readonly string[];
}

/** What node-ctl can have a node do about who may ask. */
export function createPeopleControl(options: PeopleControlOptions): PeopleControl {
  const { people } = options;
  const by = 'node-ctl';
  return {
    people: async () => ({ people: people.list().map(entryOf) }),
    putPerson: async ({ address: text, role, extensions: own, servers: names }) => {
      const wanted = { address: text.toLowerCase(), role, extensions: own, servers: known(options, names) };
      const { changed, before, after } = await asked(() => people.put(wanted, by));
      if (!changed) return { changed, message: `${wanted.address} is so already` };
      await tellOfChange(options, changeOf(wanted.address, before, after));
      const what = before === null ? 'may ask from now on' : 'may do other things from now on';
      return { changed, message: `${wanted.address} ${what}, as ${role}` };
    },
    removePerson: async ({ address: text }) => {
      const { changed, before } = await asked(() => people.remove(text, by));
      const who = text.toLowerCase();
      if (!changed) return { changed, message: `${who} is not there` };
      await tellOfChange(options, changeOf(who, before, null));
      return { changed, message: `${who} may ask for nothing any more` };
    },
  };
}

function changeOf(who: string, before: Person | null, after: Person | null) {
  return { address: who, before, after, by: 'node-ctl', about: `node-ctl ${randomUUID()}`, job: null };
}

/** Ids as SERVERS_FILE writes them. @throws AppError `request.invalid` for one that it does not have */
function known({ servers: ids }: PeopleControlOptions, names: readonly string[] | null): string[] | null {
  if (names === null) return null;
  return names.map((name) => {
    const id = ids.find((other) => other.toLowerCase() === name.toLowerCase());
    if (id !== undefined) return id;
    throw new AppError('request.invalid', `no server ${JSON.stringify(name)}; there are: ${ids.join(', ')}`);
  });
}

/** What cannot be done as it was asked for is the caller's to mend. */
async function asked<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!/^access\.(?:whitelist|first-admin|admin|too-many)$/.test(codeOf(error))) throw error;
    throw new AppError('request.invalid', messageOf(error), { cause: error });
  }
}

function entryOf({ address: who, role, extensions: own, servers: names, added }: Person): PersonEntry {
  return {
    ...{ address: who, role, added },
    extensions: own === null ? null : [...own],
    servers: names === null ? null : [...names],
  };
}
