import fc from 'fast-check';
import { canonicalIp, covers, readIp } from '../../node/servers/ip.ts';
import type { MacRecordFile } from '../../node/servers/mac-declaration.ts';
import {
  findHolders,
  findRecord,
  macBytesOf,
  macTextOf,
  writePlace,
} from '../../node/servers/mac-records.ts';
import { parseMac, printMac } from '../../node/servers/mac.ts';
import { same, target, type Target } from './engine.ts';
import { damaged, textOf } from './inputs.ts';

const hexDigit = fc.constantFrom(...'0123456789abcdefABCDEF');
const mac = fc.array(hexDigit, { minLength: 12, maxLength: 12 }).map((digits) => digits.join(''));

const ip = target(
  'ip',
  20,
  fc.oneof(
    textOf(
      [
        '203',
        '0',
        '113',
        '.',
        '.',
        '::',
        ':',
        'ffff',
        '2001',
        'db8',
        '127.0.0.1',
        '/24',
        '%eth0',
        '[',
        ']',
        '1',
        '255',
        '0x7f',
      ],
      12,
    ),
    damaged(fc.oneof(fc.ipV4(), fc.ipV6(), fc.ipV4Extended())),
    fc.ipV6(),
    fc.ipV4(),
  ),
  (text) => {
    const reading = readIp(text);
    if (!reading.ok) return;
    same(readIp(reading.ip), reading, 'read back');
    same(canonicalIp(reading.ip), reading.ip, 'its one way of writing');
    if (!/^[0-9a-f.:]{3,39}$/.test(reading.ip)) throw new Error(`it is written ${reading.ip}`);
    for (const inside of [
      '10.0.0.0/8',
      '127.0.0.0/8',
      '192.168.0.0/16',
      '169.254.0.0/16',
      'fe80::/10',
      'ff00::/8',
      'fc00::/7',
    ]) {
      if (covers(inside, reading.ip)) throw new Error(`${reading.ip} lies in ${inside}`);
    }
  },
);

const NOTATIONS = (['', ':', '-', '.'] as const).flatMap((separator) =>
  (['lower', 'upper'] as const).map((letters) => ({ separator, case: letters })),
);

const macs = target(
  'mac',
  20,
  fc.oneof(
    mac,
    damaged(
      fc.tuple(mac, fc.constantFrom(...NOTATIONS)).map(([digits, notation]) => printMac(digits, notation)),
    ),
    textOf(['01', '02', '0', 'ff', 'FF', ':', '-', '.', ' ', '0000', '010203', 'g'], 16),
  ),
  (text) => {
    const reading = parseMac(text);
    if (!reading.ok) return;
    if (!/^[0-9a-f]{12}$/.test(reading.mac)) throw new Error(`it is written ${reading.mac}`);
    for (const notation of NOTATIONS) same(parseMac(printMac(reading.mac, notation)), reading, 'read back');
  },
);

const PLAIN = { separator: '', case: 'lower' } as const;
const DECLARED: readonly MacRecordFile[] = [
  {
    kind: 'section',
    path: '/a',
    record: '[{ramal}]',
    field: "'serialnumber': '{mac}'",
    empty: '',
    notation: PLAIN,
  },
  { kind: 'line', path: '/b', record: 'ramal={ramal};', field: 'MAC:{mac}', empty: 'None', notation: PLAIN },
  {
    kind: 'line',
    path: '/c',
    record: '{ramal}',
    field: '{mac}',
    empty: '-',
    notation: { separator: ':', case: 'upper' },
  },
];

/** A definition file: what is written into a place is what is found there, and nothing else of it is another. */
const definitionFile = target(
  'definition file',
  10,
  fc.tuple(
    fc.constantFrom(...DECLARED),
    textOf(
      [
        ...[
          '[3010]\n',
          '[3011]\r\n',
          '[geral]\n',
          "'serialnumber': '",
          '010203040506',
          "'\n",
          "''",
          "',\r\n",
          'ramal=3010;',
          'ramal=3011;',
        ],
        ...[
          'MAC:',
          'MAC:None',
          'None',
          '\n',
          '\r\n',
          '#',
          ';',
          '3010',
          '3011',
          ' ',
          '01:02:03:04:05:06',
          '-',
          '\t',
          '\u00e9',
        ],
      ],
      40,
    ),
    fc.option(mac.map((digits) => digits.toLowerCase())),
  ),
  ([file, written, to]) => {
    const bytes = Buffer.from(written);
    const text = macTextOf(bytes);
    if (!macBytesOf(text).equals(bytes)) throw new Error('its bytes are not the same');
    findHolders(text, file, '010203040506', '3010', 20);
    const { places } = findRecord(text, file, '3010');
    if (places.length !== 1 || places[0] === undefined) return;
    const [place] = places;
    if (place.raw !== null && place.mac === null) return; // nobody changes what is no MAC
    const changed = writePlace(text, place, file, to);
    const put = changed.slice(place.start, changed.length - (text.length - place.end));
    same(changed, text.slice(0, place.start) + put + text.slice(place.end), 'what is around it');
    if (to !== null && !parseMac(to).ok) return; // a group address is no phone's
    const after = findRecord(changed, file, '3010');
    same(
      after.places.map((one) => one.mac),
      [to],
      'what is found after it is written',
    );
    const back = place.raw === null ? null : writePlace(changed, after.places[0] ?? place, file, place.mac);
    if (back !== null && place.mac !== null && printMac(place.mac, file.notation) === place.raw)
      same(back, text, 'written back');
  },
);

/** What reads addresses and phones. */
export const PHONE_TARGETS: readonly Target[] = [ip, macs, definitionFile];
