import * as z from 'zod';
import { type SourceName, sourceNameSchema } from '../../protocol/job.ts';
import type { Clock } from '../platform/clock.ts';
import type { WallTime } from '../recordings/source.ts';
import type { Fault, Field, Parsed } from './command.ts';
import { nearest } from './did-you-mean.ts';
import { EXTENSION, extensionFaults, readExtensions } from './extensions.ts';
import { collectFields, type Reading, shown, unread } from './fields.ts';
import { rangeFaults, repairRange } from './ramais-range.ts';
import { readServer, type ServerChoice } from './server-field.ts';
import { writeSubject } from './subject.ts';
import { type Edge, isWallTime, readWallTime, wallTimeOf, writeWallTime } from './wall-time.ts';

const MAX_EXTENSIONS_STORED = 1000;
const MAX_SERVER_ID_LENGTH = 64;
/** Two nodes' clocks may differ by this much without a request that one took being refused by the other. */
const CLOCK_SLACK = { minutes: 10 };
const EXAMPLE_EXTENSIONS = ['1121', '1122'];

/** The fields of RAMAIS with their other ways of writing, for the subject's reader. */
export const RAMAIS_FIELDS: Readonly<Record<string, readonly string[]>> = {
  RAMAIS: ['RAMAL'],
  SERVER: ['SERVIDOR'],
  INICIO: [],
  FIM: [],
  AUDIOS_FROM: ['AUDIOSFROM'],
};

/** Words that people write for a field, too common in a sentence to be taken for one. */
const HINTS: Readonly<Record<string, string>> = {
  DE: 'INICIO',
  DESDE: 'INICIO',
  DATA_INICIO: 'INICIO',
  DATAINICIO: 'INICIO',
  ATE: 'FIM',
  DATA_FIM: 'FIM',
  DATAFIM: 'FIM',
  FINAL: 'FIM',
  FROM: 'AUDIOS_FROM',
  FONTE: 'AUDIOS_FROM',
};

const wallTimeSchema = z.string().refine(isWallTime, 'not a wall time YYYY-MM-DDTHH:MM:SS');

/** What RAMAIS asks for, as it is stored in the job. */
export const ramaisParamsSchema = z.strictObject({
  extensions: z.array(z.string().regex(EXTENSION)).min(1).max(MAX_EXTENSIONS_STORED),
  /** First and last second searched, wall clock of RECORDINGS_TZ. */
  start: wallTimeSchema,
  end: wallTimeSchema,
  server: z.string().min(1).max(MAX_SERVER_ID_LENGTH).nullable(),
  audiosFrom: sourceNameSchema.nullable(),
});
export type RamaisParams = z.infer<typeof ramaisParamsSchema>;

export interface KnownServer {
  readonly id: string;
  readonly enabled: boolean;
  readonly audiosFrom: SourceName | null;
}

export interface RamaisGrammarOptions {
  /** MAX_RAMAIS. */
  readonly maxExtensions: number;
  /** MAX_DAYS_RANGE, see `daysBetween`. */
  readonly maxDays: number;
  readonly servers: readonly KnownServer[];
  /** AUDIOS_FROM of this node. */
  readonly defaultSource: SourceName;
  /** RECORDINGS_TZ: what "now" is when a range is checked against it. */
  readonly timeZone: string;
  readonly clock: Clock;
}

export interface RamaisGrammar {
  readonly fields: typeof RAMAIS_FIELDS;
  readonly schema: typeof ramaisParamsSchema;
  /** All faults at once, with a corrected subject that parses. */
  parse(fields: readonly Field[]): Parsed<RamaisParams>;
  /** The limits again, for parameters that come from a dropped document or the peer. */
  recheck(params: RamaisParams): Fault[];
  /** `audios_from` of the subject, else that of its SERVER, else this node's. */
  resolveSource(params: RamaisParams): SourceName;
  /** A correct subject of yesterday's. */
  example(): string;
  /** The subject that stands for these parameters; parses to them again. */
  subjectOf(params: RamaisParams): string;
}

