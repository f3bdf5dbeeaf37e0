import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { AuditEvent } from '../../../node/audit.ts';
import { type NewDoubt, openDoubtStore } from '../../../node/ingest/doubt-store.ts';
import { createDoubts } from '../../../node/ingest/doubts.ts';
import { createKnown } from '../../../node/ingest/known.ts';
import { openLedger } from '../../../node/ingest/ledger.ts';
import { openReplica } from '../../../node/ingest/replica.ts';
import { createDoubtControl, DOUBT_METHODS } from '../../../node/listeners/control-doubts.ts';
import { systemClock } from '../../../node/platform/clock.ts';
import { AppError } from '../../../node/platform/errors.ts';
import { createLog } from '../../../node/platform/log.ts';
import { openSpool } from '../../../node/queue/spool.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { ANA, createWorld, TOKEN } from '../../support/ingest-world.ts';
import { mailSource } from '../../support/mails.ts';
import { createMemoryMailbox } from '../../support/memory-mailbox.ts';
import { eventually, temporaryDirectory } from '../../support/process.ts';
import { createMemoryAudit } from '../../support/memory-audit.ts';

const STREAM = '7b1c6f5e-2f3a-4a58-9d0b-0a6f4d9a1c11';
const idOf = (n: number): string => n.toString(16).padStart(4, '0').repeat(16);

function doubt(n: number): NewDoubt {
  const subject = `RAMAIS=${n}`;
  const request = { command: 'RAMAIS', params: { extensions: [String(n)] }, requester: ANA, subject };
  return {
    ...{ subject, from: `Ana Lima <${ANA}>`, receivedAt: '2026-03-02T10:00:00Z' },
    job: {
      ...{ id: idOf(n), door: 'mail', lane: 'recordings', source: 'audio' },
      request: { ...request, messageId: null, references: [] },
    },
  };
}

/** The doubts of a node with a real queue, whose parts fail as the test wants. */
async function setup(maxDoubts?: number) {
  const directory = await temporaryDirectory();
  const clock = fixedClock();
  const lines: string[] = [];
  const log = createLog({ level: 'info', style: 'terminal', write: (line) => lines.push(line) });
  const events: AuditEvent[] = [];
  /** What fails at its next call: its code. */
  const failing = new Set<'accepted' | 'audit' | 'ledger'>();
  const fail = (what: 'accepted' | 'audit' | 'ledger'): void => {
    if (failing.delete(what))
      throw new AppError(`${what}.unwritable`, 'as the test wants it', { retriable: true });
  };
  const audit = createMemoryAudit(events, () => fail('audit'));
  const ledger = await openLedger({ path: join(directory.path, 'ledger.jsonl'), clock, log });
  const replica = await openReplica({ path: join(directory.path, 'ledger-peer.jsonl'), clock, log });
  const spool = await openSpool({
    directory: join(directory.path, 'queue'),
    sealKey: Buffer.alloc(32),
    nodeId: 'audio2',
    clock,
    log,
    acceptedEarlier: ledger.accepted,
    setAside: async () => undefined,
  });
  const doubtsDirectory = join(directory.path, 'doubts');
  const open = async () => {
    const bound = maxDoubts === undefined ? {} : { maxDoubts };
    const store = await openDoubtStore({ directory: doubtsDirectory, clock, audit, log, ...bound });
    const acceptor: Parameters<typeof createDoubts>[0]['acceptor'] = {
      accept: async (job) => {
        const accepted = await spool.accept(job);
        fail('accepted');
        return accepted;
      },
    };
    const recording = {
      ...ledger,
      append: async (...args: Parameters<typeof ledger.append>) => {
        fail('ledger');
        await ledger.append(...args);
      },
    };
    const known = createKnown(ledger, replica);
    return { store, doubts: createDoubts({ store, acceptor, ledger: recording, known, audit }) };
  };
  const world = {
    ...{ clock, lines, events, failing, ledger, replica, spool, open, directory: doubtsDirectory },
    ...(await open()),
    /** A mail comes into doubt as ingest has it. */
    add: async (n: number) => {
      await world.store.add(doubt(n));
      const entry = {
        job: idOf(n),
        digest: null,
        uidValidity: '7',
        uid: n,
        receivedAt: '2026-03-02T10:00:00Z',
      };
      await ledger.append({ ...entry, outcome: 'in-doubt' });
    },
    reopen: async () => Object.assign(world, await open()),
    [Symbol.asyncDispose]: async () => {
      spool.close();
      await ledger.close();
      await replica.close();
      await directory[Symbol.asyncDispose]();
    },
  };
  return world;
}

