import type { WallTime } from '../recordings/source.ts';
import { foldCase } from './subject-text.ts';

/** Years outside these are slips of the keyboard. */
const MIN_YEAR = 1990;
const MAX_YEAR = 2099;
const FIRST_SECOND = '00:00:00';
const LAST_SECOND = '23:59:59';

/** Which end of a range a date is: decides what a missing time, or missing seconds, stand for. */
export type Edge = 'start' | 'end';

/** A date as written, or all that is wrong with it and the nearest that would do (null where there is no telling). */
export type DateReading =
  | { readonly ok: true; readonly time: WallTime }
  | { readonly ok: false; readonly codes: readonly DateFaultCode[]; readonly repaired: WallTime | null };

export type DateFaultCode =
  | 'date-unreadable'
  | 'date-impossible'
  | 'year-missing'
  | 'year-two-digits'
  | 'year-implausible'
  | 'time-unreadable'
  | 'time-impossible'
  | 'time-24';

interface DateParts {
  readonly year: number;
  readonly month: number;
  readonly day: number;
}

interface TimeReading {
  /** As written, or that of a whole day where there is a fault. */
  readonly time: string;
  readonly fault: DateFaultCode | null;
}

const DAY_FIRST = /^(\d{1,2})([/.-])(\d{1,2})\2(\d{1,6})(?!\d)/;
const YEAR_FIRST = /^(\d{4})([/.-])(\d{1,2})\2(\d{1,2})(?!\d)/;
const NO_YEAR = /^(\d{1,2})[/.-](\d{1,2})(?![\d/.-])/;
const CLOCK = /^(\d{1,2}):(\d{2})(?::(\d{2}))?(?:H|HS|HRS?|HORAS?)?$/;
const HOURS =
  /^(\d{1,2})(?:H|HS|HRS?|HORAS?)(?:(\d{2})(?:M|MIN|MINUTOS?)?(?:(\d{2})(?:S|SEG|SEGUNDOS?)?)?)?$/;

/**
 * Reads a date as Brazilians write it: `27/10/2025`, `27-10-2025 8h30`, `27.10.2025 às 08:00:05`, and ISO's
 * `2025-10-27`. Without a time it is the whole day: its first second as a start, its last as an end. An end
 * without seconds includes its whole minute. `today` is what a missing year is guessed from, for the repair.
 */
export function readWallTime(text: string, edge: Edge, today: Temporal.PlainDate): DateReading {
  const found = findDate(foldCase(text.trim()), edge, today);
  if (found === null) return { ok: false, codes: ['date-unreadable'], repaired: null };

  const date = repairDate(found.parts);
  const impossible = found.fault !== 'year-implausible' && !isRealDate(found.parts);
  const time = readTime(found.rest, edge);
  const codes: DateFaultCode[] = [];
  if (found.fault !== null) codes.push(found.fault);
  if (impossible) codes.push('date-impossible');
  if (time.fault !== null) codes.push(time.fault);
  // As a start, 24:00 is the first second of the next day.
  const day = date !== null && time.fault === 'time-24' && edge === 'start' ? date.add({ days: 1 }) : date;
  const repaired = day === null ? null : `${day}T${time.time}`;
  return codes.length === 0 && repaired !== null
    ? { ok: true, time: repaired }
    : { ok: false, codes, repaired };
}

/** `YYYY-MM-DDTHH:MM:SS` as `DD/MM/YYYY HH:MM:SS`. */
export function formatWallTime(time: WallTime): string {
  return `${time.slice(8, 10)}/${time.slice(5, 7)}/${time.slice(0, 4)} ${time.slice(11)}`;
}

/** The shortest form with a time that reads back as the same time at this edge of a range. */
export function writeWallTime(time: WallTime, edge: Edge): string {
  const implied = edge === 'start' ? ':00' : ':59';
  const whole = formatWallTime(time);
  return whole.endsWith(implied) ? whole.slice(0, -implied.length) : whole;
}

