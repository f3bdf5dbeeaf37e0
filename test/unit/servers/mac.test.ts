import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseMac, printMac, readMac } from '../../../node/servers/mac.ts';
import { createMakers } from '../../../node/servers/oui.ts';

const notation = fc.record({
  separator: fc.constantFrom('' as const, ':' as const, '-' as const, '.' as const),
  case: fc.constantFrom('lower' as const, 'upper' as const),
});
const digits = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 12, maxLength: 12 });

describe('a MAC', () => {
  test.each([
    '000b82040506',
    '00:0B:82:04:05:06',
    '00-0b-82-04-05-06',
    '000b.8204.0506',
    '000b82-040506',
    '00 0b 82 04 05 06',
    '0:b:82:4:5:6',
    ' 000B82040506 ',
  ])('is read in the notation %s', (text) => {
    expect(parseMac(text)).toEqual({ ok: true, mac: '000b82040506' });
  });

  test.each([
    ['', 'mac-form'],
    ['000b8204050', 'mac-form'],
    ['000b820405066', 'mac-form'],
    ['000b8204050g', 'mac-form'],
    ['00:0b:82:04:05', 'mac-form'],
    ['00:0b-82:04:05:06', 'mac-form'],
    [':000b82040506', 'mac-form'],
    ['0x000b82040506', 'mac-form'],
    ['000b82040506; reboot', 'mac-form'],
    ['٠٠٠b82040506', 'mac-form'],
    ['00:00:00:00:00:00', 'mac-zero'],
    ['FFFFFFFFFFFF', 'mac-broadcast'],
    ['01:00:5e:00:00:01', 'mac-multicast'],
  ])('is not taken from %j: %s', (text, code) => {
    expect(parseMac(text)).toEqual({ ok: false, code });
  });

  test('that a file has is read whatever it is: what no phone can have is to be replaced, too', () => {
    expect(readMac('01:02:03:04:05:06')).toBe('010203040506');
    expect(readMac('None')).toBeNull();
  });

  test('is printed and read again as the same', () => {
    fc.assert(
      fc.property(digits, notation, (mac, how) => {
        expect(readMac(printMac(mac, how))).toBe(mac);
      }),
    );
  });

  test('never throws, however it is written', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const reading = parseMac(text);
        if (reading.ok) expect(reading.mac).toMatch(/^[0-9a-f]{12}$/);
      }),
    );
  });
});

test('makers are known by what IEEE has given out, and not for addresses of nobody', async () => {
  const makers = createMakers();
  expect(await makers.makerOf('000b82040506')).toMatch(/Grandstream/i);
  expect(await makers.makerOf('020b82040506')).toBeNull();
  expect(await makers.makerOf('fcfcfcfcfcfc')).toBeNull();
});