describe('mails in doubt', () => {
  test('are listed, the newest first, also after a restart', async () => {
    await using it = await setup();
    expect(await it.doubts.list()).toEqual([]);
    await it.add(1);
    it.clock.advance({ minutes: 1 });
    await it.add(2);
    await it.reopen();
    expect(await it.doubts.list()).toEqual([
      expect.objectContaining({ id: idOf(2), subject: 'RAMAIS=2', command: 'RAMAIS' }),
      {
        ...{ id: idOf(1), subject: 'RAMAIS=1', command: 'RAMAIS', from: `Ana Lima <${ANA}>` },
        ...{ at: '2026-03-02T12:00:00.000Z', receivedAt: '2026-03-02T10:00:00Z' },
      },
    ]);
    expect((await stat(join(it.directory, `${idOf(1)}.json`))).mode & 0o777).toBe(0o600);
    expect((await stat(it.directory)).mode & 0o777).toBe(0o700);
  });

  test('taken, one is a job like any other, once, and no doubt any more', async () => {
    await using it = await setup();
    await it.add(1);
    await it.add(2);
    const taken = await it.doubts.resolve(idOf(1).slice(0, 6), 'take');
    expect(taken).toEqual({ id: idOf(1), message: `job ${idOf(1).slice(0, 8)} is in the queue` });
    expect(it.spool.ids('pending')).toEqual([idOf(1)]);
    expect(it.ledger.accepted(idOf(1))).not.toBeNull();
    expect(it.events.map(({ event }) => event)).toEqual(['doubt.taken']);
    await expect(it.doubts.resolve(idOf(1), 'take')).rejects.toMatchObject({ code: 'job.not-found' });
    await it.reopen();
    expect((await it.doubts.list()).map(({ id }) => id)).toEqual([idOf(2)]);
  });

  test('dismissed, one is left as it is', async () => {
    await using it = await setup();
    await it.add(1);
    expect((await it.doubts.resolve(idOf(1), 'dismiss')).message).toContain('left as it is');
    expect(it.spool.ids(null)).toEqual([]);
    expect(it.ledger.accepted(idOf(1))).toBeNull();
    expect(it.events).toMatchObject([{ event: 'doubt.dismissed', job: idOf(1), subject: 'RAMAIS=1' }]);
    expect(await readdir(it.directory)).toEqual([]);
  });

  test.each(['accepted', 'audit', 'ledger'] as const)(
    'a taking that breaks off at %s is finished by the same call, and can be nothing else',
    async (moment) => {
      await using it = await setup();
      await it.add(1);
      it.failing.add(moment);
      await expect(it.doubts.resolve(idOf(1), 'take')).rejects.toMatchObject({
        code: `${moment}.unwritable`,
      });
      await it.reopen();
      await expect(it.doubts.resolve(idOf(1), 'dismiss')).rejects.toMatchObject({ code: 'job.wrong-state' });
      await it.doubts.resolve(idOf(1), 'take');
      expect(it.spool.ids(null)).toEqual([idOf(1)]);
      expect(await it.doubts.list()).toEqual([]);
      expect(it.ledger.accepted(idOf(1))).not.toBeNull();
    },
  );

  test('one whose job is done and whose file a crash left behind is cleared away by either word', async () => {
    await using it = await setup();
    for (const n of [1, 2]) {
      await it.add(n);
      const file = await readFile(join(it.directory, `${idOf(n)}.json`), 'utf8');
      await it.doubts.resolve(idOf(n), 'take');
      await writeFile(join(it.directory, `${idOf(n)}.json`), file);
    }
    await it.reopen();
    expect((await it.doubts.resolve(idOf(1), 'dismiss')).message).toContain('had been taken');
    await it.doubts.resolve(idOf(2), 'take');
    expect(it.spool.ids(null)).toHaveLength(2);
    expect(it.events.map(({ event }) => event)).toEqual(['doubt.taken', 'doubt.taken']);
  });

  test('taken twice at the same moment, one makes one job', async () => {
    await using it = await setup();
    await it.add(1);
    const both = await Promise.allSettled([
      it.doubts.resolve(idOf(1), 'take'),
      it.doubts.resolve(idOf(1), 'take'),
    ]);
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect(it.spool.ids(null)).toEqual([idOf(1)]);
  });

  test('one that the other node has taken meanwhile cannot be taken here', async () => {
    await using it = await setup();
    await it.add(1);
    const at = '2026-03-02T12:00:00Z';
    const entry = {
      kind: 'entry' as const,
      serial: 1,
      job: idOf(1),
      digest: idOf(9),
      uidValidity: '7',
      uid: 1,
    };
    const entries = [{ ...entry, receivedAt: at, at, outcome: 'accepted' as const }];
    await it.replica.apply({ stream: STREAM, after: 0, entries, watermark: null });
    await expect(it.doubts.resolve(idOf(1), 'take')).rejects.toMatchObject({ code: 'job.wrong-state' });
    expect(it.spool.ids(null)).toEqual([]);
    await it.doubts.resolve(idOf(1), 'dismiss');
    expect(await it.doubts.list()).toEqual([]);
  });

  test('are named by the beginning of their id where that names one', async () => {
    await using it = await setup();
    await it.add(1);
    await it.store.add({
      ...doubt(2),
      job: { ...doubt(2).job, id: `${idOf(1).slice(0, 40)}${idOf(2).slice(0, 24)}` },
    });
    await expect(it.doubts.resolve('0001', 'take')).rejects.toMatchObject({ code: 'job.ambiguous' });
    await expect(it.doubts.resolve('beef', 'take')).rejects.toMatchObject({ code: 'job.not-found' });
    await it.doubts.resolve(idOf(1), 'dismiss');
    expect(await it.doubts.list()).toHaveLength(1);
  });

  test('are kept up to a bound; the oldest is dropped with a word in log and audit', async () => {
    await using it = await setup(3);
    for (const n of [1, 2, 3, 4]) {
      await it.add(n);
      it.clock.advance({ seconds: 1 });
    }
    expect((await it.doubts.list()).map(({ subject }) => subject)).toEqual([
      'RAMAIS=4',
      'RAMAIS=3',
      'RAMAIS=2',
    ]);
    expect(it.events).toMatchObject([{ event: 'doubt.dropped', job: idOf(1) }]);
    expect(it.lines.join('')).toContain('too many mails are in doubt');
    await it.reopen();
    expect(it.store.count()).toBe(3);
  });

  test('one whose file cannot be read is named in the log and passed over', async () => {
    await using it = await setup();
    await it.add(1);
    await it.add(2);
    await writeFile(join(it.directory, `${idOf(1)}.json`), '{"at":');
    await writeFile(join(it.directory, '.tmp-left-by-a-crash'), 'half');
    await it.reopen();
    expect((await it.doubts.list()).map(({ id }) => id)).toEqual([idOf(2)]);
    expect(it.lines.join('')).toContain(idOf(1));
    expect(await readdir(it.directory)).not.toContain('.tmp-left-by-a-crash');
  });
});

