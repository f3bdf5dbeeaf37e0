import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { MacRecordFile } from '../../../node/servers/mac-declaration.ts';
import {
  findHolders,
  findRecord,
  macBytesOf,
  macTextOf,
  writePlace,
} from '../../../node/servers/mac-records.ts';

const LINE: MacRecordFile = {
  kind: 'line',
  path: '/x',
  record: `'{ramal}':`,
  field: `'serialnumber': '{mac}'`,
  empty: '',
  notation: { separator: '', case: 'lower' },
};
const SECTION: MacRecordFile = {
  kind: 'section',
  path: '/y',
  record: '[{ramal}]',
  field: 'MAC:{mac}',
  empty: 'None',
  notation: { separator: '-', case: 'upper' },
};

const macs = (text: string, file: MacRecordFile, extension = '3010') =>
  findRecord(text, file, extension).places.map(({ raw, mac }) => mac ?? raw);

describe('records on a line', () => {
  test.each([
    ['its own', `'3010': {'serialnumber': '010203040506'}`, ['010203040506']],
    ['in another notation', `'3010': {'serialnumber': '01:02:03:04:05:06'}`, ['010203040506']],
    ['an empty one', `'3010': {'serialnumber': ''}`, [null]],
    ['what is no MAC', `'3010': {'serialnumber': 'abc'}`, ['abc']],
    ['none for a longer number', `'13010': {'serialnumber': '010203040506'}`, []],
    ['none of a comment', ` # '3010': {'serialnumber': '010203040506'}`, []],
    ['none of the next line', `'3010': {},\n'3011': {'serialnumber': '010203040506'}`, []],
    ['none of a longer field', `'3010': {'x_serialnumber': '010203040506'}`, []],
    ['both of two', `'3010': {'serialnumber': ''}\n'3010': {'serialnumber': ''}`, [null, null]],
  ])('%s is found', (_, text, found) => {
    expect(macs(text, LINE)).toEqual(found);
  });

  test('are found by a bare number only where it stands alone', () => {
    const bare = { ...LINE, record: '{ramal}', field: 'mac={mac}' };
    expect(macs('3010 mac=010203040506', bare)).toEqual(['010203040506']);
    expect(macs('23010 mac=010203040506', bare)).toEqual([]);
    expect(macs('3010_old mac=010203040506', bare)).toEqual([]);
  });
});

describe('records in sections', () => {
  const text =
    '[general]\nMAC:None\n[3010](base) ; x\r\n a=1\r\n  MAC:01-02-03-04-05-06\r\n;MAC:1\n[other]\nMAC:020000000001\n[3011]';
  test('end where the next begins, of whatever it is', () => {
    expect(macs(text, SECTION)).toEqual(['010203040506']);
    expect(findRecord(text, SECTION, '3011')).toEqual({ hasRecord: true, places: [] });
    expect(findRecord(text, SECTION, '3012')).toEqual({ hasRecord: false, places: [] });
  });

  test('have a value with blanks in front of it, which is not the empty one', () => {
    const spaced = '[3010]\nMAC:  01-02-03-04-05-06 ; x\n[3011]\nMAC: None\n[3012]\nMAC: ; none yet\n';
    expect(macs(spaced, SECTION)).toEqual(['010203040506']);
    expect(findHolders(spaced, SECTION, '010203040506', '3011', 9)).toEqual(['3010']);
    const [place] = findRecord(spaced, SECTION, '3011').places;
    if (place === undefined) throw new Error('not found');
    expect(place.raw).toBeNull();
    expect(writePlace(spaced, place, SECTION, '000b82040599')).toContain('MAC: 00-0B-82-04-05-99\n');
    expect(macs(spaced, SECTION, '3012')).toEqual([null]);
  });

  test('are looked through for others with the same MAC', () => {
    expect(findHolders(text, SECTION, '010203040506', '9999', 10)).toEqual(['3010']);
    expect(findHolders(text, SECTION, '010203040506', '3010', 10)).toEqual([]);
    expect(findHolders(text, SECTION, '020000000001', '3010', 10)).toEqual([]);
  });

  test('in which two quotes stand for nothing have them replaced, or kept where the template has them', () => {
    const quoted = { ...SECTION, field: "MAC='{mac}'", empty: "''" };
    const [place] = findRecord("[3010]\nMAC='010203040506'", quoted, '3010').places;
    expect(writePlace("[3010]\nMAC='010203040506'", place!, quoted, null)).toBe("[3010]\nMAC=''");
    const bare = { ...SECTION, field: 'MAC={mac}', empty: "''" };
    const [none] = findRecord("[3010]\nMAC=''\n", bare, '3010').places;
    expect(none?.raw).toBeNull();
    expect(writePlace("[3010]\nMAC=''\n", none!, bare, '020304050607')).toBe(
      '[3010]\nMAC=02-03-04-05-06-07\n',
    );
  });
});

test('a field without text before it finds nothing, and does not hang', () => {
  expect(macs('[3010]\n010203040506\n', { ...SECTION, field: '{mac}' })).toEqual([]);
});

test('only the value changes, to the byte, and what was written is read again', () => {
  const bytes = fc.uint8Array({ maxLength: 60 }).map((part) => Buffer.from(part).toString('latin1'));
  const mac = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 12, maxLength: 12 });
  fc.assert(
    fc.property(bytes, bytes, mac, fc.option(mac), (before, after, was, is) => {
      const content = macBytesOf(`${before}\n[3010]\nMAC:${was}\n[9]\n${after}`);
      const text = macTextOf(content);
      const { places } = findRecord(text, SECTION, '3010');
      fc.pre(places.length === 1);
      const written = macBytesOf(writePlace(text, places[0]!, SECTION, is));
      const back = findRecord(macTextOf(written), SECTION, '3010').places;
      expect(back.map((place) => place.mac)).toEqual([is]);
      expect(
        macBytesOf(writePlace(macTextOf(written), back[0]!, { ...SECTION, notation: LINE.notation }, was)),
      ).toEqual(content);
    }),
  );
});

test('a file of many megabytes and a line without end are read in a moment', () => {
  for (const text of [
    `'3010': `.repeat(200_000),
    `'serialnumber': '`.repeat(200_000),
    '[3010\n'.repeat(200_000),
    'MAC:'.repeat(400_000),
    '\n'.repeat(1_000_000),
    `'3010': {'serialnumber': '010203040506'}\n`.repeat(40_000),
  ]) {
    const start = performance.now();
    for (const file of [LINE, SECTION]) {
      findRecord(text, file, '3010');
      findHolders(text, file, '010203040506', '1', 5);
    }
    expect(performance.now() - start).toBeLessThan(3_000);
  }
});
