import * as fc from 'fast-check';
import { isIP } from 'node:net';
import { describe, expect, test } from 'vitest';
import { canonicalIp, covers, readIp } from '../../../node/servers/ip.ts';

describe('readIp', () => {
  test.each([
    ['203.0.113.9', '203.0.113.9'],
    [' 8.8.8.8 ', '8.8.8.8'],
    ['198.51.100.7', '198.51.100.7'],
    ['2001:DB8:0:0:0:0:0:9', '2001:db8::9'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['[2606:4700::1111]', '2606:4700::1111'],
    ['2001:4860:4860:0000:0000:0000:0000:8888', '2001:4860:4860::8888'],
  ])('%j is one public address, %s', (text, ip) => {
    expect(readIp(text)).toEqual({ ok: true, ip });
  });

  test.each([
    ['ip-private', ['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', 'fd00::1']],
    ['ip-loopback', ['127.0.0.1', '127.255.0.1', '::1']],
    ['ip-link-local', ['169.254.169.254', 'fe80::1', 'fec0::1']],
    ['ip-multicast', ['224.0.0.1', '239.255.255.255', 'ff02::1']],
    ['ip-cgnat', ['100.64.0.1', '100.127.255.255']],
    ['ip-unspecified', ['0.0.0.0', '0.1.2.3', '::', '0:0:0:0:0:0:0:0']],
    [
      'ip-reserved',
      ['192.0.0.8', '198.18.0.1', '240.0.0.1', '255.255.255.255', '2002::1', '2001::1', '4000::1', '100::1'],
    ],
    ['ip-mapped', ['::ffff:203.0.113.9', '::ffff:10.0.0.1', '::203.0.113.9', '64:ff9b::cb00:7109']],
    ['ip-network', ['203.0.113.0/24', '203.0.113.9/32', '10.0.0.0/8', '2001:db8::/32', '203.0.113.9/']],
    [
      'ip-nonsense',
      [
        ...[
          '',
          'abc',
          '203.0.113',
          '203.0.113.256',
          '203.0.113.09',
          '0xcb.0.0x71.9',
          '3405803785',
          '203.0.113.9.',
        ],
        ...[
          '203.0.113.9:5060',
          '203.0.113.9 203.0.113.10',
          'fe80::1%eth0',
          '2001:db8::1::2',
          ':::',
          '/24',
          'a'.repeat(5000),
        ],
        ...[
          '203.0.113.9;reboot',
          '$(reboot)',
          '`id`',
          '203.0.113.9\n203.0.113.10',
          '203.0.113.9\0',
          '２０３.0.113.9',
          '--all',
        ],
      ],
    ],
  ] as const)('%s: %j', (code, texts) => {
    for (const text of texts) expect([text, readIp(text)]).toEqual([text, { ok: false, code }]);
  });

  test('whatever it is given, it does not throw, and what it takes it takes again as it is', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.ipV4(), fc.ipV6(), fc.ipV4Extended()), (text) => {
        const reading = readIp(text);
        if (!reading.ok) return;
        expect(isIP(reading.ip)).not.toBe(0);
        expect(reading.ip).toMatch(/^[0-9a-f.:]+$/);
        expect(readIp(reading.ip)).toEqual(reading);
        expect(canonicalIp(reading.ip)).toBe(reading.ip);
      }),
    );
  });
});

describe('covers', () => {
  test.each([
    ['203.0.113.9', '203.0.113.9', true],
    ['203.0.113.90', '203.0.113.9', false],
    ['203.0.113.0/24', '203.0.113.9', true],
    ['203.0.113.77/24', '203.0.113.9', true],
    ['0.0.0.0/0', '203.0.113.9', true],
    ['198.51.100.0/24', '203.0.113.9', false],
    ['2001:db8::/32', '2001:db8::9', true],
    ['2001:0DB8::9', '2001:db8::9', true],
    ['::/0', '203.0.113.9', false],
    ['203.0.113.0/255.255.255.0', '203.0.113.9', false],
    ['203.0.113.0/33', '203.0.113.9', false],
    ['office.example.com', '203.0.113.9', false],
    ['', '203.0.113.9', false],
  ])('an entry %j for %s: %s', (entry, ip, held) => {
    expect(covers(entry, ip)).toBe(held);
  });
});
