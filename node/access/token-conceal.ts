import { isUtf8 } from 'node:buffer';
import { BLANK, holdsToken } from './token-cut.ts';

/** Header fields are looked into up to this; what comes after it is no header that anybody reads. */
const MAX_HEADER_LENGTH = 256 * 1024;
const TOKEN_LENGTH = BLANK.length;
const ENCODED_WORD = /=\?[^?\s]{1,40}\?([bq])\?([^?\s]*)\?=/gi;

/**
 * A raw mail, one character for each octet, with its tokens blanked and its length unchanged: listed ones
 * wherever they stand, and in its header `[XXXXXXXX]` too. A header field that holds one in disguise (encoded
 * words of RFC 2047, full width) is blanked as a whole.
 */
export function concealTokens(raw: string, listed: ReadonlySet<string>): string {
  const text = listed.size === 0 ? raw : raw.replaceAll(/[0-9a-f]{8,}/gi, (run) => blankRun(run, listed));
  const end = /\r?\n\r?\n/.exec(text.slice(0, MAX_HEADER_LENGTH))?.index ?? MAX_HEADER_LENGTH;
  const header = text
    .slice(0, end)
    .replaceAll(/\[\s*[0-9a-f]{8}\s*\]/gi, (token) => token.replaceAll(/[0-9a-f]/gi, '*'))
    .replaceAll(/^[^\r\n]+(?:\r?\n[ \t][^\r\n]*)*/gm, (field) => concealField(field, listed));
  return header + text.slice(end);
}

function blankRun(run: string, listed: ReadonlySet<string>): string {
  const upper = run.toUpperCase();
  let left = run;
  for (let at = 0; at + TOKEN_LENGTH <= run.length; at += 1) {
    if (!listed.has(upper.slice(at, at + TOKEN_LENGTH))) continue;
    left = left.slice(0, at) + BLANK + left.slice(at + TOKEN_LENGTH);
  }
  return left;
}

function concealField(field: string, listed: ReadonlySet<string>): string {
  const colon = field.indexOf(':') + 1;
  const value = field.slice(colon);
  if (!holdsToken(decoded(value), listed)) return field;
  return field.slice(0, colon) + value.replaceAll(/\S/g, '*');
}

/** The text of a field as a mail program shows it. */
function decoded(value: string): string {
  const unfolded = value.replaceAll(/\r?\n/g, '').replaceAll(/\?=\s+=\?/g, '?==?');
  return textOf(
    unfolded.replaceAll(ENCODED_WORD, (_, encoding: string, word: string) => {
      if (encoding.toLowerCase() === 'b') return Buffer.from(word, 'base64').toString('latin1');
      return word
        .replaceAll('_', ' ')
        .replaceAll(/=([0-9a-f]{2})/gi, (__, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
    }),
  );
}

function textOf(octets: string): string {
  const bytes = Buffer.from(octets, 'latin1');
  return isUtf8(bytes) ? bytes.toString('utf8') : octets;
}
