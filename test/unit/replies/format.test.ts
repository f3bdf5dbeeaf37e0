import { describe, expect, test } from 'vitest';
import { formatDuration, soundOf, soundPhrase } from '../../../node/replies/duration.ts';
import {
  formatCount,
  formatInstant,
  formatSize,
  listWords,
  plural,
  shortId,
} from '../../../node/replies/format.ts';

test.each([
  [0, '0 bytes'],
  [44, '44 bytes'],
  [1024, '1,0 KB'],
  [480_044, '468,8 KB'],
  [1_023_999, '1,0 MB'],
  [12_897_484, '12,3 MB'],
  [2 * 1024 ** 3, '2,0 GB'],
  [5000 * 1024 ** 4, '5000,0 TB'],
])('%d bytes are %s', (bytes, shown) => {
  expect(formatSize(bytes)).toBe(shown);
});

test('an instant is shown on the clock of its zone', () => {
  const instant = Temporal.Instant.from('2025-10-28T02:04:59Z');
  expect(formatInstant(instant, 'America/Sao_Paulo')).toBe('27/10/2025 às 23:04');
  expect(formatInstant(instant, 'UTC')).toBe('28/10/2025 às 02:04');
});

test('counts, plurals and lists are Portuguese', () => {
  expect(formatCount(1_024_912)).toBe('1.024.912');
  expect([0, 1, 2].map((count) => plural(count, 'pedido', 'pedidos'))).toEqual([
    '0 pedidos',
    '1 pedido',
    '2 pedidos',
  ]);
  expect([[], ['a'], ['a', 'b'], ['a', 'b', 'c']].map(listWords)).toEqual(['', 'a', 'a e b', 'a, b e c']);
});

test('a short id has not the form of a token', () => {
  expect(shortId('3f9a62c07be1d4458c90')).toBe('3f9a62c07be1');
});

describe('a duration', () => {
  test.each([
    [0, '0 s'],
    [0.2, 'menos de 1 s'],
    [59.4, '59 s'],
    [59.6, '1 min'],
    [185, '3 min 05 s'],
    [3599.7, '1 h'],
    [3720, '1 h 02 min'],
    [4_449_600, '1.236 h'],
  ])('of %d seconds is %s', (seconds, said) => {
    expect(formatDuration(seconds)).toBe(said);
  });

  test('of recordings together leaves out those that nobody knows, and says so', () => {
    const sound = soundOf([{ seconds: 60 }, { seconds: null }, { seconds: 5 }]);
    expect(sound).toEqual({ count: 3, seconds: 65, ofUnknownLength: 1 });
    expect(soundPhrase(sound)).toBe('1 min 05 s de áudio, mais 1 gravação de duração desconhecida');
    expect(soundPhrase(soundOf([]))).toBe('0 s de áudio');
  });
});
