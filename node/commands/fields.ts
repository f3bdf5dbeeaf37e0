import type { Fault, Field } from './command.ts';
import { nearest } from './did-you-mean.ts';

const MAX_VALUE_SHOWN = 80;
const MAX_UNKNOWN_FIELDS = 10;

/** What could be made out of a field, and what is wrong with it. */
export interface Reading<T> {
  /** Null where nothing could. */
  readonly value: T | null;
  readonly faults: readonly Fault[];
}

/** A field of which nothing can be made out. */
export function unread(field: string, code: string): Reading<never> {
  return { value: null, faults: [{ field, code, values: {} }] };
}

/** A value as a fault tells of it. */
export function shown(text: string): string {
  return text.slice(0, MAX_VALUE_SHOWN);
}

export interface CollectOptions {
  /** Words that people write for a field, by which no other way of writing it would be known. */
  readonly hints?: Readonly<Record<string, string>>;
  /** Fields that are lists: where one is repeated, all of it counts. */
  readonly lists?: readonly string[];
}

/**
 * One value for each known field. Of a repeated field the first counts; an unknown field that is nearly a missing or
 * empty one stands in for it, so that the corrected subject keeps what was meant.
 */
export function collectFields(
  fields: readonly Field[],
  known: Readonly<Record<string, readonly string[]>>,
  { hints = {}, lists = [] }: CollectOptions = {},
): { readonly values: ReadonlyMap<string, string>; readonly faults: readonly Fault[] } {
  const values = new Map<string, string>();
  const repeated = new Set<string>();
  const unknown: Field[] = [];
  for (const { key, value } of fields) {
    const before = values.get(key);
    if (!Object.hasOwn(known, key)) unknown.push({ key, value });
    else if (before === undefined) values.set(key, value);
    else {
      repeated.add(key);
      if (lists.includes(key)) values.set(key, `${before},${value}`);
    }
  }
  const faults: Fault[] = [...repeated].map((field) => ({ field, code: 'field-repeated', values: {} }));
  for (const { key, value } of unknown.slice(0, MAX_UNKNOWN_FIELDS)) {
    const meant = (Object.hasOwn(hints, key) ? hints[key] : undefined) ?? nearest(key, Object.keys(known));
    const hint: Record<string, string> = meant === null ? {} : { suggestion: meant };
    faults.push({ field: key, code: 'field-unknown', values: { value: shown(value), ...hint } });
    if (meant !== null && (values.get(meant) ?? '') === '') values.set(meant, value);
  }
  return { values, faults };
}
