import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type BucketLayout,
  parseLayout,
  type Step,
  tellsServers,
  waysTo,
} from '../../../node/recordings/bucket-layout.ts';
import { dayRangeOf } from '../../../node/recordings/day-folders.ts';

function layoutOf(text: string): BucketLayout {
  const parsed = parseLayout(text);
  if (!parsed.ok) throw new Error(parsed.fault);
  return parsed.layout;
}

/** Ways as text, listed directories as `*server*` and `*any*`. */
const told = (ways: readonly (readonly Step[])[]): string[] =>
  ways.map((steps) => steps.map((step) => ('fixed' in step ? step.fixed : `*${step.listed}*/`)).join(''));

/** Whether a key lies below a way, whatever the listed directories are called. */
function liesBelow(key: string, steps: readonly Step[]): boolean {
  const pattern = steps.map((step) => ('fixed' in step ? RegExp.escape(step.fixed) : '[^/]+/')).join('');
  return new RegExp(`^${pattern}`).test(key);
}

const range = { first: '2025-10-30', last: '2025-11-01' };

describe('a layout', () => {
  test.each([
    ['{yyyy}/{mm}/{dd}/', ['2025/10/30/', '2025/10/31/', '2025/11/01/']],
    ['{yyyy}-{mm}', ['2025-10/', '2025-11/']],
    ['{YYYY}/', ['2025/']],
    ['gravacoes/{yyyy}{mm}{dd}/', ['gravacoes/20251030/', 'gravacoes/20251031/', 'gravacoes/20251101/']],
    ['{server}/{yyyy}-{mm}/', ['*server*/2025-10/', '*server*/2025-11/']],
    ['Áudios/{any}/{yyyy}/x/{mm}/', ['Áudios/*any*/2025/x/10/', 'Áudios/*any*/2025/x/11/']],
    ['{yyyy}/{mm}/{server}/{any}/', ['2025/10/*server*/*any*/', '2025/11/*server*/*any*/']],
    ['{yyyy}/{yyyy}-{mm}/', ['2025/2025-10/', '2025/2025-11/']],
    ['FLAT', ['']],
  ])('%s leads to %j', (text, ways) => {
    expect(told(waysTo(layoutOf(text), range))).toEqual(ways);
  });

  test.each([
    ['{yyyy}/{dia}/', /braces other than/],
    ['{yyyy}/{mm', /braces other than/],
    ['yyyy/mm/dd/', /must be flat or name the day/],
    ['', /without a name/],
    ['{server}/', /must be flat or name the day/],
    ['{yyyy}/{dd}/', /\{dd\} without \{mm\}/],
    ['/{yyyy}/', /must not begin with \//],
    ['{yyyy}//{mm}/', /without a name/],
    ['../{yyyy}/', /directory \. or \.\./],
    ['{server}-{yyyy}/', /whole directory/],
    ['{yyyy}/{any}x/', /whole directory/],
    ['{server}/{server}/{yyyy}/', /\{server\} more than once/],
    ['{any}/{any}/{any}/{any}/{yyyy}/', /\{any\} more than 3/],
    [`${'x/'.repeat(20)}{yyyy}/`, /at most 12 directories/],
    [`{yyyy}${'x'.repeat(300)}/`, /at most 300/],
    ['{yyyy}/\u0007/', /cannot be printed/],
  ])('%j is refused with what is wrong', (text, fault) => {
    expect(parseLayout(text)).toEqual({ ok: false, fault: expect.stringMatching(fault) });
  });

  test('tells servers apart only where it names them', () => {
    expect(tellsServers(layoutOf('{server}/{yyyy}/'))).toBe(true);
    expect([layoutOf('{any}/{yyyy}/'), layoutOf('flat')].map(tellsServers)).toEqual([false, false]);
  });

  const piece = fc.constantFrom('{yyyy}', '{mm}', '{dd}', 'audio', '-', '_', 'ção', '.');
  const directory = fc.oneof(
    fc.array(piece, { minLength: 1, maxLength: 4 }).map((pieces) => pieces.join('')),
    fc.constantFrom('{any}', '{server}', '{yyyy}', '{mm}', '{dd}'),
  );
  const layouts = fc
    .array(directory, { minLength: 1, maxLength: 5 })
    .map((directories) => `${directories.join('/')}/`)
    .filter((text) => parseLayout(text).ok);
  const days = fc
    .integer({ min: 0, max: 40_000 })
    .map((count) => Temporal.PlainDate.from('1971-01-01').add({ days: count }));

  test('leads to the directory of every day that is asked for and of its neighbours, whatever it is', () => {
    const cases = fc.record({ text: layouts, day: days, length: fc.nat(70), at: fc.nat(72) });
    fc.assert(
      fc.property(cases, ({ text, day, length, at }) => {
        const last = day.add({ days: length });
        const ways = waysTo(
          layoutOf(text),
          dayRangeOf({ start: `${day.toString()}T00:00:00`, end: `${last.toString()}T23:59:59` }),
        );
        const [yyyy = '', mm = '', dd = ''] = day
          .add({ days: Math.min(at, length + 2) - 1 })
          .toString()
          .split('-');
        const key = text
          .replaceAll('{yyyy}', yyyy)
          .replaceAll('{mm}', mm)
          .replaceAll('{dd}', dd)
          .replaceAll(/\{(?:any|server)\}/g, 'empresa b');
        const under = ways.filter((way) => liesBelow(`${key}internal-1-2.wav`, way));
        expect(under).toHaveLength(1);
        expect(new Set(told(ways)).size).toBe(ways.length);
      }),
      { numRuns: 300 },
    );
  });

  test('is read or refused, and never throws', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 40 }), fc.constantFrom('', 'Segredo'), (some, marked) => {
        const parsed = parseLayout(some + marked);
        if (!parsed.ok && marked !== '') expect(parsed.fault).not.toContain(marked);
      }),
    );
  });
});
