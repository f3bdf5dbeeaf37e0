import * as z from 'zod';
import type { Server } from '../servers/inventory.ts';
import { MAC, parseMac, readMac } from '../servers/mac.ts';
import type { Fault, Field, Parsed } from './command.ts';
import { nearest } from './did-you-mean.ts';
import { EXTENSION, readExtensions } from './extensions.ts';
import { writeSubject } from './subject.ts';

const MAX_SERVER_ID_LENGTH = 64;
const MAX_VALUE_SHOWN = 80;
const MAX_UNKNOWN_FIELDS = 10;
const MAX_SERVERS_NAMED = 50;
/** Read of one value, to say how many it has. */
const MAX_EXTENSIONS_READ = 100;
const KEYWORD = 'MACCHANGE';
const EXAMPLE = { extension: '3010', from: '000b82040506', to: '000b82040599' };

/** The fields of MACCHANGE with their other ways of writing. */
export const MACCHANGE_FIELDS: Readonly<Record<string, readonly string[]>> = {
  MACCHANGE: ['MAC_CHANGE', 'TROCAMAC', 'TROCA_MAC', 'TROCARMAC', 'TROCAR_MAC'],
  MACATUAL: ['MAC_ATUAL', 'MACANTIGO', 'MAC_ANTIGO'],
  MACFUTURO: ['MAC_FUTURO', 'MACNOVO', 'MAC_NOVO'],
  SERVER: ['SERVIDOR'],
};

/** What people write for no MAC at all. */
const NOTHING: readonly string[] = ['', 'NENHUM', 'VAZIO', 'NONE', 'SEM', 'SEM MAC', 'REMOVER'];

const macSchema = z.string().regex(MAC).nullable();

/** What MACCHANGE asks for, as it is stored in the job. */
export const macChangeParamsSchema = z.strictObject({
  extension: z.string().regex(EXTENSION),
  /** What it has now, and what it is to have: 12 lower-case digits, null for none. */
  from: macSchema,
  to: macSchema,
  server: z.string().min(1).max(MAX_SERVER_ID_LENGTH),
});
export type MacChangeParams = z.infer<typeof macChangeParamsSchema>;

export interface MacChangeGrammar {
  readonly fields: typeof MACCHANGE_FIELDS;
  readonly schema: typeof macChangeParamsSchema;
  /** All faults at once, with a corrected subject that parses (where any server allows MACCHANGE). */
  parse(fields: readonly Field[]): Parsed<MacChangeParams>;
  /** The same, for parameters that come from the peer or a dropped document. */
  recheck(params: MacChangeParams): readonly Fault[];
  example(): string;
  /** The subject that stands for these parameters; parses to them again. */
  subjectOf(params: MacChangeParams): string;
  /** The server of a request; undefined where it is not there any more, or does not allow it. */
  serverOf(params: MacChangeParams): Server | undefined;
}

interface Reading<T> {
  /** Undefined where nothing could be made out. */
  readonly value: T | undefined;
  readonly faults: readonly Fault[];
}

/** The grammar of `MACCHANGE=ramal MACATUAL=… MACFUTURO=… SERVER=…`. */
export function createMacChangeGrammar(servers: readonly Server[]): MacChangeGrammar {
  const askable = servers.filter(({ enabled, commands }) => enabled && commands.includes(KEYWORD));
  const exampleServer = askable[0]?.id ?? 'gv1p';
  const noServers: readonly Fault[] =
    askable.length > 0 ? [] : [{ field: KEYWORD, code: 'no-servers', values: {} }];

  return {
    fields: MACCHANGE_FIELDS,
    schema: macChangeParamsSchema,
    parse(fields) {
      const given = collectFields(fields);
      const extension = readExtension(given.values.get(KEYWORD));
      const from = readField('MACATUAL', given.values.get('MACATUAL'), anyMac);
      const to = readField('MACFUTURO', given.values.get('MACFUTURO'), phoneMac);
      const server = readServer(given.values.get('SERVER'), servers, askable);
      const readings = [given, extension, from, to, ...(askable.length > 0 ? [server] : [])];
      const faults = [...noServers, ...readings.flatMap((reading) => reading.faults)];
      if (from.value !== undefined && to.value !== undefined)
        faults.push(...sameFaults(from.value, to.value));
      const params = {
        extension: extension.value ?? EXAMPLE.extension,
        ...repaired(from.value, to.value),
        server: server.value ?? exampleServer,
      };
      return faults.length === 0 ? { ok: true, params } : { ok: false, faults, corrected: subjectOf(params) };
    },
    recheck: ({ from, to, server }) => [
      ...noServers,
      ...readField('MACFUTURO', to ?? '', phoneMac).faults,
      ...sameFaults(from, to),
      ...readServer(server, servers, askable).faults,
    ],
    example: () => subjectOf({ ...EXAMPLE, server: exampleServer }),
    subjectOf,
    serverOf: ({ server }) => askable.find(({ id }) => id === server),
  };
}

function subjectOf({ extension, from, to, server }: MacChangeParams): string {
  return writeSubject([
    { key: KEYWORD, value: extension },
    { key: 'MACATUAL', value: from ?? '' },
    { key: 'MACFUTURO', value: to ?? '' },
    { key: 'SERVER', value: server },
  ]);
}

