import { describe, expect, test } from 'vitest';
import { openAudit } from '../../../node/audit.ts';
import { codeOf } from '../../../node/platform/errors.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { temporaryDirectory } from '../../support/process.ts';

const ALL = { since: null, until: null, job: null, person: null };
const ANA_JOB = 'aa'.repeat(32);
const BIA_JOB = 'ab'.repeat(32);

async function setup() {
  const home = await temporaryDirectory();
  const clock = fixedClock('2026-03-30T12:00:00Z');
  const audit = await openAudit(home.path, 'audio', clock);
  const add = async (day: string, event: string, details: object = {}): Promise<void> => {
    clock.set(`2026-${day}T12:00:00Z`);
    await audit.record({ event, ...details });
  };
  const eventsOf = (lines: readonly string[]): string[] =>
    lines.map((line) => (JSON.parse(line) as { event: string }).event);
  const found = async (filter: Partial<typeof ALL> | object): Promise<string[]> =>
    eventsOf((await audit.page({ ...ALL, ...filter }, null, 100)).lines);
  return { add, audit, clock, eventsOf, found, [Symbol.asyncDispose]: home[Symbol.asyncDispose] };
}

/** Two requests over the turn of a month. */
async function twoRequests() {
  const it = await setup();
  await it.add('03-30', 'mail.accepted', { job: ANA_JOB, from: 'ana@example.test' });
  await it.add('03-31', 'mail.accepted', { job: BIA_JOB, from: 'Bia <bia@example.test>' });
  await it.add('04-01', 'recordings.delivered', { job: ANA_JOB, delivered: [{ key: 'a.wav', size: 44 }] });
  await it.add('04-02', 'mail.sent', { job: ANA_JOB, to: ['admin@example.test', 'ana@example.test'] });
  await it.add('04-03', 'people.changed', { person: 'bia@example.test', by: 'admin@example.test' });
  return it;
}

const at = (day: string): Temporal.Instant => Temporal.Instant.from(`2026-${day}T12:00:00Z`);

describe('a look into the audit log', () => {
  test('gives entries since a time, and before another', async () => {
    await using it = await twoRequests();
    expect(await it.found({ since: at('03-31'), until: at('04-02') })).toEqual([
      'mail.accepted',
      'recordings.delivered',
    ]);
    expect(await it.found({ since: at('04-03') })).toEqual(['people.changed']);
  });

  test('gives the entries about a job by the beginning of its id', async () => {
    await using it = await twoRequests();
    expect(await it.found({ job: 'aaaa' })).toEqual(['mail.accepted', 'recordings.delivered', 'mail.sent']);
    expect(await it.found({ job: 'abab' })).toEqual(['mail.accepted']);
  });

  test('gives what names a person, and all about the jobs that person asked for', async () => {
    await using it = await twoRequests();
    expect(await it.found({ person: 'Ana@Example.test' })).toEqual([
      'mail.accepted',
      'recordings.delivered',
      'mail.sent',
    ]);
    expect(await it.found({ person: 'bia@example.test' })).toEqual(['mail.accepted', 'people.changed']);
    // Getting copies is no asking.
    expect(await it.found({ person: 'admin@example.test' })).toEqual(['mail.sent', 'people.changed']);
    expect(await it.found({ person: 'a@example.test' })).toEqual([]);
  });

  test('gives the newest alone, in the order they were written', async () => {
    await using it = await twoRequests();
    const newest = async (filter: object, limit: number) =>
      it.eventsOf(await it.audit.newest({ ...ALL, ...filter }, limit));
    expect(await newest({}, 2)).toEqual(['mail.sent', 'people.changed']);
    expect(await newest({ since: at('04-02') }, 9)).toEqual(['mail.sent', 'people.changed']);
    expect(await newest({ job: 'aaaa' }, 1)).toEqual(['mail.sent']);
  });

  test('comes in pages that leave nothing out and repeat nothing, also while entries come in', async () => {
    await using it = await twoRequests();
    const all: string[] = [];
    let after: string | null = null;
    let isFirst = true;
    do {
      const page = await it.audit.page(ALL, after, 2);
      all.push(...it.eventsOf(page.lines));
      after = page.next;
      if (isFirst) await it.add('04-04', 'late');
      isFirst = false;
    } while (after !== null);
    expect(all).toEqual([
      ...['mail.accepted', 'mail.accepted', 'recordings.delivered'],
      ...['mail.sent', 'people.changed', 'late'],
    ]);
    expect(await it.audit.page(ALL, '../../etc/passwd:0', 2).catch(codeOf)).toBe('request.invalid');
  });

  test('reads lines that are longer than what is read at a time, forwards and backwards', async () => {
    await using it = await setup();
    const texts = ['short', 'x'.repeat(600_000), 'y'.repeat(262_144), '', 'z'.repeat(300_000), 'end'];
    await it.audit.recordAll(texts.map((text) => ({ event: 'one', text })));
    const textsOf = (lines: readonly string[]) =>
      lines.map((line) => (JSON.parse(line) as { text: string }).text);
    const page = await it.audit.page(ALL, null, 100);
    expect(textsOf(page.lines)).toEqual(texts);
    expect(textsOf(await it.audit.newest(ALL, 100))).toEqual(texts);
    expect((await it.audit.verify(null)).found).toBe(0);
  });

  test('ends when nobody waits for it any more', async () => {
    await using it = await twoRequests();
    const gone = AbortSignal.abort(new Error('gone'));
    await expect(it.audit.page(ALL, null, 10, gone)).rejects.toThrow('gone');
    await expect(it.audit.verify(null, gone)).rejects.toThrow('gone');
  });
});
