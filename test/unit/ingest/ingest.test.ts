import { describe, expect, test } from 'vitest';
import { reconnectDelayMs } from '../../../node/ingest/reconnect.ts';
import type { Mailbox } from '../../../node/mail/mailbox.ts';
import { systemClock } from '../../../node/platform/clock.ts';
import type { Clock } from '../../../node/platform/clock.ts';
import { AppError } from '../../../node/platform/errors.ts';
import { createWorld, type World, type WorldOptions } from '../../support/ingest-world.ts';
import { mailSource } from '../../support/mails.ts';
import { createMemoryMailbox, type MemoryMailbox } from '../../support/memory-mailbox.ts';
import { eventually } from '../../support/process.ts';

/** The machine's clock, whose waits for a new connection or a disk take no time. */
const hasty: Clock = { ...systemClock, sleep: (_ms, signal) => systemClock.sleep(1, signal) };

/** A clock that leaps over its sleeps. */
function leaping(): Clock & { leaptMs(): number } {
  let leapt = 0;
  return {
    ...systemClock,
    leaptMs: () => leapt,
    monotonicMs: () => systemClock.monotonicMs() + leapt,
    sleep: async (ms, signal) => {
      leapt += ms;
      await systemClock.sleep(1, signal);
    },
  };
}

async function setup(change: Partial<WorldOptions> = {}) {
  const mailbox = createMemoryMailbox(systemClock.now);
  const world = await createWorld({ mailbox, clock: hasty, ...change });
  return Object.assign(world, { mailbox });
}

const now = (): Temporal.Instant => systemClock.now();
const state = (world: World, wanted: string): Promise<unknown> =>
  eventually(`state ${wanted}`, () => world.ingest.status().state === wanted, 5_000);
const handled = (world: World, count: number): Promise<unknown> =>
  eventually(`${count} mails to be dealt with`, () => world.audit.length >= count, 5_000);
const subjects = (world: World): string[] => world.acceptor.jobs.map((job) => job.request.subject);

describe('the first start', () => {
  test('takes the unread mail of the last day and no other', async () => {
    await using it = await setup();
    it.mailbox.deliver(mailSource({ subject: 'RAMAIS=1' }), { receivedAt: now().subtract({ hours: 30 }) });
    it.mailbox.deliver(mailSource({ subject: 'RAMAIS=2' }), {
      receivedAt: now().subtract({ hours: 20 }),
      seen: true,
    });
    it.mailbox.deliver(mailSource({ subject: 'RAMAIS=3' }), { receivedAt: now().subtract({ hours: 20 }) });
    it.start();
    await state(it, 'watching');
    expect(subjects(it)).toEqual(['RAMAIS=3']);
    expect(it.lines.join('')).toContain('first start: 1 unread');
  });

  test('is over once it has been: later nothing old is taken', async () => {
    await using first = await setup();
    first.mailbox.deliver(mailSource({ subject: 'RAMAIS=1' }), { seen: true });
    first.start();
    await state(first, 'watching');
    await using it = await first.restart();
    it.start();
    await state(it, 'watching');
    expect(subjects(it)).toEqual([]);
    first.mailbox.deliver(mailSource({ subject: 'RAMAIS=2' }));
    await handled(it, 1);
    expect(subjects(it)).toEqual(['RAMAIS=2']);
  });

  test('that broke off in the middle is made good, without repeating anything', async () => {
    await using first = await setup();
    for (const n of [1, 2, 3]) first.mailbox.deliver(mailSource({ subject: `RAMAIS=${n}` }));
    first.start();
    await handled(first, 1);
    await using it = await first.restart();
    it.start();
    await state(it, 'watching');
    expect(subjects(it).toSorted()).toEqual(['RAMAIS=1', 'RAMAIS=2', 'RAMAIS=3']);
  });
});

