import { appendFile, readFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Keep } from '../../../node/ingest/ledger-compaction.ts';
import { type Ledger, type NewEntry, openLedger } from '../../../node/ingest/ledger.ts';
import { createLedgerHandlers, openReplica } from '../../../node/ingest/replica.ts';
import { createReplicator, type Replicator } from '../../../node/ingest/replicator.ts';
import { type Clock, systemClock } from '../../../node/platform/clock.ts';
import { AppError } from '../../../node/platform/errors.ts';
import { createLog } from '../../../node/platform/log.ts';
import type { LedgerEntry } from '../../../protocol/ledger.ts';
import { MAX_LEDGER_PAGE } from '../../../protocol/messages.ts';
import type { RpcParams } from '../../../protocol/methods.ts';
import { eventually, temporaryDirectory } from '../../support/process.ts';

type Page = RpcParams<'ledger.append'>;
/** What becomes of a call: `late` is answered, and an older one arrives once more after it. */
type Fate = 'good' | 'lost' | 'answer-lost' | 'twice' | 'late';

const hasty: Clock = { ...systemClock, sleep: (_ms, signal) => systemClock.sleep(0, signal) };
const STREAM = '7b1c6f5e-2f3a-4a58-9d0b-0a6f4d9a1c11';
const OTHER_STREAM = '0e0dbb6a-63b5-4a30-8d55-b9b1b6a4e6a2';

let count = 0;
function fresh(change: Partial<NewEntry> = {}): NewEntry {
  count += 1;
  const job = count.toString(16).padStart(64, '0');
  const receivedAt = '2026-03-02T11:59:00Z';
  return { job, digest: job, uidValidity: '7', uid: count, receivedAt, outcome: 'accepted', ...change };
}
function numbered(serial: number): LedgerEntry {
  return { kind: 'entry', serial, ...fresh(), at: '2026-03-02T12:00:00Z' };
}

/** A ledger on one node and its copy on the other, with calls between them that go as the test wants. */
async function pair() {
  const directory = await temporaryDirectory();
  const lines: string[] = [];
  const log = createLog({ level: 'debug', style: 'terminal', write: (line) => lines.push(line) });
  const ledgerPath = join(directory.path, 'ledger.jsonl');
  const replicaPath = join(directory.path, 'ledger-peer.jsonl');
  const fates: Fate[] = [];
  const calls: Page[] = [];
  let gate: Promise<void> = Promise.resolve();
  const away = (): AppError => new AppError('peer.unreachable', 'the link is cut', { retriable: true });

  const make = (ledger: Ledger): Replicator =>
    createReplicator({
      recheckMs: 50,
      ledger,
      peer: { id: 'audio', call: call as never },
      clock: hasty,
      log,
      random: () => 0,
    });
  const call = async (_method: 'ledger.append', page: Page, { signal }: { signal: AbortSignal }) => {
    await gate;
    signal.throwIfAborted();
    const handle = createLedgerHandlers(it.replica)['ledger.append'];
    const arrive = (one: Page) => handle(structuredClone(one), { signal, caller: 'audio2' });
    const fate = fates.shift() ?? 'good';
    calls.push(page);
    if (fate === 'lost') throw away();
    const answer = await arrive(page);
    if (fate === 'answer-lost') throw away();
    if (fate === 'twice') await arrive(page);
    if (fate === 'late') await arrive(calls[calls.length >> 1] ?? page).catch(() => undefined); // nobody waits for it
    return answer;
  };
  const ledger = await openLedger({ path: ledgerPath, clock: systemClock, log });
  const it = {
    ledger,
    replica: await openReplica({ path: replicaPath, clock: systemClock, log }),
    replicator: make(ledger),
    fates,
    calls,
    lines,
    ledgerPath,
    replicaPath,
    hold: (until: Promise<void>) => {
      gate = until;
    },
    flush: (signal: AbortSignal = AbortSignal.timeout(10_000)) => it.replicator.flush(signal),
    restartSender: async (keep?: Keep, meanwhile: () => Promise<unknown> = async () => undefined) => {
      await it.replicator.stop();
      await it.ledger.close();
      await meanwhile();
      it.ledger = await openLedger({ path: ledgerPath, clock: systemClock, log, ...(keep && { keep }) });
      it.replicator = make(it.ledger);
    },
    restartReceiver: async (keep?: Keep, meanwhile: () => Promise<unknown> = async () => undefined) => {
      await it.replica.close();
      await meanwhile();
      it.replica = await openReplica({ path: replicaPath, clock: systemClock, log, ...(keep && { keep }) });
    },
    [Symbol.asyncDispose]: async () => {
      await it.replicator.stop();
      await it.ledger.close();
      await it.replica.close();
      await directory[Symbol.asyncDispose]();
    },
  };
  return it;
}

