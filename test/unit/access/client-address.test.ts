import { describe, expect, test } from 'vitest';
import { envelopeOf } from '../../../node/access/client-address.ts';
import { mailSource } from '../../support/mails.ts';

const PATH = 'Return-Path: <ana@example.test>';
const BY = 'by mx.example.net with ESMTPS id 4X; Mon, 02 Mar 2026 09:00:00 -0300';

function clientIp(...top: readonly string[]): string | null {
  return envelopeOf(Buffer.from([...top, mailSource()].join('\r\n')))?.clientIp ?? null;
}

describe('the address a mail came from', () => {
  test.each([
    [
      'Postfix',
      `Received: from mail.example.test (mail.example.test [203.0.113.7])\r\n (using TLSv1.3 with cipher X (256/256 bits))\r\n (No client certificate requested)\r\n by mx.example.net (Postfix) with ESMTPS id 4X\r\n for <node@example.net>; Mon`,
    ],
    [
      'Exim',
      `Received: from mail.example.test ([203.0.113.7] helo=me.example.test) by mx.example.net with esmtps (Exim 4.96) (envelope-from <ana@example.test>) id 1; Mon`,
    ],
    ['sendmail', `Received: from me (mail.example.test. [203.0.113.7]) ${BY}`],
    ['a name that is the address itself', `Received: from [203.0.113.7] (unknown [203.0.113.7]) ${BY}`],
  ])('is read from what %s writes', (_, received) => {
    expect(envelopeOf(Buffer.from([PATH, received, mailSource()].join('\r\n')))).toMatchObject({
      clientIp: '203.0.113.7',
      sender: 'ana@example.test',
    });
  });

  test('may be of IPv6', () => {
    expect(clientIp(PATH, `Received: from a (b [IPv6:2001:db8::7]) ${BY}`)).toBe('2001:db8::7');
  });

  test.each([
    ['is no address', [PATH, `Received: from a (b [mail]) ${BY}`]],
    ['is inside', [PATH, `Received: from a (b [10.0.0.7]) ${BY}`]],
    ['is this host', [PATH, `Received: from a (localhost [127.0.0.1]) ${BY}`]],
    ['is inside, of IPv6', [PATH, `Received: from a (b [IPv6:fd00::7]) ${BY}`]],
    ['stands in the name that the client gave itself', [PATH, `Received: from [203.0.113.7] (b) ${BY}`]],
    ['is another than in that name', [PATH, `Received: from [203.0.113.7] (b [198.51.100.7]) ${BY}`]],
    ['is one of two', [PATH, `Received: from a (b [203.0.113.7]) by x (c [198.51.100.7]) ${BY}`]],
    ['is followed by a second "by"', [PATH, `Received: from a (b [203.0.113.7]) by x ${BY}`]],
    ['is followed by a second "from"', [PATH, `Received: from a (b [203.0.113.7]) by x from c ${BY}`]],
    ['stands in a name with blanks', [PATH, `Received: from a b (c [203.0.113.7]) ${BY}`]],
    ['has no brackets', [PATH, `Received: from unknown (HELO a) (203.0.113.7) ${BY}`]],
    [
      'stands in a field below the topmost',
      [PATH, `Received: by 2002:a05 with SMTP id 1; Mon`, `Received: from a (b [203.0.113.7]) ${BY}`],
    ],
    ['comes without a Return-Path', [`Received: from a (b [203.0.113.7]) ${BY}`]],
    ['comes with one below it', [`Received: from a (b [203.0.113.7]) ${BY}`, PATH]],
    ['comes with two', [PATH, 'Return-Path: <eve@evil.example>', `Received: from a (b [203.0.113.7]) ${BY}`]],
    ['comes with an empty one', ['Return-Path: <>', `Received: from a (b [203.0.113.7]) ${BY}`]],
    ['is missing', [PATH]],
  ])('counts for nothing where it %s', (_, top) => {
    expect(clientIp(...top)).toBeNull();
  });

  test('is looked for in bounded time', () => {
    const begun = performance.now();
    clientIp(PATH, `Received: from a (b [203.0.113.7]) ${'(('.repeat(900)}`);
    clientIp(PATH, `Received: from a (b [203.0.113.7])${' (()())'.repeat(280)}`);
    expect(performance.now() - begun).toBeLessThan(500);
  });
});
