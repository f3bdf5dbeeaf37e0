import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { NewEntry } from '../../../node/ingest/ledger.ts';
import type { Mailbox } from '../../../node/mail/mailbox.ts';
import { readMessage } from '../../../node/mail/message.ts';
import { type Clock, systemClock } from '../../../node/platform/clock.ts';
import { digestOf } from '../../../node/queue/job-file.ts';
import type { LedgerOutcome } from '../../../protocol/ledger.ts';
import { ANA, createWorld, type World } from '../../support/ingest-world.ts';
import { mailSource } from '../../support/mails.ts';
import { createMemoryMailbox, type MemoryMailbox } from '../../support/memory-mailbox.ts';
import { eventually, temporaryDirectory } from '../../support/process.ts';

const STREAM = '7b1c6f5e-2f3a-4a58-9d0b-0a6f4d9a1c11';
/** UIDVALIDITY of a memory mailbox that was never renumbered. */
const UIDVALIDITY = '1000';
const hasty: Clock = { ...systemClock, sleep: (_ms, signal) => systemClock.sleep(1, signal) };
const now = (): Temporal.Instant => systemClock.now();
const ago = (duration: Temporal.DurationLike): Temporal.Instant => now().subtract(duration);

interface Pair extends World {
  readonly mailbox: MemoryMailbox;
  readonly directory: string;
  /** Records, as the peer would have and would have told, what it made of a mail. */
  peerDealtWith(
    raw: string,
    uid: number,
    change?: { outcome?: LedgerOutcome; digest?: string | null; receivedAt?: Temporal.Instant },
  ): Promise<void>;
}

/** A node with a copy of its peer's ledger, on a mailbox that the peer has read. */
async function slave(around: (mailbox: Mailbox) => Mailbox = (mailbox) => mailbox): Promise<Pair> {
  const directory = await temporaryDirectory();
  const mailbox = createMemoryMailbox(now);
  const world = await createWorld({ mailbox: around(mailbox), clock: hasty, directory: directory.path });
  let serial = 0;
  const peerDealtWith: Pair['peerDealtWith'] = async (raw, uid, change = {}) => {
    const { identity, subject } = await readMessage(Buffer.from(raw));
    const { outcome = 'accepted', digest = digestFor(subject), receivedAt = ago({ minutes: 1 }) } = change;
    const entry: NewEntry = {
      ...{ job: identity, digest, uidValidity: UIDVALIDITY, uid, outcome },
      receivedAt: receivedAt.toString(),
    };
    serial += 1;
    const at = now().toString();
    const entries = [{ kind: 'entry' as const, serial, ...entry, at }];
    await world.replica.apply({ stream: STREAM, after: serial - 1, entries, watermark: null });
  };
  return Object.assign(world, {
    mailbox,
    directory: directory.path,
    peerDealtWith,
    [Symbol.asyncDispose]: async () => {
      await world.stop();
      await world.ledger.close();
      await world.replica.close();
      await directory[Symbol.asyncDispose]();
    },
  });
}

/** Of the job that the world's grammar makes of a mail with this subject; the mail has MESSAGE_ID. */
const MESSAGE_ID = '<q@mail.example.test>';
function digestFor(subject: string): string {
  return digestOf({
    command: 'RAMAIS',
    params: { extensions: subject.slice(7).split(',') },
    requester: ANA,
    subject,
    messageId: MESSAGE_ID,
    references: [],
  });
}

const watching = (world: World): Promise<unknown> =>
  eventually('the watch', () => world.ingest.status().state === 'watching', 5_000);
const subjects = (world: World): string[] => world.acceptor.jobs.map(({ request }) => request.subject);
const events = (world: World): string[] => world.audit.map(({ event }) => event);

