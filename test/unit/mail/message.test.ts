import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readMessage } from '../../../node/mail/message.ts';
import { codeOf } from '../../../node/platform/errors.ts';
import { mailSource } from '../../support/mails.ts';

const read = (source: string | Buffer) => readMessage(Buffer.from(source as string, 'latin1'));
const subjectOf = async (subject: string | Buffer): Promise<string> => {
  const field = Buffer.concat([
    Buffer.from('From: a@example.test\r\nSubject: '),
    Buffer.from(subject as string),
  ]);
  return (await readMessage(Buffer.concat([field, Buffer.from('\r\n\r\nbody')]))).subject;
};

describe('the subject of a mail', () => {
  test.each([
    ['plain', 'RAMAIS=1121 INICIO=27/10/2025', 'RAMAIS=1121 INICIO=27/10/2025'],
    ['UTF-8, quoted-printable', '=?UTF-8?Q?Grava=C3=A7=C3=A3o_RAMAIS=3D1121?=', 'Gravação RAMAIS=1121'],
    ['UTF-8, base64', '=?utf-8?B?R3JhdmHDp8OjbyBSQU1BSVM9MTEyMQ==?=', 'Gravação RAMAIS=1121'],
    ['Latin-1', '=?iso-8859-1?Q?Grava=E7=E3o?=', 'Gravação'],
    ['Windows-1252', '=?windows-1252?Q?=93RAMAIS=94?=', '“RAMAIS”'],
    ['two encoded words, joined', '=?UTF-8?Q?RAMAIS=3D11?=\r\n =?UTF-8?Q?21?=', 'RAMAIS=1121'],
    ['a letter cut in two by encoding', '=?UTF-8?Q?Grava=C3?= =?UTF-8?Q?=A7=C3=A3o?=', 'Gravação'],
    [
      'folded',
      'RAMAIS=1121\r\n\tINICIO=27/10/2025\r\n FIM=28/10/2025',
      'RAMAIS=1121 INICIO=27/10/2025 FIM=28/10/2025',
    ],
    ['raw UTF-8', 'Gravação RAMAIS=1121', 'Gravação RAMAIS=1121'],
    ['an unknown charset', '=?x-unknown?Q?RAMAIS=3D1121?=', 'RAMAIS=1121'],
    ['what is no encoded word', '=?UTF-8?Q?broken', '=?UTF-8?Q?broken'],
    [
      'control and invisible characters',
      'RAMAIS\u200B=1121\u0007\u00A0SERVER=gv1p',
      'RAMAIS=1121 SERVER=gv1p',
    ],
    ['nothing', '', ''],
  ])('%s', async (_, written, meant) => {
    expect(await subjectOf(written)).toBe(meant);
  });

  test('raw Latin-1 is read as that', async () => {
    expect(await subjectOf(Buffer.from('Gravação', 'latin1'))).toBe('Gravação');
  });

  test('is bounded, and never ends in half a character', async () => {
    const subject = await subjectOf(`=?UTF-8?B?${Buffer.from('😀'.repeat(2_000)).toString('base64')}?=`);
    expect(subject.length).toBeLessThanOrEqual(2_000);
    expect(subject.isWellFormed()).toBe(true);
  });

  test('of a mail without one is empty', async () => {
    expect((await read(mailSource({ subject: null }))).subject).toBe('');
  });
});

