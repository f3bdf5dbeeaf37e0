import type { WallTime } from '../recordings/source.ts';
import type { Fault } from './command.ts';
import { formatWallTime } from './wall-time.ts';

/** A start this near ahead is taken for a slip of the day; one further ahead for a slip of the year. */
const NEAR_DAYS = 31;

/** First and last second of a search. */
export interface Range {
  readonly start: WallTime;
  readonly end: WallTime;
}

/**
 * Whole days of 24 hours from start to end, as the wall clock counts them. MAX_DAYS_RANGE bounds this number, so
 * with 30 a range may end up to (not with) 31 days after its start: 1 to 31 October, both whole, is 30 days and
 * passes, as it did in the old scripts (`(fim - inicio).days`).
 */
export function daysBetween({ start, end }: Range): number {
  return Math.floor(Temporal.PlainDateTime.from(start).until(end, { largestUnit: 'day' }).total('day'));
}

/** What is wrong with a range of two real times; the first fault hides the others, which follow from it. */
export function rangeFaults(range: Range, maxDays: number, now: WallTime): Fault[] {
  const shown = { start: formatWallTime(range.start), end: formatWallTime(range.end) };
  if (range.start > range.end) return [{ field: 'FIM', code: 'end-before-start', values: shown }];
  if (range.start > now) {
    return [{ field: 'INICIO', code: 'range-in-future', values: { ...shown, now: formatWallTime(now) } }];
  }
  const days = daysBetween(range);
  if (days <= maxDays) return [];
  return [{ field: 'FIM', code: 'range-too-long', values: { ...shown, days, max: maxDays } }];
}

/** A range without fault, as near to what was given as may be. Nothing given: yesterday, in working hours. */
export function repairRange(
  start: WallTime | null,
  end: WallTime | null,
  maxDays: number,
  now: WallTime,
): Range {
  const today = Temporal.PlainDate.from(now.slice(0, 10));
  const yesterday = today.subtract({ days: 1 });
  const first = start ?? (end === null ? `${yesterday}T08:00:00` : firstOf(end));
  const last = end ?? (start === null ? `${yesterday}T18:00:59` : lastOf(start));
  const ordered = first <= last ? { start: first, end: last } : { start: last, end: first };
  return cut(pullBack(ordered, today, now), maxDays);
}

/** The same range in the past: of today where it is near, else the same days some years earlier. */
function pullBack(range: Range, today: Temporal.PlainDate, now: WallTime): Range {
  if (range.start <= now) return range;
  if (range.start.slice(0, 10) <= today.add({ days: NEAR_DAYS }).toString()) {
    return { start: `${today}T00:00:00`, end: `${today}T23:59:59` };
  }
  let years = Number(range.start.slice(0, 4)) - today.year;
  if (earlier(range.start, years) > now) years++;
  return { start: earlier(range.start, years), end: earlier(range.end, years) };
}

function earlier(time: WallTime, years: number): WallTime {
  return Temporal.PlainDateTime.from(time).subtract({ years }).toString({ smallestUnit: 'second' });
}

/** The first `maxDays` days of the calendar. */
function cut(range: Range, maxDays: number): Range {
  if (daysBetween(range) <= maxDays) return range;
  const lastDay = Temporal.PlainDate.from(range.start.slice(0, 10)).add({ days: Math.max(0, maxDays - 1) });
  return { start: range.start, end: `${lastDay}T23:59:59` };
}

function firstOf(time: WallTime): WallTime {
  return `${time.slice(0, 10)}T00:00:00`;
}

function lastOf(time: WallTime): WallTime {
  return `${time.slice(0, 10)}T23:59:59`;
}
