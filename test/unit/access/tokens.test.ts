import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concealTokens } from '../../../node/access/token-conceal.ts';
import { cutTokens } from '../../../node/access/token-cut.ts';

const none: ReadonlySet<string> = new Set();
const listed: ReadonlySet<string> = new Set(['A1B2C3D4', '00112233']);

describe('cutting tokens in brackets', () => {
  test.each([
    ['[A1B2C3D4] RAMAIS=1121', 'RAMAIS=1121', ['A1B2C3D4']],
    ['Re: [a1b2c3d4]RAMAIS=1121', 'Re: RAMAIS=1121', ['A1B2C3D4']],
    ['RAMAIS=1121 [ A1B2C3D4 ]', 'RAMAIS=1121', ['A1B2C3D4']],
    ['[A1B2C3D4] RAMAIS=1121 [00000000]', 'RAMAIS=1121', ['A1B2C3D4', '00000000']],
    ['[A1B2C3D4]', '', ['A1B2C3D4']],
    ['[A1B2[00000000]C3D4] x', '[A1B2 C3D4] x', ['00000000']],
    ['[ [A1B2C3D4] 00000000] x', 'x', ['A1B2C3D4', '00000000']],
    ['RAMAIS=1121  [A1B2C3D] [A1B2C3D4E] [XYZ01234]', 'RAMAIS=1121  [A1B2C3D] [A1B2C3D4E] [XYZ01234]', []],
    ['(A1B2C3D4) {00000000} <11111111> x', 'x', ['A1B2C3D4', '00000000', '11111111']],
    ['［Ａ１Ｂ２Ｃ３Ｄ４］ RAMAIS=1121', 'RAMAIS=1121', ['A1B2C3D4']],
    ['【A1B2C3D4】 x', 'x', ['A1B2C3D4']],
    ['[A1\u200BB2\u00ADC3\uFE0FD4] x', 'x', ['A1B2C3D4']],
  ])('%s', (subject, left, tokens) => {
    expect(cutTokens(subject, none)).toEqual({ subject: left, tokens });
  });

  test('takes no long time over a long subject', () => {
    const begun = performance.now();
    cutTokens(`${'['.repeat(500)}A1B2C3D4${']'.repeat(500)}`, listed);
    cutTokens('A1B2C3D4'.repeat(250), listed);
    expect(performance.now() - begun).toBeLessThan(500);
  });
});

describe('a token without its brackets', () => {
  test.each([
    ['A1B2C3D4 RAMAIS=1121', '******** RAMAIS=1121'],
    ['[A1B2C3D4 RAMAIS=1121', '[******** RAMAIS=1121'],
    ['[token A1B2C3D4] RAMAIS=1121', '[token ********] RAMAIS=1121'],
    ['A1B2C3D4: RAMAIS=1121', '********: RAMAIS=1121'],
    ['#A1B2C3D4 RAMAIS=1121 *A1B2C3D4*', '#******** RAMAIS=1121 **********'],
    ['RAMAIS=1121; A1B2C3D4|x', 'RAMAIS=1121; ********|x'],
    ['RAMAIS=1121 TOKEN=A1B2C3D4', 'RAMAIS=1121 TOKEN=********'],
    ['senha: 00112233 RAMAIS=1121', 'senha: ******** RAMAIS=1121'],
    ['CANCELAR=3f9a1c02d4e5 CANCELAR=3f9a1c02', 'CANCELAR=3f9a1c02d4e5 CANCELAR=3f9a1c02'],
    ['WHITELIST ADD cafe0123@example.com', 'WHITELIST ADD cafe0123@example.com'],
    ['RAMAIS=1121 12345678 SERVER=abcdef12', 'RAMAIS=1121 12345678 SERVER=abcdef12'],
    ['RAMAIS=1121, 12345678 INICIO=27/10/2025', 'RAMAIS=1121, 12345678 INICIO=27/10/2025'],
    ['MACATUAL=010203040506 MACFUTURO= abcdef12', 'MACATUAL=010203040506 MACFUTURO= abcdef12'],
    ['½ of it, unchanged', '½ of it, unchanged'],
  ])('is blanked and opens nothing, and what is no token stays: %s', (subject, left) => {
    expect(cutTokens(subject, none)).toEqual({ subject: left, tokens: [] });
  });

  test.each([
    ['00112233 RAMAIS=1121', '******** RAMAIS=1121'],
    ['[00 11-22.33] x', '[********] x'],
    ['RAMAIS=00112233', 'RAMAIS=********'],
    ['x00112233x', 'x********x'],
  ])('that is listed is blanked wherever it stands: %s', (subject, left) => {
    expect(cutTokens(subject, listed)).toEqual({ subject: left, tokens: [] });
  });
});