/** One value for each known field, the first; an unknown field that is nearly a missing one stands in for it. */
function collectFields(fields: readonly Field[]): Reading<never> & { values: Map<string, string> } {
  const values = new Map<string, string>();
  const repeated = new Set<string>();
  const unknown: Field[] = [];
  for (const { key, value } of fields) {
    if (!Object.hasOwn(MACCHANGE_FIELDS, key)) unknown.push({ key, value });
    else if (values.has(key)) repeated.add(key);
    else values.set(key, value);
  }
  const faults: Fault[] = [...repeated].map((field) => ({ field, code: 'field-repeated', values: {} }));
  for (const { key, value } of unknown.slice(0, MAX_UNKNOWN_FIELDS)) {
    const meant = key === 'RAMAL' || key === 'RAMAIS' ? KEYWORD : nearest(key, Object.keys(MACCHANGE_FIELDS));
    const hint: Record<string, string> = meant === null ? {} : { suggestion: meant };
    faults.push({ field: key, code: 'field-unknown', values: { value: shown(value), ...hint } });
    if (meant !== null && (values.get(meant) ?? '') === '') values.set(meant, value);
  }
  return { value: undefined, faults, values };
}

function readExtension(text: string | undefined): Reading<string> {
  if (text === undefined) return fault(KEYWORD, 'field-missing');
  if (text === '') return fault(KEYWORD, 'field-empty');
  const { extensions, faults } = readExtensions(text, MAX_EXTENSIONS_READ);
  const [value] = extensions;
  const told = faults.map(({ code, values }) => ({ field: KEYWORD, code, values }));
  if (extensions.length > 1 && told.length === 0) {
    return {
      value,
      faults: [{ field: KEYWORD, code: 'extension-single', values: { count: extensions.length } }],
    };
  }
  return value === undefined && told.length === 0 ? fault(KEYWORD, 'field-empty') : { value, faults: told };
}

/** What a file may hold is whatever it holds: a MAC that no phone can have is to be replaced, too. */
function anyMac(
  text: string,
): { readonly ok: true; readonly mac: string } | { readonly ok: false; readonly code: string } {
  const mac = readMac(text);
  return mac === null ? { ok: false, code: 'mac-form' } : { ok: true, mac };
}

const phoneMac: typeof anyMac = parseMac;

/** A field that must be there, and may be empty: to leave it out is no way to remove a phone. */
function readField(field: string, text: string | undefined, read: typeof anyMac): Reading<string | null> {
  if (text === undefined) return fault(field, 'field-missing');
  if (NOTHING.includes(text.trim().toUpperCase())) return { value: null, faults: [] };
  const reading = read(text);
  if (reading.ok) return { value: reading.mac, faults: [] };
  return { value: undefined, faults: [{ field, code: reading.code, values: { value: shown(text) } }] };
}

function sameFaults(from: string | null, to: string | null): Fault[] {
  if (from !== to) return [];
  if (to === null) return [{ field: 'MACFUTURO', code: 'macs-empty', values: {} }];
  return [{ field: 'MACFUTURO', code: 'macs-equal', values: { value: to } }];
}

/** What was meant, with an example where nothing can be made of it. A removal is never made up. */
function repaired(
  from: string | null | undefined,
  to: string | null | undefined,
): Pick<MacChangeParams, 'from' | 'to'> {
  const before = from === undefined ? EXAMPLE.from : from;
  const after = to === undefined || to === before ? EXAMPLE.to : to;
  return { from: before === after ? EXAMPLE.from : before, to: after };
}

/** It must be there; case does not matter. */
function readServer(
  text: string | undefined,
  servers: readonly Server[],
  askable: readonly Server[],
): Reading<string> {
  const ids = askable.map(({ id }) => id);
  const known = ids.slice(0, MAX_SERVERS_NAMED).join(', ');
  const only = ids.length === 1 ? ids[0] : undefined;
  if (text === undefined || text === '') {
    const code = text === undefined ? 'field-missing' : 'field-empty';
    return { value: only, faults: [{ field: 'SERVER', code, values: { known } }] };
  }
  const found =
    servers.find(({ id }) => id === text) ??
    servers.find(({ id }) => id.toUpperCase() === text.toUpperCase());
  if (found !== undefined && ids.includes(found.id)) return { value: found.id, faults: [] };
  const values = { value: shown(text), known, command: KEYWORD, needed: 1 };
  if (found !== undefined) {
    const code = found.enabled ? 'server-without-command' : 'server-disabled';
    return { value: undefined, faults: [{ field: 'SERVER', code, values }] };
  }
  const meant = nearest(text, ids);
  const hinted = meant === null ? values : { ...values, suggestion: meant };
  return { value: meant ?? undefined, faults: [{ field: 'SERVER', code: 'server-unknown', values: hinted }] };
}

function fault(field: string, code: string): Reading<never> {
  return { value: undefined, faults: [{ field, code, values: {} }] };
}

function shown(text: string): string {
  return text.slice(0, MAX_VALUE_SHOWN);
}