/** An instant as the clock on a wall in `timeZone` shows it, seconds cut. */
export function wallTimeOf(instant: Temporal.Instant, timeZone: string): WallTime {
  return instant
    .toZonedDateTimeISO(timeZone)
    .toPlainDateTime()
    .toString({ smallestUnit: 'second', roundingMode: 'trunc' });
}

/** Whether a text is a wall time of a real date. */
export function isWallTime(text: string): boolean {
  const match = /^(\d{4})-(\d{2})-(\d{2})T([01]\d|2[0-3]):[0-5]\d:[0-5]\d$/.exec(text);
  return (
    match !== null && isRealDate({ year: Number(match[1]), month: Number(match[2]), day: Number(match[3]) })
  );
}

function findDate(
  folded: string,
  edge: Edge,
  today: Temporal.PlainDate,
): { parts: DateParts; rest: string; fault: DateFaultCode | null } | null {
  const iso = YEAR_FIRST.exec(folded);
  if (iso !== null) {
    const parts = { year: Number(iso[1]), month: Number(iso[3]), day: Number(iso[4]) };
    return { parts, rest: folded.slice(iso[0].length), fault: yearFault(parts.year) };
  }
  const full = DAY_FIRST.exec(folded);
  if (full !== null) {
    const digits = full[4] ?? '';
    const short = digits.length === 2;
    if (!short && digits.length !== 4) return null;
    const year = Number(digits) + (short ? 2000 : 0);
    const parts = { year, month: Number(full[3]), day: Number(full[1]) };
    return { parts, rest: folded.slice(full[0].length), fault: short ? 'year-two-digits' : yearFault(year) };
  }
  const partial = NO_YEAR.exec(folded);
  if (partial === null) return null;
  const parts = { year: today.year, month: Number(partial[2]), day: Number(partial[1]) };
  const thisYear = repairDate(parts);
  // An end may lie ahead; a start that does was meant of last year.
  const ahead = edge === 'start' && thisYear !== null && Temporal.PlainDate.compare(thisYear, today) > 0;
  return {
    parts: ahead ? { ...parts, year: today.year - 1 } : parts,
    rest: folded.slice(partial[0].length),
    fault: 'year-missing',
  };
}

function yearFault(year: number): DateFaultCode | null {
  return year < MIN_YEAR || year > MAX_YEAR ? 'year-implausible' : null;
}

function readTime(rest: string, edge: Edge): TimeReading {
  const whole = edge === 'start' ? FIRST_SECOND : LAST_SECOND;
  const text = rest
    .replace(/^[ ,T-]{1,4}/, '')
    .replace(/^A'?S /, '')
    .replace(/ (?:ATE|E|A)$/, '')
    .replaceAll(' ', '');
  if (text === '') return { time: whole, fault: null };
  const match = CLOCK.exec(text) ?? HOURS.exec(text);
  if (match === null) return { time: whole, fault: 'time-unreadable' };
  const [hour, minute] = [match[1] ?? '', match[2] ?? '00'];
  const second = match[3] ?? (edge === 'start' ? '00' : '59');
  if (Number(hour) === 24 && Number(minute) === 0 && Number(match[3] ?? 0) === 0) {
    return { time: whole, fault: 'time-24' };
  }
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) {
    return { time: whole, fault: 'time-impossible' };
  }
  return { time: `${hour.padStart(2, '0')}:${minute}:${second}`, fault: null };
}

function isRealDate({ year, month, day }: DateParts): boolean {
  return month >= 1 && month <= 12 && day >= 1 && day <= daysOf(year, month);
}

/** The date itself where it is real; else the month's last day, or day and month changed round. */
function repairDate({ year, month, day }: DateParts): Temporal.PlainDate | null {
  if (yearFault(year) !== null || day < 1 || month < 1) return null;
  if (month > 12) return day > 12 || month > 31 ? null : repairDate({ year, month: day, day: month });
  return day > 31 ? null : new Temporal.PlainDate(year, month, Math.min(day, daysOf(year, month)));
}

function daysOf(year: number, month: number): number {
  return Temporal.PlainYearMonth.from({ year, month }).daysInMonth;
}
