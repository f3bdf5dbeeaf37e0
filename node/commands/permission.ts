import type { People, Person, Role } from '../access/people.ts';
import type { Command, Fault, Touched } from './command.ts';

/** Commands of admins alone, whatever the configuration grants to others. */
const ADMIN_COMMANDS: ReadonlySet<string> = new Set(['WHITELIST']);
const MAX_SHOWN = 10;

/** Keywords of the commands that a role may use; an admin may use all. */
export type RoleCommands = Readonly<Record<Exclude<Role, 'admin'>, readonly string[]>>;

/** Whether a role may use a command at all. */
export function mayUse(role: Role, keyword: string, roleCommands: RoleCommands): boolean {
  return role === 'admin' || (!ADMIN_COMMANDS.has(keyword) && roleCommands[role].includes(keyword));
}

/**
 * Why a person may not ask for this; empty where they may. What a request touches is null where its command touches
 * nothing that people can be limited to, and a list in it null where it names none and so is about all:
 * `extensions-needed` and `server-needed` then say what to name. Admins are not limited.
 */
export function permissionFaults(
  person: Person,
  keyword: string,
  touched: Touched | null,
  roleCommands: RoleCommands,
): Fault[] {
  const { role } = person;
  if (role === 'admin') return [];
  if (!mayUse(role, keyword, roleCommands)) {
    const may = roleCommands[role].filter((name) => mayUse(role, name, roleCommands));
    const values = { command: keyword, known: may.join(', ') };
    return [{ field: 'SUBJECT', code: 'command-not-permitted', values }];
  }
  if (touched === null) return [];
  return [
    ...limitFaults(person.extensions, touched.extensions, {
      field: keyword,
      needed: 'extensions-needed',
      refused: 'extension-not-permitted',
    }),
    ...limitFaults(person.servers, touched.servers, {
      field: 'SERVER',
      needed: 'server-needed',
      refused: 'server-not-permitted',
    }),
  ];
}

function limitFaults(
  allowed: readonly string[] | null,
  asked: readonly string[] | null,
  { field, needed, refused }: { field: string; needed: string; refused: string },
): Fault[] {
  if (allowed === null) return [];
  const known = shown(allowed);
  if (asked === null) return [{ field, code: needed, values: { known } }];
  const own = new Set(allowed);
  const others = asked.filter((name) => !own.has(name));
  if (others.length === 0) return [];
  return [{ field, code: refused, values: { value: shown(others), count: others.length, known } }];
}

function shown(names: readonly string[]): string {
  return names.slice(0, MAX_SHOWN).join(', ') + (names.length > MAX_SHOWN ? ', …' : '');
}

/** Who may ask for what: people and their limits, as they are now. */
export interface Permission {
  /** Whether somebody may ask for anything at all. */
  allows(address: string): boolean;
  /**
   * Why this address may not have this command carried out with these parameters, which have passed its schema.
   * `not-allowed` for a stranger.
   */
  faultsOf(
    address: string,
    command: Pick<Command, 'keyword' | 'touches'>,
    params: Parameters<Command['route']>[0],
  ): readonly Fault[];
  /** What is told to this address of a request at fault: without servers that are not theirs. */
  shownTo(address: string, told: Told): Told;
}

/** What is wrong with a request, and a subject to copy. */
interface Told {
  readonly faults: readonly Fault[];
  readonly corrected: string | null;
}

export function createPermission(
  people: Pick<People, 'find' | 'allows'>,
  roleCommands: RoleCommands,
): Permission {
  return {
    allows: people.allows,
    faultsOf: (address, command, params) => {
      const person = people.find(address);
      if (person === null) return [{ field: 'SUBJECT', code: 'not-allowed', values: {} }];
      return permissionFaults(person, command.keyword, command.touches?.(params) ?? null, roleCommands);
    },
    shownTo: (address, told) => {
      const person = people.find(address);
      const own = person === null || person.role === 'admin' ? null : person.servers;
      return own === null ? told : withinServers(own, told);
    },
  };
}

/** Lists of servers, and ids that are like a misspelt one, come from SERVERS_FILE: it is not for everybody to read. */
function withinServers(own: readonly string[], { faults, corrected }: Told): Told {
  const server = /\bSERVER=(\S+)/.exec(corrected ?? '')?.[1];
  return {
    faults: faults.map((fault) => {
      const { known, suggestion, ...values } = fault.values;
      if (fault.field !== 'SERVER' || known === undefined) return fault;
      const hint = typeof suggestion === 'string' && own.includes(suggestion) ? { suggestion } : {};
      return { ...fault, values: { ...values, ...hint, known: shown(own) } };
    }),
    corrected: server === undefined || own.includes(server) ? corrected : null,
  };
}
