import { describe, expect, test } from 'vitest';
import { createResultsProof } from '../../../node/access/sender-proof-results.ts';
import type { Proof } from '../../../node/access/sender-proof.ts';
import { readMessage } from '../../../node/mail/message.ts';
import { mailSource, type MailSource } from '../../support/mails.ts';

const ID = 'mx.google.com';
const GOOD = `Authentication-Results: ${ID}; dmarc=pass (p=NONE) header.from=example.test`;
const FAILED = `Authentication-Results: ${ID}; dmarc=fail (p=NONE) header.from=example.test`;

/** A mail with these fields on top of it, as the receiving server puts them there. */
async function prove(top: readonly string[], source: MailSource = {}): Promise<Proof> {
  const raw = Buffer.from([...top, mailSource(source)].join('\r\n'), 'latin1');
  return createResultsProof(ID).prove(raw, await readMessage(raw), false);
}

describe('the word of the receiving server', () => {
  test('proves the domain that DMARC passed for', async () => {
    expect(await prove([GOOD])).toEqual({ proved: true, how: 'results', domain: 'example.test' });
    expect(await prove([GOOD.replace('example.test', 'Example.TEST.')])).toMatchObject({ proved: true });
    const own = [
      'Received: by 203.0.113.9 with SMTP id 1',
      'ARC-Seal: i=1; a=x',
      `Received: from a by ${ID}`,
    ];
    expect(await prove([...own, 'Return-Path: <ana@example.test>', GOOD])).toMatchObject({ proved: true });
  });

  test('counts also where a mailbox has put its own line in front', async () => {
    expect(await prove(['From ana@example.test Mon Mar  2 12:00:00 2026', GOOD])).toMatchObject({
      proved: true,
    });
  });

  test.each<[string, string[], MailSource, string]>([
    ['a forged one below the real one', [FAILED, GOOD], {}, 'dmarc-fail'],
    ['a forged one above it under another id', [GOOD.replace(ID, 'evil.example'), FAILED], {}, 'dmarc-fail'],
    [
      'a forged one alone, under another id',
      [GOOD.replace(ID, 'mx.google.com.evil.example')],
      {},
      'no-results',
    ],
    ['one in a field of ARC', [`ARC-${GOOD.replace(`${ID};`, `i=1; ${ID};`)}`], {}, 'no-results'],
    ['none at all', [], {}, 'no-results'],
    ['none on DMARC', [`Authentication-Results: ${ID}; dkim=pass header.d=example.test`], {}, 'no-dmarc'],
    ['one that says it checked nothing', [`Authentication-Results: ${ID}; none`], {}, 'no-dmarc'],
    [
      'one for another domain',
      [GOOD.replace('from=example.test', 'from=evil.example')],
      {},
      'domain-differs',
    ],
    ['one for the domain above it', [GOOD], { from: 'ana@sub.example.test' }, 'domain-differs'],
    ['one for a domain below it', [GOOD.replace('from=example', 'from=sub.example')], {}, 'domain-differs'],
    ['one without a domain', [`Authentication-Results: ${ID}; dmarc=pass`], {}, 'domain-differs'],
    ['one for two domains', [`${GOOD} header.from=evil.example`], {}, 'domain-differs'],
    ['two results in it', [`${GOOD}; dmarc=fail header.from=example.test`], {}, 'results-malformed'],
    [
      'a value that breaks out of its comment',
      [
        `Authentication-Results: ${ID}; spf=pass (domain of "a) ; dmarc=pass header.from=example.test ("@evil.example is) smtp.mailfrom=x; dmarc=fail header.from=example.test`,
      ],
      {},
      'results-malformed',
    ],
    [
      'a value that swallows the rest',
      [
        `Authentication-Results: ${ID}; spf=pass (of "a); dmarc=pass header.from=example.test (("@evil.example is) smtp.mailfrom=x; dmarc=fail header.from=example.test`,
      ],
      {},
      'results-malformed',
    ],
    ['two addresses in From', [GOOD], { from: 'ana@example.test, eve@evil.example' }, 'from-ambiguous'],
    ['a group in From', [GOOD], { from: 'Staff: ana@example.test;' }, 'from-ambiguous'],
    ['two From fields', [GOOD, 'From: eve@evil.example'], {}, 'header-ambiguous'],
    ['a second subject on top of the signed one', [GOOD, 'Subject: RAMAIS=9999'], {}, 'header-ambiguous'],
    ['a second Message-ID', [GOOD, 'Message-ID: <new@evil.example>'], {}, 'header-ambiguous'],
    ['a line end of another kind', [GOOD, 'X: y\nSubject: RAMAIS=9999'], {}, 'header-ambiguous'],
    ['a bare carriage return', [GOOD, 'X: y\rSubject: RAMAIS=9999'], {}, 'header-ambiguous'],
    ['a NUL', [GOOD, 'X: y\0'], {}, 'header-ambiguous'],
    ['a signed subject that a fold hides below another', [GOOD, 'Subject\r\n : Oi'], {}, 'header-ambiguous'],
    ['a From that a vertical tab hides', [GOOD, 'From\v: eve@evil.example'], {}, 'header-ambiguous'],
  ])('does not count with %s', async (_, top, source, reason) => {
    expect(await prove(top, source)).toMatchObject({ proved: false, reason });
  });

  test.each([
    ['"ana@example.test" <eve@evil.example>', 'domain-differs'],
    ['ana@example.test <eve@evil.example>', null],
    ['=?utf-8?q?ana=40example.test?= <eve@evil.example>', 'domain-differs'],
  ])('is for the address, whatever name stands before it: %s', async (from, reason) => {
    const proof = await prove([GOOD], { from });
    expect(proof.proved).toBe(false);
    if (reason !== null) expect(proof).toMatchObject({ reason });
  });
});
