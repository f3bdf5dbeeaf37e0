import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Job } from '../../../protocol/job.ts';
import { createDigest, DIGEST_COMMAND } from '../../../node/commands/digest.ts';
import { type AnswerKind, type Audience, createAnswers } from '../../../node/mail/answers.ts';
import { createDigests } from '../../../node/mail/digests.ts';
import { openHeldMail } from '../../../node/mail/held-mail.ts';
import { createReplyBudget } from '../../../node/mail/reply-budget.ts';
import { codeOf } from '../../../node/platform/errors.ts';
import { silentLog } from '../../../node/platform/log.ts';
import { createContextFactory } from '../../../node/queue/context.ts';
import { openSpool } from '../../../node/queue/spool.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { newJob } from '../../support/jobs.ts';
import { createMemoryAudit } from '../../support/memory-audit.ts';
import { createMemoryMailer } from '../../support/memory-mailer.ts';
import { temporaryDirectory } from '../../support/process.ts';

const ADMIN = 'admin@example.test';
const SECOND_ADMIN = 'chefe@example.test';
const ANA = 'ana@example.test';

/** What is on disk and outside stays over `restart`; the rest is made anew, as by a node that was ended. */
async function setup(limits: { perSender?: number; perDay?: number } = {}) {
  const home = await temporaryDirectory();
  const clock = fixedClock();
  const audit = createMemoryAudit();
  const mailer = createMemoryMailer();
  const spool = await openSpool({
    ...{ directory: join(home.path, 'queue'), sealKey: Buffer.alloc(32), nodeId: 'audio', clock },
    ...{ log: silentLog, acceptedEarlier: () => null, setAside: async () => undefined },
  });
  const contextOf = createContextFactory(spool, clock, silentLog, () => undefined);
  const budget = createReplyBudget({ perSender: 1000, perDay: 1000, ...limits, clock });
  const start = async () => {
    const held = await openHeldMail({ directory: join(home.path, 'held'), log: silentLog });
    const answers = createAnswers({
      ...{ mailer, sent: null, audit, clock, budget, held, from: 'node@example.test' },
      admins: () => [ADMIN, SECOND_ADMIN],
    });
    const isOpen = (id: string) => spool.get(id) !== undefined;
    const digest = createDigest({ answers, held, isOpen, clock, timeZone: 'America/Sao_Paulo' });
    const digests = createDigests({ answers, held, spool, clock, log: silentLog });
    return { held, answers, digest, digests };
  };
  let node = await start();
  const contextFor = (id: string) => {
    const job = spool.get(id);
    if (job === undefined) throw new Error('no such job');
    return { job, context: contextOf(job, new AbortController().signal) };
  };
  const accept = async (name: string, requester: string | null = ANA): Promise<string> => {
    const job = newJob(name);
    const { id } = job;
    await spool.accept({ ...job, request: { ...job.request, requester } });
    return id;
  };
  const send = async (id: string, kind: AnswerKind = 'result', audience?: Audience): Promise<void> => {
    const { job, context } = contextFor(id);
    const mail = { subject: `Gravações ${id.slice(0, 4)}`, text: `Olá, ${kind}`, html: '<p>Olá</p>' };
    await node.answers.send(job, context, kind, mail, audience);
  };
  const end = async (id: string): Promise<void> => {
    await spool.conclude(id, { kind: 'done', at: clock.now().toString(), summary: 'done' });
    await spool.file(id);
  };
  /** Works the digests in the queue; gives how they ended. */
  const workDigests = async (): Promise<string[]> => {
    const ends: string[] = [];
    for (const { id, request } of spool.open('replies')) {
      if (request.command !== DIGEST_COMMAND) continue;
      const { job, context } = contextFor(id);
      const ending = await node.digest.work(job, node.digest.schema.parse(request.params), context);
      ends.push(ending.kind);
      if (ending.kind === 'done') await end(id);
    }
    return ends;
  };
  return {
    ...{ audit, budget, clock, mailer, spool, accept, send, end, workDigests },
    held: () => node.held,
    round: () => node.digests.round(),
    warnings: () => node.held.warnings(),
    restart: async () => {
      node = await start();
    },
    /** To whom each mail went in truth. */
    went: () => mailer.sent.map(({ to, cc, only }) => only ?? [...to, ...cc]),
    step: (id: string, kind = 'result'): Job['steps'][string] | undefined =>
      spool.get(id)?.steps[`mail:${kind}`],
    [Symbol.asyncDispose]: async () => {
      spool.close();
      await home[Symbol.asyncDispose]();
    },
  };
}

