import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRamaisGrammar, type RamaisParams } from '../../../node/commands/ramais-grammar.ts';
import { daysBetween } from '../../../node/commands/ramais-range.ts';
import { wallTimeOf } from '../../../node/commands/wall-time.ts';
import { hasFaultSentence } from '../../../node/replies/fault-sentences.ts';
import { faultsOf, grammar, namesOf, NOW, OPTIONS, registry } from './grammar-support.ts';

const RANGE = 'INICIO=27/10/2025 08:00 FIM=28/10/2025 18:00';

function faults(subject: string): string[] {
  return faultsOf(registry.parse(subject));
}

function corrected(subject: string): string {
  const parsed = registry.parse(subject);
  if (parsed.ok || parsed.corrected === null) throw new Error('it parses, or has none');
  expect(registry.parse(parsed.corrected)).toMatchObject({ ok: true });
  return parsed.corrected;
}

function params(subject: string): unknown {
  const parsed = registry.parse(subject);
  return parsed.ok ? parsed.params : faultsOf(parsed);
}

describe('a correct subject gives its parameters', () => {
  test('with every field', () => {
    expect(params(`RAMAIS=1121,1122 SERVER=gv2p ${RANGE} audios_from=s3`)).toEqual({
      extensions: ['1121', '1122'],
      start: '2025-10-27T08:00:00',
      end: '2025-10-28T18:00:59',
      server: 'gv2p',
      audiosFrom: 's3',
    });
  });

  test('with fields in any order, and the optional ones left out or empty', () => {
    const expected = { server: null, audiosFrom: null, extensions: ['1121'] };
    expect(params('FIM=28/10/2025 INICIO=27/10/2025 RAMAIS=1121')).toMatchObject(expected);
    expect(params(`SERVER= RAMAIS=1121 ${RANGE} audios_from=`)).toMatchObject(expected);
  });

  test.each(['1121,1122', '1121;1122', '1121 1122', '1121 e 1122', '1121, 1122, 1121', ' 1121 / 1122,'])(
    'extensions written as %j',
    (list) => {
      expect(params(`RAMAIS=${list} ${RANGE}`)).toMatchObject({ extensions: ['1121', '1122'] });
    },
  );

  test('a server is known in any case, a source with an accent', () => {
    expect(params(`RAMAIS=1121 SERVER=GV2P ${RANGE} AUDIOS_FROM=Áudio`)).toMatchObject({
      server: 'gv2p',
      audiosFrom: 'audio',
    });
  });

  test('ten extensions are within a limit of ten', () => {
    const list = Array.from({ length: 10 }, (_, index) => 1121 + index).join(',');
    expect(params(`RAMAIS=${list} ${RANGE}`)).toMatchObject({ extensions: { length: 10 } });
  });

  test('a range may end ahead as long as it has begun', () => {
    expect(params('RAMAIS=1121 INICIO=12/11/2025 12:00 FIM=13/11/2025')).toMatchObject({
      end: '2025-11-13T23:59:59',
    });
  });
});

