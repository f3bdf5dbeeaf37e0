/** Stands where a token stood without its brackets. */
export const BLANK = '********';
const DIGITS = 8;
/** Between two digits of a token that somebody spread out; what is farther apart belongs to other words. */
const MAX_GAP = 8;

/** `[XXXXXXXX]`, in brackets of any kind. */
const BRACKETED = /[\p{Ps}<]\s*([0-9a-f]{8})\s*[\p{Pe}>]/giu;
/**
 * A word that can only be a token: with a letter among its digits, as an extension has none, and no part of a
 * value as in `RAMAIS=`.
 */
const WORD =
  /(?<=^|[\s\p{Ps}\p{Pe}"'#*|;])(?<!=\s*)(?=[0-9]{0,7}[a-f])[0-9a-f]{8}(?=$|[\s\p{Ps}\p{Pe}"'.,!?:;|*])(?!\s*=)/giu;
/** One that is called so. */
const NAMED = /(?<=\b(?:TOKENS?|SENHA|CHAVE|C[OÓ]DIGO)\s{0,5}[:=]?\s{0,5})[0-9a-f]{8}(?![\p{L}\p{N}])/giu;
const INVISIBLE = /[\p{Cf}\p{Default_Ignorable_Code_Point}]/gu;
const LETTER_OR_DIGIT = /[\p{L}\p{N}]/u;

export interface Cut {
  /** Without tokens; as it was where it had none, else in its plainest form. */
  readonly subject: string;
  /** Those in brackets, in upper case: they alone open the door. */
  readonly tokens: readonly string[];
}

/**
 * Cuts every `[XXXXXXXX]` out of a subject, and blanks what is a token without its brackets: every spelling of a
 * listed one, and words that can be nothing else. A token opens the door at the mailbox and goes no further.
 */
export function cutTokens(subject: string, listed: ReadonlySet<string>): Cut {
  const tokens: string[] = [];
  const whole = plainest(subject);
  let left = whole;
  // What is left is looked at again: a token may stand inside another.
  for (let before = ''; before !== left;) {
    before = left;
    left = left.replaceAll(BRACKETED, (_, token: string) => {
      tokens.push(token.toUpperCase());
      return ' ';
    });
    left = blankListed(left, listed).replaceAll(NAMED, BLANK).replaceAll(WORD, BLANK);
  }
  if (left === whole) return { subject, tokens };
  // A plain form may be the longer one, and nothing that goes further is to outgrow what came in.
  const shown = left.replaceAll(/\s+/g, ' ').slice(0, subject.length).toWellFormed().trim();
  return { subject: shown, tokens };
}

/** Whether a text holds a token in brackets, or a listed one in any spelling. */
export function holdsToken(text: string, listed: ReadonlySet<string>): boolean {
  const whole = plainest(text);
  return whole.search(BRACKETED) >= 0 || blankListed(whole, listed) !== whole;
}

/** Letters and digits as ASCII where they have such a form (NFKC: full width, mathematical), nothing invisible. */
function plainest(text: string): string {
  return text.replaceAll(INVISIBLE, '').normalize('NFKC').replaceAll(INVISIBLE, '');
}

/** Blanks eight digits in a row that are listed, whatever stands between them that is no letter and no digit. */
function blankListed(text: string, listed: ReadonlySet<string>): string {
  if (listed.size === 0) return text;
  let left = text;
  for (let from = 0; ;) {
    const span = nextListed(left, listed, from);
    if (span === null) return left;
    left = `${left.slice(0, span.start)}${BLANK}${left.slice(span.end)}`;
    from = Math.max(0, span.start - DIGITS * (MAX_GAP + 1));
  }
}

function nextListed(
  text: string,
  listed: ReadonlySet<string>,
  from: number,
): { readonly start: number; readonly end: number } | null {
  let row: number[] = [];
  for (let at = from; at < text.length; at += 1) {
    const char = text[at] ?? '';
    if (/[0-9a-f]/i.test(char)) {
      if (at - (row.at(-1) ?? at) > MAX_GAP + 1) row = [];
      row = [...row, at].slice(-DIGITS);
      const token = row.map((index) => text[index]).join('');
      if (row.length === DIGITS && listed.has(token.toUpperCase()))
        return { start: row[0] ?? at, end: at + 1 };
    } else if (LETTER_OR_DIGIT.test(char)) row = [];
  }
  return null;
}
