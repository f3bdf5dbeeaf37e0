import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatInvitation, listenerUrl, parseInvitation } from '../../../node/pairing/invitation.ts';

const INVITATION = {
  nodeId: 'audio2',
  url: 'https://audio2.example.com:7443',
  fingerprint: 'a1'.repeat(32),
  secret: 'b2'.repeat(32),
};
const LINE = formatInvitation(INVITATION);

describe('the line of an invitation', () => {
  test('is one word of letters, digits and hyphens, and says what it was made of', () => {
    expect(LINE).toMatch(/^parelha-pair-1-[0-9a-f]+$/);
    expect(parseInvitation(LINE)).toEqual(INVITATION);
  });

  test.each([
    ['wrapped by a terminal', LINE.replaceAll(/(.{60})/g, '$1\n')],
    ['between blanks and quotes', `  "${LINE}"\n`],
    ['in upper case', LINE.toUpperCase()],
    ['with invisible marks of a chat', `\u200B${LINE.slice(0, 50)}\u200B${LINE.slice(50)}\uFEFF`],
  ])('can be read %s', (_, line) => {
    expect(parseInvitation(line)).toEqual(INVITATION);
  });

  test.each([
    ['cut short', LINE.slice(0, -1)],
    ['cut shorter', LINE.slice(0, -2)],
    ['cut to nothing', 'parelha-pair-1-'],
    ['longer', `${LINE}00`],
    ['twice', LINE + LINE],
    ['of another version', LINE.replace('-1-', '-2-')],
    ['something else', 'hello'],
    ['empty', ''],
    ['without end', `parelha-pair-1-${'0'.repeat(100_000)}`],
  ])('is refused when it is %s', (_, line) => {
    expect(() => parseInvitation(line)).toThrow(expect.objectContaining({ code: 'pair.bad-line' }));
  });

  test('is refused when any one digit of it is another', () => {
    const digits = '0123456789abcdef';
    const start = LINE.lastIndexOf('-') + 1;
    fc.assert(
      fc.property(
        fc.integer({ min: start, max: LINE.length - 1 }),
        fc.integer({ min: 1, max: 15 }),
        (at, by) => {
          const digit = digits[(digits.indexOf(LINE[at] ?? '') + by) % 16] ?? '';
          expect(() => parseInvitation(LINE.slice(0, at) + digit + LINE.slice(at + 1))).toThrow('altered');
        },
      ),
    );
  });

  test.each([
    ['another scheme', { url: 'http://audio2:7443' }],
    ['a path', { url: 'https://audio2:7443/x' }],
    ['a name that is none', { nodeId: 'Audio 2' }],
  ])('is refused with %s in it', (_, change) => {
    expect(() => parseInvitation(formatInvitation({ ...INVITATION, ...change }))).toThrow('altered');
  });
});

test('a listener’s URL is https, host and port alone, in its one spelling', () => {
  expect(listenerUrl('https://Audio2.example.com:7443/')).toBe('https://audio2.example.com:7443');
  expect(listenerUrl('https://[2001:db8::9]:7443')).toBe('https://[2001:db8::9]:7443');
  for (const other of [
    'https://a/b',
    'https://a?b',
    'https://a#b',
    'https://u:p@a',
    'ftp://a',
    'a:7443',
    '',
  ]) {
    expect(listenerUrl(other)).toBeNull();
  }
});
