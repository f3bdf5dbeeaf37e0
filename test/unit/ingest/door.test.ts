import { execFileSync } from 'node:child_process';
import * as z from 'zod';
import { describe, expect, test } from 'vitest';
import type { AuditEvent } from '../../../node/audit.ts';
import type { Proof, SenderProof } from '../../../node/access/sender-proof.ts';
import { createResultsProof } from '../../../node/access/sender-proof-results.ts';
import type { Grammar } from '../../../node/ingest/arrival.ts';
import { AppError, codeOf } from '../../../node/platform/errors.ts';
import { type FixedClock, fixedClock } from '../../support/fixed-clock.ts';
import {
  ANA,
  createWorld,
  grammar,
  TOKEN,
  type World,
  type WorldOptions,
} from '../../support/ingest-world.ts';
import { mailSource, type MailSource } from '../../support/mails.ts';
import { createMemoryMailbox, type MemoryMailbox } from '../../support/memory-mailbox.ts';
import { eventually } from '../../support/process.ts';

const ID = 'mx.example.test';
const RESULTS = `Authentication-Results: ${ID}; dmarc=pass header.from=`;

interface Door extends World {
  readonly mailbox: MemoryMailbox;
  readonly clock: FixedClock;
  /** Delivers a mail and waits for what becomes of it. */
  take(source?: MailSource, top?: readonly string[]): Promise<AuditEvent>;
}

async function door(change: Partial<WorldOptions> = {}): Promise<Door> {
  const clock = fixedClock();
  const mailbox = createMemoryMailbox(clock.now);
  const world = await createWorld({ mailbox, clock, proof: createResultsProof(ID), ...change });
  world.start();
  const take: Door['take'] = (source, top = []) => {
    const uid = mailbox.deliver([...top, mailSource(source)].join('\r\n'));
    return eventually(
      'a mail to be dealt with',
      () => world.audit.find((event) => event['uid'] === uid && event.event.startsWith('mail.')),
      5_000,
    );
  };
  return Object.assign(world, { mailbox, clock, take });
}

const passed = (domain = 'example.test'): string[] => [`${RESULTS}${domain}`];
const reasons = (it: World): unknown[] =>
  it.acceptor.jobs.map(({ request }) => [
    request.command,
    request.params['reason'] ?? request.params['kind'],
  ]);

describe('a sender that is proved', () => {
  test('gets what is asked for; the audit log says how it was proved and by which rule', async () => {
    await using it = await door();
    expect(await it.take({}, passed())).toMatchObject({
      event: 'mail.accepted',
      from: ANA,
      proof: { proved: true, how: 'results', domain: 'example.test' },
      rule: { person: ANA, role: 'operador', by: 'config', token: 'none' },
    });
    const from = 'bia@staff.example.test';
    expect(await it.take({ from }, passed('staff.example.test'))).toMatchObject({
      rule: { person: '@staff.example.test' },
    });
    expect(it.commands()).toEqual(['RAMAIS', 'RAMAIS']);
  });

  test('gets no more than their role and limits allow, and is told why', async () => {
    await using it = await door({ grammar: commands });
    await it.people.put({ address: ANA, role: 'consulta', extensions: ['1121'], servers: null }, 'admin');
    expect(await it.take({ subject: 'MACCHANGE=1' }, passed())).toMatchObject({
      event: 'mail.refused',
      faults: ['SUBJECT:command-not-permitted'],
    });
    expect(await it.take({ subject: 'MACCHANGE' }, passed())).toMatchObject({
      faults: ['SUBJECT:command-not-permitted'],
    });
    expect(await it.take({ subject: 'RAMAIS=1122' }, passed())).toMatchObject({
      faults: ['RAMAIS:extension-not-permitted'],
    });
    expect(await it.take({ subject: 'RAMAIS=1121' }, passed())).toMatchObject({ event: 'mail.accepted' });
    expect(it.acceptor.jobs[2]?.details).toMatchObject({ corrected: null });
    expect(it.commands()).toEqual(['RECUSA', 'RECUSA', 'RECUSA', 'RAMAIS']);
  });

  test('that is a stranger is told so once a day, where the mail asks for something', async () => {
    await using it = await door();
    const eve: MailSource = { from: 'eve@evil.example' };
    expect(await it.take(eve, passed('evil.example'))).toMatchObject({
      event: 'mail.not-allowed',
      proof: { how: 'results' },
      answered: true,
    });
    expect(await it.take(eve, passed('evil.example'))).toMatchObject({ answered: false });
    await it.take({ from: 'news@evil.example', subject: 'Ofertas!' }, passed('evil.example'));
    expect(reasons(it)).toEqual([['RECUSA', 'not-allowed']]);
    it.clock.advance({ hours: 24 });
    expect(await it.take(eve, passed('evil.example'))).toMatchObject({ answered: true });
  });

  test('of whom there are many strangers, no more than twenty are answered in a day', async () => {
    await using it = await door();
    for (let n = 0; n < 25; n += 1) await it.take({ from: `eve${n}@evil.example` }, passed('evil.example'));
    expect(it.commands()).toHaveLength(20);
  });
});

