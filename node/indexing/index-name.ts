import { isAudioFormat, isDate, MAX_NAME_LENGTH } from '../recordings/name.ts';

/**
 * What the index keeps of a recording's name. A posting is the name as seen from one of its two numbers: number and
 * start are its key, and `rest` is what they do not say. So a name is found under both numbers by one range scan, without
 * a look elsewhere, and stands there once, whole but for what the key says.
 *
 * `rest` = side, type, the other number field, `-`, what follows the stamp. Side: `a` the posting's number is the first
 * field; `b` the second, and the first cannot be asked for; `c` the second, and the first has a posting of its own.
 */
export interface Posting {
  readonly number: number;
  readonly rest: string;
}

/** A name that can be asked for. */
export interface IndexName {
  /** `YYYYMMDDHHMMSS`. */
  readonly start: number;
  /** Its numbers that can be asked for; the second only where it is another. */
  readonly first: number | null;
  readonly second: number | null;
}

/** The digits of `start`. */
const START_DIGITS = 14;
const TIME_OF_DATE = 1_000_000;
/** Length of `-YYYYMMDD-HHMMSS`. */
const STAMP_LENGTH = 16;
const DASH = 45;

/** Types are letters only (name.ts); the usual ones are kept as a digit, others are followed by `-`. */
const TYPES = ['internal', 'external', 'exten', 'out', 'in', 'q', 'rg', 'force', 'ondemand'];
const CODES: ReadonlyMap<string, string> = new Map(TYPES.map((type, index) => [type, String(index)]));

/** The number under which an extension is kept: with a 1 before it, so that leading zeros count. Null: nobody can ask for it. */
export function numberOf(extension: string): number | null {
  return /^\d{3,8}$/.test(extension) ? Number(`1${extension}`) : null;
}

/** The wall time of a query as the index keeps it. */
export function startOf(wallTime: string): number {
  return Number(wallTime.replaceAll(/\D/g, '').slice(0, START_DIGITS));
}

/**
 * Null for what is no recording's name, and for one without a number of 3 to 8 digits. Takes exactly the names that
 * `parseRecordingName` takes, in a third of the time: it is asked a million times in a build.
 */
export function readIndexName(name: string): IndexName | null {
  if (name.length > MAX_NAME_LENGTH) return null;
  const typeEnd = name.indexOf('-');
  const firstEnd = name.indexOf('-', typeEnd + 1);
  const secondEnd = name.indexOf('-', firstEnd + 1);
  if (typeEnd < 1 || firstEnd < 0 || secondEnd < 0) return null;
  const first = numberIn(name, typeEnd + 1, firstEnd);
  const second = numberIn(name, firstEnd + 1, secondEnd);
  if (first === null && second === null) return null;

  const date = digitsIn(name, secondEnd + 1, 8);
  const time = digitsIn(name, secondEnd + 10, 6);
  const tail = secondEnd + STAMP_LENGTH;
  if (name.charCodeAt(secondEnd + 9) !== DASH || name.charCodeAt(tail) !== DASH) return null;
  if (!isDate(Math.floor(date / 10_000), Math.floor(date / 100) % 100, date % 100)) return null;
  if (!(time < 240_000) || Math.floor(time / 100) % 100 > 59 || time % 100 > 59) return null;

  const dot = name.lastIndexOf('.');
  if (dot < tail + 2 || !isAudioFormat(name.slice(dot + 1).toLowerCase()) || name.includes('/')) return null;
  for (let index = 0; index < typeEnd; index += 1) {
    const letter = name.charCodeAt(index) | 32;
    if (letter < 97 || letter > 122) return null;
  }
  return { start: date * TIME_OF_DATE + time, first, second: second === first ? null : second };
}

/** As {@link numberOf} of a part of the name. */
function numberIn(name: string, from: number, to: number): number | null {
  const length = to - from;
  if (length < 3 || length > 8) return null;
  const digits = digitsIn(name, from, length);
  return Number.isNaN(digits) ? null : 10 ** length + digits;
}

/** NaN where they are none. */
function digitsIn(name: string, from: number, length: number): number {
  let value = 0;
  for (let index = from; index < from + length; index += 1) {
    const digit = name.charCodeAt(index) - 48;
    if (!(digit >= 0 && digit <= 9)) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}

/** The posting that stands for the file: of its first number that can be asked for. */
export function homeOf(name: string, { first, second }: IndexName): Posting {
  if (first !== null) return { number: first, rest: restOf(name, 'a') };
  if (second !== null) return { number: second, rest: restOf(name, 'b') };
  throw new Error('a name without a number that can be asked for');
}

/** That of the other number, where there is one. */
export function otherOf(name: string, { first, second }: IndexName): Posting | null {
  return first === null || second === null ? null : { number: second, rest: restOf(name, 'c') };
}

/** Of a name that {@link readIndexName} can read. */
function restOf(name: string, side: 'a' | 'b' | 'c'): string {
  const typeEnd = name.indexOf('-');
  const firstEnd = name.indexOf('-', typeEnd + 1);
  const secondEnd = name.indexOf('-', firstEnd + 1);
  const type = name.slice(0, typeEnd);
  const other = side === 'a' ? name.slice(firstEnd + 1, secondEnd) : name.slice(typeEnd + 1, firstEnd);
  return `${side}${CODES.get(type) ?? `${type}-`}${other}${name.slice(secondEnd + STAMP_LENGTH)}`;
}

/** The name again; null where `rest` is none that {@link readIndexName} makes. */
export function nameOfPosting(number: number, start: number, rest: string): string | null {
  const side = rest.charAt(0);
  const known = TYPES[rest.charCodeAt(1) - 48];
  const typeEnd = known === undefined ? rest.indexOf('-', 1) : 1;
  const type = known ?? rest.slice(1, typeEnd);
  const otherEnd = rest.indexOf('-', typeEnd + 1);
  if (typeEnd < 0 || otherEnd < 0) return null;
  const own = String(number).slice(1);
  const other = rest.slice(typeEnd + 1, otherEnd);
  const stamp = String(start);
  const after = `-${stamp.slice(0, 8)}-${stamp.slice(8)}${rest.slice(otherEnd)}`;
  if (side === 'a') return `${type}-${own}-${other}${after}`;
  return side === 'b' || side === 'c' ? `${type}-${other}-${own}${after}` : null;
}

/** Whether a posting stands for its file, so that of two it is counted once. */
export function isHome(rest: string): boolean {
  return !rest.startsWith('c');
}

/** 4 bytes of SQLite, as those of a known size are: filling in sizes never makes a row longer and splits no page. */
const UNKNOWN = -(2 ** 31);

/** Size and storage in one number: twice the size, plus one where archived; negative where the size is unknown. */
export function storedOf(sizeBytes: number | null, archived: boolean): number {
  return (sizeBytes === null ? UNKNOWN : sizeBytes * 2) + (archived ? 1 : 0);
}

/** Of what {@link storedOf} gives. */
export function isArchived(stored: number): boolean {
  return Math.abs(stored % 2) === 1;
}

/** Bytes, of what {@link storedOf} gives; null where nobody has looked yet. */
export function sizeOf(stored: number): number | null {
  return stored < 0 ? null : Math.floor(stored / 2);
}
