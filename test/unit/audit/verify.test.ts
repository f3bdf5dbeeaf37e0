import { appendFile, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openAudit } from '../../../node/audit.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { temporaryDirectory } from '../../support/process.ts';

const MONTHS = ['2026-03', '2026-04', '2026-05'];
const PER_MONTH = 4;

/** A log of three months; `restart` opens it again, as after a stop. */
async function setup() {
  const home = await temporaryDirectory();
  const directory = home.path;
  const clock = fixedClock();
  const restart = () => openAudit(directory, 'audio', clock);
  const audit = await restart();
  for (const month of MONTHS) {
    clock.set(`${month}-10T12:00:00Z`);
    for (let n = 0; n < PER_MONTH; n += 1) {
      await audit.record({ event: 'mail.accepted', from: 'ana@example.test', n, month });
    }
  }
  await audit.verify(null); // which waits for the head: it is written after the entry is told to be on disk
  const pathOf = (file: number): string => join(directory, `${MONTHS[file]}.jsonl`);
  const change = async (file: number, how: (lines: string[]) => string[]): Promise<void> => {
    const lines = (await readFile(pathOf(file), 'utf8')).trimEnd().split('\n');
    await writeFile(
      pathOf(file),
      how(lines)
        .map((line) => `${line}\n`)
        .join(''),
    );
  };
  return { audit, change, directory, pathOf, restart, [Symbol.asyncDispose]: home[Symbol.asyncDispose] };
}

/** What somebody might do to the lines of one file. */
const TAMPERINGS: Readonly<Record<string, (lines: string[], at: number) => string[]>> = {
  change: (lines, at) => lines.with(at, (lines[at] ?? '').replace('ana@', 'eva@')),
  'change a blank in': (lines, at) => lines.with(at, (lines[at] ?? '').replace(',', ', ')),
  remove: (lines, at) => lines.toSpliced(at, 1),
  repeat: (lines, at) => lines.toSpliced(at, 0, lines[at] ?? ''),
  'put nonsense before': (lines, at) => lines.toSpliced(at, 0, 'not JSON'),
  'put an entry without a chain before': (lines, at) =>
    lines.toSpliced(at, 0, JSON.stringify({ at: '2026-03-10T12:00:00Z', node: 'audio', event: 'mail.sent' })),
  'take the chain from': (lines, at) => lines.with(at, (lines[at] ?? '').replace(/,"prev":[^}]*/, '')),
  'swap with its neighbour': (lines, at) => {
    const other = at === 0 ? 1 : at - 1;
    return lines.with(at, lines[other] ?? '').with(other, lines[at] ?? '');
  },
};

describe('following the chain', () => {
  test('finds nothing in a log that nobody touched, before and after a restart', async () => {
    await using it = await setup();
    const whole = { files: 3, entries: 12, unchained: 0, found: 0, problems: [] };
    expect(await it.audit.verify(null)).toMatchObject(whole);
    expect(await (await it.restart()).verify(null)).toMatchObject(whole);
  });

  test.each(Object.keys(TAMPERINGS))(
    'finds it when it %s any one line, while it runs and after a restart',
    async (how) => {
      const tampering = TAMPERINGS[how] ?? (() => []);
      await fc.assert(
        fc.asyncProperty(
          fc.nat(MONTHS.length - 1),
          fc.nat(PER_MONTH - 1),
          fc.boolean(),
          async (file, at, restarts) => {
            await using it = await setup();
            await it.change(file, (lines) => tampering(lines, at));
            const audit = restarts ? await it.restart() : it.audit;
            expect((await audit.verify(null)).found).toBeGreaterThan(0);
            // It stays found, whatever is written afterwards.
            await audit.record({ event: 'later' });
            expect((await (await it.restart()).verify(null)).found).toBeGreaterThan(0);
          },
        ),
        { numRuns: 12 },
      );
    },
  );

  test('says where the chain is broken', async () => {
    await using it = await setup();
    await it.change(1, (lines) => lines.toSpliced(2, 1));
    expect((await it.audit.verify(null)).problems).toEqual([
      { file: '2026-04.jsonl', line: 3, what: expect.stringContaining('does not follow the line before') },
    ]);
  });

  test.each([0, 1, 2])('misses a whole file: the %ith of three', async (file) => {
    await using it = await setup();
    await rm(it.pathOf(file));
    expect((await it.audit.verify(null)).found).toBeGreaterThan(0);
    expect((await (await it.restart()).verify(null)).found).toBeGreaterThan(0);
  });

  test('misses the last lines, of which only the head tells, and enters that into the log at the next start', async () => {
    await using it = await setup();
    await it.change(2, (lines) => lines.slice(0, 1));
    const audit = await it.restart();
    const { problems } = await audit.verify(null);
    expect(problems).toEqual([
      expect.objectContaining({ what: expect.stringContaining('then the last one') }),
    ]);
    const [entry] = await audit.newest({ since: null, until: null, job: null, person: null }, 1);
    expect(entry).toContain('"audit.gap"');
  });

  test.each(['is gone', 'is broken'])('says that the head %s', async (how) => {
    await using it = await setup();
    const head = join(it.directory, 'head.json');
    await (how === 'is gone' ? rm(head) : writeFile(head, '{"file":'));
    expect((await (await it.restart()).verify(null)).problems[0]?.what).toContain('head.json');
  });

  test('takes a head that is behind, as a power cut leaves it, for what it is', async () => {
    await using it = await setup();
    const head = join(it.directory, 'head.json');
    const before = await readFile(head);
    await it.audit.recordAll([{ event: 'one' }, { event: 'two' }]);
    await it.audit.verify(null);
    await writeFile(head, before);
    expect((await (await it.restart()).verify(null)).found).toBe(0);
  });

  test('finds what somebody else wrote, in a file of ours or in one of a month to come', async () => {
    await using it = await setup();
    const foreign = `${JSON.stringify({ at: '2026-05-11T00:00:00Z', node: 'audio', event: 'mail.sent' })}\n`;
    await appendFile(it.pathOf(2), foreign);
    await it.audit.record({ event: 'ours' });
    expect((await it.audit.verify(null)).found).toBeGreaterThan(0);
    await using other = await setup();
    await writeFile(join(other.directory, '2031-01.jsonl'), foreign);
    expect((await other.audit.verify(null)).problems[0]?.what).toContain('has not written');
  });

  test('can begin with a later month, where those before it were put away', async () => {
    await using it = await setup();
    await it.change(0, (lines) => lines.slice(1));
    expect((await it.audit.verify('2026-04')).found).toBe(0);
    await rm(it.pathOf(0));
    expect((await it.audit.verify(null)).problems[0]?.what).toContain('not the first line');
    expect((await it.audit.verify('2026-04')).found).toBe(0);
  });
});
