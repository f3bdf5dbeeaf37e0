import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { signLink, verifyLink } from '../../../node/links/signed-link.ts';

const KEY = Buffer.alloc(32, 1);
const NOW = Temporal.Instant.from('2026-03-02T12:00:00Z');
const LATER = NOW.add({ hours: 1 });
const TARGET = { node: 'audio', job: 'ab'.repeat(32), name: 'a.wav', disposition: 'inline' } as const;

function parts(link: string) {
  const { pathname, searchParams } = new URL(link, 'http://x.example.test');
  const [, , node = '', job = '', name = ''] = pathname.split('/');
  return { path: { node, job, name }, expiry: searchParams.get('e') ?? '', mac: searchParams.get('s') ?? '' };
}

function verdict(link: string, now = NOW, key = KEY) {
  const { path, expiry, mac } = parts(link);
  return verifyLink(key, path, expiry, mac, now);
}

describe('a signed link', () => {
  test('is valid until its expiry, to the second, and tells how to serve', () => {
    const link = signLink(KEY, TARGET, LATER);
    expect(verdict(link)).toEqual({ kind: 'valid', disposition: 'inline' });
    expect(verdict(link, LATER.subtract({ milliseconds: 1 })).kind).toBe('valid');
    expect(verdict(link, LATER)).toEqual({ kind: 'expired', disposition: 'inline' });
    const saved = signLink(KEY, { ...TARGET, disposition: 'attachment' }, LATER);
    expect(verdict(saved)).toEqual({ kind: 'valid', disposition: 'attachment' });
  });

  test('is worth nothing under another key', () => {
    expect(verdict(signLink(KEY, TARGET, LATER), NOW, Buffer.alloc(32, 2)).kind).toBe('invalid');
  });

  test('opens nothing else: every part of it is bound', () => {
    const { path, expiry, mac } = parts(signLink(KEY, TARGET, LATER));
    const changed = [
      verifyLink(KEY, { ...path, node: 'audio2' }, expiry, mac, NOW),
      verifyLink(KEY, { ...path, job: 'cd'.repeat(32) }, expiry, mac, NOW),
      verifyLink(KEY, { ...path, name: 'b.wav' }, expiry, mac, NOW),
      verifyLink(KEY, path, String(Number(expiry) + 1), mac, NOW),
      verifyLink(KEY, path, `0${expiry}`, mac, NOW),
      verifyLink(KEY, path, expiry, mac.slice(0, -1), NOW),
      verifyLink(KEY, path, expiry, '', NOW),
      verifyLink(KEY, path, '', mac, NOW),
    ];
    expect(changed.map(({ kind }) => kind)).toEqual(changed.map(() => 'invalid'));
  });

  test('that is altered and expired is altered: only we know what expires', () => {
    const { path, expiry } = parts(signLink(KEY, TARGET, LATER));
    expect(verifyLink(KEY, path, expiry, 'A'.repeat(43), LATER).kind).toBe('invalid');
  });

  test('property: no change of one character of its signature or expiry keeps it valid', () => {
    const { path, expiry, mac } = parts(signLink(KEY, TARGET, LATER));
    fc.assert(
      fc.property(fc.nat(42), fc.stringMatching(/^[A-Za-z0-9_-]$/), (at, character) => {
        fc.pre(mac[at] !== character);
        const altered = mac.slice(0, at) + character + mac.slice(at + 1);
        expect(verifyLink(KEY, path, expiry, altered, NOW).kind).toBe('invalid');
      }),
    );
  });
});
