import { appendFile, mkdir, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { openAudit } from '../../../node/audit.ts';
import { codeOf } from '../../../node/platform/errors.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { temporaryDirectory } from '../../support/process.ts';

const NOW = '2026-03-02T12:00:00.5Z';

async function setup() {
  const home = await temporaryDirectory();
  const directory = join(home.path, 'audit');
  const clock = fixedClock(NOW);
  const reopen = () => openAudit(directory, 'audio', clock);
  const audit = await reopen();
  const file = join(directory, '2026-03.jsonl');
  const lines = async (): Promise<string[]> => (await readFile(file, 'utf8')).trimEnd().split('\n');
  return { audit, clock, directory, file, lines, reopen, [Symbol.asyncDispose]: home[Symbol.asyncDispose] };
}

/** Counts how often the disk is waited for while something is done. */
async function countSyncs(act: () => Promise<unknown>): Promise<{ files: number; directories: number }> {
  await using any = await open('/', 'r');
  const prototype = Object.getPrototypeOf(any) as typeof any;
  const data = vi.spyOn(prototype, 'datasync');
  const whole = vi.spyOn(prototype, 'sync');
  try {
    await act();
    return { files: data.mock.calls.length, directories: whole.mock.calls.length };
  } finally {
    data.mockRestore();
    whole.mockRestore();
  }
}

describe('the audit log', () => {
  test('has a line for each event, in the order of the calls, in a file a month', async () => {
    await using it = await setup();
    await Promise.all([1, 2, 3].map((n) => it.audit.record({ event: 'mail.sent', n })));
    expect((await it.lines()).map((line) => JSON.parse(line) as unknown)).toEqual(
      [1, 2, 3].map((n) => ({
        ...{ at: '2026-03-02T12:00:00.500Z', node: 'audio', event: 'mail.sent', n },
        prev: n === 1 ? null : expect.stringMatching(/^[0-9a-f]{64}$/),
      })),
    );
  });

  test('is for its owner alone', async () => {
    await using it = await setup();
    await it.audit.record({ event: 'one' });
    for (const name of await readdir(it.directory)) {
      expect((await stat(join(it.directory, name))).mode & 0o777).toBe(0o600);
    }
    expect((await stat(it.directory)).mode & 0o777).toBe(0o700);
  });

  test('waits for the disk once for an entry, and for several at once too', async () => {
    await using it = await setup();
    await it.audit.record({ event: 'first of the file' });
    const one = await countSyncs(() => it.audit.record({ event: 'one' }));
    expect(one).toEqual({ files: 1, directories: 0 });
    const events = Array.from({ length: 500 }, (_, n) => ({ event: 'many', n }));
    expect(await countSyncs(() => it.audit.recordAll(events))).toEqual({ files: 1, directories: 0 });
    expect(await it.lines()).toHaveLength(502);
  });

  test('lets entries that come while the disk is waited for share the next wait', async () => {
    await using it = await setup();
    await it.audit.record({ event: 'first of the file' });
    const numbers = Array.from({ length: 100 }, (_, n) => n);
    const syncs = await countSyncs(() =>
      Promise.all(numbers.map((n) => it.audit.record({ event: 'mail.sent', n }))),
    );
    expect(syncs.files).toBeLessThanOrEqual(2);
    const written = (await it.lines()).slice(1).map((line) => (JSON.parse(line) as { n: number }).n);
    expect(written).toEqual(numbers);
    expect((await it.audit.verify(null)).found).toBe(0);
  });

  test('cuts off what a crash left of a last line', async () => {
    await using it = await setup();
    await it.audit.record({ event: 'one' });
    await appendFile(it.file, '{"at":"2026-03-02T1');
    await it.audit.record({ event: 'two' });
    expect((await it.lines()).map((line) => (JSON.parse(line) as { event: string }).event)).toEqual([
      'one',
      'two',
    ]);
    await appendFile(it.file, '{"at":"2026-03-02T1');
    const again = await it.reopen();
    await again.record({ event: 'three' });
    expect(await it.lines()).toHaveLength(3);
    expect((await again.verify(null)).found).toBe(0);
  });

  test('says that it cannot be written, and is tried again by the next', async () => {
    await using it = await setup();
    await rm(it.directory, { recursive: true });
    expect(await it.audit.record({ event: 'lost' }).catch(codeOf)).toBe('audit.unwritable');
    await mkdir(it.directory);
    await it.audit.record({ event: 'kept' });
    expect(await it.lines()).toHaveLength(1);
    expect((await it.audit.verify(null)).found).toBe(0);
  });

  test('leaves nothing of entries that could not be brought to the disk, and stays whole', async () => {
    await using it = await setup();
    await it.audit.record({ event: 'one' });
    await using any = await open('/', 'r');
    const failing = vi
      .spyOn(Object.getPrototypeOf(any) as typeof any, 'datasync')
      .mockRejectedValueOnce(Object.assign(new Error('no space'), { code: 'ENOSPC' }));
    const lost = it.audit.recordAll([{ event: 'lost' }, { event: 'lost too' }]).catch(codeOf);
    expect(await lost).toBe('audit.unwritable');
    failing.mockRestore();
    expect(await it.lines()).toHaveLength(1);
    await it.audit.record({ event: 'two' });
    expect(await it.lines()).toHaveLength(2);
    expect((await it.audit.verify(null)).found).toBe(0);
  });

  test('refuses an entry that nobody could read again', async () => {
    await using it = await setup();
    const huge = { event: 'huge', text: 'x'.repeat(1_100_000) };
    expect(await it.audit.record(huge).catch(codeOf)).toBe('audit.too-large');
  });

  test('goes on in the file of the next month, and never back into an earlier one', async () => {
    await using it = await setup();
    await it.audit.record({ event: 'march' });
    it.clock.set('2026-04-01T00:00:00Z');
    await it.audit.record({ event: 'april' });
    it.clock.set(NOW);
    await it.audit.record({ event: 'a clock set back' });
    expect(await it.lines()).toHaveLength(1);
    const april = await readFile(join(it.directory, '2026-04.jsonl'), 'utf8');
    expect(april).toContain('a clock set back');
    expect(await (await it.reopen()).verify(null)).toMatchObject({ files: 2, entries: 3, found: 0 });
  });

  test('takes over a log of before there was a chain', async () => {
    await using home = await temporaryDirectory();
    const old = [1, 2].map((n) => JSON.stringify({ at: NOW, node: 'audio', event: 'mail.sent', n }));
    await writeFile(join(home.path, '2026-02.jsonl'), `${old.join('\n')}\n`);
    const audit = await openAudit(home.path, 'audio', fixedClock(NOW));
    await audit.record({ event: 'new' });
    expect(await audit.verify(null)).toMatchObject({ entries: 3, unchained: 2, found: 0 });
    // The last of them is vouched for.
    await writeFile(join(home.path, '2026-02.jsonl'), `${old[0]}\n`);
    expect((await audit.verify(null)).found).toBe(1);
  });
});