describe('the sender of a mail', () => {
  test.each([
    ['Ana Lima <Ana@Example.TEST>', { address: 'ana@example.test', name: 'Ana Lima' }],
    ['=?UTF-8?Q?Jo=C3=A3o?= <joao@example.test>', { address: 'joao@example.test', name: 'João' }],
    ['ana@example.test', { address: 'ana@example.test', name: '' }],
    ['"Lima, Ana" <ana@example.test>', { address: 'ana@example.test', name: 'Lima, Ana' }],
  ])('%s', async (from, expected) => {
    expect((await read(mailSource({ from }))).from).toEqual(expected);
  });

  test.each([
    ['several addresses', 'ana@example.test, eve@evil.example'],
    ['a group', 'Team: ana@example.test;'],
    ['no address', 'Ana'],
    ['an address in an encoded word', '=?UTF-8?Q?ana=40example.test?='],
    ['an encoded word as local part', '=?UTF-8?Q?ana?=@example.test'],
    ['an address with spaces', '"ana @" <"a b"@example.test>'],
    ['letters that look alike', 'аna@example.test'],
    ['an address beyond all bounds', `${'a'.repeat(400)}@example.test`],
  ])('is nobody where there is %s', async (_, from) => {
    expect((await readMessage(Buffer.from(mailSource({ from })))).from).toBeNull();
  });

  test('is nobody where there are two From fields, or none', async () => {
    expect((await read(mailSource({ extra: ['From: eve@evil.example'] }))).from).toBeNull();
    expect((await read(mailSource({ from: null }))).from).toBeNull();
  });
});

describe('the identity of a mail', () => {
  const sameMail = { messageId: '<one@example.test>', date: 'Mon, 02 Mar 2026 09:00:00 -0300' };
  const identity = async (source: string) => (await read(source)).identity;

  test('is the same for the same Message-ID, From and Date, whatever way it took', async () => {
    const direct = await identity(mailSource(sameMail));
    const relayed = await identity(
      `Received: from elsewhere\r\n${mailSource({ ...sameMail, body: 'another' })}`,
    );
    expect(relayed).toBe(direct);
    expect(direct).toMatch(/^[0-9a-f]{64}$/);
  });

  test('is another where any of the three differs', async () => {
    const changes = [
      { messageId: '<two@example.test>' },
      { from: 'eve@example.test' },
      { date: 'Tue, 03 Mar 2026 09:00:00 -0300' },
    ];
    const ids = await Promise.all(
      [{}, ...changes].map((change) => identity(mailSource({ ...sameMail, ...change }))),
    );
    expect(new Set(ids).size).toBe(4);
  });

  test('does not run the three into one another', async () => {
    const one = 'Message-ID: <a@b>x\r\nFrom: y\r\nDate: z\r\n\r\n';
    const other = 'Message-ID: <a@b>\r\nFrom: xy\r\nDate: z\r\n\r\n';
    expect(await identity(one)).not.toBe(await identity(other));
  });

  test('survives another folding of the same header', async () => {
    const folded = mailSource(sameMail).replace('From: Ana Lima ', 'From: Ana Lima\r\n ');
    expect(await identity(folded)).toBe(await identity(mailSource(sameMail)));
  });

  test('is the SHA-256 of the raw mail where there is no Message-ID', async () => {
    const source = mailSource({ messageId: null });
    expect(await identity(source)).toBe(createHash('sha256').update(source).digest('hex'));
  });
});

describe('the thread of a mail', () => {
  test('is what it refers to, without itself', async () => {
    const extra = ['References: <a@x>\r\n <b@x>', 'In-Reply-To: <c@x>'];
    const mail = await read(mailSource({ messageId: '<b@x>', extra }));
    expect(mail).toMatchObject({ messageId: '<b@x>', references: ['<a@x>', '<c@x>'] });
  });

  test('is bounded, the latest kept', async () => {
    const ids = Array.from({ length: 300 }, (_, index) => `<${index}@x>`);
    const { references } = await read(mailSource({ extra: [`References: ${ids.join(' ')}`] }));
    expect(references).toEqual(ids.slice(-50));
  });

  test('a Message-ID that is none identifies a mail and is not answered to', async () => {
    const mail = await read(mailSource({ messageId: 'no brackets' }));
    expect(mail.messageId).toBeNull();
  });
});