describe('each fault names its field', () => {
  test.each([
    [`RAMAIS=12 ${RANGE}`, 'RAMAIS extension-form'],
    [`RAMAIS=123456789 ${RANGE}`, 'RAMAIS extension-form'],
    [`RAMAIS=11a21 ${RANGE}`, 'RAMAIS extension-form'],
    [`RAMAIS=1121-1125 ${RANGE}`, 'RAMAIS extension-span'],
    [`RAMAIS= ${RANGE}`, 'RAMAIS field-empty'],
    [`RAMAIS=1121 RAMAIS=1122 ${RANGE}`, 'RAMAIS field-repeated'],
    [`RAMAIS=1,2,3 ${RANGE}`, 'RAMAIS extension-form'],
    [`RAMAIS=1121 COR=azul ${RANGE}`, 'COR field-unknown'],
    [`RAMAIS=1121 SERVER=gv9x ${RANGE}`, 'SERVER server-unknown'],
    [`RAMAIS=1121 SERVER=antigo ${RANGE}`, 'SERVER server-disabled'],
    [`RAMAIS=1121 ${RANGE} audios_from=fita`, 'AUDIOS_FROM source-unknown'],
    ['RAMAIS=1121 INICIO=27/10/2025', 'FIM field-missing'],
    ['RAMAIS=1121 FIM=27/10/2025', 'INICIO field-missing'],
    ['RAMAIS=1121 INICIO= FIM=27/10/2025', 'INICIO field-empty'],
    ['RAMAIS=1121 INICIO=31/02/2025 FIM=01/03/2025', 'INICIO date-impossible'],
    ['RAMAIS=1121 INICIO=27/10/2025 FIM=28/10/25', 'FIM year-two-digits'],
    ['RAMAIS=1121 INICIO=28/10/2025 FIM=27/10/2025', 'FIM end-before-start'],
    ['RAMAIS=1121 INICIO=27/10/2025 18:00:01 FIM=27/10/2025 18:00:00', 'FIM end-before-start'],
    ['RAMAIS=1121 INICIO=01/08/2025 FIM=27/10/2025', 'FIM range-too-long'],
    ['RAMAIS=1121 INICIO=13/11/2025 FIM=14/11/2025', 'INICIO range-in-future'],
    ['RAMAIS=1121 INICIO=12/11/2025 12:01 FIM=14/11/2025', 'INICIO range-in-future'],
  ])('%s', (subject, fault) => {
    expect(faults(subject)).toEqual([fault]);
    corrected(subject);
  });

  test('a range that is too long is told of beside a date that was put right: the corrected subject is shorter', () => {
    expect(faults('RAMAIS=1121 INICIO=31/02/2025 FIM=27/10/2025')).toEqual([
      'INICIO date-impossible',
      'FIM range-too-long',
    ]);
    expect(faults('RAMAIS=1121 INICIO=31/02/2025 FIM=01/02/2025')).toEqual(['INICIO date-impossible']);
  });

  test('eleven extensions are one too many, and the first ten stay', () => {
    const list = Array.from({ length: 11 }, (_, index) => String(1121 + index));
    expect(faults(`RAMAIS=${list.join(' ')} ${RANGE}`)).toEqual(['RAMAIS extensions-too-many']);
    expect(corrected(`RAMAIS=${list.join(' ')} ${RANGE}`)).toContain(
      `RAMAIS=${list.slice(0, 10).join(',')} `,
    );
  });

  test('all faults of a subject are told at once', () => {
    expect(faults('RAMAIS=12;abc SEVER=gv1 INICIO=31/02/25 25:00 audios_from=x FIM=amanhã')).toEqual([
      'SEVER field-unknown',
      'RAMAIS extension-form',
      'INICIO year-two-digits',
      'INICIO date-impossible',
      'INICIO time-impossible',
      'FIM date-unreadable',
      'SERVER server-unknown',
      'AUDIOS_FROM source-unknown',
    ]);
  });
});