describe('an answer', () => {
  test('stands in the audit log once, however often its step is come to, with its Message-ID', async () => {
    await using it = await setup();
    const id = await it.accept('one');
    await it.send(id);
    await it.send(id);
    expect(it.went()).toEqual([[ADMIN, ANA]]);
    expect(it.audit.events).toEqual([
      {
        ...{ event: 'mail.sent', job: id, kind: 'result', messageId: it.mailer.sent[0]?.messageId },
        ...{ to: [ADMIN, ANA], copies: [ADMIN], deferred: [], refused: [] },
      },
    ]);
  });

  test('names those who were refused in the audit log', async () => {
    await using it = await setup();
    it.mailer.partNext({ refused: [ANA] });
    await it.send(await it.accept('one'));
    expect(it.audit.events[0]).toMatchObject({ refused: [ANA] });
  });

  test('goes to the first admin, or to all of them where all are to know, and to nobody twice', async () => {
    await using it = await setup();
    await it.send(await it.accept('one', ADMIN));
    await it.send(await it.accept('two', 'Admin@Example.test'));
    await it.send(await it.accept('three', null), 'notice', { toRequester: false, toAllAdmins: true });
    await it.send(await it.accept('four', SECOND_ADMIN), 'notice', { toRequester: true, toAllAdmins: true });
    expect(it.went()).toEqual([[ADMIN], [ADMIN], [ADMIN, SECOND_ADMIN], [ADMIN, SECOND_ADMIN]]);
  });
});

describe('past the number of mails of a day, an answer', () => {
  test('first goes to the requester alone, then to nobody; its step is done when it is on disk', async () => {
    await using it = await setup({ perSender: 10, perDay: 20 });
    const ids: string[] = [];
    for (let n = 0; n < 12; n += 1) ids.push(await it.accept(`job ${n}`));
    for (const id of ids) await it.send(id);
    const went = it.went().map((to) => to.join());
    // 10 of the day's 20 with copies, then 8 less: 9 to one person, as a tenth is kept for digests.
    expect(went).toEqual([...Array(5).fill(`${ADMIN},${ANA}`), ...Array(4).fill(ANA)]);
    for (const id of ids) expect(it.step(id)?.doneAt).not.toBeNull();
    expect(
      it
        .held()
        .list()
        .filter(({ to }) => to === ANA),
    ).toHaveLength(3);
    expect(
      it
        .held()
        .list()
        .filter(({ to }) => to === ADMIN),
    ).toHaveLength(7);
    expect(it.mailer.sent[8]).toMatchObject({ to: [ADMIN], cc: [ANA], only: [ANA] });
    expect(it.audit.events.at(-1)).toMatchObject({ event: 'mail.held', to: [], held: [ADMIN, ANA] });
    expect(it.warnings()).toEqual([expect.stringContaining('10 answers are held back')]);
  });

  test('is not answered before it is on disk', async () => {
    await using it = await setup({ perSender: 10, perDay: 20 });
    while (it.budget.take(ANA, 'answer') !== null);
    const id = await it.accept('one');
    const put = it.held().put;
    Object.assign(it.held(), {
      put: () => Promise.reject(Object.assign(new Error('no space'), { code: 'mail.unavailable' })),
    });
    expect(await it.send(id).catch(codeOf)).toBe('mail.unavailable');
    expect(it.step(id)?.doneAt).toBeNull();
    expect(it.mailer.sent).toHaveLength(0);
    Object.assign(it.held(), { put });
    const used = it.budget.used();
    await it.send(id);
    expect(it.step(id)?.doneAt).not.toBeNull();
    expect(it.budget.used() - used).toBe(1); // the copy; nothing was counted for the attempt that failed
  });

  test('that was held back for one is held back for the same one after a crash, and sent to the others once', async () => {
    await using it = await setup({ perSender: 10 });
    while (it.budget.take(ANA, 'answer') !== null);
    const id = await it.accept('one');
    it.mailer.failNext('mail.unavailable');
    expect(await it.send(id).catch(codeOf)).toBe('mail.unavailable');
    await it.restart();
    it.clock.advance({ hours: 25 }); // there is room again
    // While it is on its way to others, it is in no digest: its next attempt asks who had it held back.
    expect(await it.round()).toContain('0 digests');
    await it.send(id);
    expect(it.went()).toEqual([[ADMIN]]);
    expect(it.audit.events.at(-1)).toMatchObject({ event: 'mail.sent', to: [ADMIN], held: [ANA] });
    expect(await it.round()).toContain('1 digests');
  });

  test('refused for all that were left is no failure where others have it in a digest', async () => {
    await using it = await setup({ perSender: 10 });
    while (it.budget.take(ANA, 'answer') !== null);
    it.mailer.failNext('mail.rejected');
    const id = await it.accept('one');
    await it.send(id);
    expect(it.step(id)?.doneAt).not.toBeNull();
    expect(it.audit.events.at(-1)).toMatchObject({ refused: [ADMIN], held: [ANA] });
  });

  test('gives back its place where it could not be sent, and keeps it where nobody knows', async () => {
    await using it = await setup();
    const id = await it.accept('one');
    it.mailer.failNext('mail.unavailable');
    await it.send(id).catch(codeOf);
    expect(it.budget.used()).toBe(0);
    it.mailer.failNext('mail.unknown', true);
    await it.send(id).catch(codeOf);
    expect(it.budget.used()).toBe(2);
  });
});

