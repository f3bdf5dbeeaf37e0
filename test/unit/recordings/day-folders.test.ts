import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dayRangeOf, enter, looksLikeYear } from '../../../node/recordings/day-folders.ts';

const range = dayRangeOf({ start: '2025-10-31T08:00:00', end: '2025-11-01T18:00:00' });

/** Walks down a path as the search does; years are taken for years. */
function reaches(path: string): boolean {
  let date = '';
  for (const name of path.split('/')) {
    const step = enter(name, date, /^(19|20)\d\d$/.test(name), range);
    if (!step.entered) return false;
    date = step.path;
  }
  return true;
}

describe('directories of days', () => {
  test('the days searched are those of the range and one more at each end', () => {
    expect(range).toEqual({ first: '2025-10-30', last: '2025-11-02' });
  });

  test.each([
    '2025/10/30',
    '2025/11/02',
    '20251031',
    '2025-11-01',
    'cliente/2025/11/01',
    '2025/10/31/gv1p',
    'flat',
  ])('%s is entered', (path) => {
    expect(reaches(path)).toBe(true);
  });

  test.each([
    '2025/10/29',
    '2025/11/03',
    '2025/09',
    '2024',
    '2026/10/31',
    '20251029',
    '2025-11-03',
    'cliente/2024',
  ])('%s is passed over', (path) => {
    expect(reaches(path)).toBe(false);
  });

  test.each(['20251399', '1121', '10', 'cliente/10/29', '2025x', '20250230'])(
    '%s is no date and is entered',
    (path) => {
      expect(reaches(path)).toBe(true);
    },
  );

  test('a directory called like a year is one only if it holds months alone', () => {
    expect(
      looksLikeYear([
        { name: '01', directory: true },
        { name: '12', directory: true },
      ]),
    ).toBe(true);
    expect(looksLikeYear([])).toBe(false);
    expect(looksLikeYear([{ name: '13', directory: true }])).toBe(false);
    expect(
      looksLikeYear([
        { name: '01', directory: true },
        { name: 'a.wav', directory: false },
      ]),
    ).toBe(false);
  });

  test('property: the directory of any day in the range is entered, however it is written', () => {
    const start = Temporal.PlainDate.from('2025-10-31');
    fc.assert(
      fc.property(fc.integer({ min: -1, max: 2 }), (days) => {
        const day = start.add({ days }).toString();
        expect(reaches(day)).toBe(true);
        expect(reaches(day.replaceAll('-', ''))).toBe(true);
        expect(reaches(day.replaceAll('-', '/'))).toBe(true);
      }),
    );
  });
});