describe('after a mastership that was taken by force', () => {
  type Knowing = 'own ledger' | 'copy' | 'copy, nothing made of it' | 'nobody';
  const cases: [Knowing, 'unseen' | 'seen', { jobs?: number; doubts?: number; flagged?: boolean }][] = [
    ['own ledger', 'unseen', { flagged: true }],
    ['own ledger', 'seen', {}],
    ['copy', 'unseen', { flagged: true }],
    ['copy', 'seen', {}],
    ['copy, nothing made of it', 'unseen', {}],
    ['copy, nothing made of it', 'seen', {}],
    ['nobody', 'unseen', { jobs: 1, flagged: true }],
    ['nobody', 'seen', { doubts: 1 }],
  ];

  test.each(cases)('a mail known to %s and %s', async (knowing, flag, { jobs = 0, doubts = 0, flagged }) => {
    await using it = await slave();
    await it.ledger.adopt({ uidValidity: UIDVALIDITY, uid: 0 });
    const raw = mailSource({ subject: 'RAMAIS=1' });
    const uid = it.mailbox.deliver(raw, { seen: flag === 'seen' });
    const { identity: job } = await readMessage(Buffer.from(raw));
    const receivedAt = now().toString();
    if (knowing === 'own ledger') {
      const entry = {
        job,
        digest: job,
        uidValidity: UIDVALIDITY,
        uid,
        receivedAt,
        outcome: 'accepted' as const,
      };
      await it.ledger.append(entry);
      await it.ledger.setFlagged(UIDVALIDITY, uid);
    } else if (knowing === 'copy') await it.peerDealtWith(raw, uid);
    else if (knowing !== 'nobody') {
      await it.peerDealtWith(raw, uid, { outcome: 'ignored', digest: null });
    }
    await it.ledger.requireRescan();
    it.start();
    await watching(it);
    expect(it.commands()).toEqual([
      ...Array<string>(jobs).fill('RAMAIS'),
      ...Array<string>(doubts).fill('AVISO'),
    ]);
    expect(it.doubtStore.ids()).toEqual(doubts === 1 ? [job] : []);
    expect(it.mailbox.flagsOf(uid).includes('$Parelha')).toBe(flagged ?? false);
    expect(it.ledger.watermark(UIDVALIDITY)).toBe(uid);
    expect(it.ledger.rescanDue()).toBe(false);
    // And it stays so: nothing is done a second time.
    await it.ingest.stop();
    await it.ledger.requireRescan();
    it.start();
    await watching(it);
    expect(it.acceptor.jobs).toHaveLength(jobs + doubts);
  });

  test('mails that the peer dealt with beyond its own watermark are passed over, and later ones taken', async () => {
    await using it = await slave();
    const raws = [1, 2, 3, 4].map((n) => mailSource({ subject: `RAMAIS=${n}` }));
    const uids = raws.map((raw, index) => it.mailbox.deliver(raw, { seen: index < 2 }));
    await it.ledger.adopt({ uidValidity: UIDVALIDITY, uid: uids[0] ?? 0 });
    for (const index of [0, 1, 2]) await it.peerDealtWith(raws[index] ?? '', uids[index] ?? 0);
    await it.ledger.requireRescan();
    it.start();
    await watching(it);
    expect(subjects(it)).toEqual(['RAMAIS=4']);
    // The old master died before it could mark it.
    expect(it.mailbox.flagsOf(uids[2] ?? 0)).toContain('\\Seen');
    expect(it.doubtStore.count()).toBe(0);
  });

  test('mail of before the last one that either took is left alone', async () => {
    await using it = await slave();
    await it.ledger.adopt({ uidValidity: UIDVALIDITY, uid: 0 });
    it.mailbox.deliver(mailSource({ subject: 'RAMAIS=1' }), { receivedAt: ago({ hours: 9 }) });
    it.mailbox.deliver(mailSource({ subject: 'RAMAIS=2' }), { receivedAt: ago({ hours: 8 }), seen: true });
    const raw = mailSource({ subject: 'RAMAIS=3' });
    const uid = it.mailbox.deliver(raw, { receivedAt: ago({ hours: 2 }) });
    await it.peerDealtWith(raw, uid, { receivedAt: ago({ hours: 2 }) });
    await it.replica.apply({
      ...{ stream: STREAM, after: 1, entries: [] },
      watermark: { uidValidity: UIDVALIDITY, uid },
    });
    it.mailbox.deliver(mailSource({ subject: 'RAMAIS=4' }));
    await it.ledger.requireRescan();
    it.start();
    await watching(it);
    expect(subjects(it)).toEqual(['RAMAIS=4']);
  });

  test('a mail that was moved into the inbox since is looked at, however old its time is', async () => {
    await using it = await slave();
    const raw = mailSource({ subject: 'RAMAIS=1' });
    const uid = it.mailbox.deliver(raw);
    await it.ledger.adopt({ uidValidity: UIDVALIDITY, uid });
    await it.peerDealtWith(raw, uid);
    it.mailbox.deliver(mailSource({ subject: 'RAMAIS=2' }), { receivedAt: ago({ hours: 500 }) });
    it.mailbox.deliver(mailSource({ subject: 'RAMAIS=3' }), { receivedAt: ago({ hours: 500 }), seen: true });
    await it.ledger.requireRescan();
    it.start();
    await watching(it);
    expect(it.commands()).toEqual(['RAMAIS', 'AVISO']);
    expect(subjects(it)[0]).toBe('RAMAIS=2');
  });

  test('mails that arrive meanwhile are new: also one that somebody has opened at once', async () => {
    const arrivals = [true, false];
    const during = (mailbox: MemoryMailbox): Mailbox => ({
      open: async (signal) => {
        const session = await mailbox.open(signal);
        const listAfter: typeof session.listAfter = async (uid, limit) => {
          const seen = arrivals.shift();
          if (seen !== undefined)
            mailbox.deliver(mailSource({ subject: `RAMAIS=${seen ? 8 : 9}` }), { seen });
          return session.listAfter(uid, limit);
        };
        return { ...session, listAfter };
      },
    });
    await using it = await slave((mailbox) => during(mailbox as MemoryMailbox));
    await it.ledger.adopt({ uidValidity: UIDVALIDITY, uid: 0 });
    it.mailbox.deliver(mailSource({ subject: 'RAMAIS=1' }), { seen: true });
    it.mailbox.deliver(mailSource({ subject: 'RAMAIS=2' }));
    await it.ledger.requireRescan();
    it.start();
    await eventually('all', () => it.acceptor.jobs.length >= 4);
    await watching(it);
    expect(it.commands().toSorted()).toEqual(['AVISO', 'RAMAIS', 'RAMAIS', 'RAMAIS']);
    expect(subjects(it)).toEqual(expect.arrayContaining(['RAMAIS=2', 'RAMAIS=8', 'RAMAIS=9']));
  });

  test('a rescan that breaks off, by a lost connection or a restart, is done again by the same rule', async () => {
    await using first = await slave();
    await first.ledger.adopt({ uidValidity: UIDVALIDITY, uid: 0 });
    for (const n of [1, 2, 3, 4]) {
      first.mailbox.deliver(mailSource({ subject: `RAMAIS=${n}` }), { seen: n === 4 });
    }
    await first.ledger.requireRescan();
    const { accept } = first.acceptor;
    first.acceptor.accept = async (job) => {
      const accepted = await accept(job);
      first.mailbox.kick();
      return accepted;
    };
    first.start();
    await eventually('a job', () => first.acceptor.jobs.length > 0);
    await using it = await first.restart();
    first.acceptor.accept = accept;
    it.start();
    await watching(it);
    expect(it.commands().toSorted()).toEqual(['AVISO', 'RAMAIS', 'RAMAIS', 'RAMAIS']);
    expect(it.ledger.rescanDue()).toBe(false);
  });

  test('a rescan that becomes due while the mailbox is open makes nothing old new', async () => {
    await using it = await slave();
    it.start();
    await watching(it);
    it.mailbox.deliver(mailSource({ subject: 'RAMAIS=1' }));
    await eventually('the first', () => it.acceptor.jobs.length === 1);
    await it.ledger.requireRescan();
    it.mailbox.deliver(mailSource({ subject: 'RAMAIS=2' }));
    await eventually('the rescan', () => it.lines.join('').includes('another may have read'));
    await watching(it);
    expect(subjects(it)).toEqual(['RAMAIS=1', 'RAMAIS=2']);
  });
});

