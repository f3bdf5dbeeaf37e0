import type { Fault } from './command.ts';

/** Extensions have 3 to 8 digits. */
export const EXTENSION = /^[0-9]{3,8}$/;
const RANGE = /^([0-9]{3,8})-([0-9]{3,8})$/;
const NOT_A_DIGIT = /[^0-9]+/g;
const MAX_SHOWN_WORDS = 10;
const MAX_SHOWN_WORD_LENGTH = 40;

/** The extensions of a list, as good as could be made out, and what is wrong with it. */
export interface ExtensionsReading {
  readonly extensions: readonly string[];
  readonly faults: readonly Fault[];
}

/**
 * Reads `1121, 1122; 1123 e 1124`: separated by commas, semicolons, bars, plus signs, blanks or `e`. One given
 * twice counts once. Words that are no extension are told in one fault; a span (`1121-1125`) is not taken, for
 * nobody should get more recordings than he meant, but its repair is spelled out where that stays within `max`.
 */
export function readExtensions(text: string, max: number): ExtensionsReading {
  const good = new Set<string>();
  const wrong: string[] = [];
  const spans: string[] = [];
  for (const word of text.split(/[,;|/+&\s]/)) {
    if (word === '' || word === 'e' || word === 'E') continue;
    const span = RANGE.exec(word);
    if (EXTENSION.test(word)) good.add(word);
    else if (span === null) {
      wrong.push(word);
      const digits = word.replaceAll(NOT_A_DIGIT, '');
      if (EXTENSION.test(digits)) good.add(digits);
    } else {
      spans.push(word);
      for (const extension of spell(span[1] ?? '', span[2] ?? '', max)) good.add(extension);
    }
  }
  const extensions = [...good];
  const faults: Fault[] = [];
  if (wrong.length > 0) faults.push(ofWords('extension-form', wrong));
  if (spans.length > 0) faults.push(ofWords('extension-span', spans));
  if (extensions.length > max) faults.push(tooMany(extensions.length, max));
  return { extensions: extensions.slice(0, max), faults };
}

/** What is wrong with a list that is already one. */
export function extensionFaults(extensions: readonly string[], max: number): Fault[] {
  const wrong = extensions.filter((extension) => !EXTENSION.test(extension));
  const faults = wrong.length > 0 ? [ofWords('extension-form', wrong)] : [];
  return extensions.length > max ? [...faults, tooMany(extensions.length, max)] : faults;
}

function tooMany(count: number, max: number): Fault {
  return { field: 'RAMAIS', code: 'extensions-too-many', values: { count, max } };
}

function ofWords(code: string, words: readonly string[]): Fault {
  const shown = words.slice(0, MAX_SHOWN_WORDS).map((word) => word.slice(0, MAX_SHOWN_WORD_LENGTH));
  return { field: 'RAMAIS', code, values: { value: shown.join(', '), count: words.length } };
}

function spell(first: string, last: string, max: number): string[] {
  const [from, to] = [Number(first), Number(last)];
  if (first.length !== last.length || to < from || to - from >= max) return [first, last];
  return Array.from({ length: to - from + 1 }, (_, offset) =>
    String(from + offset).padStart(first.length, '0'),
  );
}
