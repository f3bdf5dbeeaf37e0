import * as z from 'zod';
import type { Server } from '../servers/inventory.ts';
import { canonicalIp, readIp } from '../servers/ip.ts';
import type { Fault, Field, Parsed } from './command.ts';
import { collectFields, type Reading, shown, unread } from './fields.ts';
import { readServer, type ServerChoice } from './server-field.ts';
import { writeSubject } from './subject.ts';

const MAX_SERVER_ID_LENGTH = 64;
const MAX_IP_LENGTH = 60;
const EXAMPLE_IP = '203.0.113.9';

/** The fields of CHECKIP with their other ways of writing. */
export const CHECKIP_FIELDS: Readonly<Record<string, readonly string[]>> = {
  CHECKIP: ['CHECAIP', 'CHECARIP', 'IPCHECK'],
  SERVER: ['SERVIDOR'],
  MODO: ['MODE'],
};

/** What people write to have nothing changed. */
const LOOK_WORDS: readonly string[] = ['VER', 'VERIFICAR', 'CONSULTAR', 'CONSULTA', 'OLHAR'];
const RELEASE_WORDS: readonly string[] = ['LIBERAR', 'DESBANIR'];

/** What CHECKIP asks for, as it is stored in the job. */
export const checkIpParamsSchema = z.strictObject({
  /** In its one way of writing, see `readIp`. */
  ip: z
    .string()
    .max(MAX_IP_LENGTH)
    .refine((ip) => canonicalIp(ip) === ip, 'not an IP address'),
  /** Null: every enabled server. */
  server: z.string().min(1).max(MAX_SERVER_ID_LENGTH).nullable(),
  /** MODO=VER. */
  lookOnly: z.boolean(),
});
export type CheckIpParams = z.infer<typeof checkIpParamsSchema>;

export interface CheckIpGrammar {
  readonly fields: typeof CHECKIP_FIELDS;
  readonly schema: typeof checkIpParamsSchema;
  /** All faults at once, with a corrected subject that parses. */
  parse(fields: readonly Field[]): Parsed<CheckIpParams>;
  /** For parameters that come from the peer or a dropped document. */
  recheck(params: CheckIpParams): readonly Fault[];
  example(): string;
  /** The subject that stands for these parameters; parses to them again. */
  subjectOf(params: CheckIpParams): string;
  /** The servers that such a request is about, in the order of SERVERS_FILE. */
  serversOf(params: CheckIpParams): readonly Server[];
}

/** The grammar of `CHECKIP=… [SERVER=…] [MODO=VER]`. */
export function createCheckIpGrammar(servers: readonly Server[]): CheckIpGrammar {
  const askable = servers.filter(({ enabled, commands }) => enabled && commands.includes('CHECKIP'));
  const choice: ServerChoice = { servers, askable, told: { command: 'CHECKIP' } };
  const noServers: readonly Fault[] =
    askable.length > 0 ? [] : [{ field: 'CHECKIP', code: 'no-servers', values: {} }];

  return {
    fields: CHECKIP_FIELDS,
    schema: checkIpParamsSchema,
    parse(fields) {
      const given = collectFields(fields, CHECKIP_FIELDS, { hints: { IP: 'CHECKIP' } });
      const ip = readAddress(given.values.get('CHECKIP'));
      const server = readServer(given.values.get('SERVER') ?? '', choice);
      const mode = readMode(given.values.get('MODO') ?? '');
      const faults = [given, ip, server, mode].flatMap((reading) => reading.faults);
      faults.push(...noServers);
      const params = { ip: ip.value ?? EXAMPLE_IP, server: server.value, lookOnly: mode.value ?? false };
      return faults.length === 0 ? { ok: true, params } : { ok: false, faults, corrected: subjectOf(params) };
    },
    recheck: ({ ip, server }) => [
      ...readAddress(ip).faults,
      ...readServer(server ?? '', choice).faults,
      ...noServers,
    ],
    example: () => subjectOf({ ip: EXAMPLE_IP, server: null, lookOnly: false }),
    subjectOf,
    serversOf: ({ server }) => (server === null ? askable : askable.filter(({ id }) => id === server)),
  };
}

function subjectOf({ ip, server, lookOnly }: CheckIpParams): string {
  const fields: Field[] = [{ key: 'CHECKIP', value: ip }];
  if (server !== null) fields.push({ key: 'SERVER', value: server });
  if (lookOnly) fields.push({ key: 'MODO', value: 'VER' });
  return writeSubject(fields);
}

/** A private address is left out of the corrected subject, and an example stands there: its own cannot be meant. */
function readAddress(text: string | undefined): Reading<string> {
  if (text === undefined) return unread('CHECKIP', 'field-missing');
  if (text === '') return unread('CHECKIP', 'field-empty');
  const reading = readIp(text);
  if (reading.ok) return { value: reading.ip, faults: [] };
  const value = shown(text);
  const meant = reading.code === 'ip-network' || reading.code === 'ip-nonsense' ? firstIp(text) : null;
  const values = meant === null ? { value } : { value, suggestion: meant };
  return { value: meant, faults: [{ field: 'CHECKIP', code: reading.code, values }] };
}

/** The one address that a longer text holds: that of a network, of a port, or one with a word beside it. */
function firstIp(text: string): string | null {
  const found = new Set<string>();
  for (const [word] of shown(text).matchAll(/[0-9A-Fa-f]*[.:][0-9A-Fa-f.:]*/g)) {
    const reading = readIp(word.replace(/^(\d+\.\d+\.\d+\.\d+)[.:].*$/, '$1').replace(/\.+$/, ''));
    if (reading.ok) found.add(reading.ip);
  }
  const [only] = found;
  return found.size === 1 && only !== undefined ? only : null;
}

/** An empty MODO= is none. Whoever wrote something else may have meant to look, so the corrected subject only looks. */
function readMode(text: string): Reading<boolean> {
  const word = text.trim().toUpperCase();
  if (word === '' || RELEASE_WORDS.includes(word)) return { value: false, faults: [] };
  if (LOOK_WORDS.includes(word)) return { value: true, faults: [] };
  const values = { value: shown(text), known: 'VER' };
  return { value: true, faults: [{ field: 'MODO', code: 'mode-unknown', values }] };
}
