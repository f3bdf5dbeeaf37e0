import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openAudit } from '../../../node/audit.ts';
import { createReplyBudget, openReplyBudget, type Share } from '../../../node/mail/reply-budget.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { temporaryDirectory } from '../../support/process.ts';

const ANA = 'ana@example.test';
const ADMIN = 'admin@example.test';

function setup(limits: { perSender?: number; perDay?: number } = {}) {
  const clock = fixedClock();
  const budget = createReplyBudget({ perSender: 10, perDay: 100, ...limits, clock });
  /** How many of so many tries there was room for. */
  const took = (tries: number, share: Share, to = ANA): number =>
    Array.from({ length: tries }, () => budget.take(to, share)).filter((place) => place !== null).length;
  return { clock, budget, took };
}

describe('the budget of replies', () => {
  test('has room for so many to one person, and keeps a part for digests', () => {
    const { took } = setup();
    expect(took(20, 'answer')).toBe(9);
    expect(took(20, 'digest')).toBe(1);
    expect(took(20, 'answer', 'bia@example.test')).toBe(9);
  });

  test('holds the admin’s copies back first, then answers, then digests', () => {
    const { took } = setup({ perSender: 1000 });
    expect(took(200, 'copy', ADMIN)).toBe(50);
    expect(took(200, 'answer')).toBe(40);
    expect(took(200, 'copy', ADMIN)).toBe(0);
    expect(took(200, 'digest')).toBe(10);
    expect(took(1, 'digest', 'bia@example.test')).toBe(0);
  });

  test('does not count copies against the admin’s own requests', () => {
    const { took } = setup();
    expect(took(30, 'copy', ADMIN)).toBe(30);
    expect(took(20, 'answer', ADMIN)).toBe(9);
  });

  test('knows a person whichever way the address is written', () => {
    const { took } = setup();
    expect(took(5, 'answer', 'Ana@Example.test') + took(20, 'answer', ANA)).toBe(9);
  });

  test('has room again when a day has passed since each, and says when', () => {
    const { budget, clock, took } = setup();
    took(1, 'answer');
    clock.advance({ hours: 1 });
    took(20, 'answer');
    expect(budget.freeAt(ANA, 'answer').toString()).toBe(clock.now().add({ hours: 23 }).toString());
    clock.advance({ hours: 22, minutes: 59 });
    expect(took(9, 'answer')).toBe(0);
    clock.advance({ minutes: 1 });
    expect(took(9, 'answer')).toBe(1);
    clock.advance({ hours: 30 });
    expect(budget.used()).toBe(0);
    expect(budget.freeAt(ANA, 'answer')).toEqual(clock.now());
  });

  test('counts by time that has passed, not by a clock that is set', () => {
    const { clock, took } = setup();
    took(20, 'answer');
    clock.set('2031-01-01T00:00:00Z');
    expect(took(1, 'answer')).toBe(0);
  });

  test('gets back what did not go out', () => {
    const { budget } = setup();
    const places = Array.from({ length: 9 }, () => budget.take(ANA, 'answer'));
    expect(budget.take(ANA, 'answer')).toBeNull();
    places[3]?.giveBack();
    expect(budget.take(ANA, 'answer')).not.toBeNull();
    expect(budget.take(ANA, 'answer')).toBeNull();
  });

  test('is never passed within any 24 hours, whatever is sent when', () => {
    const mail = fc.record({
      waitMinutes: fc.nat(300),
      to: fc.constantFrom(ANA, ADMIN, 'bia@example.test'),
      share: fc.constantFrom<Share>('copy', 'answer', 'digest'),
    });
    fc.assert(
      fc.property(fc.array(mail, { maxLength: 200 }), (mails) => {
        const { budget, clock } = setup({ perSender: 10, perDay: 20 });
        const sent: { atMs: number; to: string; share: Share }[] = [];
        for (const { waitMinutes, to, share } of mails) {
          clock.advance({ minutes: waitMinutes });
          if (budget.take(to, share) !== null) sent.push({ atMs: clock.monotonicMs(), to, share });
          const day = sent.filter(({ atMs }) => atMs > clock.monotonicMs() - 86_400_000);
          expect(day.length).toBeLessThanOrEqual(20);
          const own = day.filter((one) => one.to === to && one.share !== 'copy');
          expect(own.length).toBeLessThanOrEqual(10);
        }
      }),
      { numRuns: 50 },
    );
  });
});

test('the budget of a node that starts counts what the audit log says was sent within the last day', async () => {
  await using home = await temporaryDirectory();
  const clock = fixedClock('2026-03-31T13:00:00Z');
  const audit = await openAudit(home.path, 'audio', clock);
  const sent = { event: 'mail.sent', kind: 'result', to: [ADMIN, ANA], copies: [ADMIN] };
  await audit.record(sent); // long ago
  clock.advance({ hours: 20 });
  await audit.recordAll([sent, sent, { ...sent, kind: 'digest', to: [ANA], copies: [] }]);
  await audit.recordAll([
    { event: 'mail.held', to: [], held: [ANA] },
    { event: 'mail.accepted', from: ANA },
  ]);
  clock.advance({ hours: 5 });
  const budget = await openReplyBudget({ audit, clock, perSender: 10, perDay: 100 });
  expect(budget.used()).toBe(5);
  const answers = Array.from({ length: 20 }, () => budget.take(ANA, 'answer')).filter((one) => one !== null);
  expect(answers).toHaveLength(6);
  clock.advance({ hours: 19 });
  expect(budget.used()).toBe(6);
});
