import { tidy } from './html.ts';

/** Columns of prose. */
export const TEXT_WIDTH = 74;
/** RFC 5322 section 2.1.1 allows 998 octets; a character has at most 4. */
const MAX_WORD_LENGTH = 240;

/** What `title` draws under the heading of a section. */
const SECTION_RULE = /^-{2,}$/;

/**
 * The plain text of a mail, line by line. Everything given is tidied, so that nothing from outside can begin a
 * line of its own. Prose is wrapped; links stand alone on their lines and are never cut, whatever their length
 * (the mailer sends long lines as quoted-printable).
 */
export class TextMail {
  readonly #lines: string[] = [];

  /** A heading underlined with `=`, or `-` inside the mail. */
  title(text: string, rule: '=' | '-' = '-'): this {
    const lines = wrap(tidy(text), '', '');
    if (this.#lines.length > 0) this.blank();
    this.#lines.push(...lines, rule.repeat(Math.max(...lines.map((line) => line.length))));
    return this;
  }

  paragraph(text: string): this {
    this.blank();
    this.#lines.push(...wrap(tidy(text), '', ''));
    return this;
  }

  /** One line, or as many as it takes, right under what stands before; those after the first begin with `rest`. */
  line(text: string, indent = '', rest = `${indent}  `): this {
    this.#lines.push(...wrap(tidy(text), indent, rest));
    return this;
  }

  item(text: string): this {
    this.#lines.push(...wrap(tidy(text), '- ', '  '));
    return this;
  }

  /** `Label: value` for each pair. */
  pairs(pairs: readonly (readonly [label: string, value: string])[]): this {
    for (const [label, value] of pairs) this.line(`${label}: ${value}`);
    return this;
  }

  /** Something to copy as it is: not wrapped unless a line could not be sent. */
  verbatim(text: string, indent = '    '): this {
    for (const part of chunks(tidy(text), MAX_WORD_LENGTH)) this.#lines.push(indent + part);
    return this;
  }

  link(url: string, indent = ''): this {
    this.#lines.push(indent + url);
    return this;
  }

  /** None after another, and none under the heading of a section. */
  blank(): this {
    const last = this.#lines.at(-1) ?? '';
    if (last !== '' && !SECTION_RULE.test(last)) this.#lines.push('');
    return this;
  }

  toString(): string {
    return `${this.#lines.join('\n').trim()}\n`;
  }
}

function wrap(text: string, first: string, rest: string): string[] {
  const lines: string[] = [];
  let line = first;
  let empty = true;
  for (const word of text.split(/\s+/).flatMap((long) => chunks(long, MAX_WORD_LENGTH))) {
    if (!empty && line.length + 1 + word.length > TEXT_WIDTH) {
      lines.push(line);
      line = rest;
      empty = true;
    }
    line += empty ? word : ` ${word}`;
    empty = false;
  }
  return [...lines, line.trimEnd()];
}

/** Cut between characters, not within one. */
function chunks(text: string, length: number): string[] {
  if (text.length <= length) return [text];
  const parts: string[] = [];
  let part = '';
  for (const character of text) {
    if (part.length + character.length > length) {
      parts.push(part);
      part = '';
    }
    part += character;
  }
  return [...parts, part];
}
