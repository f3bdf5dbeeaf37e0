import { appendFile, mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openAudit } from '../../../node/audit.ts';
import { systemClock } from '../../../node/platform/clock.ts';
import { codeOf } from '../../../node/platform/errors.ts';
import { temporaryDirectory } from '../../support/process.ts';

const now = (): Temporal.Instant => Temporal.Instant.from('2026-03-02T12:00:00.5Z');

async function setup() {
  const home = await temporaryDirectory();
  const directory = join(home.path, 'audit');
  const audit = await openAudit(directory, 'audio', { ...systemClock, now });
  const file = join(directory, '2026-03.jsonl');
  const lines = async (): Promise<string[]> => (await readFile(file, 'utf8')).trimEnd().split('\n');
  return { audit, directory, file, lines, [Symbol.asyncDispose]: home[Symbol.asyncDispose] };
}

describe('the audit log', () => {
  test('has a line for each event, in the order of the calls, in a file a month', async () => {
    await using it = await setup();
    await Promise.all([1, 2, 3].map((n) => it.audit.record({ event: 'mail.sent', n })));
    expect((await it.lines()).map((line) => JSON.parse(line) as unknown)).toEqual(
      [1, 2, 3].map((n) => ({ at: '2026-03-02T12:00:00.500Z', node: 'audio', event: 'mail.sent', n })),
    );
  });

  test('cuts off what a crash left of a last line', async () => {
    await using it = await setup();
    await it.audit.record({ event: 'one' });
    await appendFile(it.file, '{"at":"2026-03-02T1');
    await it.audit.record({ event: 'two' });
    const lines = await it.lines();
    expect(lines).toHaveLength(2);
    expect(lines[1]).toContain('"two"');
  });

  test('says that it cannot be written, and is tried again by the next', async () => {
    await using it = await setup();
    await rm(it.directory, { recursive: true });
    expect(await it.audit.record({ event: 'lost' }).catch(codeOf)).toBe('audit.unwritable');
    await mkdir(it.directory);
    await it.audit.record({ event: 'kept' });
    expect(await it.lines()).toHaveLength(1);
  });
});
