import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ago,
  humanBytes,
  humanCount,
  humanDuration,
  jsonText,
  localTime,
  neutral,
  table,
} from '../../../node/cli/text.ts';

// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u0009\u000B-\u001F\u007F-\u009F\u202A-\u202E\u2066-\u2069]/;

describe('text from outside', () => {
  test('cannot drive a terminal, as text or as JSON', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(neutral(text)).not.toMatch(CONTROL);
        expect(neutral(text)).not.toContain('\n');
        expect(jsonText({ text })).not.toMatch(CONTROL);
        expect(JSON.parse(jsonText({ text }))).toEqual({ text });
      }),
    );
  });

  test('is shortened', () => {
    expect(neutral('x'.repeat(1000))).toHaveLength(200);
  });

  test('keeps accents', () => {
    expect(neutral('gravações – João')).toBe('gravações – João');
  });
});

test('a table puts numbers to the right and pads no last column', () => {
  expect(table(['A', { title: 'N', right: true }, 'B'], [['long', '7', 'x']])).toBe('A     N  B\nlong  7  x');
});

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [1_500_000, '1.5 MB'],
  [5e15, '5000.0 TB'],
])('%d bytes are %s', (bytes, shown) => {
  expect(humanBytes(bytes)).toBe(shown);
});

test.each([
  [59.9, '59 s'],
  [60, '1 min'],
  [7500, '2 h 5 min'],
  [93_784, '1 d 2 h'],
])('%d seconds are %s', (seconds, shown) => {
  expect(humanDuration(seconds)).toBe(shown);
});

test('what is no instant is shown as it is', () => {
  expect(localTime('soon')).toBe('soon');
});

test('an instant is as long ago as now says, and never in the future', () => {
  const now = Temporal.Instant.from('2025-11-11T18:05:00Z');
  expect(ago('2025-11-11T18:04:20Z', now)).toBe('40 s ago');
  expect(ago('2025-11-11T18:05:07Z', now)).toBe('0 s ago');
  expect(ago('soon', now)).toBe('soon');
});

test('a count is written in groups', () => {
  expect([humanCount(999), humanCount(1_024_912)]).toEqual(['999', '1,024,912']);
});
