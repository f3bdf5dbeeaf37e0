/** HTML that is safe to send as it is. Only the tag `html` and `raw` make one. */
export class Html {
  readonly source: string;

  constructor(source: string) {
    this.source = source;
  }

  toString(): string {
    return this.source;
  }
}

/** What may stand in a template: all but `Html` is escaped; nothing is left out where a value is null or false. */
export type HtmlValue = Html | string | number | null | undefined | false | readonly HtmlValue[];

/** A template whose values are escaped unless they are `Html` themselves. */
export function html(literals: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  const parts = withoutIndent(literals);
  let source = parts[0] ?? '';
  for (const [index, value] of values.entries()) source += render(value) + (parts[index + 1] ?? '');
  return new Html(source);
}

const unindented = new WeakMap<TemplateStringsArray, readonly string[]>();

/** Templates are indented for those who read the code; a mail has a size limit. */
function withoutIndent(literals: TemplateStringsArray): readonly string[] {
  const known = unindented.get(literals);
  if (known !== undefined) return known;
  const parts = literals.map((literal) => literal.replaceAll(/\s*\n\s*/g, '\n'));
  unindented.set(literals, parts);
  return parts;
}

/** Vouches for a piece of HTML of our own. Never for anything from outside. */
export function raw(source: string): Html {
  return new Html(source);
}

function render(value: HtmlValue): string {
  if (value === null || value === undefined || value === false) return '';
  if (value instanceof Html) return value.source;
  if (typeof value === 'object') return value.map(render).join('\n');
  return escapeHtml(tidy(String(value)));
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}

/** Direction marks turn the text around them about, so that a mail could be made to say something else. */
const DIRECTION_MARKS = /[\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/g;
// eslint-disable-next-line no-control-regex
const CONTROLS = /[\u0000-\u001F\u007F-\u009F\u2028\u2029\uFEFF]+/g;

/**
 * A text from outside as it may stand in a line of ours, in HTML, plain text and header alike: controls and line
 * ends are one space, direction marks are shown as the replacement character, lone surrogates likewise.
 */
export function tidy(text: string): string {
  return text.toWellFormed().replaceAll(CONTROLS, ' ').replaceAll(DIRECTION_MARKS, '\uFFFD');
}

/** The address of a link, or null where it is none that a mail may hold. */
export function safeUrl(url: string): string | null {
  const parsed = URL.parse(url);
  if (parsed === null) return null;
  return ['https:', 'http:', 'mailto:'].includes(parsed.protocol) ? parsed.href : null;
}
