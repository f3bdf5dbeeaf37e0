import type { MacRecordFile } from './mac-declaration.ts';

const MAX_INDENT = 1000;
const LINE_COMMENTS = ['#', ';', '//'];
/** In which the name of a section must stand. */
const MAX_HEADER_LENGTH = 200;

/** A stretch of a text: a line without its end, or a section. */
export interface Area {
  readonly start: number;
  readonly end: number;
  /** Of a section; null for a line, and for a section of something else. */
  readonly extension: string | null;
}

/** A declaration, ready to read with. */
export interface Reader {
  readonly recordBefore: string;
  readonly recordAfter: string;
  readonly fieldBefore: string;
  readonly fieldAfter: string;
  readonly empty: string;
  readonly record: (extension: string) => string;
}

/** How a file is read that is declared so. */
export function readerOf({ record, field, empty }: MacRecordFile): Reader {
  const [recordBefore = '', recordAfter = ''] = asBytes(record).split('{ramal}');
  const [fieldBefore = '', fieldAfter = ''] = asBytes(field).split('{mac}');
  // `''` for a field that has the quotes already means what stands between them.
  const quote = fieldAfter.charAt(0);
  const isQuoted = quote !== '' && fieldBefore.endsWith(quote) && empty === quote + quote;
  return {
    ...{ recordBefore, recordAfter, fieldBefore, fieldAfter },
    empty: isQuoted ? '' : asBytes(empty),
    record: (extension) => recordBefore + extension + recordAfter,
  };
}

/** A declared text as the bytes that a file in UTF-8 has for it. */
function asBytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** The lines of a text; a line end at its end begins no other. */
export function* linesOf(text: string): Generator<Area> {
  let start = 0;
  while (start < text.length) {
    const next = text.indexOf('\n', start);
    const end = next === -1 ? text.length : next;
    yield { start, end, extension: null };
    start = end + 1;
  }
}

/** The lines in which a text stands as a word, and that nobody has commented out. */
export function* linesWith(text: string, needle: string): Generator<Area> {
  let from = 0;
  for (;;) {
    const at = text.indexOf(needle, from);
    if (at === -1) return;
    const start = text.lastIndexOf('\n', at) + 1;
    const next = text.indexOf('\n', at);
    const end = next === -1 ? text.length : next;
    if (!isWhole(text, at, needle)) from = at + 1;
    else {
      if (!isComment(text.slice(start, end), needle)) yield { start, end, extension: null };
      from = end + 1;
    }
  }
}

/** The sections of a text, those of extensions and others. */
export function* sectionsOf(text: string, reader: Reader): Generator<Area> {
  let open: { start: number; extension: string | null } | null = null;
  for (const { start, end } of linesOf(text)) {
    const name = headerOf(text.slice(start, Math.min(end, start + MAX_HEADER_LENGTH)).trim(), reader);
    if (name === null) continue;
    if (open !== null) yield { ...open, end: start };
    open = { start: end, extension: /^[0-9]{3,8}$/.test(name) ? name : null };
  }
  if (open !== null) yield { ...open, end: text.length };
}

/** The name in the first line of a section; null for any other line. Only an extension is one where nothing stands before it. */
function headerOf(line: string, { recordBefore, recordAfter }: Reader): string | null {
  if (!line.startsWith(recordBefore)) return null;
  const rest = line.slice(recordBefore.length);
  const name = (recordBefore === '' ? /^[0-9]{3,8}/ : /^[A-Za-z0-9_.@!+-]{1,80}/).exec(rest)?.[0];
  if (name === undefined || !rest.startsWith(recordAfter, name.length)) return null;
  // `[3010](template)` and a comment may follow, more text may not.
  return /^(\s|\(|;|#|$)/.test(rest.slice(name.length + recordAfter.length)) ? name : null;
}

/** Whether a text found begins and ends no word in the middle: `3010` is not in `13010`. */
export function isWhole(text: string, at: number, needle: string, edge: 'both' | 'start' = 'both'): boolean {
  const cutsBefore = isWord(needle.charAt(0)) && isWord(text.charAt(at - 1));
  const cutsAfter = isWord(needle.charAt(needle.length - 1)) && isWord(text.charAt(at + needle.length));
  return !cutsBefore && (edge === 'start' || !cutsAfter);
}

function isWord(unit: string): boolean {
  return /^[0-9A-Za-z_]$/.test(unit);
}

/** A record that somebody has commented out is none. */
export function isComment(line: string, needle: string): boolean {
  const begin = line.slice(0, MAX_INDENT).trimStart();
  return LINE_COMMENTS.some((mark) => begin.startsWith(mark) && !needle.startsWith(mark));
}
