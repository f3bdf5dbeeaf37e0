import * as z from 'zod';
import { MAX_LIMITS, roleSchema } from '../access/people.ts';
import type { Fault, Field, Parsed } from './command.ts';
import { nearest } from './did-you-mean.ts';
import { EXTENSION, readExtensions } from './extensions.ts';
import { type Reading, shown } from './fields.ts';
import type { KnownServer } from './ramais-grammar.ts';
import { foldCase } from './subject-text.ts';
import { writeSubject } from './subject.ts';

/** The fields of WHITELIST; what it shares with other commands is written as they write it. */
export const WHITELIST_FIELDS: Readonly<Record<string, readonly string[]>> = {
  PAPEL: ['ROLE'],
  RAMAIS: ['RAMAL'],
  SERVER: ['SERVIDOR'],
};

const ACTIONS = {
  list: ['LIST', 'LISTAR', 'LISTA'],
  add: ['ADD', 'ADICIONAR', 'INCLUIR'],
  remove: ['REMOVE', 'REMOVER', 'EXCLUIR', 'RETIRAR'],
} as const;
type Action = keyof typeof ACTIONS;
const KNOWN_ACTIONS = 'ADD, REMOVE, LIST';
const ADDRESS = /^[a-z0-9.!#$%&'*+/?^_`{|}~-]{0,64}@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,8}$/;
const EXAMPLE_ADDRESS = 'pessoa@example.com';

const limitSchema = z.array(z.string().min(1).max(64)).min(1).max(MAX_LIMITS).nullable();

/** What WHITELIST asks for, as it is stored in the job. */
export const whitelistParamsSchema = z
  .strictObject({
    action: z.enum(['list', 'add', 'remove']),
    /** In lower case; null for a list. */
    address: z.string().regex(ADDRESS).nullable(),
    /** Null for all but `add`. */
    role: roleSchema.nullable(),
    extensions: z.array(z.string().regex(EXTENSION)).min(1).max(MAX_LIMITS).nullable(),
    servers: limitSchema,
  })
  .refine(({ action, address }) => (action === 'list') === (address === null), 'an address, or a list')
  .refine(({ action, role }) => (action === 'add') === (role !== null), 'a role for whom is added');
export type WhitelistParams = z.infer<typeof whitelistParamsSchema>;

export interface WhitelistGrammar {
  parse(fields: readonly Field[]): Parsed<WhitelistParams>;
  /** The subject that stands for these parameters; parses to them again. */
  subjectOf(params: WhitelistParams): string;
}

const LIST: WhitelistParams = { action: 'list', address: null, role: null, extensions: null, servers: null };

/** The grammar of `WHITELIST ADD|REMOVE|LIST [address] [PAPEL=…] [RAMAIS=…] [SERVER=…]`. */
export function createWhitelistGrammar(options: {
  readonly servers: readonly KnownServer[];
  /** ADMIN_EMAIL, who cannot be changed. */
  readonly adminEmail: string;
}): WhitelistGrammar {
  return {
    subjectOf,
    parse: (fields) => {
      const values = new Map<string, string>();
      const faults: Fault[] = [];
      for (const { key, value } of fields) {
        if (values.has(key)) faults.push({ field: key, code: 'field-repeated', values: {} });
        else values.set(key, value);
      }
      const { action, rest } = readAction(values.get('WHITELIST') ?? '', faults);
      const address = action === 'list' ? null : readAddress(rest, options.adminEmail, faults);
      faults.push(...strangers(values.keys(), action));
      const params =
        action === 'add' && address !== null
          ? readPerson(address, values, options.servers, faults)
          : { ...LIST, action: address === null ? ('list' as const) : action, address };
      return faults.length === 0 ? { ok: true, params } : { ok: false, faults, corrected: subjectOf(params) };
    },
  };
}

function subjectOf({ action, address, role, extensions, servers }: WhitelistParams): string {
  const fields: Field[] = [];
  if (role !== null) fields.push({ key: 'PAPEL', value: role });
  if (extensions !== null) fields.push({ key: 'RAMAIS', value: extensions.join(',') });
  if (servers !== null) fields.push({ key: 'SERVER', value: servers.join(',') });
  const about = address === null ? '' : ` ${address}`;
  return `WHITELIST ${action.toUpperCase()}${about} ${writeSubject(fields)}`.trim();
}

/** The first word; without any, a list, which changes nothing. */
function readAction(text: string, faults: Fault[]): { readonly action: Action; readonly rest: string } {
  const [, word = '', rest = ''] = /^([^\s:=]*)[\s:=]*(.*)$/.exec(text) ?? [];
  const folded = foldCase(word);
  if (folded === '') return { action: 'list', rest: '' };
  for (const [action, words] of Object.entries(ACTIONS)) {
    if ((words as readonly string[]).includes(folded)) return { action: action as Action, rest };
  }
  const values = { value: shown(word), known: KNOWN_ACTIONS };
  faults.push({ field: 'WHITELIST', code: 'whitelist-action', values });
  return { action: 'list', rest: '' };
}

/** One address, bare or as `Name <address>`, or a domain as `@example.com`. */
function readAddress(text: string, adminEmail: string, faults: Fault[]): string | null {
  const bracketed = /<([^<>]*)>$/.exec(text)?.[1];
  const address = (bracketed ?? text)
    .trim()
    .replace(/^mailto:/i, '')
    .toLowerCase();
  if (!ADDRESS.test(address)) {
    const values = { value: shown(text) };
    faults.push({ field: 'WHITELIST', code: 'address-invalid', values });
    return null;
  }
  if (address !== adminEmail.toLowerCase()) return address;
  faults.push({ field: 'WHITELIST', code: 'first-admin', values: { address } });
  return null;
}

/** Fields that mean nothing for this action. */
function strangers(keys: Iterable<string>, action: Action): Fault[] {
  const known = action === 'add' ? ['WHITELIST', ...Object.keys(WHITELIST_FIELDS)] : ['WHITELIST'];
  return [...keys].flatMap((field) => {
    if (known.includes(field)) return [];
    const meant = action === 'add' ? nearest(field, known) : null;
    const values: Record<string, string> = meant === null ? {} : { suggestion: meant };
    return [{ field, code: 'field-unknown', values }];
  });
}

function readPerson(
  address: string,
  values: ReadonlyMap<string, string>,
  servers: readonly KnownServer[],
  faults: Fault[],
): WhitelistParams {
  const extensions = readLimit('RAMAIS', values, readLimitedExtensions, faults);
  const limited = readLimit('SERVER', values, (text) => readServers(text, servers), faults);
  const isLimited = values.has('RAMAIS') || values.has('SERVER');
  // Who gets but a part of it is somebody from outside: not one who opens firewalls, unless that is said.
  const role = readRole(values.get('PAPEL'), isLimited ? 'consulta' : 'operador', faults);
  const isWrongAdmin = role === 'admin' && (isLimited || address.startsWith('@'));
  if (isWrongAdmin) faults.push({ field: 'PAPEL', code: 'admin-limited', values: {} });
  // A limit of which nothing could be read is not to be missing from the corrected subject.
  const isLost = (values.has('RAMAIS') && extensions === null) || (values.has('SERVER') && limited === null);
  if (isLost) return LIST;
  return { action: 'add', address, role: isWrongAdmin ? 'operador' : role, extensions, servers: limited };
}

function readRole(text: string | undefined, otherwise: WhitelistParams['role'], faults: Fault[]) {
  if (text === undefined) return otherwise;
  const read = roleSchema.safeParse(text.toLowerCase());
  if (read.success) return read.data;
  const meant = roleSchema.safeParse(nearest(text, roleSchema.options)?.toLowerCase()).data;
  const values = { value: shown(text), known: roleSchema.options.join(', ') };
  const hinted = meant === undefined ? values : { ...values, suggestion: meant };
  faults.push({ field: 'PAPEL', code: 'role-unknown', values: hinted });
  return meant ?? 'consulta';
}

/** Null where the field is not there; an empty one is a fault, so that nobody is given all by a slip. */
function readLimit(
  field: string,
  values: ReadonlyMap<string, string>,
  read: (text: string) => Reading<readonly string[]>,
  faults: Fault[],
): string[] | null {
  const text = values.get(field);
  if (text === undefined) return null;
  const { value, faults: found } = read(text);
  const names = value ?? [];
  const nothing = names.length === 0 && found.length === 0;
  faults.push(...(nothing ? [{ field, code: 'field-empty', values: {} }] : found));
  return names.length === 0 ? null : names.toSorted();
}

function readLimitedExtensions(text: string): Reading<readonly string[]> {
  const { extensions, faults } = readExtensions(text, MAX_LIMITS);
  return { value: extensions, faults };
}

function readServers(text: string, servers: readonly KnownServer[]): Reading<readonly string[]> {
  const known = servers.map(({ id }) => id);
  const ids = new Set<string>();
  const faults: Fault[] = [];
  for (const word of text.split(/[\s,;]+/).filter((part) => part !== '')) {
    const id = known.find((name) => name.toUpperCase() === word.toUpperCase());
    const meant = id ?? nearest(word, known);
    if (meant !== null) ids.add(meant);
    if (id !== undefined) continue;
    const values = { value: shown(word), known: known.join(', ') };
    const hinted = meant === null ? values : { ...values, suggestion: meant };
    if (faults.length < 10) faults.push({ field: 'SERVER', code: 'server-unknown', values: hinted });
  }
  return { value: [...ids].slice(0, MAX_LIMITS), faults };
}

/** A subject to copy, for help and refusals. */
export const WHITELIST_EXAMPLES: readonly string[] = [
  `WHITELIST ADD ${EXAMPLE_ADDRESS}`,
  `WHITELIST ADD ${EXAMPLE_ADDRESS} PAPEL=consulta RAMAIS=1121,1122`,
  `WHITELIST REMOVE ${EXAMPLE_ADDRESS}`,
  'WHITELIST LIST',
];
