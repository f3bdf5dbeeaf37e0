import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openAudit } from '../../../node/audit.ts';
import { runNodeCtl } from '../../../node/cli/program.ts';
import { openControlSocket } from '../../../node/listeners/control.ts';
import { createAuditControl } from '../../../node/listeners/control-audit.ts';
import { silentLog } from '../../../node/platform/log.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { fakeNodeControl } from '../../support/node-control.ts';
import { temporaryDirectory } from '../../support/process.ts';

const JOB = '3f9a1c02'.padEnd(64, '0');

/** A node with an audit log, and its node-ctl. */
async function setup() {
  const home = await temporaryDirectory();
  const clock = fixedClock('2026-03-01T12:00:00Z');
  const directory = join(home.path, 'audit');
  const audit = await openAudit(directory, 'audio', clock);
  await audit.record({
    event: 'mail.accepted',
    job: JOB,
    from: 'ana@example.test',
    subject: 'RAMAIS=1 \u001b[31m',
  });
  clock.advance({ hours: 24 });
  await audit.record({ event: 'mail.sent', job: JOB, to: ['ana@example.test'], deferred: [] });
  const path = join(home.path, 'control.sock');
  const control = fakeNodeControl(createAuditControl(audit));
  const listener = await openControlSocket({ path, control, log: silentLog });
  const nodeCtl = async (...args: string[]) => {
    const seen = { code: null as number | null, out: '', err: '' };
    await runNodeCtl(['--socket', path, 'audit', ...args], {
      out: (text) => (seen.out += text),
      err: (text) => (seen.err += text),
      errIsTerminal: false,
      env: {},
      clock,
      interrupted: new AbortController().signal,
      exit: (code) => (seen.code = code),
    });
    return seen;
  };
  return {
    ...{ audit, nodeCtl, file: join(directory, '2026-03.jsonl') },
    [Symbol.asyncDispose]: async () => {
      await listener.close();
      await home[Symbol.asyncDispose]();
    },
  };
}

describe('node-ctl audit', () => {
  test('show prints the newest entries last, harmless for a terminal', async () => {
    await using it = await setup();
    const { code, out } = await it.nodeCtl('show');
    expect(code).toBe(0);
    const [, first, second] = out.split('\n');
    expect(first).toMatch(/mail\.accepted +3f9a1c020000 +from=ana@example\.test subject=RAMAIS=1/);
    expect(second).toMatch(/mail\.sent .*to=\["ana@example\.test"\]$/);
    expect(out).not.toContain('\u001b');
    expect(out).not.toContain('prev');
  });

  test('show takes a time, a job and a person, and gives JSON', async () => {
    await using it = await setup();
    const events = async (...args: string[]): Promise<string[]> => {
      const { out } = await it.nodeCtl('show', ...args, '--json');
      return (JSON.parse(out) as { entries: { event: string }[] }).entries.map(({ event }) => event);
    };
    expect(await events('--since', '1h')).toEqual(['mail.sent']);
    expect(await events('--until', '2026-03-02T00:00:00Z')).toEqual(['mail.accepted']);
    expect(await events('--job', '3F9A1C02')).toHaveLength(2);
    expect(await events('--person', 'ana@example.test', '--limit', '1')).toEqual(['mail.sent']);
    expect((await it.nodeCtl('show', '--person', 'nobody@example.test')).out).toContain('no such entries');
  });

  test('export prints the lines as they were written', async () => {
    await using it = await setup();
    for (let n = 0; n < 1200; n += 1) await it.audit.record({ event: 'many', n });
    const { code, out } = await it.nodeCtl('export', '--since', '2026-03-01');
    expect(code).toBe(0);
    expect(out).toBe(await readFile(it.file, 'utf8'));
    expect((await it.nodeCtl('export', '--since', '2031-01-01')).out).toBe('');
  });

  test('verify says that all is whole, with the hash of the last entry; else where it is broken, with exit code 2', async () => {
    await using it = await setup();
    const whole = await it.nodeCtl('verify');
    expect(whole.code).toBe(0);
    expect(whole.out).toMatch(/^whole: 2 entries in 1 file\nlast entry: [0-9a-f]{64}\n$/);
    const text = await readFile(it.file, 'utf8');
    await writeFile(it.file, text.replace('ana@', 'eva@'));
    const broken = await it.nodeCtl('verify');
    expect(broken.code).toBe(2);
    expect(broken.out).toMatch(/^BROKEN in 1 place, 2 entries/);
    expect(broken.out).toContain('2026-03.jsonl:2 does not follow the line before it');
  });

  test.each([
    ['a time that is none', ['show', '--since', 'yesterday'], '7d'],
    ['a month that is none', ['verify', '--from', '2026-13'], 'a month'],
    ['an id that is none', ['show', '--job', '../x'], 'hexadecimal'],
    ['too many', ['show', '--limit', '99999'], '2000'],
  ])('refuses %s with exit code 2', async (_, args, said) => {
    await using it = await setup();
    const { code, err } = await it.nodeCtl(...args);
    expect(code).toBe(2);
    expect(err).toContain(said);
  });
});
