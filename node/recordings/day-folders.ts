import { isDate } from './name.ts';
import type { RecordingQuery } from './source.ts';

/** How far the day of a directory may be off the stamps in it: a call over midnight, or a clock in UTC. */
const SLACK_DAYS = 1;

/** The days whose directories are entered, `YYYY-MM-DD`, both included. */
export interface DayRange {
  readonly first: string;
  readonly last: string;
}

/** What the names on the way down have said of the date so far: nothing, `YYYY`, or `YYYY-MM`. */
export type DatePath = string;

/** A day and its neighbours. */
export function around(day: string): DayRange {
  return { first: shift(day, -SLACK_DAYS), last: shift(day, SLACK_DAYS) };
}

/** The days that can hold what a query asks for. */
export function dayRangeOf(query: Pick<RecordingQuery, 'start' | 'end'>): DayRange {
  return { first: shift(query.start, -SLACK_DAYS), last: shift(query.end, SLACK_DAYS) };
}

function shift(wallTime: string, days: number): string {
  return Temporal.PlainDate.from(wallTime.slice(0, 10)).add({ days }).toString();
}

/** Whether a name can be that of a year; whether it is one, only what lies in it tells ({@link looksLikeYear}). */
export function canBeYear(name: string): boolean {
  return /^(?:19|20)\d\d$/.test(name);
}

/**
 * Whether a directory named like a year is one: it holds months and nothing else. A company or an extension can
 * be called `2010`, and its recordings must not be passed over.
 */
export function looksLikeYear(
  children: readonly { readonly name: string; readonly directory: boolean }[],
): boolean {
  return children.length > 0 && children.every((child) => child.directory && isMonth(child.name));
}

function isMonth(name: string): boolean {
  return /^(?:0[1-9]|1[0-2])$/.test(name);
}

/**
 * What a directory's name tells of the date of what lies in it, as far as that is known (`YYYY`, `YYYY-MM` or
 * `YYYY-MM-DD`; null where it tells nothing), and the date path below it. `path` is the parent's. Layouts with a
 * date are `YYYY/MM/DD`, `YYYY-MM-DD` and `YYYYMMDD`, below anything.
 * A `YYYY` is judged by the caller, who can look into it: here it is an ordinary name unless `isYear`.
 */
export function dateOf(
  name: string,
  path: DatePath,
  isYear: boolean,
): { readonly date: string | null; readonly path: DatePath } {
  const whole = /^(\d{4})-?(\d{2})-?(\d{2})$/.exec(name);
  if (whole !== null && isDate(Number(whole[1]), Number(whole[2]), Number(whole[3]))) {
    return { date: `${whole[1]}-${whole[2]}-${whole[3]}`, path: '' };
  }
  if (isYear) return { date: name, path: name };
  if (path.length === 4 && isMonth(name)) return { date: `${path}-${name}`, path: `${path}-${name}` };
  if (path.length === 7 && /^(?:0[1-9]|[12]\d|3[01])$/.test(name)) {
    return { date: `${path}-${name}`, path: '' };
  }
  return { date: null, path: '' };
}

/** Whether what is known of a date lets it lie in the range; nothing known is anything. Compares as text. */
export function canHold(date: string | null, range: DayRange): boolean {
  if (date === null) return true;
  return date >= range.first.slice(0, date.length) && date <= range.last.slice(0, date.length);
}

/** Whether to enter a directory, and the date path below it; as {@link dateOf}. */
export function enter(
  name: string,
  path: DatePath,
  isYear: boolean,
  range: DayRange,
): { readonly entered: boolean; readonly path: DatePath } {
  const dated = dateOf(name, path, isYear);
  return { entered: canHold(dated.date, range), path: dated.path };
}