async function entriesIn(path: string): Promise<(LedgerEntry & { stream: string })[]> {
  let stream = '';
  return (await readFile(path, 'utf8')).split('\n').flatMap((text) => {
    if (text === '') return [];
    const line = JSON.parse(text) as LedgerEntry | { kind: 'stream'; id: string };
    if (line.kind === 'stream') stream = line.id;
    return line.kind === 'entry' ? [{ ...line, stream }] : [];
  });
}

describe('the copy of a peer’s ledger', () => {
  const page = (serials: readonly number[], after: number, stream = STREAM): Page => ({
    ...{ stream, after, watermark: null },
    entries: serials.map(numbered),
  });

  test('takes a page, knows it after a restart, and passes over what it has', async () => {
    await using it = await pair();
    const first = page([1, 2, 3], 0);
    expect(await it.replica.apply({ ...first, watermark: { uidValidity: '7', uid: 9 } })).toBe(3);
    expect(await it.replica.apply(first)).toBe(3);
    expect(await it.replica.apply({ ...first, entries: [...first.entries, numbered(4)] })).toBe(4);
    await it.restartReceiver();
    expect(it.replica.upTo(STREAM)).toBe(4);
    expect(it.replica.watermark('7')).toBe(9);
    expect(it.replica.watermark('8')).toBeNull();
    expect(it.replica.lastReceivedAt()?.toString()).toBe('2026-03-02T11:59:00Z');
    expect(it.replica.find(first.entries[0]?.job ?? '')).toEqual({ digest: first.entries[0]?.digest });
    expect((await entriesIn(it.replicaPath)).map(({ serial }) => serial)).toEqual([1, 2, 3, 4]);
  });

  test('refuses what would leave a gap, and takes leaps that the sender knows of', async () => {
    await using it = await pair();
    await it.replica.apply(page([1, 2], 0));
    await expect(it.replica.apply(page([5], 4))).rejects.toMatchObject({
      code: 'ledger.gap',
      retriable: true,
    });
    expect(it.replica.upTo(STREAM)).toBe(2);
    expect(await it.replica.apply(page([5, 9], 2))).toBe(9);
    expect(await it.replica.apply(page([], 400))).toBe(9);
  });

  test('keeps what it knows of a ledger that the peer has lost', async () => {
    await using it = await pair();
    const old = page([1, 2], 0);
    await it.replica.apply(old);
    expect(await it.replica.apply(page([], 0, OTHER_STREAM))).toBe(0);
    await it.replica.apply(page([1], 0, OTHER_STREAM));
    await it.replica.apply(page([3], 2));
    await it.restartReceiver();
    expect([it.replica.upTo(STREAM), it.replica.upTo(OTHER_STREAM)]).toEqual([3, 1]);
    expect(it.replica.find(old.entries[0]?.job ?? '')).not.toBeNull();
  });

  test('a watermark that comes late does not lower the one that came before it', async () => {
    await using it = await pair();
    const mark = (uid: number, uidValidity = '7') => ({ uidValidity, uid });
    await it.replica.apply({ ...page([1, 2], 0), watermark: mark(9) });
    await it.replica.apply({ ...page([1], 0), watermark: mark(3, '6') });
    await it.replica.apply({ ...page([], 2), watermark: mark(4) });
    expect(it.replica.watermark('7')).toBe(9);
    await it.replica.apply({ ...page([3], 2), watermark: mark(1, '8') });
    expect([it.replica.watermark('7'), it.replica.watermark('8')]).toEqual([null, 1]);
  });

  test('tells mails from jobs that came to the peer by another door', async () => {
    await using it = await pair();
    const [mail, handedOver] = [
      numbered(1),
      { ...numbered(2), uidValidity: null, uid: null, receivedAt: null },
    ];
    await it.replica.apply({ ...page([], 0), entries: [handedOver] });
    expect(it.replica.startedAt()).toBeNull();
    await it.replica.apply({ ...page([], 2), entries: [{ ...mail, serial: 3 }] });
    expect(it.replica.findMail(mail.job)).not.toBeNull();
    expect(it.replica.findMail(handedOver.job)).toBeNull();
    expect(it.replica.find(handedOver.job)).not.toBeNull();
    expect(it.replica.startedAt()?.toString()).toBe('2026-03-02T12:00:00Z');
  });

  test('drops what is too old and knows how far it is all the same', async () => {
    await using it = await pair();
    await it.replica.apply({ ...page([1, 2, 3], 0), watermark: { uidValidity: '7', uid: 9 } });
    await it.restartReceiver({ days: 400, maxEntries: 1 });
    expect((await entriesIn(it.replicaPath)).map(({ serial }) => serial)).toEqual([3]);
    await it.restartReceiver({ days: 400, maxEntries: 0 });
    expect(it.replica.upTo(STREAM)).toBe(3);
    expect(it.replica.watermark('7')).toBe(9);
  });

  test('asks for all of a stream again when a line of it is damaged', async () => {
    await using it = await pair();
    const all = page([1, 2, 3], 0);
    await it.replica.apply(all);
    await it.restartReceiver(undefined, () => appendFile(it.replicaPath, 'bits that turned\n'));
    expect(it.replica.upTo(STREAM)).toBe(0);
    expect(await it.replica.apply({ ...all, entries: all.entries.slice(0, 2) })).toBe(2);
    await it.restartReceiver();
    expect(it.replica.upTo(STREAM)).toBe(2);
  });

  test('a disk that takes nothing is answered as such', async () => {
    await using it = await pair();
    await it.replica.close();
    const handle = createLedgerHandlers(it.replica)['ledger.append'];
    const call = { signal: AbortSignal.timeout(1_000), caller: 'audio2' };
    await expect(handle(page([1], 0), call)).rejects.toMatchObject({
      code: 'rpc.unavailable',
      retriable: true,
    });
  });
});

