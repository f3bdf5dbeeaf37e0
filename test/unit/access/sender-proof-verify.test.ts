import { describe, expect, test } from 'vitest';
import { createPatientProof } from '../../../node/access/open-sender-proof.ts';
import { createVerifyProof } from '../../../node/access/sender-proof-verify.ts';
import type { Proof } from '../../../node/access/sender-proof.ts';
import { readMessage } from '../../../node/mail/message.ts';
import { codeOf } from '../../../node/platform/errors.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { mailSource } from '../../support/mails.ts';
import { createSigner, type Zone, zoneLookup } from '../../support/signed-mail.ts';

const own = createSigner('example.test');
const evil = createSigner('evil.example');
const below = createSigner('mail.example.test');
const clock = fixedClock();
const DMARC: Zone = { '_dmarc.example.test': 'v=DMARC1; p=reject' };
const ZONE: Zone = { ...own.records, ...evil.records, ...below.records, ...DMARC };
const RECEIVED = [
  'Return-Path: <ana@example.test>',
  'Received: from mail.example.test (mail.example.test [203.0.113.7]) by mx.example.net with ESMTPS id 1; Mon',
  '',
].join('\r\n');
const FORGED = 'Authentication-Results: mx.google.com; dmarc=pass header.from=example.test\r\n';

async function prove(mail: string, zone: Zone = ZONE, truncated = false): Promise<Proof> {
  const raw = Buffer.from(mail);
  return createVerifyProof({ lookup: zoneLookup(zone), clock }).prove(raw, await readMessage(raw), truncated);
}

describe('a mail that is verified here', () => {
  test('is proved by a signature of its domain', async () => {
    const signed = await own.sign(mailSource());
    expect(await prove(signed)).toEqual({ proved: true, how: 'dkim', domain: 'example.test' });
    expect(await prove(`Received: from a by b; Mon\r\n${signed}`)).toMatchObject({ proved: true });
    expect(await prove(await own.sign(signed))).toMatchObject({ proved: true });
    expect(await prove(await evil.sign(signed))).toMatchObject({ proved: true, how: 'dkim' });
  });

  test('is proved by a signature within its organization where DMARC says so', async () => {
    const signed = await below.sign(mailSource());
    expect(await prove(signed)).toMatchObject({ proved: true, how: 'dkim', domain: 'example.test' });
    const strict = { ...ZONE, '_dmarc.example.test': 'v=DMARC1; p=reject; adkim=s' };
    expect(await prove(signed, strict)).toMatchObject({ proved: false, reason: 'domain-differs' });
    const up = await own.sign(mailSource({ from: 'ana@mail.example.test' }));
    expect(await prove(up)).toMatchObject({ proved: true, domain: 'mail.example.test' });
  });

  test('is not proved by a neighbour below a registry that publishes a policy of its own', async () => {
    const neighbour = createSigner('evil.test');
    const zone: Zone = { ...neighbour.records, '_dmarc.test': 'v=DMARC1; p=reject' };
    expect(await prove(await neighbour.sign(mailSource()), zone)).toMatchObject({ proved: false });
  });

  test('is proved without DMARC by a signature of exactly its domain alone', async () => {
    const quiet: Zone = { ...own.records, ...below.records };
    expect(await prove(await own.sign(mailSource()), quiet)).toMatchObject({ proved: true, how: 'dkim' });
    expect(await prove(await below.sign(mailSource()), quiet)).toMatchObject({ proved: false });
  });

  test.each<[string, () => Promise<string> | string, string]>([
    ['without a signature', () => mailSource(), 'unsigned'],
    ['without one, whatever forged results it brings', () => FORGED + mailSource(), 'unsigned'],
    [
      'with a body that was altered',
      async () => (await own.sign(mailSource())).replace('Obrigada', 'Obrigado'),
      'dkim-fail',
    ],
    ['with a body that was added to', async () => `${await own.sign(mailSource())}more\r\n`, 'dkim-fail'],
    [
      'with a subject that was altered',
      async () => (await own.sign(mailSource())).replace('=1121', '=1122'),
      'dkim-fail',
    ],
    ['with a signature of another domain', () => evil.sign(mailSource()), 'domain-differs'],
    ['signed over a part of its body', () => own.sign(mailSource(), { maxBodyLength: 5 }), 'dkim-fail'],
    [
      'signed without its subject',
      () => own.sign(mailSource(), { fields: ['From', 'Date', 'Message-ID'] }),
      'dkim-fail',
    ],
    [
      'signed without its Message-ID',
      () => own.sign(mailSource(), { fields: ['From', 'Date', 'Subject'] }),
      'dkim-fail',
    ],
    ['without Message-ID', () => own.sign(mailSource({ messageId: null })), 'dkim-fail'],
    [
      'with a second subject on top',
      async () => `Subject: RAMAIS=9999\r\n${await own.sign(mailSource())}`,
      'header-ambiguous',
    ],
    [
      'with a subject hidden by line ends',
      async () => `From: ana@example.test\nSubject: RAMAIS=9999\n\n${await own.sign(mailSource())}`,
      'unsigned',
    ],
    [
      'with a second From',
      async () => `From: eve@evil.example\r\n${await own.sign(mailSource())}`,
      'header-ambiguous',
    ],
    [
      'with two authors',
      () => own.sign(mailSource({ from: 'ana@example.test, eve@evil.example' })),
      'from-ambiguous',
    ],
    ['with a group', () => own.sign(mailSource({ from: 'Staff: ana@example.test;' })), 'from-ambiguous'],
    [
      'with a key that nobody knows',
      () => createSigner('example.test', 'other').sign(mailSource()),
      'dkim-fail',
    ],
    [
      'with too many signatures',
      async () => {
        const signed = await own.sign(mailSource());
        const [signature = ''] = signed.split(/\r\n(?=\S)/);
        return `${`${signature}\r\n`.repeat(30)}${signed}`;
      },
      'dkim-fail',
    ],
    [
      'with many signatures that a fold hides from whoever counts them',
      async () => {
        const signed = await own.sign(mailSource());
        const [signature = ''] = signed.split(/\r\n(?=\S)/);
        return `${`${signature.replace('Signature:', 'Signature\r\n :')}\r\n`.repeat(30)}${signed}`;
      },
      'header-ambiguous',
    ],
    [
      'with a good signature below several over parts of its body, each to be hashed by itself',
      async () => {
        const inner = await own.sign(mailSource());
        const partly = await own.sign(inner, { maxBodyLength: 5 });
        return own.sign(partly, { maxBodyLength: 6 });
      },
      'dkim-fail',
    ],
  ])('is not proved %s', async (_, mail, reason) => {
    expect(await prove(await mail())).toMatchObject({ proved: false, reason });
  });

  test('is proved by the address it came from, where SPF and DMARC agree', async () => {
    const spf = { ...DMARC, 'example.test': 'v=spf1 ip4:203.0.113.0/24 -all' };
    expect(await prove(RECEIVED + mailSource(), spf)).toEqual({
      proved: true,
      how: 'spf',
      domain: 'example.test',
    });
    expect(await prove(RECEIVED + mailSource(), spf, true)).toMatchObject({ proved: true, how: 'spf' });
    expect(await prove(RECEIVED.replace('113.7', '114.7') + mailSource(), spf)).toMatchObject({
      proved: false,
    });
    expect(await prove(RECEIVED + mailSource(), { 'example.test': 'v=spf1 +all' })).toMatchObject({
      proved: false,
    });
    const other = RECEIVED.replace('ana@example.test', 'eve@evil.example');
    expect(await prove(other + mailSource(), { ...spf, 'evil.example': 'v=spf1 +all' })).toMatchObject({
      proved: false,
    });
  });

  test('counts no address that the sender wrote', async () => {
    const spf = { ...DMARC, 'example.test': 'v=spf1 ip4:203.0.113.0/24 -all' };
    const real =
      'Received: from evil (evil.example [198.51.100.7]) by mx.example.net with ESMTP id 2; Mon\r\n';
    expect(
      await prove(`Return-Path: <ana@example.test>\r\n${real}${RECEIVED}${mailSource()}`, spf),
    ).toMatchObject({
      proved: false,
    });
  });

  test('that is too large for its signature to be checked is not proved by it', async () => {
    expect(await prove(await own.sign(mailSource()), ZONE, true)).toMatchObject({
      proved: false,
      reason: 'too-large',
    });
  });

  test('makes nobody look up names that are not of its From domain', async () => {
    const lookup = zoneLookup(ZONE);
    const raw = Buffer.from(await evil.sign(await own.sign(mailSource())));
    await createVerifyProof({ lookup, clock }).prove(raw, await readMessage(raw), false);
    expect(lookup.asked.filter((name) => name.endsWith('evil.example'))).toEqual([]);
    expect(new Set(lookup.asked).size).toBe(lookup.asked.length);
  });
});

