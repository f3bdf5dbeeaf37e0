import type { Command, Fault } from '../../../node/commands/command.ts';
import { createRamaisGrammar, type RamaisGrammarOptions } from '../../../node/commands/ramais-grammar.ts';
import { createRegistry, type ParsedSubject, type Registry } from '../../../node/commands/registry.ts';
import type { Clock } from '../../../node/platform/clock.ts';
import * as z from 'zod';

/** 12/11/2025 12:00 in São Paulo. */
export const NOW = '2025-11-12T15:00:00Z';

export const clock: Clock = {
  now: () => Temporal.Instant.from(NOW),
  monotonicMs: () => 0,
  sleep: () => Promise.resolve(),
};

export const OPTIONS: RamaisGrammarOptions = {
  maxExtensions: 10,
  maxDays: 30,
  servers: [
    { id: 'gv1p', enabled: true, audiosFrom: 's3' },
    { id: 'gv2p', enabled: true, audiosFrom: null },
    { id: 'voip1', enabled: true, audiosFrom: 'audio' },
    { id: 'antigo', enabled: false, audiosFrom: null },
  ],
  defaultSource: 'audio',
  timeZone: 'America/Sao_Paulo',
  clock,
};

export const grammar = createRamaisGrammar(OPTIONS);

/** RAMAIS as the real command is, without its work. */
export const ramais: Command = {
  keyword: 'RAMAIS',
  fields: grammar.fields,
  schema: grammar.schema,
  example: grammar.example,
  parse: grammar.parse,
  route: (params) => ({ lane: 'recordings', source: grammar.resolveSource(grammar.schema.parse(params)) }),
  work: () => Promise.resolve({ kind: 'done', summary: '' }),
};

/** A command of one bare word, or of a keyword with a value, that takes anything. */
export function simple(keyword: string, more: Partial<Command> = {}): Command {
  return {
    keyword,
    schema: z.record(z.string(), z.json()) as never,
    example: () => keyword,
    parse: (fields) => ({
      ok: true,
      params: Object.fromEntries(fields.map(({ key, value }) => [key, value])),
    }),
    route: () => ({ lane: 'replies', source: null }),
    work: () => Promise.resolve({ kind: 'done', summary: '' }),
    ...more,
  };
}

export const registry: Registry = createRegistry([
  ramais,
  simple('AJUDA'),
  simple('WHITELIST'),
  simple('CHECKIP', { fields: { SERVER: ['SERVIDOR'] } }),
  simple('RECUSA', { internal: true }),
]);

/** The faults of a subject as `FIELD code`, in order; none where it parses. */
export function faultsOf(parsed: ParsedSubject): string[] {
  return parsed.ok ? [] : namesOf(parsed.faults);
}

export function namesOf(faults: readonly Fault[]): string[] {
  return faults.map(({ field, code }) => `${field} ${code}`);
}