describe('sending the ledger to the peer', () => {
  const run = (it: { replicator: Replicator }): Promise<void> =>
    it.replicator.run(new AbortController().signal);

  test('sends what there is in pages, then each entry as it is appended, with the watermark', async () => {
    await using it = await pair();
    await it.ledger.setWatermark('7', 0);
    const old = Array.from({ length: MAX_LEDGER_PAGE + 20 }, () => it.ledger.append(fresh()));
    await Promise.all(old);
    const running = run(it);
    await eventually('the old ones', () => it.replica.upTo(it.ledger.stream()) === MAX_LEDGER_PAGE + 20);
    expect(it.calls.slice(0, 3).map(({ entries }) => entries.length)).toEqual([0, MAX_LEDGER_PAGE, 20]);
    // The watermark stands for all entries up to it, and so comes with the last of them.
    expect(it.calls.slice(0, 3).map(({ watermark }) => watermark?.uid ?? null)).toEqual([null, null, count]);
    const last = fresh();
    await it.ledger.append(last);
    await eventually('the new one', () => it.replica.find(last.job));
    await eventually('the watermark', () => it.replica.watermark('7') === last.uid);
    expect(it.replicator.status()).toEqual({ behind: 0, since: null, lastError: null });
    await it.replicator.stop();
    await running;
  });

  test('sends in one call what was appended during the call before', async () => {
    await using it = await pair();
    void run(it).catch(() => undefined); // ended by the pair
    await eventually('the first call', () => it.calls.length === 1);
    const gate = Promise.withResolvers<void>();
    it.hold(gate.promise);
    for (let n = 0; n < 10; n += 1) await it.ledger.append(fresh());
    expect(it.replicator.status().behind).toBe(10);
    gate.resolve();
    await eventually('all', () => it.replicator.status().behind === 0);
    expect(it.calls.filter(({ entries }) => entries.length > 0).length).toBeLessThanOrEqual(2);
  });

  test('tries on while the peer is away, says so once, and makes it good', async () => {
    await using it = await pair();
    it.fates.push(...Array.from({ length: 30 }, () => 'lost' as const));
    const entry = fresh();
    await it.ledger.append(entry);
    void run(it).catch(() => undefined); // ended by the pair
    await eventually('some tries', () => it.calls.length > 5);
    expect(it.replicator.status()).toMatchObject({ behind: 1, lastError: { code: 'peer.unreachable' } });
    expect(it.replicator.status().since).not.toBeNull();
    await eventually('the entry', () => it.replica.find(entry.job));
    await eventually('a word of it', () => it.lines.join('').includes('has the ledger again'));
    expect(it.lines.filter((line) => line.startsWith('warn'))).toHaveLength(1);
  });

  test('a peer that lost its copy is sent everything again', async () => {
    await using it = await pair();
    const [first, second] = [fresh(), fresh()];
    await it.ledger.append(first);
    await it.flush();
    await it.restartReceiver(undefined, () => truncate(it.replicaPath, 0));
    await it.ledger.append(second);
    await it.flush();
    expect(it.replica.find(first.job)).not.toBeNull();
    expect(it.replica.find(second.job)).not.toBeNull();
  });

  test('finds out that the peer lost its copy also where nothing new comes', async () => {
    await using it = await pair();
    const entry = fresh();
    await it.ledger.append(entry);
    void run(it).catch(() => undefined); // ended by the pair
    await eventually('the entry', () => it.replica.find(entry.job));
    await it.restartReceiver(undefined, () => truncate(it.replicaPath, 0));
    await eventually('the entry again', () => it.replica.find(entry.job));
  });

  test('flush finds out that the peer lost its copy also where nothing new comes', async () => {
    await using it = await pair();
    const entry = fresh();
    await it.ledger.append(entry);
    await it.flush();
    await it.restartReceiver(undefined, () => truncate(it.replicaPath, 0));
    await it.flush();
    expect(it.replica.find(entry.job)).not.toBeNull();
  });

  test('a ledger put back to an older state goes on under a new name, and nothing is taken for something else', async () => {
    await using it = await pair();
    await it.ledger.append(fresh());
    const { length } = await readFile(it.ledgerPath);
    await it.ledger.append(fresh());
    await it.flush();
    await it.restartSender(undefined, () => truncate(it.ledgerPath, length));
    await it.flush();
    const another = fresh();
    await it.ledger.append(another);
    await it.flush();
    expect(it.replica.find(another.job)).not.toBeNull();
  });

  test('what was dropped as too old before it could be sent is not waited for', async () => {
    await using it = await pair();
    for (let n = 0; n < 3; n += 1) await it.ledger.append(fresh());
    await it.restartSender({ days: 400, maxEntries: 1 });
    await it.flush();
    expect(it.replica.upTo(it.ledger.stream())).toBe(3);
    await it.restartSender({ days: 400, maxEntries: 0 });
    await it.restartReceiver(undefined, () => truncate(it.replicaPath, 0));
    await it.flush();
    expect(it.replicator.status().behind).toBe(0);
  });

  test('flush resolves when the peer has all, and says so where it cannot', async () => {
    await using it = await pair();
    const entry = fresh();
    await it.ledger.append(entry);
    await it.ledger.adopt({ uidValidity: '7', uid: 12_345 });
    await it.flush();
    expect(it.replica.find(entry.job)).not.toBeNull();
    expect(it.replica.watermark('7')).toBe(12_345);

    await it.ledger.append(fresh());
    it.fates.push('lost', 'answer-lost', 'lost');
    await expect(it.flush()).rejects.toMatchObject({ code: 'ledger.behind', retriable: true });
    it.hold(new Promise(() => undefined));
    await expect(it.flush(AbortSignal.timeout(20))).rejects.toMatchObject({
      code: 'ledger.behind',
      retriable: true,
    });
  });

  test('whatever is lost, doubled, late, torn or dropped: the copy ends equal to the ledger', async () => {
    const fate = fc.constantFrom<Fate>('good', 'good', 'lost', 'answer-lost', 'twice', 'late');
    const act = fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({ do: fc.constant('append' as const), count: fc.integer({ min: 1, max: 6 }) }),
      },
      {
        weight: 4,
        arbitrary: fc.record({ do: fc.constant('send' as const), fates: fc.array(fate, { maxLength: 6 }) }),
      },
      fc.record({
        do: fc.constant('restart-sender' as const),
        keep: fc.integer({ min: 0, max: 12 }),
        torn: fc.boolean(),
      }),
      fc.record({ do: fc.constant('restart-receiver' as const), torn: fc.boolean() }),
      fc.record({ do: fc.constant('lose-ledger' as const) }),
      fc.record({ do: fc.constant('mark' as const), uid: fc.nat(50) }),
    );
    const property = fc.asyncProperty(fc.array(act, { maxLength: 12 }), async (acts) => {
      await using it = await pair();
      /** All that was ever written, by stream and serial. */
      const written = new Map<string, LedgerEntry>();
      const note = async (): Promise<void> => {
        for (const one of await it.ledger.entriesAfter(0, 10_000)) {
          written.set(`${it.ledger.stream()} ${one.serial}`, one);
        }
      };
      const tear = (path: string) => (): Promise<void> => appendFile(path, '{"kind":"entry","job":"ab');
      for (const one of acts) {
        if (one.do === 'append') {
          for (let n = 0; n < one.count; n += 1) await it.ledger.append(fresh());
          await note();
        } else if (one.do === 'mark') await it.ledger.adopt({ uidValidity: '7', uid: one.uid });
        else if (one.do === 'send') {
          it.fates.push(...one.fates);
          await it.flush().catch(() => undefined); // some fates let it fail
          it.fates.length = 0;
        } else if (one.do === 'lose-ledger')
          await it.restartSender(undefined, () => truncate(it.ledgerPath, 0));
        else if (one.do === 'restart-sender') {
          const keep = { days: 400, maxEntries: one.keep };
          await it.restartSender(keep, one.torn ? tear(it.ledgerPath) : undefined);
        } else {
          await it.restartReceiver(undefined, one.torn ? tear(it.replicaPath) : undefined);
        }
      }
      await it.flush();
      await it.restartReceiver();
      const own = await it.ledger.entriesAfter(0, 10_000);
      for (const { job, digest } of own) expect(it.replica.findMail(job)).toEqual({ digest });
      expect(it.ledger.countAfter(it.replica.upTo(it.ledger.stream()))).toBe(0);
      const mark = it.ledger.latestWatermark();
      const told = mark === null ? null : it.replica.watermark(mark.uidValidity);
      // A ledger that was lost may begin below what it once told.
      if (acts.some((one) => one.do === 'lose-ledger'))
        expect(told ?? -1).toBeGreaterThanOrEqual(mark?.uid ?? -1);
      else expect(told).toBe(mark?.uid ?? null);
      const copied = await entriesIn(it.replicaPath);
      expect(new Set(copied.map(({ stream, serial }) => `${stream} ${serial}`)).size).toBe(copied.length);
      for (const { stream, ...one } of copied) expect(written.get(`${stream} ${one.serial}`)).toEqual(one);
    });
    await fc.assert(property, { numRuns: 40 });
  });
});