describe('watching the mailbox', () => {
  test('takes each mail as it comes, once', async () => {
    await using it = await setup();
    it.start();
    await state(it, 'watching');
    for (const n of [1, 2, 3]) {
      it.mailbox.deliver(mailSource({ subject: `RAMAIS=${n}` }));
      await handled(it, n);
    }
    expect(subjects(it)).toEqual(['RAMAIS=1', 'RAMAIS=2', 'RAMAIS=3']);
    expect(it.ingest.status()).toMatchObject({ lastError: null });
    expect(it.ingest.status().lastMailAt).not.toBeNull();
  });

  test('takes a mail that a person has opened before', async () => {
    await using it = await setup();
    it.start();
    await state(it, 'watching');
    it.mailbox.deliver(mailSource({ subject: 'RAMAIS=1' }), { seen: true });
    await handled(it, 1);
    expect(subjects(it)).toEqual(['RAMAIS=1']);
  });

  test('reads again without a hint after a while', async () => {
    await using it = await setup({ change: { rereadMs: 20 } });
    const deaf: Mailbox = {
      open: async (signal) => {
        const session = await it.mailbox.open(signal);
        return { ...session, waitForMail: async (ms, s) => (await systemClock.sleep(ms, s), 'timeout') };
      },
    };
    await using other = await createWorld({ mailbox: deaf, clock: systemClock, change: { rereadMs: 20 } });
    other.start();
    await state(other, 'watching');
    it.mailbox.deliver(mailSource({ subject: 'RAMAIS=1' }));
    await handled(other, 1);
    expect(subjects(other)).toEqual(['RAMAIS=1']);
  });

  test('connects anew when the session ends, and misses nothing', async () => {
    await using it = await setup();
    it.start();
    for (let n = 1; n <= 5; n += 1) {
      await state(it, 'watching');
      it.mailbox.kick();
      it.mailbox.deliver(mailSource({ subject: `RAMAIS=${n}` }));
      await handled(it, n);
    }
    expect(subjects(it)).toHaveLength(5);
    expect(it.mailbox.opened()).toBe(6);
    expect(it.mailbox.openSessions()).toBe(1);
  });

  test('waits longer and longer while connections fail or die young, and tries on', async () => {
    const waits: number[] = [];
    const clock: Clock = { ...systemClock, sleep: async (ms) => void waits.push(ms) };
    await using it = await setup({ clock });
    for (let n = 0; n < 6; n += 1) {
      it.mailbox.failNextOpen(new AppError('mailbox.unavailable', 'away', { retriable: true }));
    }
    it.start();
    await state(it, 'watching');
    expect(waits).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000]);
    it.mailbox.kick();
    await eventually('the next connection', () => waits.length === 7);
    expect(waits.at(-1)).toBe(32_000);
    expect(it.ingest.status().lastError).toMatchObject({ code: 'mailbox.closed' });
  });

  test('passes over a mail that was removed before it could be read', async () => {
    await using it = await setup();
    const vanishing: Mailbox = {
      open: async (signal) => {
        const session = await it.mailbox.open(signal);
        const listAfter: typeof session.listAfter = async (uid, limit) => {
          const listed = await session.listAfter(uid, limit);
          for (const mail of listed.filter((one) => one.uid % 2 === 1)) it.mailbox.remove(mail.uid);
          return listed;
        };
        return { ...session, listAfter };
      },
    };
    await using other = await createWorld({ mailbox: vanishing, clock: hasty });
    other.start();
    await state(other, 'watching');
    for (const n of [1, 2, 3, 4, 5]) it.mailbox.deliver(mailSource({ subject: `RAMAIS=${n}` }));
    await handled(other, 2);
    expect(subjects(other)).toEqual(['RAMAIS=2', 'RAMAIS=4']);
  });

  test('takes hundreds of mails in their order', async () => {
    await using it = await setup();
    it.start();
    await state(it, 'watching');
    const wanted = Array.from({ length: 230 }, (_, index) => `RAMAIS=${index}`);
    for (const subject of wanted) it.mailbox.deliver(mailSource({ subject }));
    await handled(it, wanted.length);
    expect(subjects(it)).toEqual(wanted);
    await eventually('the flags', () => it.mailbox.flagsOf(230).includes('\\Seen'));
  });
});

