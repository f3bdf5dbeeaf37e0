import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  expireEntries,
  type IgnoreEntry,
  isJailName,
  mergeEntry,
  parseEntries,
  plainRequester,
  printIgnoreFile,
  settingsOf,
} from '../../../node/servers/ignore-file.ts';

const ENTRY: IgnoreEntry = {
  ip: '203.0.113.9',
  since: '2026-03-02T12:00:00Z',
  until: '2026-04-01T12:00:00Z',
  job: 'ab12'.repeat(16),
  by: 'maria@example.com',
};

const anInstant = fc
  .date({ min: new Date('2020-01-01T00:00:00Z'), max: new Date('2099-01-01T00:00:00Z'), noInvalidDate: true })
  .map((date) => `${date.toISOString().slice(0, 19)}Z`);
const anEntry = fc.record<IgnoreEntry>({
  ip: fc.ipV4(),
  since: anInstant,
  until: anInstant,
  job: fc.stringMatching(/^[0-9a-f]{12,64}$/),
  by: fc.emailAddress().map(plainRequester),
});

describe('the ignore file', () => {
  test('has who asked, when, by which request and until when, and a section for each jail', () => {
    expect(
      printIgnoreFile([ENTRY, { ...ENTRY, ip: '2001:db8::9' }], ['sshd', 'asterisk'])
        .split('\n')
        .slice(2),
    ).toEqual([
      `#parelha ip=203.0.113.9 since=2026-03-02T12:00:00Z until=2026-04-01T12:00:00Z job=${ENTRY.job} by=maria@example.com`,
      `#parelha ip=2001:db8::9 since=2026-03-02T12:00:00Z until=2026-04-01T12:00:00Z job=${ENTRY.job} by=maria@example.com`,
      '',
      '[sshd]',
      'ignoreip = %(known/ignoreip)s 203.0.113.9 2001:db8::9',
      '',
      '[asterisk]',
      'ignoreip = %(known/ignoreip)s 203.0.113.9 2001:db8::9',
      '',
    ]);
  });

  test('what is printed is parsed to the same', () => {
    fc.assert(
      fc.property(fc.uniqueArray(anEntry, { selector: ({ ip }) => ip, maxLength: 20 }), (entries) => {
        expect(parseEntries(printIgnoreFile(entries, ['sshd']))).toEqual(entries);
      }),
    );
  });

  test('lines that somebody has broken are passed over, whatever they hold', () => {
    const good = printIgnoreFile([ENTRY], []);
    const line = good.split('\n').find((one) => one.startsWith('#parelha')) ?? '';
    for (const bad of [
      line.replace('203.0.113.9', '203.0.113.9 0.0.0.0/0'),
      line.replace('203.0.113.9', '1.2.3'),
      line.replace('2026-04-01T12', '2026-04-31T25'),
      line.replace('maria', 'maria\r[DEFAULT]'),
      line.replace('#parelha', '# parelha'),
      `${line} more`,
      'ignoreip = 0.0.0.0/0',
    ]) {
      expect(parseEntries(`${bad}\n${line}`)).toEqual([ENTRY]);
      expect(parseEntries(bad)).toEqual([]);
    }
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => parseEntries(text).length === 0));
  });

  test('of two requests for an address the newer counts, until the later of both ends', () => {
    const other = { ...ENTRY, ip: '203.0.113.1' };
    const newer = {
      ...ENTRY,
      since: '2026-03-03T12:00:00Z',
      until: '2026-03-10T12:00:00Z',
      by: 'ana@example.com',
    };
    expect(mergeEntry([ENTRY, other], newer)).toEqual([other, { ...newer, until: ENTRY.until }]);
    expect(mergeEntry([newer], ENTRY)).toEqual([ENTRY]);
  });

  test('an entry has had its time at its end, not before', () => {
    expect(expireEntries([ENTRY], '2026-04-01T11:59:59Z')).toEqual({ kept: [ENTRY], expired: [] });
    expect(expireEntries([ENTRY], '2026-04-01T12:00:00Z')).toEqual({ kept: [], expired: [ENTRY] });
  });

  test('another requester changes nothing that fail2ban goes by', () => {
    const text = printIgnoreFile([ENTRY], ['sshd']);
    expect(settingsOf(printIgnoreFile([{ ...ENTRY, by: 'ana@example.com' }], ['sshd']))).toBe(
      settingsOf(text),
    );
    expect(settingsOf(printIgnoreFile([ENTRY], ['sshd', 'asterisk']))).not.toBe(settingsOf(text));
    expect(settingsOf(printIgnoreFile([], ['sshd']))).toBe('');
  });

  test('an address that has characters of its own stays one plain word', () => {
    expect(plainRequester('maria+teste@example.com')).toBe('maria+teste@example.com');
    expect(plainRequester(`o'neil;$(x) ünï@example.com`)).toBe('o_neil___x___n_@example.com');
    expect(plainRequester('-x@example.com')).toBe('_x@example.com');
    expect(plainRequester(null)).toBe('nobody');
    expect(plainRequester('a'.repeat(500))).toHaveLength(128);
  });

  test('a jail gets a section by a plain name alone', () => {
    expect(['sshd', 'apache-auth', 'pam_generic', 'x.y'].every(isJailName)).toBe(true);
    expect(['', 'DEFAULT', 'INCLUDES', 'a b', 'a]', '-a', 'a\n[b', '%(x)s'].some(isJailName)).toBe(false);
  });
});