describe('a DNS that does not answer', () => {
  const away: Zone = { ...ZONE, 'parelha._domainkey.example.test': '!ETIMEOUT' };

  test('is no proof and no disproof: the mail is to be tried again', async () => {
    const signed = await own.sign(mailSource());
    expect(await prove(signed, away).catch(codeOf)).toBe('access.dns');
    expect(await prove(signed, { ...ZONE, '_dmarc.example.test': '!ESERVFAIL' }).catch(codeOf)).toBe(
      'access.dns',
    );
  });

  test('is not asked on and on for a mail with many signatures', async () => {
    let mail = await own.sign(mailSource());
    for (const selector of ['s1', 's2', 's3']) mail = await createSigner('example.test', selector).sign(mail);
    const zone: Zone = Object.fromEntries(
      ['parelha', 's1', 's2', 's3'].map((name) => [`${name}._domainkey.example.test`, '!ETIMEOUT']),
    );
    const lookup = zoneLookup({ ...DMARC, ...zone });
    const raw = Buffer.from(mail);
    const proving = createVerifyProof({ lookup, clock }).prove(raw, await readMessage(raw), false);
    expect(await proving.catch(codeOf)).toBe('access.dns');
    expect(lookup.asked.filter((name) => name in zone)).toHaveLength(2);
  });

  test('is waited for ten minutes for each domain, and for a domain that answers again anew', async () => {
    const time = fixedClock();
    const signed = Buffer.from(await own.sign(mailSource()));
    const mail = await readMessage(signed);
    let zone = away;
    const proof = createPatientProof(
      { prove: (...args) => createVerifyProof({ lookup: zoneLookup(zone), clock }).prove(...args) },
      time,
    );
    const tried = (): Promise<unknown> =>
      proof.prove(signed, mail, false).then((said) => (said.proved ? said.how : said.reason), codeOf);
    expect(await tried()).toBe('access.dns');
    time.advance({ minutes: 9 });
    expect(await tried()).toBe('access.dns');
    time.advance({ minutes: 1 });
    expect(await tried()).toBe('dns');
    expect(await tried()).toBe('dns');
    zone = ZONE;
    expect(await tried()).toBe('dkim');
    zone = away;
    expect(await tried()).toBe('access.dns');
  });
});
