import { chmod, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openQuarantine, type Quarantine, type QuarantineOptions } from '../../../node/access/quarantine.ts';
import type { AuditEvent } from '../../../node/audit.ts';
import { codeOf } from '../../../node/platform/errors.ts';
import { silentLog } from '../../../node/platform/log.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { createMemoryAudit } from '../../support/memory-audit.ts';
import { temporaryDirectory } from '../../support/process.ts';

async function world() {
  const temporary = await temporaryDirectory();
  const directory = join(temporary.path, 'quarantine');
  const clock = fixedClock();
  const events: AuditEvent[] = [];
  const audit = createMemoryAudit(events);
  const open = (change: Partial<QuarantineOptions> = {}): Promise<Quarantine> =>
    openQuarantine({ directory, clock, audit, log: silentLog, ...change });
  return { directory, clock, events, open, [Symbol.asyncDispose]: () => temporary[Symbol.asyncDispose]() };
}

const ABOUT = {
  receivedAt: '2026-03-02T11:59:00Z',
  identity: 'a'.repeat(64),
  from: 'ana@example.com',
  fromText: 'Ana <ana@example.com>',
  subject: 'RAMAIS=1121',
  reason: 'unsigned',
  detail: 'no signature of example.com',
  truncated: false,
};

test('keeps a mail octet for octet, for nobody else to read, over restarts', async () => {
  await using it = await world();
  const raw = Buffer.from([0, 255, 13, 10, 65]);
  const { id } = await (await it.open()).add(ABOUT, raw);
  const again = await it.open();
  expect(again.list()).toMatchObject([{ ...ABOUT, id, at: '2026-03-02T12:00:00.000Z', sizeBytes: 5 }]);
  expect((await again.read(id)).equals(raw)).toBe(true);
  expect((await stat(it.directory)).mode & 0o777).toBe(0o700);
  for (const name of await readdir(it.directory)) {
    expect((await stat(join(it.directory, name))).mode & 0o777).toBe(0o600);
  }
});

test('keeps the same mail once, and forgets what is removed', async () => {
  await using it = await world();
  const quarantine = await it.open();
  const { id } = await quarantine.add(ABOUT, Buffer.from('a'));
  await quarantine.add({ ...ABOUT, reason: 'dns' }, Buffer.from('a'));
  expect(quarantine.list()).toMatchObject([{ reason: 'unsigned' }]);
  await quarantine.remove(id);
  expect(quarantine.list()).toEqual([]);
  expect(await readdir(it.directory)).toEqual([]);
});

test.each([
  ['in number', { maxMails: 2 }],
  ['in bytes', { maxBytes: 10 }],
])('is bounded %s: the oldest make room, and the audit log says so', async (_, change) => {
  await using it = await world();
  const quarantine = await it.open(change);
  for (const text of ['aaaaa', 'bbbbb', 'ccccc']) {
    await quarantine.add({ ...ABOUT, subject: text }, Buffer.from(text));
    it.clock.advance({ seconds: 1 });
  }
  expect(quarantine.list().map(({ subject }) => subject)).toEqual(['ccccc', 'bbbbb']);
  expect(await readdir(it.directory)).toHaveLength(4);
  expect(it.events).toMatchObject([{ event: 'quarantine.dropped', from: 'ana@example.com' }]);
});

test('removes what a crash left half written, and gives out nothing that was changed', async () => {
  await using it = await world();
  const quarantine = await it.open();
  const { id } = await quarantine.add(ABOUT, Buffer.from('a'));
  await writeFile(join(it.directory, `${'b'.repeat(64)}.eml`), 'half');
  await writeFile(join(it.directory, '.tmp-x'), 'half');
  await it.open();
  expect(await readdir(it.directory)).toHaveLength(2);
  await chmod(join(it.directory, `${id}.eml`), 0o600);
  await writeFile(join(it.directory, `${id}.eml`), 'changed');
  expect(await quarantine.read(id).catch(codeOf)).toBe('quarantine.unreadable');
});
