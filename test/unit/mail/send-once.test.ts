import { describe, expect, test } from 'vitest';
import { messageIdOf, sendOnce } from '../../../node/mail/send-once.ts';
import type { Clock } from '../../../node/platform/clock.ts';
import { codeOf } from '../../../node/platform/errors.ts';
import type { Effect, Json } from '../../../node/queue/steps.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { outgoing } from '../../support/mailer-contract.ts';
import { createMemorySentMail } from '../../support/memory-mailbox.ts';
import { createMemoryMailer } from '../../support/memory-mailer.ts';

const { signal } = new AbortController();

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

/** A journal of one step, as a job's document keeps it; `crash` ends the process after the effect. */
function journal(clock: Clock) {
  let intentAt: Temporal.Instant | null = null;
  let done: Json | undefined;
  return {
    intend: () => {
      intentAt = clock.now();
    },
    step: async <T extends Json>(_name: string, effect: Effect<T>): Promise<T> => {
      if (done !== undefined) return done as T;
      const found = intentAt === null ? null : await effect.happened(intentAt);
      intentAt ??= clock.now();
      const result = found ?? (await effect.perform());
      done = result;
      return result;
    },
  };
}

function setup(options: { sent?: null; fileAfterMs?: number } = {}) {
  const sent = createMemorySentMail();
  const filing: string[] = [];
  const clock = sleepingClock((sleptMs) => {
    if (sleptMs >= (options.fileAfterMs ?? 0)) for (const id of filing.splice(0)) sent.messageIds.add(id);
  });
  const mailer = createMemoryMailer((mail) => filing.push(mail.messageId));
  const steps = journal(clock);
  const mail = outgoing();
  const send = () =>
    sendOnce(
      { step: steps.step, mailer, sent: options.sent === null ? null : sent, clock, signal },
      'mail:result',
      mail,
    );
  return { sent, clock, mailer, steps, mail, send, filing };
}

describe('a mail as a step of a job', () => {
  test('is sent once, without a look at what was sent before', async () => {
    const it = setup();
    expect(await it.send()).toMatch(/^250/);
    expect(await it.send()).toMatch(/^250/);
    expect(it.mailer.sent).toHaveLength(1);
    expect(it.sent.looks()).toBe(0);
  });

  test('that went out before a crash is found and not sent again', async () => {
    const it = setup();
    it.steps.intend();
    it.sent.messageIds.add(it.mail.messageId);
    expect(await it.send()).toContain('found');
    expect(it.mailer.sent).toHaveLength(0);
  });

  test('that is filed only seconds after a crash is found as well', async () => {
    const it = setup({ fileAfterMs: 9_000 });
    it.steps.intend();
    it.filing.push(it.mail.messageId);
    expect(await it.send()).toContain('found');
    expect(it.mailer.sent).toHaveLength(0);
  });

  test('that never went out before a crash is sent when nothing turned up', async () => {
    const it = setup();
    it.steps.intend();
    expect(await it.send()).toMatch(/^250/);
    expect(it.mailer.sent).toHaveLength(1);
    expect(it.clock.sleptMs()).toBe(15_000);
  });

  test('is sent again with the same Message-ID where nothing keeps what was sent', async () => {
    const it = setup({ sent: null });
    it.steps.intend();
    expect(await it.send()).toMatch(/^250/);
    expect(it.mailer.sent.map((mail) => mail.messageId)).toEqual([it.mail.messageId]);
    expect(it.clock.sleptMs()).toBe(0);
  });

  test('whose fate is unknown is looked for before anything else, and found', async () => {
    const it = setup({ fileAfterMs: 3_000 });
    it.mailer.failNext('mail.unknown', true);
    expect(await it.send()).toContain('found');
    expect(it.mailer.sent).toHaveLength(1);
  });

  test('whose fate is unknown and that does not turn up is sent by the next attempt', async () => {
    const it = setup();
    it.mailer.failNext('mail.unknown');
    expect(await it.send().catch(codeOf)).toBe('mail.unknown');
    expect(it.clock.sleptMs()).toBe(15_000);
    expect(await it.send()).toMatch(/^250/);
    expect(it.mailer.sent).toHaveLength(1);
    expect(it.clock.sleptMs()).toBe(15_000);
  });

  test('is not doubled when a later attempt goes unknown and is filed late', async () => {
    const it = setup({ fileAfterMs: 10_000 });
    it.mailer.failNext('mail.unavailable');
    it.mailer.failNext('mail.unknown', true);
    expect(await it.send().catch(codeOf)).toBe('mail.unavailable');
    expect(await it.send()).toContain('found');
    expect(it.mailer.sent).toHaveLength(1);
  });

  test('that was refused before it could be taken is sent again without waiting', async () => {
    const it = setup();
    it.mailer.failNext('mail.unavailable');
    expect(await it.send().catch(codeOf)).toBe('mail.unavailable');
    expect(await it.send()).toMatch(/^250/);
    expect(it.sent.looks()).toBe(0);
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