describe('a mail that cannot be read', () => {
  const MINUTES_10 = 10 * 60_000;
  const refusal = (code: string): AppError => new AppError(code, 'as the test wants it', { retriable: true });

  /** A world on a mailbox whose `read` first does this. */
  async function reading(before: (uids: readonly number[], mailbox: MemoryMailbox) => void) {
    const clock = leaping();
    const mailbox = createMemoryMailbox(systemClock.now);
    const faulty: Mailbox = {
      open: async (signal) => {
        const session = await mailbox.open(signal);
        const read: typeof session.read = async (uids, maxBytes) => {
          before(uids, mailbox);
          return session.read(uids, maxBytes);
        };
        return { ...session, read };
      },
    };
    const world = await createWorld({ mailbox: faulty, clock });
    return Object.assign(world, { mailbox, clock });
  }
  const events = (world: World): string[] => world.audit.map(({ event }) => event);

  test('is put aside after many minutes where the others can, and the admin is told', async () => {
    await using it = await reading(() => undefined);
    it.mailbox.damage(1);
    it.mailbox.deliver(mailSource({ subject: 'RAMAIS=1' }));
    it.mailbox.deliver(mailSource({ subject: 'RAMAIS=2' }));
    it.start();
    await handled(it, 2);
    expect(events(it)).toEqual(['mail.set-aside', 'mail.accepted']);
    expect(it.commands()).toEqual(['AVISO', 'RAMAIS']);
    expect(it.clock.leaptMs()).toBeGreaterThanOrEqual(MINUTES_10);
  });

  test('and that ends the session each time does not keep the others from being taken', async () => {
    await using it = await reading((uids, mailbox) => {
      if (!uids.includes(2)) return;
      mailbox.kick();
      throw refusal('mailbox.closed');
    });
    for (const n of [1, 2, 3, 4]) it.mailbox.deliver(mailSource({ subject: `RAMAIS=${n}` }));
    it.start();
    await handled(it, 4);
    expect(events(it)).toEqual(['mail.accepted', 'mail.set-aside', 'mail.accepted', 'mail.accepted']);
    expect(it.clock.leaptMs()).toBeGreaterThanOrEqual(MINUTES_10);
    expect(it.mailbox.opened()).toBeGreaterThanOrEqual(5);
  });

  test('as none can for an hour is waited for, and nothing is put aside', async () => {
    const hour = 60 * 60_000;
    let leaptMs = (): number => 0;
    await using it = await reading(() => {
      if (leaptMs() < hour) throw refusal('mailbox.unavailable');
    });
    leaptMs = it.clock.leaptMs;
    for (const n of [1, 2, 3]) it.mailbox.deliver(mailSource({ subject: `RAMAIS=${n}` }));
    it.start();
    await handled(it, 3);
    expect(subjects(it)).toEqual(['RAMAIS=1', 'RAMAIS=2', 'RAMAIS=3']);
    expect(it.ingest.status().lastError).toMatchObject({ code: 'mailbox.unavailable' });
  });

  test('and is the only one is waited for until another comes', async () => {
    await using it = await reading(() => undefined);
    it.mailbox.damage(1);
    it.mailbox.deliver(mailSource({ subject: 'RAMAIS=1' }));
    it.start();
    await eventually('an hour', () => it.clock.leaptMs() > 6 * MINUTES_10);
    expect(it.audit).toEqual([]);
    it.mailbox.deliver(mailSource({ subject: 'RAMAIS=2' }));
    await handled(it, 2);
    expect(events(it)).toEqual(['mail.set-aside', 'mail.accepted']);
  });

  test('is forgotten when a person removes it', async () => {
    await using it = await reading(() => undefined);
    it.mailbox.damage(1);
    it.mailbox.deliver(mailSource({ subject: 'RAMAIS=1' }));
    it.start();
    await eventually('a try', () => it.lines.some((line) => line.includes('cannot be read')));
    it.mailbox.remove(1);
    await state(it, 'watching');
    it.mailbox.deliver(mailSource({ subject: 'RAMAIS=2' }));
    await handled(it, 1);
    expect(subjects(it)).toEqual(['RAMAIS=2']);
  });
});