describe('mail written by machines', () => {
  test.each([
    ['Auto-Submitted: auto-replied', 'auto-submitted'],
    ['Auto-Submitted: auto-generated; owner-email="x@example.test"', 'auto-submitted'],
    ['Precedence: bulk', 'bulk'],
    ['Precedence: auto_reply', 'bulk'],
    ['List-Id: <staff.example.test>', 'list'],
    ['List-Unsubscribe: <mailto:x@example.test>', 'list'],
    ['X-Autoreply: yes', 'auto-reply'],
    ['X-Auto-Response-Suppress: DR, OOF, AutoReply', 'auto-reply'],
    ['Return-Path: <>', 'null-return-path'],
    ['Content-Type: multipart/report; report-type=delivery-status; boundary=x', 'report'],
    ['X-Parelha-Loop: audio2', 'loop'],
  ])('%s', async (field, reason) => {
    expect((await read(mailSource({ extra: [field] }))).automatic).toBe(reason);
  });

  test.each(['mailer-daemon', 'MAILER-DAEMON', 'postmaster'])('from %s', async (name) => {
    expect((await read(mailSource({ from: `${name}@example.test` }))).automatic).toBe('mailer-daemon');
  });

  test.each([
    'Auto-Submitted: no',
    'Precedence: first-class',
    'Return-Path: <ana@example.test>',
    'X-Auto-Response-Suppress: RN, NRN',
    'Content-Type: text/plain; charset=utf-8',
  ])('a person may send %s', async (field) => {
    expect((await read(mailSource({ extra: [field] }))).automatic).toBeNull();
  });

  test('the loop header names the node', async () => {
    expect((await read(mailSource({ extra: ['X-Parelha-Loop: audio2'] }))).loopOf).toBe('audio2');
  });
});

describe('what is no mail', () => {
  test.each([
    ['nothing', Buffer.alloc(0)],
    ['bytes', Buffer.from([0, 255, 10, 13, 7])],
    ['text without a header', Buffer.from('\r\nhello')],
    ['a header without end', Buffer.from(`Subject: ${'x'.repeat(300 * 1024)}`)],
    ['a header of very many fields', Buffer.from(`${'X: y\r\n'.repeat(3_000)}\r\n`)],
  ])('%s is refused as such', async (_, raw) => {
    expect(await readMessage(raw).catch(codeOf)).toBe('mail.unparsable');
  });

  test('the header alone will do, with any ends of lines', async () => {
    const [header = ''] = mailSource({ subject: 'RAMAIS=1121' }).split('\r\n\r\n');
    expect((await read(header)).subject).toBe('RAMAIS=1121');
    expect((await read(header.replaceAll('\r\n', '\n'))).subject).toBe('RAMAIS=1121');
  });

  test('whatever comes is read or refused, at once', async () => {
    const part = fc.constantFrom(
      '=?UTF-8?Q?',
      '?=',
      '=?',
      '<',
      '>',
      '"',
      ',',
      ';',
      ':',
      '@',
      '(',
      '\r\n ',
      '\\',
      'a',
      'é',
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(part, { maxLength: 400 }),
        fc.array(part, { maxLength: 400 }),
        async (from, subject) => {
          const begun = performance.now();
          const mail = await readMessage(
            Buffer.from(`From: ${from.join('')}\r\nSubject: ${subject.join('')}\r\n\r\n`),
          );
          expect(mail.subject.length).toBeLessThanOrEqual(1_000);
          expect(performance.now() - begun).toBeLessThan(1_000);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('a header made to take long does not', async () => {
    const bombs = [
      '=?UTF-8?Q?'.repeat(20_000),
      '('.repeat(200_000),
      'a@b,'.repeat(50_000),
      '<'.repeat(200_000),
    ];
    for (const bomb of bombs) {
      const begun = performance.now();
      await readMessage(
        Buffer.from(`From: ${bomb}\r\nReferences: ${bomb}\r\nSubject: ${bomb.slice(0, 30_000)}\r\n\r\n`),
      ).catch(codeOf);
      expect(performance.now() - begun).toBeLessThan(1_000);
    }
  });
});
