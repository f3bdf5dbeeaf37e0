import { describe, expect, test } from 'vitest';
import type { AuditEvent } from '../../../node/audit.ts';
import { AppError } from '../../../node/platform/errors.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import {
  ANA,
  createWorld,
  MAX_BYTES,
  TOKEN,
  type World,
  type WorldOptions,
} from '../../support/ingest-world.ts';
import { mailSource } from '../../support/mails.ts';
import { createMemoryMailbox, type MemoryMailbox } from '../../support/memory-mailbox.ts';
import { eventually } from '../../support/process.ts';

async function world(change: Partial<WorldOptions> = {}): Promise<World & { mailbox: MemoryMailbox }> {
  const clock = fixedClock();
  const mailbox = createMemoryMailbox(clock.now);
  const made = await createWorld({ mailbox, clock, ...change });
  made.start();
  return Object.assign(made, { mailbox });
}

/** Waits until the mail has been dealt with; gives its audit entry. */
function dealtWith(it: World, uid: number): Promise<AuditEvent> {
  return eventually(
    `mail ${uid} to be dealt with`,
    () => it.audit.find((event) => event['uid'] === uid),
    5_000,
  );
}

describe('accepting a mail', () => {
  test('makes one job of a request, with nothing of the token in it', async () => {
    await using it = await world({ requireToken: true });
    const uid = it.mailbox.deliver(
      mailSource({
        subject: `[${TOKEN}] RAMAIS=1121`,
        messageId: '<q@example.test>',
        extra: ['References: <first@example.test>'],
      }),
    );
    expect(await dealtWith(it, uid)).toMatchObject({
      event: 'mail.accepted',
      from: ANA,
      subject: 'RAMAIS=1121',
    });
    expect(it.acceptor.jobs).toHaveLength(1);
    expect(it.acceptor.jobs[0]).toMatchObject({
      door: 'mail',
      lane: 'recordings',
      source: 'audio',
      request: {
        command: 'RAMAIS',
        params: { extensions: ['1121'] },
        requester: ANA,
        subject: 'RAMAIS=1121',
        messageId: '<q@example.test>',
        references: ['<first@example.test>'],
      },
    });
    expect(JSON.stringify([it.acceptor.jobs, it.audit, it.lines])).not.toContain(TOKEN);
    await eventually('the flags', () => it.mailbox.flagsOf(uid).includes('$Parelha'));
    expect(it.mailbox.flagsOf(uid)).toContain('\\Seen');
  });

  test('makes one job of a mail that is delivered twice, and of one without Message-ID', async () => {
    await using it = await world();
    const source = mailSource();
    it.mailbox.deliver(source);
    const second = it.mailbox.deliver(source);
    const nameless = mailSource({ messageId: null });
    it.mailbox.deliver(nameless);
    const last = it.mailbox.deliver(nameless);
    await dealtWith(it, last);
    expect(it.commands()).toEqual(['RAMAIS', 'RAMAIS']);
    expect(await dealtWith(it, second)).toMatchObject({ event: 'mail.duplicate' });
    await eventually('the flags', () => it.mailbox.flagsOf(last).includes('\\Seen'));
  });

  test('answers a subject at fault with all its faults and a corrected one', async () => {
    await using it = await world();
    const uid = it.mailbox.deliver(mailSource({ subject: 'Bom dia!' }));
    expect(await dealtWith(it, uid)).toMatchObject({ event: 'mail.refused', faults: ['SUBJECT:no-command'] });
    expect(it.acceptor.jobs[0]).toMatchObject({
      lane: 'replies',
      source: null,
      request: {
        command: 'RECUSA',
        params: { reason: 'faults' },
        requester: ANA,
        subject: 'Bom dia!',
      },
      details: { faults: [{ field: 'SUBJECT', code: 'no-command' }], corrected: 'RAMAIS=1121' },
    });
  });

  test('answers a mail that is too large without reading it, but only to who may ask', async () => {
    await using it = await world();
    const body = 'x'.repeat(MAX_BYTES);
    const stranger = it.mailbox.deliver(mailSource({ from: 'eve@evil.example', body }));
    const uid = it.mailbox.deliver(mailSource({ body }));
    expect(await dealtWith(it, uid)).toMatchObject({ event: 'mail.too-large' });
    expect(await dealtWith(it, stranger)).toMatchObject({ event: 'mail.not-allowed' });
    expect(it.acceptor.jobs).toMatchObject([
      {
        request: { command: 'RECUSA', params: { reason: 'too-large' } },
        details: { limitBytes: MAX_BYTES },
      },
    ]);
  });

  test.each([
    ['an out-of-office reply', { extra: ['Auto-Submitted: auto-replied'] }],
    ['a mail of our own', { extra: ['X-Parelha-Loop: audio'] }],
    ['a mail of a list', { extra: ['List-Id: <staff.example.test>'] }],
    ['a bounce', { from: 'MAILER-DAEMON@example.test', extra: ['Return-Path: <>'] }],
  ])('never answers %s, also of a person on the list', async (_, source) => {
    await using it = await world();
    const uid = it.mailbox.deliver(mailSource({ subject: 'Bom dia!', ...source }));
    expect(await dealtWith(it, uid)).toMatchObject({ event: 'mail.ignored' });
    expect(it.acceptor.jobs).toEqual([]);
    expect(it.mailbox.flagsOf(uid)).toEqual([]);
  });

  test.each([
    ['a stranger', { from: 'eve@evil.example' }],
    ['two senders', { from: `${ANA}, eve@evil.example` }],
    ['nobody', { from: null }],
  ])('never answers %s, and says so in log and audit', async (_, source) => {
    await using it = await world();
    const uid = it.mailbox.deliver(mailSource(source));
    expect(await dealtWith(it, uid)).toMatchObject({ event: 'mail.not-allowed', reason: 'not-allowed' });
    expect(it.acceptor.jobs).toEqual([]);
    await eventually('the log', () => it.lines.join('').includes('not on the whitelist'));
  });

  test('answers a missing or wrong token at most once a day to each address', async () => {
    const clock = fixedClock('2026-03-02T23:00:00Z');
    const mailbox = createMemoryMailbox(clock.now);
    await using it = await createWorld({ mailbox, clock, requireToken: true });
    it.start();
    for (const subject of ['RAMAIS=1', '[00000000] RAMAIS=2', 'RAMAIS=3'])
      mailbox.deliver(mailSource({ subject }));
    const other = mailbox.deliver(mailSource({ from: 'bia@staff.example.test' }));
    await dealtWith(it, other);
    expect(
      it.acceptor.jobs.map(({ request }) => [request.command, request.requester, request.params['reason']]),
    ).toEqual([
      ['RECUSA', ANA, 'token-missing'],
      ['RECUSA', 'bia@staff.example.test', 'token-missing'],
    ]);
    clock.advance({ hours: 2 });
    const tomorrow = mailbox.deliver(mailSource({ subject: '[00000000] RAMAIS=4' }));
    await dealtWith(it, tomorrow);
    expect(it.acceptor.jobs).toHaveLength(3);
    expect(JSON.stringify([it.acceptor.jobs, it.audit, it.lines])).not.toContain('00000000]');
  });

  test('puts a mail aside that cannot be read, and tells the admin once', async () => {
    await using it = await world();
    const raw = Buffer.from('\r\nthis is no mail at all');
    it.mailbox.deliver(raw);
    const again = it.mailbox.deliver(raw);
    const good = it.mailbox.deliver(mailSource());
    await dealtWith(it, good);
    expect(await dealtWith(it, again)).toMatchObject({ event: 'mail.set-aside' });
    expect(it.commands()).toEqual(['AVISO', 'RAMAIS']);
    expect(it.acceptor.jobs[0]?.request).toMatchObject({
      requester: null,
      params: { kind: 'mail-set-aside' },
    });
    expect([...it.setAside.values()].map(({ content }) => content.equals(raw))).toEqual([true]);
  });

  test('keeps a mail that it puts aside without its tokens', async () => {
    await using it = await world();
    const uid = it.mailbox.deliver(`\n\nSubject: [${TOKEN}] RAMAIS=1121\n${TOKEN.toLowerCase()}`);
    await dealtWith(it, uid);
    const [kept] = it.setAside.values();
    expect(kept?.content.toString().toUpperCase()).not.toContain(TOKEN);
    expect(kept?.content.toString()).toContain('RAMAIS=1121');
  });

  test('tells the admin of a mail that has the identity of another request, and goes on', async () => {
    await using it = await world();
    const same = { messageId: '<same@example.test>' };
    it.mailbox.deliver(mailSource({ ...same, subject: 'RAMAIS=1121' }));
    const second = it.mailbox.deliver(mailSource({ ...same, subject: 'RAMAIS=9999' }));
    const third = it.mailbox.deliver(mailSource());
    await dealtWith(it, third);
    expect(await dealtWith(it, second)).toMatchObject({ event: 'mail.conflict' });
    expect(it.commands()).toEqual(['RAMAIS', 'AVISO', 'RAMAIS']);
    expect(it.acceptor.jobs[1]?.request.params).toMatchObject({ kind: 'job-conflict' });
  });

  test('makes a job that fits the document, whatever the header says', async () => {
    await using it = await world();
    const references = Array.from({ length: 500 }, (_, index) => `<${index}@x>`).join(' ');
    const uid = it.mailbox.deliver(
      mailSource({
        subject: `RAMAIS=${'1'.repeat(5_000)}`,
        messageId: `<${'x'.repeat(2_000)}@x>`,
        extra: [`References: ${references}`],
      }),
    );
    await dealtWith(it, uid);
    const { request } = it.acceptor.jobs[0]!;
    expect(request.subject.length).toBeLessThanOrEqual(1_000);
    expect(request.references).toHaveLength(50);
    expect(request.messageId).toBeNull();
  });

  test('puts a mail aside that keeps failing, after three tries, and takes the others', async () => {
    const broken = {
      parse: (subject: string) => {
        if (subject.includes('poison')) throw new TypeError('a defect of ours');
        return { ok: false as const, command: null, faults: [], corrected: '' };
      },
    };
    const mailbox = createMemoryMailbox(() => Temporal.Now.instant());
    await using it = await createWorld({ mailbox, grammar: broken });
    it.start();
    const poison = mailbox.deliver(mailSource({ subject: 'poison' }));
    const good = mailbox.deliver(mailSource({ subject: 'good' }));
    await dealtWith(it, good);
    expect(await dealtWith(it, poison)).toMatchObject({ event: 'mail.set-aside' });
    expect(it.commands()).toEqual(['AVISO', 'RECUSA']);
    expect(it.lines.filter((line) => line.includes('could not be dealt with'))).toHaveLength(3);
  });

  test('never puts a mail aside because of the disk', async () => {
    const mailbox = createMemoryMailbox(() => Temporal.Now.instant());
    await using it = await createWorld({ mailbox });
    it.acceptor.failWith(new AppError('spool.unwritable', 'no space left on device', { retriable: true }));
    it.start();
    const uid = mailbox.deliver(mailSource());
    await eventually('the complaint', () => it.lines.some((line) => line.includes('stays unread')));
    expect(mailbox.flagsOf(uid)).toEqual([]);
    expect(it.ingest.status().lastError).toMatchObject({ code: 'spool.unwritable' });
    it.acceptor.failWith(null);
    await dealtWith(it, uid);
    expect(it.commands()).toEqual(['RAMAIS']);
    expect(it.setAside.size).toBe(0);
  });
});
