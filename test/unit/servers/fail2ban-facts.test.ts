import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  linesAbout,
  readBanTimes,
  readHolding,
  readIgnored,
  readJails,
  readVisit,
  reportOf,
} from '../../../node/servers/fail2ban-facts.ts';
import { sipServer } from '../../support/sip-server.ts';

const IP = '203.0.113.9';
const AT = Temporal.Instant.from('2026-03-02T12:00:00Z');
const ENTRY = `#parelha ip=${IP} since=2026-03-02T12:00:00Z until=2026-04-01T12:00:00Z job=ab12 by=maria@example.com`;

const CHECKED = ['zone -0300', 'jail sshd', 'ignore sshd 127.0.0.1/8', 'jail asterisk'];
const BANNED = ['banned sshd', 'since sshd 2026-03-02 08:30:00', 'until sshd 2026-03-02 08:40:00'];
const IGNORED = [
  'jail sshd',
  `ignore sshd ${IP}`,
  'jail asterisk',
  `ignore asterisk ${IP}`,
  `entry ${ENTRY}`,
];

function report(asked: 'look' | 'release', ...lines: string[]) {
  const visit = readVisit(IP, [...lines, 'end', ''].join('\n'));
  if (visit === null) throw new Error('not a whole visit');
  return reportOf(sipServer(), IP, visit, asked, AT);
}