describe('a node that dies', () => {
  test('between job and ledger makes no second job', async () => {
    await using first = await setup();
    first.start();
    await state(first, 'watching');
    first.acceptor.diskFullAfterNext();
    const uid = first.mailbox.deliver(mailSource());
    await eventually('the job', () => first.acceptor.jobs.length === 1);
    await using it = await first.restart();
    expect(first.audit).toEqual([]);
    it.acceptor.failWith(null);
    it.start();
    await eventually('the flags', () => first.mailbox.flagsOf(uid).includes('$Parelha'));
    expect(it.acceptor.jobs).toHaveLength(1);
  });

  test('between ledger and flags sets the flags when it is back', async () => {
    let broken = true;
    await using it = await setup();
    const flagless: Mailbox = {
      open: async (signal) => {
        const session = await it.mailbox.open(signal);
        const markAccepted: typeof session.markAccepted = async (uids) => {
          if (broken) throw new AppError('mailbox.closed', 'gone', { retriable: true });
          await session.markAccepted(uids);
        };
        return { ...session, markAccepted };
      },
    };
    await using first = await createWorld({ mailbox: flagless, clock: hasty });
    first.start();
    const uid = it.mailbox.deliver(mailSource());
    await handled(first, 1);
    expect(it.mailbox.flagsOf(uid)).toEqual([]);
    broken = false;
    await using again = await first.restart();
    again.start();
    await eventually('the flags', () => it.mailbox.flagsOf(uid).includes('$Parelha'));
    expect(again.acceptor.jobs).toHaveLength(1);
  });

  test('leaves alone a mail that a person marks as unread later', async () => {
    await using first = await setup();
    first.start();
    const uid = first.mailbox.deliver(mailSource());
    await eventually('the flags', () => first.mailbox.flagsOf(uid).includes('\\Seen'));
    await state(first, 'watching');
    first.mailbox.markUnread(uid);
    await using it = await first.restart();
    it.start();
    await state(it, 'watching');
    expect(first.mailbox.flagsOf(uid)).not.toContain('\\Seen');
    expect(it.acceptor.jobs).toHaveLength(1);
  });
});

describe('new UIDs for all mails', () => {
  test('known is passed over, unknown and unread is taken, unknown and read is told to the admin once', async () => {
    await using it = await setup();
    it.start();
    await state(it, 'watching');
    it.mailbox.deliver(mailSource({ subject: 'RAMAIS=1' }));
    it.mailbox.deliver(mailSource({ subject: 'not for us', from: 'eve@evil.example' }), { seen: true });
    await handled(it, 2);
    await it.ingest.stop();

    it.mailbox.deliver(mailSource({ subject: 'RAMAIS=2' }));
    it.mailbox.deliver(mailSource({ subject: 'RAMAIS=3' }), { seen: true });
    it.mailbox.deliver(mailSource({ from: 'eve@evil.example' }), { seen: true });
    it.mailbox.renumber();
    it.start();
    await state(it, 'watching');
    expect(subjects(it)).toEqual(['RAMAIS=1', 'RAMAIS=2', '']);
    expect(it.acceptor.jobs[2]).toMatchObject({
      request: { command: 'AVISO', params: { kind: 'mail-in-doubt' } },
      details: { subject: 'RAMAIS=3' },
    });
    expect(it.audit.map(({ event }) => event).slice(2)).toEqual([
      'mail.accepted',
      'mail.in-doubt',
      'mail.not-allowed',
    ]);

    await using again = await it.restart();
    it.mailbox.renumber();
    again.start();
    await state(again, 'watching');
    expect(again.acceptor.jobs).toHaveLength(3);
    expect(again.audit).toEqual([]);
    it.mailbox.deliver(mailSource({ subject: 'RAMAIS=4' }), { seen: true });
    await handled(again, 1);
    expect(subjects(again).at(-1)).toBe('RAMAIS=4');
  });

  test('mail of before the last accepted one is not looked at', async () => {
    await using it = await setup();
    it.mailbox.deliver(mailSource({ subject: 'RAMAIS=1' }), { receivedAt: now().subtract({ hours: 48 }) });
    it.start();
    await state(it, 'watching');
    it.mailbox.deliver(mailSource({ subject: 'RAMAIS=2' }));
    await handled(it, 1);
    it.mailbox.renumber();
    await eventually('the rescan', () => it.lines.some((line) => line.includes('new UIDs')));
    expect(subjects(it)).toEqual(['RAMAIS=2']);
  });

  test('a spam, or a mail of the future, does not keep requests of before from being looked at', async () => {
    await using it = await setup();
    it.start();
    await state(it, 'watching');
    const future = now().add({ hours: 24 * 365 });
    it.mailbox.deliver(mailSource({ subject: 'RAMAIS=1' }), { receivedAt: future });
    it.mailbox.deliver(mailSource({ from: 'eve@evil.example' }), { receivedAt: future });
    await handled(it, 2);
    await it.ingest.stop();
    it.mailbox.deliver(mailSource({ subject: 'RAMAIS=2' }));
    it.mailbox.renumber();
    it.start();
    await handled(it, 3);
    await state(it, 'watching');
    expect(subjects(it)).toEqual(['RAMAIS=1', 'RAMAIS=2']);
  });

  test('a rescan that breaks off keeps its rule when it is made good', async () => {
    await using first = await setup();
    first.start();
    await state(first, 'watching');
    await first.ingest.stop();
    for (const n of [1, 2, 3, 4])
      first.mailbox.deliver(mailSource({ subject: `RAMAIS=${n}` }), { seen: n === 4 });
    first.mailbox.renumber();
    first.start();
    await handled(first, 1);
    await using it = await first.restart();
    it.start();
    await state(it, 'watching');
    expect(it.commands().toSorted()).toEqual(['AVISO', 'RAMAIS', 'RAMAIS', 'RAMAIS']);
  });
});

