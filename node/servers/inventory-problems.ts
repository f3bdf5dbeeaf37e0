import { distance } from 'fastest-levenshtein';
import type * as z from 'zod';

/** How JSON is to write what a field wants, by the name that zod has for it. */
const WANTED: Readonly<Record<string, string>> = {
  boolean: 'true or false, without quotes',
  string: 'text in quotes',
  number: 'a number, without quotes',
  int: 'a whole number, without quotes',
  array: 'a list: […]',
  object: 'an object: {…}',
};
/** Letters that may differ; of short words none is taken for another. */
const MAX_DISTANCE = 2;
const MIN_LENGTH = 4;
const MAX_DOUBTS = 20;
const MAX_SHOWN_LENGTH = 40;

/** A problem as whoever writes the file can mend it; for what a schema has no sentence of its own for. */
export const plainProblem: z.core.$ZodErrorMap = (issue) => {
  if (issue.code === 'invalid_type') {
    return issue.input === undefined ? 'is missing' : `must be ${WANTED[issue.expected] ?? issue.expected}`;
  }
  if (issue.code === 'invalid_value') return `must be ${issue.values.map(String).join(' or ')}`;
  if (issue.code === 'unrecognized_keys') return `has no field ${issue.keys.map(shown).join(', ')}`;
  return undefined;
};

/**
 * Fields that are passed over and look like misspelt ones of `known`: nothing else would tell that what they say does
 * not count. `entry` is an object of the file as it stands there, `where` its place.
 */
export function misspeltFields(entry: unknown, known: readonly string[], where: string): string[] {
  if (typeof entry !== 'object' || entry === null) return [];
  const written = Object.keys(entry);
  const missing = known.filter((field) => !written.includes(field));
  return written
    .filter((field) => !known.includes(field))
    .slice(0, MAX_DOUBTS)
    .flatMap((field) => {
      const meant = missing.find((candidate) => isNear(field, candidate));
      return meant === undefined
        ? []
        : [`${where}.${shown(field)}: is no field that is known, and counts for nothing; is it ${meant}?`];
    });
}

function isNear(written: string, field: string): boolean {
  const [a, b] = [written, field].map((text) => text.toLowerCase().replaceAll(/[-_ ]/g, ''));
  if (a === undefined || b === undefined || a.length > MAX_SHOWN_LENGTH) return false;
  return a === b || (b.length >= MIN_LENGTH && distance(a, b) <= MAX_DISTANCE);
}

function shown(field: string): string {
  // eslint-disable-next-line no-control-regex
  return field.slice(0, MAX_SHOWN_LENGTH).replaceAll(/[\u0000-\u001F\u007F]/g, '?');
}