describe('what fail2ban-client prints', () => {
  test('its jails', () => {
    expect(readJails('Status\n|- Number of jail:\t2\n`- Jail list:\tasterisk, sshd\n')).toEqual([
      'asterisk',
      'sshd',
    ]);
    expect(readJails('Status\n|- Number of jail:\t0\n`- Jail list:\t\n')).toEqual([]);
    expect(readJails('')).toBeNull();
  });

  test('where an address is banned, and nothing else is taken for "nowhere"', () => {
    expect(readHolding('[[]]\n')).toEqual([]);
    expect(readHolding("[['sshd', 'asterisk']]\n")).toEqual(['sshd', 'asterisk']);
    for (const other of ['', '[]', '[[', "[['sshd'], []]", '[[None]]', "[{'sshd': []}]", 'Invalid command']) {
      expect([other, readHolding(other)]).toEqual([other, null]);
    }
  });

  test('what a jail ignores', () => {
    expect(readIgnored('These IP addresses/networks are ignored:\n|- ::1\n`- 127.0.0.1/8\n')).toEqual([
      '::1',
      '127.0.0.1/8',
    ]);
    expect(readIgnored('No IP address/network is ignored\n')).toEqual([]);
  });

  test('since when and until when', () => {
    const printed = `203.0.113.90 \t2026-01-01 00:00:00 + 600 = 2026-01-01 00:10:00\n${IP} \t2026-03-02 08:30:00 + 600 = 2026-03-02 08:40:00\n`;
    expect(readBanTimes(printed, IP)).toEqual({ since: '2026-03-02 08:30:00', until: '2026-03-02 08:40:00' });
    expect(readBanTimes('', IP)).toEqual({ since: null, until: null });
  });

  test('only lines that name the address itself, the last five', () => {
    const lines = [
      `Ban 203.0.113.90`,
      `Ban 1203.0.113.9`,
      `Ban 203.0.113.9.example.com`,
      `Ban ${IP}`,
      `from ${IP}:5060`,
      `${IP}.1`,
    ];
    expect(linesAbout(IP, lines.join('\n'))).toEqual([
      'Ban 203.0.113.9.example.com',
      `Ban ${IP}`,
      `from ${IP}:5060`,
    ]);
    expect(linesAbout('2001:db8::9', 'Ban 2001:db8::99\nBan 2001:DB8::9\nBan 1:2001:db8::9')).toEqual([
      'Ban 2001:DB8::9',
    ]);
    const many = Array.from({ length: 9 }, (_, index) => `${index} ${IP}`);
    expect(linesAbout(IP, many.join('\n'))).toEqual(many.slice(-5));
    expect(linesAbout(IP, `${IP} \u001B[31m\u0007${'x'.repeat(999)}`)[0]).toMatch(
      /^203\.0\.113\.9 {2}\[31m x{280,}$/,
    );
  });
});

describe('a report', () => {
  test('of a look: banned, with times of the server as instants', () => {
    expect(report('look', ...CHECKED, ...BANNED, `line Ban ${IP}`)).toEqual({
      ...{
        serverId: 'gv1p',
        serverName: 'GV1P',
        state: 'banned',
        ignored: 'no',
        ignoredUntil: null,
        problem: null,
      },
      jails: [{ jail: 'sshd', since: '2026-03-02T11:30:00Z', until: '2026-03-02T11:40:00Z' }],
      lines: [`Ban ${IP}`],
      at: '2026-03-02T12:00:00.000Z',
    });
  });

  test('of a look: free, ignored before by an entry of ours or by a network', () => {
    expect(report('look', ...CHECKED)).toMatchObject({ state: 'free', ignored: 'no' });
    expect(report('look', 'zone +0000', ...IGNORED)).toMatchObject({
      ...{ state: 'free', ignored: 'before', ignoredUntil: '2026-04-01T12:00:00Z' },
    });
    expect(report('look', 'jail sshd', 'ignore sshd 203.0.113.0/24')).toMatchObject({ ignored: 'before' });
  });

  test('of a release: released, ignored now', () => {
    expect(
      report('release', ...CHECKED, ...BANNED, 'acted', 'kept changed', 'after', ...IGNORED),
    ).toMatchObject({
      ...{ state: 'released', ignored: 'now', ignoredUntil: '2026-04-01T12:00:00Z', problem: null },
    });
  });

  test('of a release that left something undone: in part, with the reason', () => {
    const after = [...CHECKED, 'acted', 'kept changed', 'after'];
    expect(report('release', ...after, ...IGNORED, 'banned asterisk')).toMatchObject({
      ...{ state: 'partly', ignored: 'now', problem: { code: 'fail2ban.still-banned' } },
    });
    expect(report('release', ...after, 'jail sshd', `ignore sshd ${IP}`, 'jail asterisk')).toMatchObject({
      ...{ state: 'partly', ignored: 'no', problem: { code: 'fail2ban.not-ignored' } },
    });
    expect(
      report('release', ...CHECKED, 'acted', 'problem not-kept it would not start', 'after', ...IGNORED),
    ).toMatchObject({
      ...{
        state: 'partly',
        ignored: 'now',
        problem: { code: 'fail2ban.not-kept', message: 'it would not start' },
      },
    });
  });

  test('a ban without end has none', () => {
    const [jail] = report('look', ...CHECKED, 'banned sshd', 'until sshd 9999-12-31 23:59:59').jails;
    expect(jail).toEqual({ jail: 'sshd', since: null, until: null });
  });

  test('unchecked where fail2ban is down, or the helper had to give way', () => {
    const unchecked = { state: 'unchecked', ignored: 'unknown', jails: [] };
    expect(report('look', 'problem down it does not answer')).toMatchObject({
      ...unchecked,
      problem: { code: 'fail2ban.down' },
    });
    expect(report('release', 'problem busy another request')).toMatchObject({
      ...unchecked,
      problem: { code: 'fail2ban.busy' },
    });
    expect(report('release', ...CHECKED)).toMatchObject({
      ...unchecked,
      problem: { code: 'fail2ban.incomplete' },
    });
  });

  test('what breaks off in the middle is no visit, wherever it breaks off', () => {
    const whole = [...CHECKED, ...BANNED, 'acted', 'kept changed', 'after', ...IGNORED, 'end', ''].join('\n');
    for (let length = 0; length < whole.length; length++)
      expect(readVisit(IP, whole.slice(0, length))).toBeNull();
    expect(readVisit(IP, whole)).not.toBeNull();
  });

  test('whatever a server says, a report comes of it or none', () => {
    const word = fc.constantFrom(
      'jail',
      'ignore',
      'banned',
      'since',
      'until',
      'entry',
      'line',
      'acted',
      'after',
      'problem',
      'zone',
      'end',
    );
    const line = fc.tuple(word, fc.string()).map(([first, rest]) => `${first} ${rest}`);
    fc.assert(
      fc.property(fc.array(fc.oneof(word, line, fc.string())), (lines) => {
        const visit = readVisit(IP, [...lines, 'end', ''].join('\n'));
        if (visit !== null) reportOf(sipServer(), IP, visit, 'release', AT);
      }),
    );
  });
});