describe('the first start of a node', () => {
  test('whose peer has read the mailbox goes on from what the peer took last', async () => {
    await using it = await slave();
    it.mailbox.deliver(mailSource({ subject: 'RAMAIS=1' }), { receivedAt: ago({ hours: 20 }) });
    const raw = mailSource({ subject: 'RAMAIS=2' });
    const uid = it.mailbox.deliver(raw, { receivedAt: ago({ hours: 3 }) });
    await it.peerDealtWith(raw, uid, { receivedAt: ago({ hours: 3 }) });
    it.mailbox.deliver(mailSource({ subject: 'RAMAIS=3' }), { receivedAt: ago({ hours: 2 }), seen: true });
    it.mailbox.deliver(mailSource({ subject: 'RAMAIS=4' }));
    it.start();
    await watching(it);
    expect(it.commands()).toEqual(['AVISO', 'RAMAIS']);
    expect(subjects(it)[1]).toBe('RAMAIS=4');
  });

  test('whose peer has a ledger of other doors alone is one like any other', async () => {
    await using it = await slave();
    const entry = { kind: 'entry' as const, serial: 1, job: 'ab'.repeat(32), digest: 'cd'.repeat(32) };
    const nowhere = { uidValidity: null, uid: null, receivedAt: null, outcome: 'accepted' as const };
    const entries = [{ ...entry, ...nowhere, at: now().toString() }];
    await it.replica.apply({ stream: STREAM, after: 0, entries, watermark: null });
    it.mailbox.deliver(mailSource({ subject: 'RAMAIS=1' }), { receivedAt: ago({ hours: 20 }) });
    it.mailbox.deliver(mailSource({ subject: 'RAMAIS=2' }), { seen: true });
    it.start();
    await watching(it);
    expect(subjects(it)).toEqual(['RAMAIS=1']);
  });

  test('after a master without a ledger takes the unread mail of a day, and doubts the rest of it', async () => {
    await using it = await slave();
    it.mailbox.deliver(mailSource({ subject: 'RAMAIS=1' }), { receivedAt: ago({ hours: 30 }) });
    it.mailbox.deliver(mailSource({ subject: 'RAMAIS=2' }), { receivedAt: ago({ hours: 20 }), seen: true });
    it.mailbox.deliver(mailSource({ subject: 'RAMAIS=3' }), { receivedAt: ago({ hours: 20 }) });
    await it.ledger.requireRescan();
    it.start();
    await watching(it);
    expect(it.commands()).toEqual(['AVISO', 'RAMAIS']);
    expect(subjects(it)[1]).toBe('RAMAIS=3');
  });

  test('after an orderly handoff goes on from where the other stopped, and looks at nothing before', async () => {
    await using it = await slave();
    it.mailbox.deliver(mailSource({ subject: 'RAMAIS=1' }));
    const uid = it.mailbox.deliver(mailSource({ subject: 'RAMAIS=2' }), { seen: true });
    it.mailbox.deliver(mailSource({ subject: 'RAMAIS=3' }), { seen: true });
    await it.ledger.adopt({ uidValidity: UIDVALIDITY, uid });
    it.start();
    await watching(it);
    expect(subjects(it)).toEqual(['RAMAIS=3']);
  });
});

