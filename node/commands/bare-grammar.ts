import * as z from 'zod';
import type { Fault, Field, Parsed } from './command.ts';
import { shown } from './fields.ts';

const MAX_UNKNOWN_FIELDS = 10;

/** Of a command that its word alone asks for. */
export const nothingSchema = z.strictObject({});
export type Nothing = z.infer<typeof nothingSchema>;

/** Reads a command that takes nothing: what follows its word is talk, but a field means that more was wanted. */
export function parseBare(keyword: string, fields: readonly Field[]): Parsed<Nothing> {
  const faults = strangersTo(keyword, fields);
  return faults.length === 0 ? { ok: true, params: {} } : { ok: false, faults, corrected: keyword };
}

/** A fault for each field but the keyword's. */
export function strangersTo(keyword: string, fields: readonly Field[]): Fault[] {
  const strangers = fields.filter(({ key }) => key !== keyword).slice(0, MAX_UNKNOWN_FIELDS);
  return strangers.map(({ key: field, value }) => ({
    ...{ field, code: 'field-unknown' },
    values: { value: shown(value) },
  }));
}