describe('pause, resume and stop', () => {
  test('paused, it closes the mailbox; resumed, it takes what came meanwhile', async () => {
    await using it = await setup();
    it.start();
    await state(it, 'watching');
    it.ingest.pause();
    await state(it, 'paused');
    expect(it.mailbox.openSessions()).toBe(0);
    it.mailbox.deliver(mailSource());
    it.ingest.resume();
    await handled(it, 1);
    await state(it, 'watching');
    expect(it.ingest.status().connectedSince).not.toBeNull();
  });

  test('paused before it began, it does not open the mailbox; stopped then, it ends', async () => {
    await using it = await setup();
    it.ingest.pause();
    it.start();
    await state(it, 'paused');
    await it.stop();
    expect(it.mailbox.opened()).toBe(0);
    expect(it.ingest.status().state).toBe('stopped');
  });

  test('stopped, it finishes the mail in hand and begins no other', async () => {
    await using it = await setup();
    it.start();
    await state(it, 'watching');
    const gate = Promise.withResolvers<void>();
    const { accept } = it.acceptor;
    const events: string[] = [];
    it.acceptor.accept = async (job) => {
      events.push('in hand');
      await gate.promise;
      const accepted = await accept(job);
      events.push('on disk');
      return accepted;
    };
    const first = it.mailbox.deliver(mailSource());
    const second = it.mailbox.deliver(mailSource());
    await eventually('the first mail to be in hand', () => events.length === 1);
    const stopping = it.ingest.stop().then(() => events.push('stopped'));
    gate.resolve();
    await stopping;
    expect(events).toEqual(['in hand', 'on disk', 'stopped']);
    expect(it.acceptor.jobs).toHaveLength(1);
    expect(it.mailbox.flagsOf(first)).toContain('\\Seen');
    expect(it.mailbox.flagsOf(second)).toEqual([]);
    expect(it.mailbox.openSessions()).toBe(0);
  });

  test('stopped while it waits for a connection, it ends at once', async () => {
    await using it = await setup({ clock: systemClock });
    it.mailbox.failNextOpen(new AppError('mailbox.login', 'refused'));
    it.start();
    await state(it, 'waiting');
    await it.stop();
    expect(it.ingest.status()).toMatchObject({ state: 'stopped', lastError: { code: 'mailbox.login' } });
  });
});

describe('the wait before the next connection', () => {
  test('doubles to five minutes, with half of it at random', () => {
    expect([1, 2, 3, 20, 2_000].map((n) => reconnectDelayMs(n, 'mailbox.closed', () => 0))).toEqual([
      500, 1_000, 2_000, 150_000, 150_000,
    ]);
    expect(reconnectDelayMs(1, 'mailbox.closed', () => 1)).toBe(1_000);
  });

  test('is long from the start after a refused login', () => {
    expect(reconnectDelayMs(1, 'mailbox.login', () => 0)).toBe(60_000);
  });
});
