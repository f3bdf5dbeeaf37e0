/** Reply and forward marks of the mail programs in use: `Re:`, `RE[2]:`, `Fwd:`, `FW:`, `RES:`, `ENC:`, `RV:`. */
const REPLY_MARK = /(?:re|fwd|fw|res|resp|enc|rv) ?(?:[[(]\d{1,3}[\])])? ?\.?:/iy;
/** What a copy from a chat or a web page brings along unseen; soft hyphen, joiners, direction marks, BOM. */
const INVISIBLE =
  /[\u{AD}\u{61C}\u{180E}\u{200B}-\u{200F}\u{202A}-\u{202E}\u{2060}-\u{2069}\u{FEFF}]|\u{34F}|[\u{FE00}-\u{FE0F}]/gu;
// eslint-disable-next-line no-control-regex
const BLANKS = /[\s\u0000-\u001F\u007F-\u009F\u2028\u2029]+/g;
const DOUBLE_QUOTES = /[\u201C-\u201F\u00AB\u00BB\u2033]/g;
const SINGLE_QUOTES = /[\u2018-\u201B\u2032\u0060\u00B4]/g;
const DASHES = /[\u2010-\u2015\u2212]/g;

/**
 * A subject as it would have been typed on a plain keyboard: compatibility forms (full-width letters, no-break
 * spaces) folded by NFKC, invisible characters dropped, smart quotes and dashes made plain, blanks and controls
 * made one space. Accents stay. Linear in the length.
 */
export function plainText(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(DOUBLE_QUOTES, '"')
    .replaceAll(SINGLE_QUOTES, "'")
    .normalize('NFKC')
    .replaceAll(INVISIBLE, '')
    .replaceAll(DASHES, '-')
    .replaceAll(BLANKS, ' ')
    .trim();
}

/**
 * Upper case without accents, character by character, so that positions stay those of the text given (which is
 * composed, as `plainText` leaves it). What has no single plain letter stays as it is.
 */
export function foldCase(text: string): string {
  let folded = '';
  for (let i = 0; i < text.length; i++) {
    const unit = text.charAt(i);
    const base = unit < '\u0080' ? unit : unit.normalize('NFD').charAt(0);
    const upper = base.toUpperCase();
    folded += upper.length === 1 ? upper : unit;
  }
  return folded;
}

/**
 * Takes reply marks and bracketed labels (`[EXTERNO]`, what is left of a token) off the front of a plain text.
 * A bracketed group that holds a `=` is the request itself, so only its brackets go.
 */
export function withoutMarks(text: string): string {
  let at = 0;
  for (;;) {
    while (text.charAt(at) === ' ') at++;
    const after = text.charAt(at) === '[' ? afterLabel(text, at) : afterReplyMark(text, at);
    if (after === at) break;
    at = after;
  }
  return plainText(text.slice(at).replaceAll(/[[\]]/g, ' '));
}

function afterLabel(text: string, at: number): number {
  const close = text.indexOf(']', at);
  return close === -1 || text.slice(at, close).includes('=') ? at : close + 1;
}

function afterReplyMark(text: string, at: number): number {
  REPLY_MARK.lastIndex = at;
  return REPLY_MARK.test(text) ? REPLY_MARK.lastIndex : at;
}
