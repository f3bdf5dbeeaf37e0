/** What one method found (RFC 8601 section 2.2, `resinfo`). */
export interface MethodResult {
  /** Lower case: `dmarc`, `dkim`. */
  readonly method: string;
  /** Lower case: `pass`, `fail`. */
  readonly result: string;
  /** `header.from` and its value, in their order; names in lower case. */
  readonly properties: readonly (readonly [name: string, value: string])[];
}

/** An Authentication-Results field. */
export interface AuthResults {
  /** Lower case. */
  readonly authservId: string;
  /** Empty where the server says that it checked nothing (`none`). */
  readonly results: readonly MethodResult[];
}

/** Longer fields are not read: a server writes some hundred characters. */
const MAX_LENGTH = 16 * 1024;
const MAX_RESULTS = 100;
const MAX_COMMENT_DEPTH = 20;

/** Characters of a token or of a property's value without quotes: not what ends or begins something else. */
const WORD = /[^\s;=()"\\,<>]+/y;
const VALUE = /[^\s;()"\\]+/y;
const QUOTED = /"((?:[^"\\\r\n]|\\[^\r\n])*)"/y;
const KEYWORD = /^[a-z0-9][a-z0-9_.-]*$/i;

/**
 * The id of the server that wrote an Authentication-Results field, in lower case; null where it names none, as the
 * fields of some servers. All that it takes to pass over the fields of others.
 */
export function authservIdOf(field: string): string | null {
  try {
    const reader = new Reader(field.slice(0, MAX_LENGTH));
    return readAuthservId(reader);
  } catch (error) {
    if (error instanceof Malformed) return null;
    throw error;
  }
}

/**
 * Reads an Authentication-Results field (RFC 8601 section 2.2), its value unfolded. Null where it is malformed
 * anywhere: parts of it come from the mail (`smtp.mailfrom`), and what is not wholly understood proves nothing.
 */
export function parseAuthResults(field: string): AuthResults | null {
  if (field.length > MAX_LENGTH) return null;
  try {
    const reader = new Reader(field);
    const authservId = readAuthservId(reader);
    const results: MethodResult[] = [];
    let none = false;
    while (reader.take(';')) {
      if (reader.atEnd()) break; // a `;` at the end, as some write it
      const found = readResult(reader);
      if (found === 'none') none = true;
      else results.push(found);
      if (results.length > MAX_RESULTS) return null;
    }
    if (!reader.atEnd() || (none && results.length > 0)) return null;
    return { authservId, results };
  } catch (error) {
    if (error instanceof Malformed) return null;
    throw error;
  }
}

/** Writes results as a field that reads back as these. */
export function printAuthResults({ authservId, results }: AuthResults): string {
  const parts = results.map(({ method, result, properties }) =>
    [`${method}=${result}`, ...properties.map(([name, value]) => `${name}=${quoted(value)}`)].join(' '),
  );
  return [quoted(authservId), ...(parts.length === 0 ? ['none'] : parts)].join('; ');
}

function quoted(value: string): string {
  return /^[A-Za-z0-9@._/+-]+$/.test(value) ? value : `"${value.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
}

/** What stops the reading of a field; never leaves this file. */
class Malformed extends Error {}

/** A field from its beginning on; comments and blanks (CFWS, RFC 5322 section 3.2.2) are passed over between words. */
class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    this.#skip();
  }

  atEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  next(char: string): boolean {
    return this.#text[this.#at] === char;
  }

  /** Whether this character is next; it is passed over then. */
  take(char: string): boolean {
    if (!this.next(char)) return false;
    this.#at += 1;
    this.#skip();
    return true;
  }

  /** A token. */
  word(): string {
    const word = this.#match(WORD)?.[0];
    if (word === undefined) throw new Malformed();
    this.#skip();
    return word;
  }

  /** A token or a quoted string. */
  wordOrQuoted(): string {
    return this.next('"') ? this.value() : this.word();
  }

  /** The value of a property: a word, a quoted string, or an address that begins with one. */
  value(): string {
    const inner = this.#match(QUOTED)?.[1];
    const rest = this.#match(VALUE)?.[0] ?? '';
    if (inner === undefined && rest === '') throw new Malformed();
    if (inner !== undefined && rest !== '' && !rest.startsWith('@')) throw new Malformed();
    this.#skip();
    return (inner ?? '').replaceAll(/\\(.)/g, '$1') + rest;
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match !== null) this.#at = pattern.lastIndex;
    return match;
  }

  #skip(): void {
    for (;;) {
      const char = this.#text[this.#at];
      if (char === '(') this.#comment();
      else if (char === ' ' || char === '\t' || char === '\r' || char === '\n') this.#at += 1;
      else return;
    }
  }

  #comment(): void {
    let depth = 0;
    for (; this.#at < this.#text.length; this.#at += 1) {
      const char = this.#text[this.#at];
      if (char === '\\') this.#at += 1;
      else if (char === '(') depth += 1;
      else if (char === ')') depth -= 1;
      if (depth > MAX_COMMENT_DEPTH) throw new Malformed();
      if (depth > 0) continue;
      this.#at += 1;
      return;
    }
    throw new Malformed();
  }
}

function readAuthservId(reader: Reader): string {
  const authservId = reader.wordOrQuoted().toLowerCase();
  const hasVersion = !reader.atEnd() && !reader.next(';');
  if (hasVersion && !/^\d{1,5}$/.test(reader.word())) throw new Malformed();
  return authservId;
}

/** `method=result` with a reason and properties; `none` where nothing was checked. */
function readResult(reader: Reader): MethodResult | 'none' {
  const [written = ''] = reader.word().split('/'); // a version of the method stands after the slash
  const method = keyword(written);
  if (!reader.take('=')) {
    if (method !== 'none') throw new Malformed();
    return 'none';
  }
  const result = keyword(reader.word());
  const properties: (readonly [string, string])[] = [];
  while (!reader.atEnd() && !reader.next(';')) {
    const name = keyword(reader.word());
    if (!reader.take('=')) throw new Malformed();
    properties.push([name, reader.value()]);
  }
  return { method, result, properties };
}

function keyword(word: string): string {
  if (!KEYWORD.test(word)) throw new Malformed();
  return word.toLowerCase();
}
