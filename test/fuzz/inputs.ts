import fc from 'fast-check';

/** What breaks out of quotes, lines, paths, shells, tables and tags, or looks like what it is not. */
const HOSTILE = [
  ...[
    '$(id)',
    '`id`',
    ';rm -rf /',
    '|cat',
    '&&',
    '../',
    '/etc/passwd',
    '%00',
    '\u0000',
    '\r\n',
    '\n',
    '\t',
    '\\',
  ],
  ...[
    '"',
    "'",
    '<script>',
    '&amp;',
    '=1+1',
    '.*',
    '(a+)+$',
    '[',
    ']',
    '{',
    '}',
    '(',
    ')',
    ',',
    '=',
    ':',
    ' ',
  ],
  ...[
    '\u00A0',
    '\u200B',
    '\u202E',
    '\uFEFF',
    '\uFF21',
    '\uFF11',
    '\u0410',
    'é',
    'e\u0301',
    '\u{1F600}',
    '\uD800',
    'ß',
    'İ',
  ],
  ...['__proto__', 'constructor', 'null', 'undefined', 'NaN', '-1', '1e309', '=?UTF-8?B?', '?='],
];
/** So often something may stand one after another: what is not linear shows itself here. */
const MAX_REPEATS = 2000;
const MAX_PIECES = 24;

const hostile = fc.constantFrom(...HOSTILE);
const anything = fc.string({ unit: 'binary', maxLength: 12 });

/** A text made of these words, of hostile ones, and of anything at all. */
export function textOf(words: readonly string[], maxPieces = MAX_PIECES): fc.Arbitrary<string> {
  const word = fc.constantFrom(...words);
  const digits = fc.nat(99_999_999).map(String);
  const piece = fc.oneof(
    { weight: 12, arbitrary: word },
    { weight: 2, arbitrary: digits },
    { weight: 2, arbitrary: hostile },
    { weight: 1, arbitrary: anything },
  );
  const pieces = fc.array(piece, { maxLength: maxPieces }).map((all) => all.join(''));
  const many = fc
    .tuple(pieces, fc.oneof(word, hostile), fc.nat(MAX_REPEATS), pieces)
    .map(([before, again, times, after]) => before + again.repeat(times) + after);
  return fc.oneof({ weight: 60, arbitrary: pieces }, { weight: 1, arbitrary: many });
}

/** A good text with something put in, taken out or doubled. */
export function damaged(good: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const edit = fc.tuple(fc.nat(200), fc.nat(6), fc.oneof(hostile, anything, fc.constant('')));
  return fc.tuple(good, fc.array(edit, { maxLength: 3 })).map(([text, edits]) =>
    edits.reduce((left, [place, length, put]) => {
      const at = left.length === 0 ? 0 : place % (left.length + 1);
      return left.slice(0, at) + put + left.slice(at + length);
    }, text),
  );
}