describe('a sender that is not proved', () => {
  test('is never answered: the mail is in quarantine, and the admin is told once', async () => {
    await using it = await door({ requireToken: true });
    const subject = `[${TOKEN}] RAMAIS=1121`;
    expect(await it.take({ subject })).toMatchObject({
      event: 'mail.quarantined',
      from: ANA,
      subject: 'RAMAIS=1121',
      reason: 'no-results',
    });
    expect(reasons(it)).toEqual([['AVISO', 'mail-unproved']]);
    expect(it.acceptor.jobs[0]?.request.requester).toBeNull();
    expect(it.quarantine.list()).toMatchObject([{ from: ANA, reason: 'no-results', subject: 'RAMAIS=1121' }]);
    const { text } = await it.quarantine.show(it.quarantine.list()[0]?.id ?? '');
    expect(text).toContain('RAMAIS=1121');
    expect(JSON.stringify([text, it.quarantine.list(), it.acceptor.jobs, it.audit, it.lines])).not.toContain(
      TOKEN,
    );
    expect(it.mailbox.flagsOf(1)).toEqual([]);
  });

  test('counts no wrong token against whom it names', async () => {
    await using it = await door({ requireToken: true });
    for (let n = 0; n < 6; n += 1) await it.take({ subject: `[0000000${n}] RAMAIS=1` });
    expect(it.lockout.list()).toEqual([]);
    expect(await it.take({ subject: `[${TOKEN}] RAMAIS=1` }, passed())).toMatchObject({
      event: 'mail.accepted',
    });
  });

  test.each<[string, MailSource, readonly string[]]>([
    ['two authors, one of them on the list', { from: `eve@evil.example, ${ANA}` }, passed('evil.example')],
    ['a group with one of the list in it', { from: `Staff: ${ANA};` }, passed()],
    ['two From fields', { from: 'eve@evil.example' }, [...passed('evil.example'), `From: ${ANA}`]],
    ['another domain in its results', {}, passed('evil.example')],
  ])('comes into quarantine with %s', async (_, source, top) => {
    await using it = await door();
    expect(await it.take(source, top)).toMatchObject({ event: 'mail.quarantined' });
    expect(reasons(it)).toEqual([['AVISO', 'mail-unproved']]);
  });

  test('that is a stranger is not answered, not kept, and nobody is told', async () => {
    await using it = await door();
    expect(await it.take({ from: 'eve@evil.example' })).toMatchObject({
      event: 'mail.not-allowed',
      answered: false,
    });
    expect(it.acceptor.jobs).toEqual([]);
    expect(it.quarantine.list()).toEqual([]);
  });

  test('many times over, tells the admin of twenty and then once an hour', async () => {
    await using it = await door();
    for (let n = 0; n < 30; n += 1) await it.take();
    expect(it.commands()).toHaveLength(21);
    expect(it.quarantine.list()).toHaveLength(30);
    it.clock.advance({ hours: 1 });
    await it.take();
    expect(it.commands()).toHaveLength(22);
  });
});

