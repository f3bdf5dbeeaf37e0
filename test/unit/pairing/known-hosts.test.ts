import { describe, expect, test } from 'vitest';
import { hostKeysIn, knownHostName, withHostKeys } from '../../../node/pairing/known-hosts.ts';

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIN4aJp7';
const OTHER = 'ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTY=';
const AUDIO2 = { host: 'audio2.example.test', port: 22 };

describe('a host is looked up in known_hosts', () => {
  test.each([
    ['by its name', `audio2.example.test ${KEY}`, AUDIO2],
    ['by one of several names', `audio2,audio2.example.test,203.0.113.9 ${KEY} a comment`, AUDIO2],
    ['in upper case', `Audio2.Example.Test ${KEY}`, AUDIO2],
    ['between tabs', `audio2.example.test\tssh-ed25519\tAAAAC3NzaC1lZDI1NTE5AAAAIN4aJp7\t`, AUDIO2],
    ['by its name and port', `[audio2.example.test]:2222 ${KEY}`, { ...AUDIO2, port: 2222 }],
    ['by its IPv6 address', `2001:db8::9 ${KEY}`, { host: '2001:db8::9', port: 22 }],
    ['by its IPv6 address in brackets', `[2001:db8::9]:22 ${KEY}`, { host: '2001:db8::9', port: 22 }],
    ['by its IPv6 address and port', `[2001:db8::9]:2222 ${KEY}`, { host: '2001:db8::9', port: 2222 }],
    ['at the end of a line of Windows', `audio2.example.test ${KEY}\r`, AUDIO2],
  ])('%s', (_, line, address) => {
    expect(hostKeysIn(`# a comment\n\n${line}\nother.example.test ${OTHER}\n`, address).keys).toEqual([KEY]);
  });

  test.each([
    ['another name', `audio2.example.test.attacker.test ${KEY}`],
    ['a name with another port', `[audio2.example.test]:2222 ${KEY}`],
    ['a comment', `#audio2.example.test ${KEY}`],
    ['a hashed name', `|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg= ${KEY}`],
    ['a pattern', `*.example.test ${KEY}`],
    ['a denied name', `!audio2.example.test ${KEY}`],
    ['a certificate authority', `@cert-authority audio2.example.test ${KEY}`],
    ['a line cut short', 'audio2.example.test ssh-ed25519'],
    ['a key that is no base64', 'audio2.example.test ssh-ed25519 <script>'],
  ])('and %s is not it', (_, line) => {
    expect(hostKeysIn(`${line}\n`, AUDIO2)).toEqual({ keys: [], revoked: [] });
  });

  test('and a revoked key is none, wherever it stands', () => {
    const text = `@revoked audio2.example.test ${KEY}\naudio2.example.test ${KEY}\naudio2.example.test ${OTHER}\n`;
    expect(hostKeysIn(text, AUDIO2)).toEqual({ keys: [OTHER], revoked: [KEY] });
  });

  test.each([
    '*',
    '*.example.test',
    '|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg=',
    'x.test',
  ])('and a key that is revoked for %s is none', (names) => {
    const text = `audio2.example.test ${KEY}\n@revoked ${names} ${KEY}\naudio2.example.test ${OTHER}\n`;
    expect(hostKeysIn(text, AUDIO2)).toEqual({ keys: [OTHER], revoked: [KEY] });
  });
});

test('what pairing writes replaces what it wrote, and leaves all other lines', () => {
  const byHand = `# by hand\naudio2.example.test ${OTHER}\n[x.test]:22 ${KEY} parelha:audio22\n`;
  const once = withHostKeys(byHand, 'audio2', AUDIO2, [KEY, OTHER]);
  expect(once).toBe(
    `${byHand}audio2.example.test ${KEY} parelha:audio2\naudio2.example.test ${OTHER} parelha:audio2\n`,
  );
  const moved = withHostKeys(once, 'audio2', { ...AUDIO2, port: 2222 }, [KEY]);
  expect(moved).toBe(`${byHand}[audio2.example.test]:2222 ${KEY} parelha:audio2\n`);
  expect(hostKeysIn(moved, { ...AUDIO2, port: 2222 }).keys).toEqual([KEY]);
  expect(withHostKeys(moved, 'audio2', AUDIO2, [])).toBe(byHand);
});

test('a last line without its end stays a line of its own', () => {
  expect(withHostKeys(`a.test ${OTHER}`, 'audio2', AUDIO2, [KEY])).toBe(
    `a.test ${OTHER}\naudio2.example.test ${KEY} parelha:audio2\n`,
  );
});

test('a host is named with its port only where that is not 22', () => {
  expect(knownHostName(AUDIO2)).toBe('audio2.example.test');
  expect(knownHostName({ host: 'Audio2', port: 2222 })).toBe('[audio2]:2222');
});
