import type { Fault, Field } from './command.ts';
import { foldCase, plainText, withoutMarks } from './subject-text.ts';

/** Longest subject that is read; the longest line of a mail is shorter (RFC 5322 section 2.1.1). */
export const MAX_SUBJECT_LENGTH = 1000;
const MAX_KEY_LENGTH = 40;

/** Every way of writing a key that some command knows (upper case, no accents), to the key itself. */
export type Vocabulary = ReadonlyMap<string, string>;

export interface SubjectReading {
  /** In the order of the subject. A bare word such as `AJUDA` or `WHITELIST ADD x` is a field too. */
  readonly fields: readonly Field[];
  /** Text before the first field: a greeting, a gateway's label. No command reads it. */
  readonly preamble: string;
  /** Why it could not be read at all. */
  readonly fault: Fault | null;
}

/** How clearly a place begins a field: `KEY=` more than `KEY:` more than the bare `KEY`. */
type Clarity = 3 | 2 | 1;

interface Mark {
  readonly key: string;
  readonly clarity: Clarity;
  readonly start: number;
  readonly valueStart: number;
}

/**
 * Splits a subject into fields. A field begins at any word with `=` behind it, and at a known key with `:` or a
 * space behind it; its value goes on to the next field, so values may hold spaces and times. Of one key, only
 * the clearest marks count: in `início dos ramais: RAMAIS=1121` the first two are just words. Linear in time.
 */
export function readSubject(subject: string, vocabulary: Vocabulary): SubjectReading {
  if (subject.length > MAX_SUBJECT_LENGTH) {
    const values = { length: subject.length, max: MAX_SUBJECT_LENGTH };
    return unreadable({ field: 'SUBJECT', code: 'subject-too-long', values });
  }
  const text = withoutMarks(plainText(subject));
  if (text === '') return unreadable({ field: 'SUBJECT', code: 'subject-empty', values: {} });

  const marks = clearest(findMarks(text, vocabulary));
  const fields = marks.map((mark, index) => ({
    key: mark.key,
    value: trimValue(text.slice(mark.valueStart, marks[index + 1]?.start ?? text.length)),
  }));
  return { fields, preamble: trimValue(text.slice(0, marks[0]?.start ?? text.length)), fault: null };
}

/** Fields as a subject, the inverse of reading: `KEY=value KEY=value`. */
export function writeSubject(fields: readonly Field[]): string {
  return fields.map(({ key, value }) => `${key}=${value}`).join(' ');
}

function unreadable(fault: Fault): SubjectReading {
  return { fields: [], preamble: '', fault };
}

function findMarks(text: string, vocabulary: Vocabulary): Mark[] {
  const folded = foldCase(text);
  const marks: Mark[] = [];
  let at = 0;
  while (at < folded.length) {
    if (!isLetter(folded, at)) {
      at++;
      continue;
    }
    const start = at;
    while (isKeyCharacter(folded, at)) at++;
    const mark = markOf(folded, start, at, vocabulary);
    if (mark === null) continue;
    marks.push(mark);
    at = mark.valueStart;
  }
  return marks;
}

/** A key glued to the digit before it (`08:00FIM=`) counts where it is known and has its `=`. */
function markOf(folded: string, start: number, end: number, vocabulary: Vocabulary): Mark | null {
  const word = folded.slice(start, Math.min(end, start + MAX_KEY_LENGTH)).replaceAll('-', '_');
  const key = vocabulary.get(word);
  const glued = isKeyCharacter(folded, start - 1);
  const next = folded.charAt(end) === ' ' ? end + 1 : end;
  const separator = folded.charAt(next);
  if (separator === '=') {
    return key === undefined && glued ? null : { key: key ?? word, clarity: 3, start, valueStart: next + 1 };
  }
  if (key === undefined || glued) return null;
  // `Fila, por favor` and `Ajuda!` ask for it as `FILA` does.
  if (end < folded.length && ',;.!?'.includes(folded.charAt(end)) && ' '.includes(folded.charAt(end + 1))) {
    return { key, clarity: 1, start, valueStart: end + 1 };
  }
  if (separator === ':') return { key, clarity: 2, start, valueStart: next + 1 };
  return next > end || end === folded.length ? { key, clarity: 1, start, valueStart: end } : null;
}

function clearest(marks: readonly Mark[]): Mark[] {
  const best = new Map<string, Clarity>();
  for (const { key, clarity } of marks) {
    if (clarity > (best.get(key) ?? 0)) best.set(key, clarity);
  }
  return marks.filter((mark) => mark.clarity === best.get(mark.key));
}

/** Takes off what joins fields (`,` `;` `|` `-`), quotes around a value and doubled separators before it. */
function trimValue(value: string): string {
  let start = 0;
  let end = value.length;
  while (start < end && ' ,;|"\'=:'.includes(value.charAt(start))) start++;
  while (end > start && ' ,;|"\'-.'.includes(value.charAt(end - 1))) end--;
  return value.slice(start, end);
}

function isLetter(folded: string, at: number): boolean {
  const unit = folded.charAt(at);
  return unit >= 'A' && unit <= 'Z';
}

function isKeyCharacter(folded: string, at: number): boolean {
  const unit = folded.charAt(at);
  return (unit >= 'A' && unit <= 'Z') || (unit >= '0' && unit <= '9') || unit === '_' || unit === '-';
}