/** The grammar of `RAMAIS=… [SERVER=…] INICIO=… FIM=… [audios_from=…]`. */
export function createRamaisGrammar(options: RamaisGrammarOptions): RamaisGrammar {
  const { maxExtensions, maxDays, servers, timeZone, clock } = options;
  const choice: ServerChoice = { servers, askable: servers.filter(({ enabled }) => enabled), told: {} };
  const now = (): WallTime => wallTimeOf(clock.now(), timeZone);

  return {
    fields: RAMAIS_FIELDS,
    schema: ramaisParamsSchema,
    parse(fields) {
      const given = collectFields(fields, RAMAIS_FIELDS, { hints: HINTS, lists: ['RAMAIS'] });
      const extensions = readList(given.values.get('RAMAIS'), maxExtensions);
      const start = readDate('INICIO', 'start', given.values.get('INICIO'), now());
      const end = readDate('FIM', 'end', given.values.get('FIM'), now());
      const server = readServer(given.values.get('SERVER') ?? '', choice);
      const audiosFrom = readSource(given.values.get('AUDIOS_FROM') ?? '');
      const faults = [given, extensions, start, end, server, audiosFrom].flatMap((reading) => reading.faults);
      if (start.value !== null && end.value !== null) {
        const isGuess = start.faults.length + end.faults.length > 0;
        const ofRange = rangeFaults({ start: start.value, end: end.value }, maxDays, now());
        // Of dates that were put right all but the length follows from the guess; that changes the corrected subject.
        faults.push(...(isGuess ? ofRange.filter(({ code }) => code === 'range-too-long') : ofRange));
      }
      const params = {
        extensions: extensions.value ?? EXAMPLE_EXTENSIONS.slice(0, maxExtensions),
        ...repairRange(start.value, end.value, maxDays, now()),
        server: server.value,
        audiosFrom: audiosFrom.value,
      };
      return faults.length === 0 ? { ok: true, params } : { ok: false, faults, corrected: subjectOf(params) };
    },
    recheck(params) {
      const soon = wallTimeOf(clock.now().add(CLOCK_SLACK), timeZone);
      return [
        ...extensionFaults(params.extensions, maxExtensions),
        ...rangeFaults(params, maxDays, soon),
        ...readServer(params.server ?? '', choice).faults,
      ];
    },
    resolveSource(params) {
      const server = servers.find(({ id }) => id === params.server);
      return params.audiosFrom ?? server?.audiosFrom ?? options.defaultSource;
    },
    example: () =>
      subjectOf({
        extensions: EXAMPLE_EXTENSIONS.slice(0, maxExtensions),
        ...repairRange(null, null, maxDays, now()),
        server: null,
        audiosFrom: null,
      }),
    subjectOf,
  };
}

function subjectOf({ extensions, start, end, server, audiosFrom }: RamaisParams): string {
  const fields: Field[] = [{ key: 'RAMAIS', value: extensions.join(',') }];
  if (server !== null) fields.push({ key: 'SERVER', value: server });
  fields.push({ key: 'INICIO', value: writeWallTime(start, 'start') });
  fields.push({ key: 'FIM', value: writeWallTime(end, 'end') });
  if (audiosFrom !== null) fields.push({ key: 'audios_from', value: audiosFrom });
  return writeSubject(fields);
}

function readList(text: string | undefined, max: number): Reading<string[]> {
  if (text === undefined) return unread('RAMAIS', 'field-missing');
  const { extensions, faults } = readExtensions(text, max);
  if (extensions.length > 0) return { value: [...extensions], faults };
  return faults.length === 0 ? unread('RAMAIS', 'field-empty') : { value: null, faults };
}

function readDate(field: string, edge: Edge, text: string | undefined, now: WallTime): Reading<WallTime> {
  if (text === undefined) return unread(field, 'field-missing');
  if (text === '') return unread(field, 'field-empty');
  const reading = readWallTime(text, edge, Temporal.PlainDate.from(now.slice(0, 10)));
  if (reading.ok) return { value: reading.time, faults: [] };
  const value = shown(text);
  const hint = reading.repaired === null ? {} : { suggestion: writeWallTime(reading.repaired, edge) };
  const faults = reading.codes.map((code) => ({ field, code, values: { value, ...hint } }));
  return { value: reading.repaired, faults };
}

function readSource(text: string): Reading<SourceName> {
  if (text === '') return { value: null, faults: [] };
  const plain = text.normalize('NFD').replaceAll(/\p{M}/gu, '').toLowerCase();
  const source = sourceNameSchema.safeParse(plain);
  if (source.success) return { value: source.data, faults: [] };
  const meant = sourceNameSchema.safeParse(nearest(plain, sourceNameSchema.options)).data ?? null;
  const values = { value: shown(text), known: sourceNameSchema.options.join(', ') };
  const hinted = meant === null ? values : { ...values, suggestion: meant };
  return { value: meant, faults: [{ field: 'AUDIOS_FROM', code: 'source-unknown', values: hinted }] };
}
