import { describe, expect, test } from 'vitest';
import type { AuditEvent } from '../../../node/audit.ts';
import { createAnswers } from '../../../node/mail/answers.ts';
import { createMemoryMailer } from '../../support/memory-mailer.ts';
import { fixedClock } from '../../support/fixed-clock.ts';

const ADMIN = 'admin@example.test';

function setup() {
  const audit: AuditEvent[] = [];
  const done = new Map<string, unknown>();
  const mailer = createMemoryMailer();
  const answers = createAnswers({
    mailer,
    sent: null,
    clock: fixedClock(),
    adminEmail: ADMIN,
    from: 'node@example.test',
    audit: { record: async (event) => void audit.push(event) },
  });
  const job = {
    id: 'ab'.repeat(32),
    generation: 0,
    request: { requester: 'ana@example.test', messageId: '<q@example.test>', references: [] },
  };
  const context = {
    signal: new AbortController().signal,
    step: async (name: string, effect: { perform(): Promise<unknown> }) => {
      if (!done.has(name)) done.set(name, await effect.perform());
      return done.get(name);
    },
  };
  const mail = { subject: 'Gravações', text: 'Olá', html: '<p>Olá</p>' };
  return { audit, mailer, send: () => answers.send(job as never, context as never, 'result', mail) };
}

describe('an answer in the audit log', () => {
  test('stands there once, however often its step is come to, with its Message-ID', async () => {
    const it = setup();
    await it.send();
    await it.send();
    expect(it.mailer.sent).toHaveLength(1);
    expect(it.audit).toEqual([
      expect.objectContaining({
        event: 'mail.sent',
        kind: 'result',
        messageId: it.mailer.sent[0]?.messageId,
        to: [ADMIN, 'ana@example.test'],
      }),
    ]);
  });

  test('names those who were refused', async () => {
    const it = setup();
    it.mailer.partNext({ refused: ['ana@example.test'] });
    await it.send();
    expect(it.audit[0]).toMatchObject({ refused: ['ana@example.test'] });
  });
});