describe('a mail that comes once more after the peer took it', () => {
  const raw = mailSource({ subject: 'RAMAIS=1', messageId: MESSAGE_ID });

  test('makes no second job, and is marked as read', async () => {
    await using it = await slave();
    const first = it.mailbox.deliver(raw, { seen: true });
    await it.peerDealtWith(raw, first);
    await it.ledger.adopt({ uidValidity: UIDVALIDITY, uid: first });
    const second = it.mailbox.deliver(raw);
    it.start();
    await eventually('the flags', () => it.mailbox.flagsOf(second).includes('$Parelha'));
    expect(it.acceptor.jobs).toEqual([]);
    expect(events(it)).toEqual(['mail.duplicate']);
    const { identity } = await readMessage(Buffer.from(raw));
    // Here it is no job: a call that hands one over must not be told that it is done.
    expect(it.ledger.accepted(identity)).toBeNull();
  });

  test('with another request is refused, and the admin is told', async () => {
    await using it = await slave();
    await it.peerDealtWith(raw, 1);
    await it.ledger.adopt({ uidValidity: UIDVALIDITY, uid: 0 });
    it.mailbox.deliver(mailSource({ subject: 'RAMAIS=666', messageId: MESSAGE_ID }));
    it.start();
    await eventually('the end', () => it.audit.length === 1);
    expect(events(it)).toEqual(['mail.conflict']);
    expect(it.commands()).toEqual(['AVISO']);
  });

  test('is taken where the peer made nothing of it', async () => {
    await using it = await slave();
    await it.peerDealtWith(raw, 1, { outcome: 'not-allowed', digest: null });
    await it.ledger.adopt({ uidValidity: UIDVALIDITY, uid: 0 });
    it.mailbox.deliver(raw);
    it.start();
    await eventually('the end', () => it.audit.length === 1);
    expect(events(it)).toEqual(['mail.accepted']);
  });

  test('is this node’s own where the peer has the job from this node', async () => {
    await using it = await slave();
    const { identity: job } = await readMessage(Buffer.from(raw));
    const entry = {
      kind: 'entry' as const,
      serial: 1,
      job,
      digest: digestFor('RAMAIS=1'),
      at: now().toString(),
    };
    const nowhere = { uidValidity: null, uid: null, receivedAt: null, outcome: 'accepted' as const };
    await it.replica.apply({
      stream: STREAM,
      after: 0,
      entries: [{ ...entry, ...nowhere }],
      watermark: null,
    });
    await it.ledger.adopt({ uidValidity: UIDVALIDITY, uid: 0 });
    it.mailbox.deliver(raw);
    it.start();
    await eventually('the ledger', () => it.ledger.find(job));
    expect(events(it)).toEqual(['mail.accepted']);
    expect(it.ledger.accepted(job)).toEqual({ digest: digestFor('RAMAIS=1') });
  });
});

describe('many mails in doubt', () => {
  test('are told of one by one up to twenty, and together beyond; each is kept', async () => {
    await using it = await slave();
    await it.ledger.adopt({ uidValidity: UIDVALIDITY, uid: 0 });
    for (let n = 0; n < 30; n += 1)
      it.mailbox.deliver(mailSource({ subject: `RAMAIS=${n}` }), { seen: true });
    await it.ledger.requireRescan();
    it.start();
    await watching(it);
    const notices = it.acceptor.jobs.map(({ details }) => details);
    expect(notices.filter((details) => 'take' in details)).toHaveLength(20);
    const together = notices.filter((details) => 'list' in details).length;
    expect([1, 2]).toContain(together); // two where the hour has just changed
    expect(notices).toHaveLength(20 + together);
    expect(await readdir(join(it.directory, 'doubts'))).toHaveLength(30);
    expect(notices[0]).toMatchObject({
      subject: 'RAMAIS=0',
      take: expect.stringMatching(/^node-ctl doubt resolve [0-9a-f]{12} --take$/),
    });
  });
});