describe('a mail that comes into doubt', () => {
  test('is kept with the job it would have made, and nothing of its token', async () => {
    const directory = await temporaryDirectory();
    await using _ = directory;
    const mailbox = createMemoryMailbox(systemClock.now);
    await using it = await createWorld({ mailbox, directory: directory.path, requireToken: true });
    await it.ledger.adopt({ uidValidity: '1000', uid: 0 });
    mailbox.deliver(mailSource({ subject: `[${TOKEN}] RAMAIS=1121` }), { seen: true });
    mailbox.deliver(mailSource({ subject: `[${TOKEN}] Bom dia` }), { seen: true });
    await it.ledger.requireRescan();
    it.start();
    await eventually('the doubts', () => it.audit.length === 2);
    const files = await Promise.all(
      it.doubtStore.ids().map((id) => readFile(join(directory.path, 'doubts', `${id}.json`), 'utf8')),
    );
    expect(files.join('')).toContain('RAMAIS=1121');
    expect(files.join('')).not.toContain(TOKEN);
    expect((await it.doubts.list()).map(({ command }) => command).toSorted()).toEqual(['RAMAIS', 'RECUSA']);
    const wanted = (await it.doubts.list()).find(({ command }) => command === 'RAMAIS');
    await it.doubts.resolve(wanted?.id ?? '', 'take');
    expect(it.acceptor.jobs.at(-1)).toMatchObject({
      ...{ id: wanted?.id, door: 'mail', lane: 'recordings', source: 'audio' },
      request: { command: 'RAMAIS', requester: ANA, subject: 'RAMAIS=1121' },
    });
  });
});

describe('the operator’s calls about them', () => {
  test('list and decide, in the shapes of their table', async () => {
    await using it = await setup();
    await it.add(1);
    const control = createDoubtControl(it.doubts);
    const listed = await control.doubts({});
    expect(DOUBT_METHODS.doubts.result.parse(listed).doubts).toHaveLength(1);
    const params = DOUBT_METHODS.resolveDoubt.params.parse({ id: idOf(1).slice(0, 8), how: 'dismiss' });
    expect(DOUBT_METHODS.resolveDoubt.result.parse(await control.resolveDoubt(params)).id).toBe(idOf(1));
    expect(DOUBT_METHODS.resolveDoubt.params.safeParse({ id: '../x', how: 'take' }).success).toBe(false);
  });
});