describe('whatever the subject', () => {
  const hex = fc.constantFrom(...'0123456789abcdefABCDEF');
  const token = fc.array(hex, { minLength: 8, maxLength: 8 }).map((digits) => digits.join(''));
  const wide = (text: string): string =>
    text.replaceAll(/[!-~]/g, (char) => String.fromCodePoint((char.codePointAt(0) ?? 0) + 0xfee0));
  const between = fc.constantFrom(
    '',
    '',
    '\u200B',
    '\u00AD',
    '\u2060',
    '\uFE0F',
    ' ',
    '\t',
    '-',
    '.',
    '\r\n ',
  );
  const around = fc.constantFrom(
    ...[
      ['[', ']'],
      ['(', ')'],
      ['{', '}'],
      ['<', '>'],
      ['［', '］'],
      ['【', '】'],
      ['[', ''],
      ['', ''],
      ['[token ', ']'],
      ['RAMAIS=', ''],
      ['A1', 'B2'],
    ],
  );
  const disguise = fc.record({
    around,
    between,
    full: fc.boolean(),
    before: fc.string(),
    after: fc.string(),
  });

  test('no listed token is left in it, in any disguise', () => {
    fc.assert(
      fc.property(token, disguise, (secret, { around: [open = '', close = ''], between: gap, ...it }) => {
        const spelled = [...secret].map((char) => (it.full ? wide(char) : char)).join(gap);
        const { subject } = cutTokens(
          `${it.before}${open}${spelled}${close}${it.after}`,
          new Set([secret.toUpperCase()]),
        );
        const digits = subject.normalize('NFKC').replaceAll(/[^\p{L}\p{N}]/gu, '');
        expect(digits.toUpperCase()).not.toContain(secret.toUpperCase());
      }),
    );
  });

  test('what is left is not cut again, however tokens are nested', () => {
    const piece = fc.oneof(
      fc.constantFrom('[', ']', ' ', '\t', 'A1B2C3D4', 'a1b2', 'C3D4', '0', 'RAMAIS='),
      fc.string({ maxLength: 3 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), fc.constantFrom(none, listed), (pieces, known) => {
        const { subject } = cutTokens(pieces.join(''), known);
        expect(subject).not.toMatch(/\[\s*[0-9a-f]{8}\s*\]/i);
        expect(cutTokens(subject, known)).toEqual({ subject, tokens: [] });
      }),
    );
  });
});

describe('a raw mail that is kept', () => {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');

  test.each([
    ['Subject: [00000000] A1B2C3D4', 'Subject: [********] ********'],
    ['Subject: [a1b2c3d4] x\r\n\r\n[00000000] a1b2c3d4', 'Subject: [********] x\r\n\r\n[00000000] ********'],
    ['Received: id a1b2c3d5\r\nX: 0A1B2C3D40', 'Received: id a1b2c3d5\r\nX: 0********0'],
    ['Subject: =?utf-8?Q?Ol=C3=A1?=\r\n\r\n', 'Subject: =?utf-8?Q?Ol=C3=A1?=\r\n\r\n'],
    ['Subject: =?utf-8?Q?=5BA1B2?=\r\n =?utf-8?Q?C3D4?=\r\nTo: x', /^Subject: [*]+\r\n [*]+\r\nTo: x$/],
    [`Subject: =?utf-8?B?${base64('[00000000] x')}?=`, /^Subject: [*]+$/],
    [Buffer.from('Subject: ［Ａ１Ｂ２Ｃ３Ｄ４］').toString('latin1'), /^Subject: [*]+$/],
  ])('has no token in it, and is as long as before: %j', (raw, kept) => {
    const concealed = concealTokens(raw, listed);
    if (typeof kept === 'string') expect(concealed).toBe(kept);
    else expect(concealed).toMatch(kept);
    expect(concealed).toHaveLength(raw.length);
  });

  test('is looked through in bounded time, whatever it holds', () => {
    const begun = performance.now();
    concealTokens('a'.repeat(4_000_000), listed);
    concealTokens('=?'.repeat(100_000), listed);
    expect(performance.now() - begun).toBeLessThan(4_000);
  });
});
