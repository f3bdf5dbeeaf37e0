import { describe, expect, test } from 'vitest';
import { messageIdOf, sendOnce } from '../../../node/mail/send-once.ts';
import type { Receipt } from '../../../node/mail/mailer.ts';
import type { Clock } from '../../../node/platform/clock.ts';
import { AppError, codeOf } from '../../../node/platform/errors.ts';
import type { Effect, Json } from '../../../node/queue/steps.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { outgoing } from '../../support/mailer-contract.ts';
import { createMemorySentMail } from '../../support/memory-mailbox.ts';
import { createMemoryMailer } from '../../support/memory-mailer.ts';

/** A clock whose sleeps take no time of ours and all of its own; `onSleep` happens meanwhile. */
function sleepingClock(onSleep: (sleptMs: number) => void = () => undefined): Clock & { sleptMs(): number } {
  const clock = fixedClock();
  let slept = 0;
  return {
    ...clock,
    sleptMs: () => slept,
    sleep: async (ms) => {
      slept += ms;
      clock.advance({ milliseconds: ms });
      onSleep(slept);
    },
  };
}

/** A journal of steps, as a job's document keeps them. */
function journal(clock: Clock) {
  const steps = new Map<string, { intentAt: Temporal.Instant; done?: Json }>();
  let full = false;
  return {
    intend: (name: string) => steps.set(name, { intentAt: clock.now() }),
    /** While it is full, effects happen and cannot be recorded as done. */
    fill: (now: boolean) => {
      full = now;
    },
    names: () => [...steps.keys()],
    step: async <T extends Json>(name: string, effect: Effect<T>): Promise<T> => {
      const earlier = steps.get(name);
      if (earlier?.done !== undefined) return earlier.done as T;
      const intentAt = earlier?.intentAt ?? clock.now();
      steps.set(name, { intentAt });
      const found = earlier === undefined ? null : await effect.happened(intentAt);
      const done = found ?? (await effect.perform());
      if (full) throw new AppError('spool.unwritable', 'no space', { retriable: true });
      steps.set(name, { intentAt, done });
      return done;
    },
  };
}

const STEP = 'mail:result';

function setup(options: { sent?: null; fileAfterMs?: number } = {}) {
  const sent = createMemorySentMail();
  const filing: string[] = [];
  const clock = sleepingClock((sleptMs) => {
    if (sleptMs >= (options.fileAfterMs ?? 0)) for (const id of filing.splice(0)) sent.messageIds.add(id);
  });
  const mailer = createMemoryMailer((mail) => filing.push(mail.messageId));
  const steps = journal(clock);
  const mail = outgoing();
  const told: Receipt[] = [];
  const giveUp = new AbortController();
  const onSent = async (receipt: Receipt): Promise<void> => void told.push(receipt);
  const tools = { step: steps.step, mailer, sent: options.sent === null ? null : sent, clock, onSent };
  const send = () => sendOnce({ ...tools, signal: giveUp.signal }, STEP, mail);
  /** The server's answer, or the code of what went wrong. */
  const answer = (): Promise<string> => send().then(({ response }) => response, codeOf);
  return { sent, clock, mailer, steps, mail, send, answer, filing, told, giveUp };
}

describe('a mail as a step of a job', () => {
  test('is sent once, without a look at what was sent before', async () => {
    const it = setup();
    expect(await it.answer()).toMatch(/^250/);
    expect(await it.answer()).toMatch(/^250/);
    expect(it.mailer.sent).toHaveLength(1);
    expect(it.sent.looks()).toBe(0);
  });

  test('that went out before a crash is found and not sent again', async () => {
    const it = setup();
    it.steps.intend(STEP);
    it.sent.messageIds.add(it.mail.messageId);
    expect(await it.answer()).toContain('found');
    expect(it.mailer.sent).toHaveLength(0);
  });

  test('that is filed only seconds after a crash is found as well', async () => {
    const it = setup({ fileAfterMs: 9_000 });
    it.steps.intend(STEP);
    it.filing.push(it.mail.messageId);
    expect(await it.answer()).toContain('found');
    expect(it.mailer.sent).toHaveLength(0);
  });

  test('that never went out before a crash is sent when nothing turned up', async () => {
    const it = setup();
    it.steps.intend(STEP);
    expect(await it.answer()).toMatch(/^250/);
    expect(it.mailer.sent).toHaveLength(1);
    expect(it.clock.sleptMs()).toBe(15_000);
  });

  test('is sent again with the same Message-ID where nothing keeps what was sent', async () => {
    const it = setup({ sent: null });
    it.steps.intend(STEP);
    expect(await it.answer()).toMatch(/^250/);
    expect(it.mailer.sent.map((mail) => mail.messageId)).toEqual([it.mail.messageId]);
    expect(it.clock.sleptMs()).toBe(0);
  });

  test('whose fate is unknown is looked for before anything else, and found', async () => {
    const it = setup({ fileAfterMs: 3_000 });
    it.mailer.failNext('mail.unknown', true);
    expect(await it.answer()).toContain('found');
    expect(it.mailer.sent).toHaveLength(1);
  });

  test('whose fate is unknown and that does not turn up is sent by the next attempt', async () => {
    const it = setup();
    it.mailer.failNext('mail.unknown');
    expect(await it.answer()).toBe('mail.unknown');
    expect(it.clock.sleptMs()).toBe(15_000);
    expect(await it.answer()).toMatch(/^250/);
    expect(it.mailer.sent).toHaveLength(1);
    expect(it.clock.sleptMs()).toBe(15_000);
  });

  test('is not doubled when a later attempt goes unknown and is filed late', async () => {
    const it = setup({ fileAfterMs: 10_000 });
    it.mailer.failNext('mail.unavailable');
    it.mailer.failNext('mail.unknown', true);
    expect(await it.answer()).toBe('mail.unavailable');
    expect(await it.answer()).toContain('found');
    expect(it.mailer.sent).toHaveLength(1);
  });

  test('that was refused before it could be taken is sent again without waiting', async () => {
    const it = setup();
    it.mailer.failNext('mail.unavailable');
    expect(await it.answer()).toBe('mail.unavailable');
    expect(await it.answer()).toMatch(/^250/);
    expect(it.sent.looks()).toBe(0);
  });
});