describe('the corrected subject keeps what was meant', () => {
  test.each([
    [
      'RAMAIS=1121;SIP/1122 INICIO=31/02/2025 FIM=01/03/2025',
      'RAMAIS=1121,1122 INICIO=28/02/2025 00:00 FIM=01/03/2025 23:59',
    ],
    [
      'RAMAIS=1121 INICIO=28/10/2025 18:00 FIM=27/10/2025 08:00',
      'RAMAIS=1121 INICIO=27/10/2025 08:00:59 FIM=28/10/2025 18:00:00',
    ],
    [
      'RAMAIS=1121 INICIO=01/08/2025 FIM=27/10/2025',
      'RAMAIS=1121 INICIO=01/08/2025 00:00 FIM=30/08/2025 23:59',
    ],
    ['RAMAIS=1121 DE=27/10/2025 ATE=28/10/2025', 'RAMAIS=1121 INICIO=27/10/2025 00:00 FIM=28/10/2025 23:59'],
    [
      'RAMAIS=1121 INCIO=27/10/2025 FIM=28/10/2025',
      'RAMAIS=1121 INICIO=27/10/2025 00:00 FIM=28/10/2025 23:59',
    ],
    [
      'RAMAIS=1121 INICIO=27/10/2026 FIM=28/10/2026',
      'RAMAIS=1121 INICIO=27/10/2025 00:00 FIM=28/10/2025 23:59',
    ],
    [
      'RAMAIS=1121 INICIO=13/11/2025 FIM=13/11/2025',
      'RAMAIS=1121 INICIO=12/11/2025 00:00 FIM=12/11/2025 23:59',
    ],
    ['RAMAIS=1121 INICIO=27/10/2025', 'RAMAIS=1121 INICIO=27/10/2025 00:00 FIM=27/10/2025 23:59'],
    [
      'RAMAIS=1121-1123 RAMAIS=1130 INICIO=27/10/2025 FIM=27/10/2025',
      'RAMAIS=1121,1122,1123,1130 INICIO=27/10/2025 00:00 FIM=27/10/2025 23:59',
    ],
    [`RAMAIS=1121 SERVER=vop1 ${RANGE}`, `RAMAIS=1121 SERVER=voip1 ${RANGE}`],
    [`RAMAIS=1121 SERVER=antigo ${RANGE}`, `RAMAIS=1121 ${RANGE}`],
    ['RAMAIS', 'RAMAIS=1121,1122 INICIO=11/11/2025 08:00 FIM=11/11/2025 18:00'],
  ])('%s', (subject, expected) => {
    expect(corrected(subject)).toBe(expected);
  });

  test('of two servers equally near none is guessed', () => {
    const parsed = registry.parse(`RAMAIS=1121 SERVER=gv3p ${RANGE}`);
    expect(parsed).toMatchObject({ faults: [{ values: { value: 'gv3p', known: 'gv1p, gv2p, voip1' } }] });
    expect(corrected(`RAMAIS=1121 SERVER=gv3p ${RANGE}`)).toBe(`RAMAIS=1121 ${RANGE}`);
  });
});

describe('MAX_DAYS_RANGE bounds the whole days from start to end', () => {
  test('a month of 31 whole days passes 30, one minute more does not', () => {
    expect(faults('RAMAIS=1121 INICIO=01/10/2025 FIM=31/10/2025')).toEqual([]);
    expect(faults('RAMAIS=1121 INICIO=01/10/2025 FIM=01/11/2025 00:00')).toEqual(['FIM range-too-long']);
    expect(daysBetween({ start: '2025-10-01T00:00:00', end: '2025-10-31T23:59:59' })).toBe(30);
  });
});

describe('the source of a request', () => {
  const source = (server: string | null, audiosFrom: 'audio' | 's3' | null): string =>
    grammar.resolveSource({
      extensions: ['1121'],
      start: '2025-10-27T08:00:00',
      end: '2025-10-28T18:00:59',
      server,
      audiosFrom,
    });

  test('is that of the subject, else of the server, else of the node', () => {
    expect(source('gv1p', 'audio')).toBe('audio');
    expect(source('gv1p', null)).toBe('s3');
    expect(source('gv2p', null)).toBe('audio');
    expect(source(null, null)).toBe('audio');
  });
});

describe('parameters from elsewhere are checked again', () => {
  const good: RamaisParams = {
    extensions: ['1121'],
    start: '2025-10-27T08:00:00',
    end: '2025-10-28T18:00:59',
    server: 'gv2p',
    audiosFrom: null,
  };

  test('good ones have no fault', () => {
    expect(grammar.recheck(good)).toEqual([]);
  });

  test('limits, order, servers and the future hold for them too', () => {
    const tight = createRamaisGrammar({ ...OPTIONS, maxExtensions: 1 });
    expect(namesOf(tight.recheck({ ...good, extensions: ['1121', '1122'], server: 'gv9' }))).toEqual([
      'RAMAIS extensions-too-many',
      'SERVER server-unknown',
    ]);
    expect(namesOf(grammar.recheck({ ...good, start: good.end, end: good.start }))).toEqual([
      'FIM end-before-start',
    ]);
    expect(namesOf(grammar.recheck({ ...good, end: '2025-12-28T18:00:59' }))).toEqual(['FIM range-too-long']);
    const future = { start: '2025-11-13T00:00:00', end: '2025-11-13T01:00:00' };
    expect(namesOf(grammar.recheck({ ...good, ...future }))).toEqual(['INICIO range-in-future']);
  });

  test('another node whose clock is minutes ahead is believed', () => {
    const soon = { start: '2025-11-12T12:05:00', end: '2025-11-12T13:00:00' };
    expect(grammar.recheck({ ...good, ...soon })).toEqual([]);
  });

  test('the schema takes real times and extensions only', () => {
    const bad = [
      { start: '2025-02-31T00:00:00' },
      { extensions: ['1121; rm'] },
      { extensions: [] },
      { more: 1 },
    ];
    expect(bad.map((change) => grammar.schema.safeParse({ ...good, ...change }).success)).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });
});

