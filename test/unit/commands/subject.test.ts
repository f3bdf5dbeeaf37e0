import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_SUBJECT_LENGTH, readSubject, writeSubject } from '../../../node/commands/subject.ts';

const VOCABULARY = new Map([
  ...['RAMAIS', 'INICIO', 'FIM', 'SERVER', 'AUDIOS_FROM', 'AJUDA', 'WHITELIST', 'MACATUAL', 'MACFUTURO'].map(
    (key) => [key, key] as const,
  ),
  ['RAMAL', 'RAMAIS'],
]);

function read(subject: string): string[] {
  return readSubject(subject, VOCABULARY).fields.map(({ key, value }) => `${key}=${value}`);
}

describe('a subject is split into fields', () => {
  test('values may hold spaces and times', () => {
    expect(read('RAMAIS=1121,1122 SERVER=gv2p INICIO=27/10/2025 08:00 FIM=28/10/2025 18:00')).toEqual([
      'RAMAIS=1121,1122',
      'SERVER=gv2p',
      'INICIO=27/10/2025 08:00',
      'FIM=28/10/2025 18:00',
    ]);
  });

  test.each([
    ['spaces around the sign', 'RAMAIS = 1121  INICIO  =  27/10/2025'],
    ['lower case and accents', 'ramais=1121 Início=27/10/2025'],
    ['decomposed accents', 'ramais=1121 Ini\u0301cio=27/10/2025'],
    ['another way of writing a key', 'Ramal=1121 INICIO=27/10/2025'],
    ['colons', 'Ramais: 1121 Início: 27/10/2025'],
    ['no signs at all', 'Ramais 1121 início 27/10/2025'],
    ['full-width characters', 'ＲＡＭＡＩＳ＝１１２１ INICIO=27/10/2025'],
    ['no-break and zero-width spaces', 'RAMAIS\u00A0=\u00A01121\u200B INI\u200DCIO=27/10/2025\uFEFF'],
    ['folded lines and tabs', 'RAMAIS=1121\r\n\tINICIO=27/10/2025'],
    ['smart quotes', '“RAMAIS=1121” INICIO=‘27/10/2025’'],
    ['separators between fields', 'RAMAIS=1121; INICIO=27/10/2025;'],
    ['dashes between fields', 'RAMAIS=1121 – INICIO=27/10/2025.'],
    ['no space between fields', 'RAMAIS=1121INICIO=27/10/2025'],
    ['doubled signs', 'RAMAIS==1121 INICIO:=27/10/2025'],
    ['brackets round it all', '[RAMAIS=1121 INICIO=27/10/2025]'],
  ])('with %s', (_what, subject) => {
    expect(read(subject)).toEqual(['RAMAIS=1121', 'INICIO=27/10/2025']);
  });

  test.each([
    'Re: ',
    'RE: FWD: ',
    'Fw: enc: ',
    'RES:RES:',
    'Re[2]: ',
    're : ',
    '[EXTERNO] Re: [x] ',
    '[] ',
    'RV: [ ]',
  ])('the mark %j before it is passed over', (mark) => {
    const reading = readSubject(`${mark}RAMAIS=1121`, VOCABULARY);
    expect(reading.fields).toEqual([{ key: 'RAMAIS', value: '1121' }]);
    expect(reading.preamble).toBe('');
  });

  test('what is left of a token at the end is passed over', () => {
    expect(read('RAMAIS=1121 []')).toEqual(['RAMAIS=1121']);
  });

  test('an unknown key with its sign begins a field too', () => {
    expect(read('RAMAIS=1121 INCIO=27/10/2025 08:00')).toEqual(['RAMAIS=1121', 'INCIO=27/10/2025 08:00']);
  });

  test('an unknown word without a sign belongs to the value', () => {
    expect(read('RAMAIS=1121 e tambem: 1122')).toEqual(['RAMAIS=1121 e tambem: 1122']);
  });

  test('empty values are kept', () => {
    expect(read('MACATUAL= MACFUTURO=')).toEqual(['MACATUAL=', 'MACFUTURO=']);
  });

  test('a repeated field is given twice', () => {
    expect(read('RAMAIS=1121 RAMAIS=1122')).toEqual(['RAMAIS=1121', 'RAMAIS=1122']);
  });

  test('the clearest way of writing a key is the one that counts', () => {
    const reading = readSubject('Início dos ramais: RAMAIS=1121 INICIO=27/10/2025', VOCABULARY);
    expect(reading.fields.map(({ value }) => value)).toEqual(['1121', '27/10/2025']);
    expect(reading.preamble).toBe('Início dos ramais:');
  });

  test('a bare word is a field whose value follows it', () => {
    expect(read('Ajuda')).toEqual(['AJUDA=']);
    expect(read('whitelist ADD pessoa@example.com')).toEqual(['WHITELIST=ADD pessoa@example.com']);
  });

  test('text before the first field is set apart', () => {
    expect(readSubject('Bom dia, RAMAIS=1121', VOCABULARY).preamble).toBe('Bom dia');
  });
});

describe('a subject that cannot be read is a fault', () => {
  test.each(['', '   ', 'Re: Fwd: [x] ', '\u200B\u00A0'])('%j is empty', (subject) => {
    expect(readSubject(subject, VOCABULARY).fault?.code).toBe('subject-empty');
  });

  test('one character over the limit is too long, the limit is not', () => {
    const longest = 'RAMAIS='.padEnd(MAX_SUBJECT_LENGTH, '1');
    expect(readSubject(longest, VOCABULARY).fault).toBeNull();
    expect(readSubject(`${longest}1`, VOCABULARY).fault).toEqual({
      field: 'SUBJECT',
      code: 'subject-too-long',
      values: { length: MAX_SUBJECT_LENGTH + 1, max: MAX_SUBJECT_LENGTH },
    });
  });
});

describe('whatever comes', () => {
  const hostile = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 1000 }),
    fc.string({ unit: fc.constantFrom(...'[]=:re RAMIS\u0130\u00DF\uFDFA\u0301\uD800"-1'), maxLength: 1000 }),
  );

  test('it is read without an error, into keys of plain letters', () => {
    fc.assert(
      fc.property(hostile, (subject) => {
        const { fields } = readSubject(subject, VOCABULARY);
        for (const { key } of fields) expect(key).toMatch(/^[A-Z][A-Z0-9_]*$/);
      }),
      { numRuns: 500 },
    );
  });

  test('what was read reads the same when written and read again', () => {
    fc.assert(
      fc.property(hostile, (subject) => {
        const { fields } = readSubject(subject, VOCABULARY);
        const written = writeSubject(fields);
        if (written.length > MAX_SUBJECT_LENGTH || fields.length === 0) return;
        expect(readSubject(written, VOCABULARY).fields).toEqual(fields);
      }),
      { numRuns: 500 },
    );
  });

  test.each(['[', 'Re:', '=', 'A=', 'a ', '[x]', ' ', '\uFDFA', 'RAMAIS ', '1A'])(
    'a thousand characters of %j take no time',
    (piece) => {
      const subject = piece.repeat(1000).slice(0, 1000);
      readSubject(subject, VOCABULARY);
      const begin = performance.now();
      for (let i = 0; i < 10; i++) readSubject(subject, VOCABULARY);
      expect((performance.now() - begin) / 10).toBeLessThan(50);
    },
  );
});
