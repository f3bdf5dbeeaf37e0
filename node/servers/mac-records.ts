import {
  type Area,
  isComment,
  isWhole,
  linesOf,
  linesWith,
  type Reader,
  readerOf,
  sectionsOf,
} from './mac-areas.ts';
import type { MacRecordFile } from './mac-declaration.ts';
import { printMac, readMac } from './mac.ts';

/** Places of one extension that are told of; more are no better known. */
const MAX_PLACES = 20;
/** What stands in the place of a MAC is shown so far. */
const MAX_VALUE_LENGTH = 64;
const EXTENSION_DIGITS = { min: 3, max: 8 };
const MAX_BLANKS = 16;
/** Ends a value that the field's template does not end itself. */
const VALUE_END = /[\s,;'"()[\]{}<>]/;

/** Where the MAC of an extension stands in a text. */
export interface MacPlace {
  readonly extension: string;
  /** Of what stands in the place of `{mac}`, in characters of the text. */
  readonly start: number;
  readonly end: number;
  /** As it is written there; null for the empty value. */
  readonly raw: string | null;
  /** Null for the empty value, and for what is no MAC. */
  readonly mac: string | null;
}

/** All that a text says of an extension. */
export interface MacFound {
  /** Whether a record of it stands there at all, with a field or without. */
  readonly hasRecord: boolean;
  readonly places: readonly MacPlace[];
}

/**
 * A definition file as text, one character for each byte (latin1), so that what is not touched stays the same to the
 * byte whatever its encoding, and its line ends too.
 */
export function macTextOf(content: Buffer): string {
  return content.toString('latin1');
}

export function macBytesOf(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

/** What a text says of an extension. Linear in its length. */
export function findRecord(text: string, file: MacRecordFile, extension: string): MacFound {
  const reader = readerOf(file);
  const needle = reader.record(extension);
  let hasRecord = false;
  const places: MacPlace[] = [];
  for (const area of file.kind === 'line' ? linesWith(text, needle) : sectionsOf(text, reader)) {
    if (file.kind === 'section' && area.extension !== extension) continue;
    hasRecord = true;
    places.push(...placesIn(text, area, reader, extension, MAX_PLACES - places.length));
    if (places.length >= MAX_PLACES) break;
  }
  return { hasRecord, places };
}

/** The other extensions that have a MAC, at most `max`. Linear in the length. */
export function findHolders(
  text: string,
  file: MacRecordFile,
  mac: string,
  except: string,
  max: number,
): string[] {
  const reader = readerOf(file);
  const holders = new Set<string>();
  for (const area of file.kind === 'line' ? linesOf(text) : sectionsOf(text, reader)) {
    if (holders.size >= max) break;
    if (!placesIn(text, area, reader, '', MAX_PLACES).some((place) => place.mac === mac)) continue;
    const extension = area.extension ?? extensionIn(text.slice(area.start, area.end), reader);
    if (extension !== null && extension !== except) holders.add(extension);
  }
  return [...holders];
}

/** The text with a MAC (null for none) at a place, and nothing else touched. */
export function writePlace(text: string, place: MacPlace, file: MacRecordFile, mac: string | null): string {
  const value = mac === null ? readerOf(file).empty : printMac(mac, file.notation);
  return text.slice(0, place.start) + value + text.slice(place.end);
}

/** A value in a line. */
interface Span {
  readonly from: number;
  readonly to: number;
}

/** The fields in an area, line by line: a value never goes over the end of one. */
function placesIn(text: string, area: Area, reader: Reader, extension: string, max: number): MacPlace[] {
  const places: MacPlace[] = [];
  for (const { start, end } of linesOf(text.slice(area.start, area.end))) {
    if (places.length >= max) break;
    const line = text.slice(area.start + start, area.start + end);
    if (isComment(line, reader.fieldBefore)) continue;
    for (const { from, to } of valuesIn(line, reader, max - places.length)) {
      const raw = line.slice(from, to);
      const isEmpty = raw === reader.empty || raw === '';
      places.push({
        extension,
        start: area.start + start + from,
        end: area.start + start + to,
        raw: isEmpty ? null : raw,
        // Whatever a file has: a MAC that no phone can have is to be replaced, too.
        mac: isEmpty ? null : readMac(raw),
      });
    }
  }
  return places;
}

function valuesIn(line: string, { fieldBefore, fieldAfter, empty }: Reader, max: number): Span[] {
  const spans: Span[] = [];
  if (fieldBefore === '') return spans; // every word would be a value
  let at = line.indexOf(fieldBefore);
  while (at !== -1 && spans.length < max) {
    const after = at + fieldBefore.length;
    const from = fieldAfter === '' ? after + blanksBefore(line, after, empty) : after;
    if (isWhole(line, at, fieldBefore, 'start')) {
      const near = line.slice(from, from + MAX_VALUE_LENGTH + fieldAfter.length);
      const length = fieldAfter === '' ? openLength(near, empty) : near.indexOf(fieldAfter);
      if (length !== -1 && length <= MAX_VALUE_LENGTH) spans.push({ from, to: from + length });
    }
    at = line.indexOf(fieldBefore, after);
  }
  return spans;
}

/** Blanks that somebody has put in front of a value: `MAC: 010203040506` is a MAC, and not the empty value with something behind it. */
function blanksBefore(line: string, from: number, empty: string): number {
  const near = line.slice(from, from + MAX_BLANKS + MAX_VALUE_LENGTH);
  const blanks = near.length - near.trimStart().length;
  const value = near.slice(blanks, blanks + openLength(near.slice(blanks), empty));
  return value !== '' && (value === empty || readMac(value) !== null) ? blanks : 0;
}

/** How long a value is that nothing of the template ends. */
function openLength(near: string, empty: string): number {
  // What follows must end a MAC in this place too, or what is written here could not be read again.
  if (empty !== '' && near.startsWith(empty) && endsValue(near.charAt(empty.length))) return empty.length;
  const end = near.search(VALUE_END);
  return end === -1 ? near.length : end;
}

function endsValue(unit: string): boolean {
  return unit === '' || VALUE_END.test(unit);
}

/** The extension of a line that was found by its field. */
function extensionIn(line: string, reader: Reader): string | null {
  const { recordBefore, recordAfter } = reader;
  for (const match of line.matchAll(/[0-9]+/g)) {
    const [digits] = match;
    if (digits.length < EXTENSION_DIGITS.min || digits.length > EXTENSION_DIGITS.max) continue;
    const start = match.index - recordBefore.length;
    const needle = reader.record(digits);
    const isRecord =
      start >= 0 &&
      line.startsWith(recordBefore, start) &&
      line.startsWith(recordAfter, match.index + digits.length);
    if (isRecord && isWhole(line, start, needle)) return isComment(line, needle) ? null : digits;
  }
  return null;
}