describe('a mailbox of sent mails that cannot be asked', () => {
  test.each(['mailbox.unavailable', 'mailbox.closed', 'mailbox.login'])(
    'leaves it unknown whether a mail went out, however it fails: %s',
    async (code) => {
      const it = setup();
      it.steps.intend(STEP);
      it.sent.failNext(new AppError(code, 'away'));
      expect(await it.send().catch((error: unknown) => error)).toMatchObject({
        code: 'mail.unknown',
        retriable: true,
        cause: { code },
      });
      expect(it.mailer.sent).toEqual([]);
      it.sent.messageIds.add(it.mail.messageId);
      expect(await it.answer()).toContain('found');
    },
  );

  test('leaves it unknown also after a lost answer', async () => {
    const it = setup();
    it.mailer.failNext('mail.unknown', true);
    it.sent.failNext(new AppError('mailbox.login', 'refused'));
    expect(await it.answer()).toBe('mail.unknown');
  });

  test('is given up with the reason of who gives it up', async () => {
    const it = setup();
    it.steps.intend(STEP);
    const reason = new Error('stopping');
    it.giveUp.abort(reason);
    await expect(it.send()).rejects.toBe(reason);
  });
});

describe('recipients that the server does not take', () => {
  const [admin, ana] = ['admin@example.test', 'ana@example.test'];

  test('put off, get the mail later, and the others do not get it again', async () => {
    const it = setup();
    it.mailer.partNext({ deferred: [ana] }, 'mail.unavailable');
    expect(await it.answer()).toBe('mail.unavailable');
    expect(await it.answer()).toMatch(/^250/);
    expect(it.mailer.sent.map(({ only, messageId }) => [only, messageId])).toEqual([
      [undefined, it.mail.messageId],
      [[ana], it.mail.messageId],
    ]);
  });

  test('put off one after the other, each get it in a step of its own', async () => {
    const it = setup();
    it.mailer.partNext({ deferred: [admin, ana] });
    it.mailer.partNext({ deferred: [ana] });
    expect(await it.send()).toMatchObject({ deferred: [admin, ana] });
    await it.send();
    expect(it.mailer.sent.map(({ only }) => only)).toEqual([undefined, [admin, ana], [ana]]);
    expect(it.steps.names()).toEqual([STEP, `${STEP}:rest`, `${STEP}:rest-2`]);
    expect(it.told).toHaveLength(1);
  });

  test('refused for good, are told in the receipt and not tried again', async () => {
    const it = setup();
    it.mailer.partNext({ refused: [ana] });
    expect(await it.send()).toMatchObject({ refused: [ana] });
    expect(it.mailer.sent).toHaveLength(1);
  });

  test('put off and refused later, do not make the mail fail', async () => {
    const it = setup();
    it.mailer.partNext({ deferred: [ana] }, 'mail.rejected');
    expect(await it.answer()).toMatch(/^250/);
    await it.send();
    expect(it.mailer.sent).toHaveLength(1);
  });
});

describe('the word that a mail went out', () => {
  test('is given once, not again by a step that is done', async () => {
    const it = setup();
    await it.send();
    await it.send();
    expect(it.told).toEqual([expect.objectContaining({ response: expect.stringMatching(/^250/) })]);
  });

  test('is given for one that is found after a crash', async () => {
    const it = setup();
    it.steps.intend(STEP);
    it.sent.messageIds.add(it.mail.messageId);
    await it.send();
    expect(it.told).toHaveLength(1);
  });

  test('is kept while it cannot be recorded: the mail is not sent again, though nothing keeps what was sent', async () => {
    const it = setup({ sent: null });
    it.steps.fill(true);
    expect(await it.answer()).toBe('spool.unwritable');
    expect(await it.answer()).toBe('spool.unwritable');
    it.steps.fill(false);
    expect(await it.answer()).toMatch(/^250/);
    expect(it.mailer.sent).toHaveLength(1);
  });
});

describe('the Message-ID of a mail of ours', () => {
  const job = 'ab'.repeat(32);

  test('is the same for the same job, kind and generation, and no other', () => {
    const id = messageIdOf(job, 'result', 0, 'node@Example.test');
    expect(id).toBe(`<${'ab'.repeat(16)}.result.0@example.test>`);
    expect(messageIdOf(job, 'result', 0, 'node@example.test')).toBe(id);
    expect(messageIdOf(job, 'result', 1, 'node@example.test')).not.toBe(id);
    expect(messageIdOf(job, 'confirmation', 0, 'node@example.test')).not.toBe(id);
    expect(messageIdOf('cd'.repeat(32), 'result', 0, 'node@example.test')).not.toBe(id);
  });

  test('holds nothing that a Message-ID cannot', () => {
    expect(messageIdOf(job, 'ação > <x@y>', 0, 'node@example.test')).toMatch(/^<[\w.-]+@example\.test>$/);
  });
});