describe('for all subjects', () => {
  const now = wallTimeOf(Temporal.Instant.from(NOW), OPTIONS.timeZone);
  const anyParams = fc
    .record({
      extensions: fc.uniqueArray(fc.stringMatching(/^[0-9]{3,8}$/), { minLength: 1, maxLength: 10 }),
      start: fc.integer({ min: 0, max: 400 * 86_400 }),
      length: fc.integer({ min: 0, max: 31 * 86_400 - 1 }),
      server: fc.constantFrom(null, 'gv1p', 'gv2p', 'voip1'),
      audiosFrom: fc.constantFrom(null, 'audio' as const, 's3' as const),
    })
    .map(({ start, length, ...rest }): RamaisParams => {
      const first = Temporal.PlainDateTime.from(now).subtract({ seconds: start });
      const show = (time: Temporal.PlainDateTime): string => time.toString({ smallestUnit: 'second' });
      return { ...rest, start: show(first), end: show(first.add({ seconds: length })) };
    });

  test('the subject of parameters parses to them again', () => {
    fc.assert(
      fc.property(anyParams, (given) => {
        expect(params(grammar.subjectOf(given))).toEqual(given);
        expect(grammar.recheck(given)).toEqual([]);
      }),
    );
  });

  const value = fc.oneof(
    fc.stringMatching(/^\d{1,2}[/.-]\d{1,2}([/.-]\d{2,4})?( \d{1,2}[:h]\d{0,2})?$/),
    fc.string({ unit: fc.constantFrom(...'0123456789,;-e/: ábç=[]"'), maxLength: 40 }),
    fc.constantFrom(
      '1121',
      '27/10/2025',
      '28/10/2025 18:00',
      'gv1p',
      'gv9',
      'audio',
      '31/12/2099',
      '1111-9999',
    ),
    fc.string({ unit: 'binary', maxLength: 20 }),
  );
  const key = fc.constantFrom(
    'RAMAIS',
    'INICIO',
    'Início',
    'FIM',
    'SERVER',
    'AUDIOS_FROM',
    'INCIO',
    'DE',
    'XYZ',
    'RAMAS',
    'AJUDA',
  );
  const subjects = fc
    .array(fc.tuple(key, fc.constantFrom('=', ' = ', ': ', ' '), value), { maxLength: 7 })
    .map((fields) => fields.map((field) => field.join('')).join(' '));

  test('a corrected subject parses, and each fault has its sentence', () => {
    fc.assert(
      fc.property(subjects, fc.integer({ min: 1, max: 40 }), (subject, maxDays) => {
        expect(createRamaisGrammar({ ...OPTIONS, maxDays }).example()).toContain('RAMAIS=');
        const parsed = registry.parse(subject);
        if (parsed.ok) return;
        expect(parsed.faults.length).toBeGreaterThan(0);
        expect(registry.parse(parsed.corrected ?? '')).toMatchObject({ ok: true });
        for (const { code } of parsed.faults) expect(hasFaultSentence(code)).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });

  test('any limits give corrected subjects that keep them', () => {
    const fields = fc.array(fc.record({ key: fc.constantFrom('RAMAIS', 'INICIO', 'FIM', 'SERVER'), value }), {
      maxLength: 5,
    });
    const limits = fc.record({
      maxDays: fc.integer({ min: 1, max: 90 }),
      maxExtensions: fc.integer({ min: 1, max: 20 }),
    });
    fc.assert(
      fc.property(fields, limits, (given, limit) => {
        const own = createRamaisGrammar({ ...OPTIONS, ...limit });
        const parsed = own.parse(given);
        if (parsed.ok) expect(own.recheck(parsed.params)).toEqual([]);
        else expect(parsed.corrected?.length).toBeLessThan(1000);
      }),
      { numRuns: 1000 },
    );
  });
});
