import { appendFile, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { compactLedger, type Keep } from '../../../node/ingest/ledger-compaction.ts';
import { createLedgerIndex } from '../../../node/ingest/ledger-index.ts';
import type { LedgerLine } from '../../../node/ingest/ledger-lines.ts';
import { type Ledger, type NewEntry, openLedger } from '../../../node/ingest/ledger.ts';
import { createLog } from '../../../node/platform/log.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { temporaryDirectory } from '../../support/process.ts';

const JOB = 'ab'.repeat(32);
const OTHER = 'cd'.repeat(32);
const DIGEST = 'ef'.repeat(32);

function entry(change: Partial<NewEntry> = {}): NewEntry {
  const receivedAt = '2026-03-02T11:59:00Z';
  return { job: JOB, digest: DIGEST, uidValidity: '7', uid: 1, receivedAt, outcome: 'accepted', ...change };
}

async function open() {
  const directory = await temporaryDirectory();
  const path = join(directory.path, 'state', 'ledger.jsonl');
  const clock = fixedClock();
  const lines: string[] = [];
  const log = createLog({ level: 'info', style: 'terminal', write: (line) => lines.push(line) });
  const opened: Ledger[] = [];
  const again = async (keep?: Keep): Promise<Ledger> => {
    const ledger = await openLedger({ path, clock, log, ...(keep === undefined ? {} : { keep }) });
    opened.push(ledger);
    return ledger;
  };
  return {
    path,
    clock,
    lines,
    again,
    ledger: await again(),
    [Symbol.asyncDispose]: async () => {
      for (const ledger of opened) await ledger.close();
      await directory[Symbol.asyncDispose]();
    },
  };
}

describe('the ledger', () => {
  test('knows after a restart what it was told', async () => {
    await using it = await open();
    await it.ledger.setWatermark('7', 0);
    await it.ledger.append(entry({ uid: 5 }));
    await it.ledger.append(entry({ job: OTHER, digest: null, uid: 6, outcome: 'ignored' }));
    await it.ledger.close();
    const ledger = await it.again();
    expect(ledger.find(JOB)).toEqual({ digest: DIGEST });
    expect(ledger.find(OTHER)).toEqual({ digest: null });
    expect(ledger.find('00'.repeat(32))).toBeNull();
    expect(ledger.watermark('7')).toBe(6);
    expect(ledger.lastReceivedAt()?.toString()).toBe('2026-03-02T11:59:00Z');
    expect((await stat(it.path)).mode & 0o777).toBe(0o600);
  });

  test('has no watermark for a mailbox that it was not brought level with', async () => {
    await using it = await open();
    await it.ledger.append(entry({ uid: 9 }));
    expect(it.ledger.watermark('7')).toBeNull();
    expect(it.ledger.startedAt()).toBeNull();
    await it.ledger.setWatermark('7', 3);
    expect(it.ledger.watermark('7')).toBe(3);
    await it.ledger.append(entry({ uid: 5 }));
    expect(it.ledger.watermark('7')).toBe(5);
    expect(it.ledger.watermark('8')).toBeNull();
    expect(it.ledger.startedAt()?.toString()).toBe('2026-03-02T12:00:00Z');
  });

  test('keeps the digest of a job when the same mail comes again', async () => {
    await using it = await open();
    await it.ledger.append(entry());
    await it.ledger.append(entry({ digest: null, uid: 2, outcome: 'duplicate' }));
    expect(it.ledger.find(JOB)).toEqual({ digest: DIGEST });
  });

  test('takes jobs that came by other doors', async () => {
    await using it = await open();
    await it.ledger.append(entry({ uidValidity: null, uid: null, receivedAt: null }));
    expect(it.ledger.find(JOB)).not.toBeNull();
    expect(it.ledger.lastReceivedAt()).toBeNull();
  });

  test('knows when the last mail came that a job was made of, and no later than it was recorded', async () => {
    await using it = await open();
    const at = (receivedAt: string, more = {}) => it.ledger.append(entry({ receivedAt, ...more }));
    await at('2026-03-02T10:00:00Z');
    await at('2026-03-02T11:00:00Z', { job: OTHER, digest: null, outcome: 'not-allowed' });
    expect(it.ledger.lastReceivedAt()?.toString()).toBe('2026-03-02T10:00:00Z');
    await at('2030-01-01T00:00:00Z');
    expect(it.ledger.lastReceivedAt()?.toString()).toBe('2026-03-02T12:00:00Z');
  });

  test('knows which mails still want their flags', async () => {
    await using it = await open();
    await it.ledger.append(entry({ uid: 1 }));
    await it.ledger.append(entry({ uid: 2, outcome: 'not-allowed' }));
    await it.ledger.append(entry({ uid: 3, outcome: 'refused' }));
    expect(it.ledger.unflagged('7')).toEqual([1, 3]);
    await it.ledger.setFlagged('7', 1);
    await it.ledger.close();
    const ledger = await it.again();
    expect(ledger.unflagged('7')).toEqual([3]);
    expect(ledger.unflagged('8')).toEqual([]);
  });

  test('cuts off a last line torn by a crash, and goes on', async () => {
    await using it = await open();
    await it.ledger.append(entry());
    await it.ledger.close();
    await appendFile(it.path, '{"kind":"entry","job":"cdcd');
    const ledger = await it.again();
    expect(it.lines.join('')).toContain('torn');
    await ledger.append(entry({ job: OTHER, uid: 2 }));
    await ledger.close();
    const third = await it.again();
    expect(third.find(JOB)).not.toBeNull();
    expect(third.find(OTHER)).not.toBeNull();
    expect(it.lines.filter((line) => line.includes('torn'))).toHaveLength(1);
  });

  test('writes on after what a failed write left behind, not onto it', async () => {
    await using it = await open();
    await it.ledger.append(entry());
    await appendFile(it.path, '{"kind":"entry","job":"half of a li');
    await it.ledger.append(entry({ job: OTHER, uid: 2 }));
    await it.ledger.close();
    const ledger = await it.again();
    expect(ledger.find(OTHER)).not.toBeNull();
    expect(it.lines).toEqual([]);
  });

  test('a whole line without its end was never acknowledged, and is cut off', async () => {
    await using it = await open();
    await it.ledger.append(entry());
    await it.ledger.close();
    const text = await readFile(it.path, 'utf8');
    await writeFile(it.path, text.trimEnd());
    expect((await it.again()).find(JOB)).toBeNull();
  });

  test('passes over a broken line in the middle and says so', async () => {
    await using it = await open();
    await it.ledger.append(entry());
    await it.ledger.close();
    const text = await readFile(it.path, 'utf8');
    await writeFile(it.path, `not json\n{"kind":"entry"}\n${text}`);
    expect((await it.again()).find(JOB)).not.toBeNull();
    expect(it.lines.join('')).toContain('lines=2');
  });

  test('drops what is older than 400 days when it is opened, but never forgets how far it was', async () => {
    await using it = await open();
    await it.ledger.setWatermark('7', 0);
    await it.ledger.append(entry({ uid: 12 }));
    it.clock.advance({ hours: 24 * 401 });
    await it.ledger.append(entry({ job: OTHER, uid: 11 }));
    await it.ledger.close();
    const ledger = await it.again();
    expect(ledger.find(JOB)).toBeNull();
    expect(ledger.find(OTHER)).not.toBeNull();
    expect(ledger.watermark('7')).toBe(12);
    expect(ledger.startedAt()?.toString()).toBe('2026-03-02T12:00:00Z');
    await ledger.close();
    expect((await it.again()).watermark('7')).toBe(12);
  });

  test('forgets nothing where the clock is years ahead when it is opened', async () => {
    await using it = await open();
    await it.ledger.setWatermark('7', 0);
    await it.ledger.append(entry({ uid: 12 }));
    await it.ledger.close();
    it.clock.advance({ hours: 24 * 3_650 });
    expect((await it.again()).find(JOB)).not.toBeNull();
  });

  test('appends in the order of the calls', async () => {
    await using it = await open();
    const jobs = Array.from({ length: 50 }, (_, index) => index.toString(16).padStart(64, '0'));
    await Promise.all(jobs.map((job, uid) => it.ledger.append(entry({ job, uid }))));
    const entries = await it.ledger.entriesAfter(0, 100);
    expect(entries.map(({ job }) => job)).toEqual(jobs);
    expect(entries.map(({ serial }) => serial)).toEqual(jobs.map((_, index) => index + 1));
  });
});

describe('serials and streams', () => {
  const ids = (count: number): string[] =>
    Array.from({ length: count }, (_, index) => (index + 1).toString(16).padStart(64, '0'));
  const serialsOf = async (ledger: Ledger, after: number, limit = 100): Promise<number[]> =>
    (await ledger.entriesAfter(after, limit)).map(({ serial }) => serial);

  test('entries are numbered from 1 on, over restarts, and given out in pages', async () => {
    await using it = await open();
    for (const job of ids(3)) await it.ledger.append(entry({ job }));
    await it.ledger.setWatermark('7', 1);
    await it.ledger.close();
    const ledger = await it.again();
    await ledger.append(entry({ job: OTHER }));
    expect(await serialsOf(ledger, 0)).toEqual([1, 2, 3, 4]);
    expect(await serialsOf(ledger, 1, 2)).toEqual([2, 3]);
    expect(await serialsOf(ledger, 4)).toEqual([]);
    expect([0, 3, 4, 9].map(ledger.countAfter)).toEqual([4, 1, 0, 0]);
    expect(ledger.lastSerial()).toBe(4);
    expect(await ledger.entriesAfter(3, 1)).toMatchObject([{ job: OTHER, serial: 4, kind: 'entry' }]);
  });

  test('a number is never given out again, also when every entry is dropped', async () => {
    await using it = await open();
    for (const job of ids(3)) await it.ledger.append(entry({ job }));
    const stream = it.ledger.stream();
    await it.ledger.close();
    const none = await it.again({ days: 400, maxEntries: 0 });
    expect(await serialsOf(none, 0)).toEqual([]);
    expect(none.lastSerial()).toBe(3);
    await none.close();
    const ledger = await it.again();
    await ledger.append(entry({ job: OTHER }));
    expect(await serialsOf(ledger, 0)).toEqual([4]);
    expect(ledger.stream()).toBe(stream);
  });

  test('the name stays over restarts; a lost file, a damaged line and a wish each make a new one', async () => {
    await using it = await open();
    await it.ledger.append(entry());
    const first = it.ledger.stream();
    await it.ledger.close();
    const second = await it.again();
    expect(second.stream()).toBe(first);
    await second.close();

    await appendFile(it.path, 'no line of ours\n');
    const third = await it.again();
    const named = third.stream();
    expect(named).not.toBe(first);
    await third.append(entry({ job: OTHER }));
    await third.close();
    const fourth = await it.again();
    expect(fourth.stream()).toBe(named);

    fourth.renewStream();
    expect(fourth.stream()).not.toBe(named);
    await fourth.append(entry());
    await fourth.close();
    await rm(it.path);
    expect((await it.again()).stream()).not.toBe(fourth.stream());
  });

  test('tells of each entry and watermark when it is on disk, and of nothing that failed', async () => {
    await using it = await open();
    let told = 0;
    it.ledger.onAppended(() => (told += 1));
    await it.ledger.append(entry());
    await it.ledger.setWatermark('7', 1);
    await it.ledger.setFlagged('7', 1);
    expect(told).toBe(2);
    await it.ledger.close();
    await expect(it.ledger.append(entry())).rejects.toMatchObject({ code: 'ledger.unwritable' });
    expect(told).toBe(2);
    expect(it.ledger.lastSerial()).toBe(1);
  });
});

describe('what another has done', () => {
  test('a rescan that is due lets no watermark count, over restarts, until the next is set', async () => {
    await using it = await open();
    await it.ledger.setWatermark('7', 3);
    await it.ledger.append(entry({ uid: 4 }));
    await it.ledger.requireRescan();
    await it.ledger.close();
    const ledger = await it.again();
    expect(ledger.rescanDue()).toBe(true);
    expect(ledger.watermark('7')).toBeNull();
    expect(ledger.latestWatermark()).toBeNull();
    expect(ledger.watermarkBefore('7')).toBe(4);
    expect(ledger.find(JOB)).toEqual({ digest: DIGEST });
    expect(ledger.startedAt()).not.toBeNull();
    expect(ledger.lastReceivedAt()).not.toBeNull();
    await ledger.append(entry({ job: OTHER, uid: 90 }));
    expect(ledger.watermark('7')).toBeNull();
    await ledger.setWatermark('7', 50);
    expect(ledger.rescanDue()).toBe(false);
    expect(ledger.latestWatermark()).toEqual({ uidValidity: '7', uid: 50 });
  });

  test('goes on from where another stopped, and never behind its own place', async () => {
    await using it = await open();
    expect(it.ledger.latestWatermark()).toBeNull();
    await it.ledger.requireRescan();
    await it.ledger.adopt({ uidValidity: '7', uid: 20 });
    expect(it.ledger.watermark('7')).toBe(20);
    await it.ledger.adopt({ uidValidity: '7', uid: 10 });
    expect(it.ledger.latestWatermark()).toEqual({ uidValidity: '7', uid: 20 });
    await it.ledger.adopt({ uidValidity: '8', uid: 2 });
    expect(it.ledger.latestWatermark()).toEqual({ uidValidity: '8', uid: 2 });
    await it.ledger.adopt({ uidValidity: '7', uid: 21 });
    expect(it.ledger.watermark('8')).toBe(2);
    expect(it.ledger.startedAt()).not.toBeNull();
  });

  test('only what a job was made of counts as accepted here', async () => {
    await using it = await open();
    await it.ledger.append(entry());
    await it.ledger.append(entry({ job: OTHER, digest: null, outcome: 'in-doubt' }));
    expect(it.ledger.accepted(JOB)).toEqual({ digest: DIGEST });
    expect(it.ledger.accepted(OTHER)).toBeNull();
    expect(it.ledger.find(OTHER)).toEqual({ digest: null });
  });
});

describe('dropping old entries', () => {
  const at = '2026-03-01T00:00:00Z';
  const validity = fc.constantFrom('7', '8');
  const uid = fc.nat(20);
  const line: fc.Arbitrary<LedgerLine> = fc.oneof(
    { weight: 6, arbitrary: fc.record({ uidValidity: validity, uid }).map((place) => entryLine(place)) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('watermark' as const),
        uidValidity: validity,
        uid,
        at: fc.constant(at),
      }),
    },
    fc.record({ kind: fc.constant('flagged' as const), uidValidity: validity, uid }),
    fc.constant({ kind: 'rescan' as const, at }),
  );
  const entryLine = (place: { uidValidity: string; uid: number }): LedgerLine => ({
    ...{ kind: 'entry', serial: 1, job: JOB, digest: null, receivedAt: null, at, outcome: 'accepted' },
    ...place,
  });

  test('changes nothing of what the ledger says about how far it is', () => {
    const property = fc.property(fc.array(line, { maxLength: 30 }), fc.nat(10), (drawn, maxEntries) => {
      const lines = drawn.map((one, index) => (one.kind === 'entry' ? { ...one, serial: index + 1 } : one));
      const named: LedgerLine[] = [{ kind: 'stream', id: STREAM, dropped: 0 }, ...lines];
      const compacted = compactLedger(named, Temporal.Instant.from('2026-03-02T00:00:00Z'), {
        days: 400,
        maxEntries,
      });
      expect(said(compacted)).toEqual(said(named));
      expect(compacted.filter(({ kind }) => kind === 'entry')).toHaveLength(
        Math.min(maxEntries, lines.filter(({ kind }) => kind === 'entry').length),
      );
    });
    fc.assert(property, { numRuns: 1_000 });
  });

  const STREAM = '7b1c6f5e-2f3a-4a58-9d0b-0a6f4d9a1c11';
  const said = (lines: readonly LedgerLine[]): object => {
    const index = createLedgerIndex();
    for (const one of lines) index.add(one);
    const serials = lines.map((one) =>
      one.kind === 'entry' ? one.serial : one.kind === 'stream' ? one.dropped : 0,
    );
    return {
      marks: ['7', '8'].map((id) => [index.watermark(id), index.level(id)]),
      latest: index.latestWatermark(),
      rescanDue: index.rescanDue(),
      startedAt: index.startedAt()?.toString(),
      lastSerial: Math.max(...serials),
    };
  };
});