describe('a mail out of quarantine', () => {
  const only = (it: World): string => it.quarantine.list()[0]?.id ?? '';

  test('is worked as if its sender were proved, once', async () => {
    await using it = await door({ requireToken: true });
    await it.take({ subject: `[${TOKEN}] RAMAIS=1121` });
    const { message } = await it.quarantine.release(only(it).slice(0, 12));
    expect(message).toContain('accepted RAMAIS');
    expect(it.acceptor.jobs[1]?.request).toMatchObject({
      command: 'RAMAIS',
      requester: ANA,
      subject: 'RAMAIS=1121',
    });
    expect(it.audit).toContainEqual(
      expect.objectContaining({
        event: 'mail.accepted',
        proof: expect.objectContaining({ how: 'released' }),
      }),
    );
    expect(it.audit).toContainEqual(
      expect.objectContaining({ event: 'quarantine.released', by: 'node-ctl' }),
    );
    expect(it.quarantine.list()).toEqual([]);
    expect(await it.quarantine.release('abcd').catch(codeOf)).toBe('job.not-found');
  });

  test('is still asked for its token, and still refused what is wrong with it', async () => {
    await using it = await door({ requireToken: true });
    await it.take({ subject: 'RAMAIS=1121' });
    expect((await it.quarantine.release(only(it))).message).toContain('token-missing');
    await it.take({ subject: `[${TOKEN}] Bom dia` });
    expect((await it.quarantine.release(only(it))).message).toContain('refused RECUSA');
  });

  test('that broke off is finished by the same call', async () => {
    await using it = await door();
    await it.take();
    it.acceptor.diskFullAfterNext();
    expect(await it.quarantine.release(only(it)).catch(codeOf)).toBe('spool.unwritable');
    it.acceptor.failWith(null);
    await it.quarantine.release(only(it));
    expect(it.commands()).toEqual(['AVISO', 'RAMAIS']);
  });

  test('cannot be released where it names nobody to answer, and can be dismissed', async () => {
    await using it = await door();
    await it.take({ from: `eve@evil.example, ${ANA}` });
    expect(await it.quarantine.release(only(it)).catch(codeOf)).toBe('job.wrong-state');
    await it.quarantine.dismiss(only(it));
    expect(it.quarantine.list()).toEqual([]);
    expect(it.audit.at(-1)).toMatchObject({ event: 'quarantine.dismissed' });
  });
});

describe('tokens at the door', () => {
  test('five wrong ones lock a sender out: told once, the admin too', async () => {
    await using it = await door({ requireToken: true });
    for (let n = 1; n <= 5; n += 1) await it.take({ subject: `[0000000${n}] RAMAIS=1` }, passed());
    expect(await it.take({ subject: `[${TOKEN}] RAMAIS=1` }, passed())).toMatchObject({
      event: 'mail.bad-token',
      reason: 'locked-out',
    });
    await it.take({ subject: `[${TOKEN}] RAMAIS=2` }, passed());
    expect(reasons(it)).toEqual([
      ['RECUSA', 'token-wrong'],
      ['AVISO', 'locked-out'],
      ['RECUSA', 'locked-out'],
    ]);
    await it.lockout.clear(ANA);
    expect(await it.take({ subject: `[${TOKEN}] RAMAIS=1` }, passed())).toMatchObject({
      event: 'mail.accepted',
    });
  });

  test('the command that lifts a lock can be copied into a shell, whatever the address', async () => {
    await using it = await door({ requireToken: true });
    const from = "`id${ifs}-u`'x@staff.example.test";
    for (let n = 1; n <= 5; n += 1)
      await it.take({ from, subject: `[0000000${n}] RAMAIS=1` }, passed('staff.example.test'));
    const notice = it.acceptor.jobs.find(({ request }) => request.params['kind'] === 'locked-out');
    const script = z
      .string()
      .parse(notice?.details?.['clear'])
      .replace('node-ctl', String.raw`printf '%s\n'`);
    expect(execFileSync('sh', ['-c', script], { encoding: 'utf8' })).toBe(`lockout\nclear\n${from}\n`);
  });

  test('one that is good once makes one job, also where the mail is decided on again after a full disk', async () => {
    await using it = await door({ requireToken: true });
    const { id, token } = await it.tokens.add({ for: ANA, expiresAt: null, singleUse: true, note: '' }, 'x');
    it.acceptor.failWith(new AppError('spool.unwritable', 'no space left on device', { retriable: true }));
    const taken = it.take({ subject: `[${token}] RAMAIS=1` }, passed());
    await eventually('the complaint', () => it.lines.some((line) => line.includes('stays unread')));
    expect(it.tokens.list()[0]?.usedBy).not.toBeNull();
    it.acceptor.failWith(null);
    it.clock.advance({ seconds: 5 });
    expect(await taken).toMatchObject({ event: 'mail.accepted', rule: { token: `token:${id}` } });
    expect(await it.take({ subject: `[${token}] RAMAIS=2` }, passed())).toMatchObject({
      reason: 'token-wrong',
    });
    expect(it.commands()).toEqual(['RAMAIS', 'RECUSA']);
    expect(JSON.stringify([it.acceptor.jobs, it.audit, it.lines])).not.toContain(token);
  });

  test('one that is good once is good for one of two mails that are decided on at a time', async () => {
    await using it = await door({ requireToken: true });
    const { token } = await it.tokens.add({ for: ANA, expiresAt: null, singleUse: true, note: '' }, 'x');
    await it.take({ subject: `[${token}] RAMAIS=1` });
    await it.take({ subject: `[${token}] RAMAIS=2` });
    const ids = it.quarantine.list().map(({ id }) => id);
    const told = await Promise.all(ids.map((id) => it.quarantine.release(id)));
    expect(
      told.map(({ message }) => message.split(' ')[0] ?? '').toSorted((a, b) => a.localeCompare(b)),
    ).toEqual(['accepted:', 'bad-token:']);
    expect(it.commands().filter((command) => command === 'RAMAIS')).toHaveLength(1);
  });

  test('one that is good once is not used up by a subject at fault', async () => {
    await using it = await door({ requireToken: true });
    const { token } = await it.tokens.add({ for: ANA, expiresAt: null, singleUse: true, note: '' }, 'x');
    await it.take({ subject: `[${token}] Bom dia` }, passed());
    expect(await it.take({ subject: `[${token}] RAMAIS=1` }, passed())).toMatchObject({
      event: 'mail.accepted',
    });
  });
});

