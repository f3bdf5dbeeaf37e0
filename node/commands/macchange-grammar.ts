import * as z from 'zod';
import type { Server } from '../servers/inventory.ts';
import { MAC, parseMac, readMac } from '../servers/mac.ts';
import type { Fault, Field, Parsed } from './command.ts';
import { EXTENSION, readExtensions } from './extensions.ts';
import { collectFields, type Reading, shown, unread } from './fields.ts';
import { namesOf, readServer, type ServerChoice } from './server-field.ts';
import { writeSubject } from './subject.ts';

const MAX_SERVER_ID_LENGTH = 64;
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

/** Words that people write for a field. */
const HINTS: Readonly<Record<string, string>> = { RAMAL: KEYWORD, RAMAIS: KEYWORD };

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
  /**
   * All faults at once, with a corrected subject that parses where nothing of it has to be made up: an example that is
   * sent as it stands would give a real extension a phone that nobody has, or take another's.
   */
  parse(fields: readonly Field[]): Parsed<MacChangeParams>;
  /** The same, for parameters that come from the peer or a dropped document. */
  recheck(params: MacChangeParams): readonly Fault[];
  example(): string;
  /** The subject that stands for these parameters; parses to them again. */
  subjectOf(params: MacChangeParams): string;
  /** The server of a request; undefined where it is not there any more, or does not allow it. */
  serverOf(params: MacChangeParams): Server | undefined;
}

/** A MAC, or null for none; undefined where nothing could be made out. */
interface MacReading {
  readonly value: string | null | undefined;
  readonly faults: readonly Fault[];
}

/** The grammar of `MACCHANGE=ramal MACATUAL=… MACFUTURO=… SERVER=…`. */
export function createMacChangeGrammar(servers: readonly Server[]): MacChangeGrammar {
  const askable = servers.filter(({ enabled, commands }) => enabled && commands.includes(KEYWORD));
  const exampleServer = askable[0]?.id ?? 'gv1p';
  const choice: ServerChoice = { servers, askable, told: { command: KEYWORD, needed: 1 } };
  const noServers: readonly Fault[] =
    askable.length > 0 ? [] : [{ field: KEYWORD, code: 'no-servers', values: {} }];

  return {
    fields: MACCHANGE_FIELDS,
    schema: macChangeParamsSchema,
    parse(fields) {
      const given = collectFields(fields, MACCHANGE_FIELDS, { hints: HINTS });
      const extension = readExtension(given.values.get(KEYWORD));
      const from = readField('MACATUAL', given.values.get('MACATUAL'), anyMac);
      const to = readField('MACFUTURO', given.values.get('MACFUTURO'), phoneMac);
      const server = readNeededServer(given.values.get('SERVER'), choice);
      const readings = [given, extension, from, to, ...(askable.length > 0 ? [server] : [])];
      const faults = [...noServers, ...readings.flatMap((reading) => reading.faults)];
      if (from.value !== undefined && to.value !== undefined)
        faults.push(...sameFaults(from.value, to.value));
      const params = wholeParams(extension.value, from.value, to.value, server.value);
      if (faults.length === 0 && params !== null) return { ok: true, params };
      return { ok: false, faults, corrected: params === null ? null : subjectOf(params) };
    },
    recheck: ({ from, to, server }) => [
      ...noServers,
      ...readField('MACFUTURO', to ?? '', phoneMac).faults,
      ...sameFaults(from, to),
      ...readServer(server, choice).faults,
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

function readExtension(text: string | undefined): Reading<string> {
  if (text === undefined) return unread(KEYWORD, 'field-missing');
  if (text === '') return unread(KEYWORD, 'field-empty');
  const { extensions, faults } = readExtensions(text, MAX_EXTENSIONS_READ);
  const [value = null] = extensions;
  const told = faults.map(({ code, values }) => ({ field: KEYWORD, code, values }));
  if (extensions.length > 1 && told.length === 0) {
    return {
      value,
      faults: [{ field: KEYWORD, code: 'extension-single', values: { count: extensions.length } }],
    };
  }
  return value === null && told.length === 0 ? unread(KEYWORD, 'field-empty') : { value, faults: told };
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
function readField(field: string, text: string | undefined, read: typeof anyMac): MacReading {
  const told = (code: string, values: Fault['values'] = {}): MacReading => ({
    value: undefined,
    faults: [{ field, code, values }],
  });
  if (text === undefined) return told('field-missing');
  if (NOTHING.includes(text.trim().toUpperCase())) return { value: null, faults: [] };
  const reading = read(text);
  if (reading.ok) return { value: reading.mac, faults: [] };
  return told(reading.code, { value: shown(text) });
}

function sameFaults(from: string | null, to: string | null): Fault[] {
  if (from !== to) return [];
  if (to === null) return [{ field: 'MACFUTURO', code: 'macs-empty', values: {} }];
  return [{ field: 'MACFUTURO', code: 'macs-equal', values: { value: to } }];
}

/** What was meant, where all of it could be read and it asks for a change. */
function wholeParams(
  extension: string | null,
  from: string | null | undefined,
  to: string | null | undefined,
  server: string | null,
): MacChangeParams | null {
  if (extension === null || from === undefined || to === undefined || server === null) return null;
  return from === to ? null : { extension, from, to, server };
}

/** It must be there; of one server alone it is plain which is meant. */
function readNeededServer(text: string | undefined, choice: ServerChoice): Reading<string> {
  if (text !== undefined && text !== '') return readServer(text, choice);
  const [only] = choice.askable.length === 1 ? choice.askable : [];
  const code = text === undefined ? 'field-missing' : 'field-empty';
  return { value: only?.id ?? null, faults: [{ field: 'SERVER', code, values: { known: namesOf(choice) } }] };
}
