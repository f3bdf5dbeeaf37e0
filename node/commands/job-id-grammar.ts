import * as z from 'zod';
import { strangersTo } from './bare-grammar.ts';
import type { Fault, Field, Parsed } from './command.ts';
import { shown } from './fields.ts';

/** As mails show them; the beginning of one, or the whole. */
const WRITTEN_ID = /^[0-9a-f]{4,64}$/;
const EXAMPLE_ID = '3f9a1c02d4e5';

/** What CANCELAR and REENVIAR ask for. */
export const jobIdSchema = z.strictObject({ id: z.string().regex(WRITTEN_ID) });
export type JobIdParams = z.infer<typeof jobIdSchema>;

/** A correct subject. */
export function jobIdExample(keyword: string): string {
  return `${keyword}=${EXAMPLE_ID}`;
}

/**
 * Reads `CANCELAR=3f9a1c02d4e5`, also with words around the id (`CANCELAR o pedido 3f9a1c02d4e5, por favor`). Where
 * several words could be one, those with a figure in them count: `cafe` is but a word.
 */
export function parseJobId(keyword: string, fields: readonly Field[]): Parsed<JobIdParams> {
  const own = fields.filter(({ key }) => key === keyword);
  const text = own.map(({ value }) => value).join(' ');
  const ids = idsIn(text);
  const [id = EXAMPLE_ID] = ids;
  const faults: Fault[] = strangersTo(keyword, fields);
  if (own.length > 1) faults.push({ field: keyword, code: 'field-repeated', values: {} });
  if (text === '') faults.push({ field: keyword, code: 'field-empty', values: {} });
  else if (ids.length !== 1) {
    faults.push({ field: keyword, code: 'job-id-form', values: { value: shown(text) } });
  }
  return faults.length === 0
    ? { ok: true, params: { id } }
    : { ok: false, faults, corrected: `${keyword}=${id}` };
}

function idsIn(text: string): string[] {
  const words = text.toLowerCase().split(/[\s,;:#"'“”()<>…]+|\.+(?=\s|$)/);
  const ids = [...new Set(words.filter((word) => WRITTEN_ID.test(word)))];
  const sure = ids.filter((id) => /[0-9]/.test(id));
  return sure.length > 0 ? sure : ids;
}