test('a mail waits for the DNS of its sender, and those behind it come after it', async () => {
  const said: { proof: Proof | null } = { proof: null };
  const proof: SenderProof = {
    prove: async () => {
      if (said.proof === null) throw new AppError('access.dns', 'no answer', { retriable: true });
      return said.proof;
    },
  };
  await using it = await door({ proof });
  const first = it.take({ subject: 'RAMAIS=1' });
  const second = it.take({ subject: 'RAMAIS=2' });
  await eventually('the complaint', () => it.lines.some((line) => line.includes('waits for the DNS')));
  expect(it.acceptor.jobs).toEqual([]);
  said.proof = { proved: true, how: 'dkim', domain: 'example.test' };
  it.clock.advance({ seconds: 5 });
  expect([await first, await second]).toMatchObject([{ event: 'mail.accepted' }, { event: 'mail.accepted' }]);
  expect(it.acceptor.jobs.map(({ request }) => request.subject)).toEqual(['RAMAIS=1', 'RAMAIS=2']);
});

test('nobody waits for the DNS of a stranger', async () => {
  const proof: SenderProof = {
    prove: async () => {
      throw new AppError('access.dns', 'no answer', { retriable: true });
    },
  };
  await using it = await door({ proof });
  expect(await it.take({ from: 'eve@evil.example' })).toMatchObject({
    event: 'mail.not-allowed',
    proof: { proved: false, reason: 'dns' },
  });
});

test('nobody waits for the DNS of a stranger that takes its time', async () => {
  const asked: string[] = [];
  const proof: SenderProof = {
    prove: (_, { from }) => {
      asked.push(from?.address ?? '');
      return from?.address === ANA
        ? Promise.resolve({ proved: true, how: 'dkim', domain: 'example.test' })
        : new Promise(() => undefined);
    },
  };
  await using it = await door({ proof });
  const stranger = it.take({ from: 'eve@evil.example' });
  const next = it.take();
  await eventually('the question', () => asked.length === 1);
  it.clock.advance({ seconds: 5 });
  expect(await stranger).toMatchObject({ event: 'mail.not-allowed', answered: false });
  expect(await next).toMatchObject({ event: 'mail.accepted' });
});

/** RAMAIS and MACCHANGE, as far as these tests need them. */
const commands: Grammar = {
  parse: (subject) => {
    const [keyword = '', value] = subject.split('=');
    if (value === undefined) {
      return {
        ok: false,
        command: keyword,
        faults: [{ field: keyword, code: 'needed', values: {} }],
        corrected: '',
      };
    }
    const parsed = grammar.parse(`RAMAIS=${value}`);
    const touches = (): { extensions: string[]; servers: null } => ({
      extensions: value.split(','),
      servers: null,
    });
    return parsed.ok ? { ...parsed, command: { keyword, touches } } : parsed;
  },
};
