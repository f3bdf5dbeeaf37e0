import { appendFile, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
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
  const again = async (): Promise<Ledger> => {
    const ledger = await openLedger({ path, clock, log });
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
    expect(it.ledger.watermark('7')).toBe(9);
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

  test('gives out what was recorded since an instant', async () => {
    await using it = await open();
    await it.ledger.append(entry());
    it.clock.advance({ minutes: 1 });
    await it.ledger.append(entry({ job: OTHER, uid: 2 }));
    expect((await it.ledger.entriesSince(it.clock.now())).map(({ job }) => job)).toEqual([OTHER]);
  });

  test('appends in the order of the calls', async () => {
    await using it = await open();
    const jobs = Array.from({ length: 50 }, (_, index) => index.toString(16).padStart(64, '0'));
    await Promise.all(jobs.map((job, uid) => it.ledger.append(entry({ job, uid }))));
    const entries = await it.ledger.entriesSince(Temporal.Instant.from('2020-01-01T00:00:00Z'));
    expect(entries.map(({ job }) => job)).toEqual(jobs);
  });
});