describe('a digest', () => {
  /** Ana has had her mails of the day; two of her requests are answered all the same. */
  async function twoHeld() {
    const it = await setup({ perSender: 10 });
    for (let n = 0; n < 9; n += 1) it.budget.take(ANA, 'answer');
    const ids = [await it.accept('one'), await it.accept('two')];
    for (const id of ids) {
      await it.send(id, 'confirmation');
      await it.send(id, 'result');
      await it.end(id);
      it.clock.advance({ minutes: 30 });
    }
    return { ...it, ids };
  }

  test('goes out two hours after the oldest answer that was held back, to that person alone, once', async () => {
    await using it = await twoHeld();
    expect(await it.round()).toBe('0 digests were put into the queue; 4 answers are held back');
    it.clock.advance({ hours: 1 });
    expect(await it.round()).toBe('1 digests were put into the queue; 4 answers are held back');
    expect(await it.round()).toContain('0 digests');
    const before = it.mailer.sent.length;
    expect(await it.workDigests()).toEqual(['done']);
    expect(it.mailer.sent).toHaveLength(before + 1);
    const mail = it.mailer.sent.at(-1);
    expect(mail).toMatchObject({ to: [ANA], cc: [], inReplyTo: null });
    expect(mail?.text).toContain('Olá, result');
    // What the result says better.
    expect(mail?.text).not.toContain('Olá, confirmation');
    expect(it.audit.events.at(-1)).toMatchObject({ event: 'mail.sent', kind: 'digest', to: [ANA] });
    expect(it.audit.events.at(-1)?.['answers']).toHaveLength(4);
    expect(it.held().list()).toEqual([]);
    expect(it.warnings()).toEqual([]);
    it.clock.advance({ hours: 3 });
    expect(await it.round()).toContain('0 digests');
  });

  test('does not say that a request was taken to whom its result has been sent meanwhile', async () => {
    await using it = await setup({ perSender: 10 });
    for (let n = 0; n < 9; n += 1) it.budget.take(ANA, 'answer');
    const ids = [await it.accept('one'), await it.accept('two')];
    for (const id of ids) await it.send(id, 'confirmation');
    it.clock.advance({ hours: 24 });
    const [ended = '', open = ''] = ids;
    await it.send(ended, 'result');
    await it.end(ended);
    await it.round();
    expect(await it.workDigests()).toEqual(['done']);
    const text = it.mailer.sent.at(-1)?.text ?? '';
    expect([ended, open].map((id) => text.includes(`Gravações ${id.slice(0, 4)}`))).toEqual([false, true]);
    expect(it.held().list()).toEqual([]);
  });

  test('is sent once, also by a node that was ended between its mail and the end of its job', async () => {
    await using it = await twoHeld();
    it.clock.advance({ hours: 2 });
    await it.round();
    const remove = it.held().remove;
    Object.assign(it.held(), { remove: () => Promise.reject(new Error('ended here')) });
    await expect(it.workDigests()).rejects.toThrow('ended here');
    Object.assign(it.held(), { remove });
    const sent = it.mailer.sent.length;
    await it.restart();
    expect(it.held().list()).toHaveLength(4);
    expect(await it.workDigests()).toEqual(['done']);
    expect(it.mailer.sent).toHaveLength(sent);
    expect(it.held().list()).toEqual([]);
  });

  test('waits where the mails of the day are used up for digests too, and loses nothing', async () => {
    await using it = await twoHeld();
    it.clock.advance({ hours: 2 });
    await it.round();
    expect(it.budget.take(ANA, 'digest')).not.toBeNull();
    expect(await it.workDigests()).toEqual(['waiting']);
    it.clock.advance({ hours: 22 });
    expect(await it.workDigests()).toEqual(['done']);
    expect(it.mailer.sent.at(-1)).toMatchObject({ to: [ANA] });
  });

  test('that is refused for good is not made again and again', async () => {
    await using it = await twoHeld();
    it.clock.advance({ hours: 2 });
    await it.round();
    it.mailer.failNext('mail.rejected');
    expect(await it.workDigests().catch(codeOf)).toBe('mail.rejected');
    expect(it.audit.events.at(-1)).toMatchObject({ event: 'mail.rejected', to: [ANA], kind: 'digest' });
    expect(it.held().list()).toEqual([]);
  });

  test('has as much as fits, and the rest comes in another', async () => {
    await using it = await setup({ perSender: 10, perDay: 100 });
    while (it.budget.take(ANA, 'answer') !== null);
    for (let n = 0; n < 70; n += 1) {
      const id = await it.accept(`job ${n}`);
      await it.send(id);
      await it.end(id);
    }
    const of = (to: string) =>
      it
        .held()
        .list()
        .filter((entry) => entry.to === to).length;
    expect(of(ANA)).toBe(70);
    it.clock.advance({ hours: 25 });
    await it.round();
    await it.workDigests();
    expect(of(ANA)).toBe(10);
    await it.round();
    await it.workDigests();
    expect(of(ANA)).toBe(0);
  });
});
