import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { authservIdOf, parseAuthResults, printAuthResults } from '../../../node/access/auth-results.ts';

describe('an Authentication-Results field', () => {
  test('is read as Gmail writes it', () => {
    const field =
      'mx.google.com;        dkim=pass header.i=@example.com header.s=google header.b="Ab/Cd+E=";        ' +
      'arc=pass (i=1 spf=pass spfdomain=example.com dkim=pass dkdomain=example.com dmarc=pass fromdomain=example.com); ' +
      'spf=pass (google.com: domain of ana@example.com designates 203.0.113.7 as permitted sender) smtp.mailfrom=ana@example.com;' +
      ' dmarc=pass (p=REJECT sp=REJECT dis=NONE) header.from=example.com; dara=pass header.i=@gmail.com';
    expect(parseAuthResults(field)).toEqual({
      authservId: 'mx.google.com',
      results: [
        {
          method: 'dkim',
          result: 'pass',
          properties: [
            ['header.i', '@example.com'],
            ['header.s', 'google'],
            ['header.b', 'Ab/Cd+E='],
          ],
        },
        { method: 'arc', result: 'pass', properties: [] },
        { method: 'spf', result: 'pass', properties: [['smtp.mailfrom', 'ana@example.com']] },
        { method: 'dmarc', result: 'pass', properties: [['header.from', 'example.com']] },
        { method: 'dara', result: 'pass', properties: [['header.i', '@gmail.com']] },
      ],
    });
  });

  test.each([
    ['mx.example.test; none', []],
    ['MX.Example.Test 1; none', []],
    ['(by us) mx.example.test (it is) ; none ;', []],
    ['"mx.example.test"; dmarc/1 = pass', [{ method: 'dmarc', result: 'pass', properties: [] }]],
    [
      'mx.example.test; spf=pass smtp.mailfrom="a b"@x.test reason="all \\"well\\""',
      [
        {
          method: 'spf',
          result: 'pass',
          properties: [
            ['smtp.mailfrom', 'a b@x.test'],
            ['reason', 'all "well"'],
          ],
        },
      ],
    ],
    [
      'mx.example.test; dkim=none (no (nested \\) one) here)',
      [{ method: 'dkim', result: 'none', properties: [] }],
    ],
  ])('%s', (field, results) => {
    expect(parseAuthResults(field)).toEqual({ authservId: 'mx.example.test', results });
  });

  test.each([
    '',
    ';',
    'mx.example.test dmarc=pass',
    'mx.example.test; dmarc',
    'mx.example.test; dmarc=',
    'mx.example.test; dmarc=pass header.from',
    'mx.example.test; dmarc=pass header.from=',
    'mx.example.test; dmarc=pass (never closed',
    'mx.example.test; dmarc=pass ) header.from=x',
    'mx.example.test; dmarc=pass "loose" header.from=x',
    'mx.example.test; dmarc=pass header.from="x',
    'mx.example.test; dmarc=pass header.from="x"y',
    'mx.example.test; none; dmarc=pass',
    `mx.example.test; dmarc=pass ${'('.repeat(1000)}${')'.repeat(1000)}`,
    `mx.example.test; ${'dkim=pass; '.repeat(2000)}`,
    `mx.example.test; x=${'y'.repeat(20_000)}`,
  ])('that is malformed proves nothing: %j', (field) => {
    expect(parseAuthResults(field)).toBeNull();
  });

  test.each([
    ['mx.google.com; dmarc=pass', 'mx.google.com'],
    ['mx.google.com', 'mx.google.com'],
    ['i=1; mx.google.com; dmarc=pass', null],
    ['spf=pass (sender IP is 203.0.113.7) smtp.mailfrom=x.test; dmarc=pass', null],
    ['mx.google.com.evil.example; dmarc=pass', 'mx.google.com.evil.example'],
    ['(', null],
  ])('tells who wrote it: %s', (field, id) => {
    expect(authservIdOf(field)).toBe(id);
  });

  test('printed again parses to the same', () => {
    const word = fc.stringMatching(/^[a-z][a-z0-9-]{0,10}$/);
    const value = fc.string({ minLength: 1, maxLength: 30 }).filter((text) => !/[\r\n]/.test(text));
    const results = fc.record({
      authservId: fc.domain().map((domain) => domain.toLowerCase()),
      results: fc.array(
        fc.record({
          method: word.filter((name) => name !== 'none'),
          result: word,
          properties: fc.array(fc.tuple(word, value), { maxLength: 4 }),
        }),
        { maxLength: 5 },
      ),
    });
    fc.assert(
      fc.property(results, (found) => {
        expect(parseAuthResults(printAuthResults(found))).toEqual(found);
      }),
    );
  });

  test('whatever it holds, it is read or refused at once', () => {
    const piece = fc.constantFrom(
      'mx.test',
      ';',
      '=',
      '(',
      ')',
      '"',
      '\\',
      ' ',
      'dmarc',
      'pass',
      '\t',
      'é',
      '\0',
      '/',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 2_000 }), (pieces) => {
        const begun = performance.now();
        parseAuthResults(pieces.join(''));
        expect(performance.now() - begun).toBeLessThan(100);
      }),
      { numRuns: 200 },
    );
  });
});
