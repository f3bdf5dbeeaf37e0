import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { html, raw, safeUrl, tidy } from '../../../node/replies/html.ts';

// eslint-disable-next-line no-control-regex
const UNSAFE = /[<>"'\u0000-\u001F\u007F-\u009F\u202A-\u202E\u2066-\u2069\uD800-\uDFFF]/u;

describe('a template', () => {
  test('escapes what is put into it, in text and in attributes', () => {
    expect(html`<a title="${'"><script>'}">${`a & b's`}</a>`.source).toBe(
      '<a title="&quot;&gt;&lt;script&gt;">a &amp; b&#39;s</a>',
    );
  });

  test('keeps other templates, lists of them and what is vouched for', () => {
    expect(html`${[html`<b>${'<'}</b>`, 'x<']}${raw('<i>')}`.source).toBe('<b>&lt;</b>\nx&lt;<i>');
  });

  test('leaves out what is not there, but not a zero', () => {
    expect(html`[${null}${undefined}${false}${0}]`.source).toBe('[0]');
  });

  test('does not send its own indentation', () => {
    // Called as a function, for the formatter lays out templates as it likes.
    const literals = Object.assign(['<p>\n      ', '\n    </p>'], { raw: [] }) as TemplateStringsArray;
    expect(html(literals, ' x ').source).toBe('<p>\n x \n</p>');
  });

  test('whatever is put in, no mark-up, control or direction mark comes of it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(html`${text}`.source).not.toMatch(UNSAFE);
      }),
    );
  });
});

test('a text from outside is one line that reads in one direction', () => {
  expect(tidy('a\r\nBcc: x\u2028b\u202Egpj.exe\uD800')).toBe('a Bcc: x b\uFFFDgpj.exe\uFFFD');
});

test.each([
  'javascript:alert(1)',
  'data:text/html,x',
  'vbscript:x',
  ' java\nscript:alert(1)',
  'nonsense',
  '',
])('%j is no link', (url) => {
  expect(safeUrl(url)).toBeNull();
});

test('a signed link stays as it was signed', () => {
  const url =
    'https://b.example.com/p/a%20b.wav?X-Amz-Signature=ab%2Fcd&response-content-disposition=inline%3B%20f';
  expect(safeUrl(url)).toBe(url);
});
