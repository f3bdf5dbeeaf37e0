import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Edge,
  formatWallTime,
  isWallTime,
  readWallTime,
  wallTimeOf,
  writeWallTime,
} from '../../../node/commands/wall-time.ts';

const TODAY = Temporal.PlainDate.from('2025-11-12');

function read(text: string, edge: Edge = 'start'): string {
  const reading = readWallTime(text, edge, TODAY);
  return reading.ok ? reading.time : `${reading.codes.join(' ')} -> ${reading.repaired}`;
}

describe('a date as people write it', () => {
  test.each([
    ['27/10/2025 08:00', '2025-10-27T08:00:00'],
    ['27/10/2025 08:00:05', '2025-10-27T08:00:05'],
    ['27/10/2025', '2025-10-27T00:00:00'],
    ['7/1/2025 8:05', '2025-01-07T08:05:00'],
    ['27-10-2025 08:00', '2025-10-27T08:00:00'],
    ['27.10.2025', '2025-10-27T00:00:00'],
    ['2025-10-27T08:00:05', '2025-10-27T08:00:05'],
    ['27/10/2025 8h', '2025-10-27T08:00:00'],
    ['27/10/2025 08h30', '2025-10-27T08:30:00'],
    ['27/10/2025 08h30min', '2025-10-27T08:30:00'],
    ['27/10/2025 08:00h', '2025-10-27T08:00:00'],
    ['27/10/2025 08:00 hs', '2025-10-27T08:00:00'],
    ['27/10/2025 8 horas', '2025-10-27T08:00:00'],
    ['27/10/2025 às 08:00', '2025-10-27T08:00:00'],
    ['27/10/2025, 08:00', '2025-10-27T08:00:00'],
    ['27/10/2025 - 08:00', '2025-10-27T08:00:00'],
    ['27/10/2025 08:00 até', '2025-10-27T08:00:00'],
    ['29/02/2024', '2024-02-29T00:00:00'],
  ])('%s', (text, time) => {
    expect(read(text)).toBe(time);
  });

  test('an end without a time is the whole day, and without seconds the whole minute', () => {
    expect(read('28/10/2025', 'end')).toBe('2025-10-28T23:59:59');
    expect(read('28/10/2025 18:00', 'end')).toBe('2025-10-28T18:00:59');
    expect(read('28/10/2025 18h', 'end')).toBe('2025-10-28T18:00:59');
    expect(read('28/10/2025 18:00:00', 'end')).toBe('2025-10-28T18:00:00');
  });
});

describe('what is no date is refused, with the nearest that would do', () => {
  test.each([
    ['31/02/2025', 'date-impossible -> 2025-02-28T00:00:00'],
    ['29/02/2025 08:00', 'date-impossible -> 2025-02-28T08:00:00'],
    ['10/27/2025', 'date-impossible -> 2025-10-27T00:00:00'],
    ['00/10/2025', 'date-impossible -> null'],
    ['40/10/2025', 'date-impossible -> null'],
    ['01/10/25', 'year-two-digits -> 2025-10-01T00:00:00'],
    ['01/10', 'year-missing -> 2025-10-01T00:00:00'],
    ['01/12', 'year-missing -> 2024-12-01T00:00:00'],
    ['01/10/0025', 'year-implausible -> null'],
    ['01/10/202', 'date-unreadable -> null'],
    ['01/10/20255', 'date-unreadable -> null'],
    ['ontem', 'date-unreadable -> null'],
    ['', 'date-unreadable -> null'],
    ['01/10-2025', 'date-unreadable -> null'],
    ['01/10/2025 25:00', 'time-impossible -> 2025-10-01T00:00:00'],
    ['01/10/2025 08:60', 'time-impossible -> 2025-10-01T00:00:00'],
    ['01/10/2025 8', 'time-unreadable -> 2025-10-01T00:00:00'],
    ['01/10/2025 cedo', 'time-unreadable -> 2025-10-01T00:00:00'],
    ['01/10/2025 24:00', 'time-24 -> 2025-10-02T00:00:00'],
    ['31/02/25 24:00', 'year-two-digits date-impossible time-24 -> 2025-03-01T00:00:00'],
  ])('%j', (text, expected) => {
    expect(read(text)).toBe(expected);
  });

  test('24:00 as an end is the last second of its day', () => {
    expect(read('01/10/2025 24:00', 'end')).toBe('time-24 -> 2025-10-01T23:59:59');
  });

  test('an end without its year may lie ahead', () => {
    expect(read('01/12', 'end')).toBe('year-missing -> 2025-12-01T23:59:59');
  });
});

test('a wall time is written so that it reads back the same', () => {
  const time = fc
    .date({
      min: new Date('1990-01-02T00:00:00Z'),
      max: new Date('2099-12-30T00:00:00Z'),
      noInvalidDate: true,
    })
    .map((date) => date.toISOString().slice(0, 19));
  fc.assert(
    fc.property(time, fc.constantFrom<Edge>('start', 'end'), (wall, edge) => {
      expect(read(writeWallTime(wall, edge), edge)).toBe(wall);
      expect(read(formatWallTime(wall), edge)).toBe(wall);
    }),
  );
});

test('anything is read without an error, and a repair is a real time', () => {
  const unit = fc.constantFrom(...'0123456789/-.: hàsT');
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 40 }), fc.constantFrom<Edge>('start', 'end'), (text, edge) => {
      const reading = readWallTime(text, edge, TODAY);
      const time = reading.ok ? reading.time : reading.repaired;
      if (time !== null) expect(isWallTime(time)).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

test('an instant is shown on the clock of the zone', () => {
  expect(wallTimeOf(Temporal.Instant.from('2025-11-12T02:30:59.9Z'), 'America/Sao_Paulo')).toBe(
    '2025-11-11T23:30:59',
  );
});

test('only a real time in the stored form is a wall time', () => {
  expect(
    ['2025-02-29T00:00:00', '2025-02-28T24:00:00', '2025-02-28', '2025-00-01T00:00:00'].map(isWallTime),
  ).toEqual([false, false, false, false]);
  expect(isWallTime('2024-02-29T23:59:59')).toBe(true);
});
