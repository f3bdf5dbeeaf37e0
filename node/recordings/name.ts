import type { WallTime } from './source.ts';

/** Which of the two number fields of a name is the caller: a setting, since both ways are in use. */
export type NumberOrder = 'origin-dest' | 'dest-origin';

/** What a recording's name says. */
export interface ParsedName {
  /** Digits, or what the PBX put there (`anonymous`, `s`); empty where it knew nothing. */
  readonly origin: string;
  readonly destination: string;
  readonly startedAt: WallTime;
  /** File-name extension in lower case, without the dot. */
  readonly format: string;
  /** The system's name at the head of the unique part (`system-epoch.seq`); null where it has none. */
  readonly system: string | null;
}

/** What Asterisk's MixMonitor writes, and what its files are converted to. Others are not recordings. */
const FORMATS: ReadonlySet<string> = new Set(
  'wav wav49 mp3 gsm ogg opus ulaw alaw ul al sln sln16 g722 g729 flac m4a'.split(' '),
);

/** Of a file-name extension in lower case, without the dot. */
export function isAudioFormat(format: string): boolean {
  return FORMATS.has(format);
}

export const MAX_NAME_LENGTH = 255;

/**
 * `TYPE-A-B-YYYYMMDD-HHMMSS-<unique>.<format>`. The fields before the stamp hold no `-`, so the stamp is found
 * by its place; what follows it may hold anything, a further stamp too.
 */
const NAME =
  /^[A-Za-z]+-([^-/]*)-([^-/]*)-(\d{4})(\d{2})(\d{2})-(\d{2})(\d{2})(\d{2})-([^/]+)\.([A-Za-z0-9]+)$/;

/** `<system>-<epoch>.<seq>`: the form Asterisk gives `uniqueid` where a system name is set. */
const UNIQUE_WITH_SYSTEM = /^(.+)-\d+\.\d+$/;

/**
 * Reads a base name (no directories); null where it is none of a recording: another form, no audio format, or
 * a date or time that does not exist. Never throws.
 */
export function parseRecordingName(name: string, order: NumberOrder): ParsedName | null {
  if (name.length > MAX_NAME_LENGTH) return null;
  const match = NAME.exec(name);
  if (match === null) return null;
  const [, first = '', second = '', year = '', month = '', day = '', hour = '', minute = '', secondOf = ''] =
    match;
  const [unique = '', extension = ''] = match.slice(9);
  const format = extension.toLowerCase();
  if (!isAudioFormat(format)) return null;
  if (!isDate(Number(year), Number(month), Number(day))) return null;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(secondOf) > 59) return null;
  const callerFirst = order === 'origin-dest';
  return {
    origin: callerFirst ? first : second,
    destination: callerFirst ? second : first,
    startedAt: `${year}-${month}-${day}T${hour}:${minute}:${secondOf}`,
    format,
    system: UNIQUE_WITH_SYSTEM.exec(unique)?.[1] ?? null,
  };
}

/** A quick look at a name: every number field stands between two dashes, so it tells most others apart. */
export function patternOf(extensions: readonly string[]): RegExp {
  return new RegExp(`-(?:${extensions.map((extension) => RegExp.escape(extension)).join('|')})-`);
}

/** Whether one of the extensions called or was called. Whole numbers: 1121 does not match 11210. */
export function involves(name: ParsedName, extensions: ReadonlySet<string>): boolean {
  return extensions.has(name.origin) || extensions.has(name.destination);
}

const DAYS_IN_MONTH = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** Whether a day is one of the Gregorian calendar, from 1970 on. */
export function isDate(year: number, month: number, day: number): boolean {
  if (year < 1970 || month < 1 || month > 12 || day < 1) return false;
  // Asked for every name of a million: calendar objects would take a second of it.
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return day <= (month === 2 && leap ? 29 : (DAYS_IN_MONTH[month - 1] ?? 0));
}
