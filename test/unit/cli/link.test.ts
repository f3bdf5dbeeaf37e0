import { join } from 'node:path';
import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import type { SourceName } from '../../../protocol/job.ts';
import { addLink } from '../../../node/cli/link.ts';
import { createLinkControl } from '../../../node/listeners/control-links.ts';
import { openControlSocket } from '../../../node/listeners/control.ts';
import { systemClock } from '../../../node/platform/clock.ts';
import { AppError } from '../../../node/platform/errors.ts';
import { silentLog } from '../../../node/platform/log.ts';
import type { RecordingSource } from '../../../node/recordings/source.ts';
import { aboutDelivery, DELIVERED_JOB, deliveredItem, directItem } from '../../support/delivered.ts';
import { createMemoryAudit } from '../../support/memory-audit.ts';
import { createMemorySource } from '../../support/memory-source.ts';
import { fakeNodeControl } from '../../support/node-control.ts';
import { temporaryDirectory } from '../../support/process.ts';
import { nodeCtlAgainst } from '../../support/run-node-ctl.ts';
import { linkWorld, type WorldOptions } from '../links/link-world.ts';

const { signal } = new AbortController();
const SHORT = DELIVERED_JOB.slice(0, 8);
const OTHER_JOB = 'cd'.repeat(32);
/** A source whose recordings are heard where they lie. */
const direct = createMemorySource(
  {},
  {
    name: 's3',
    direct: { link: async () => 'https://source.example.com/a', linksUntil: async (end) => end },
  },
);
const lying: WorldOptions = {
  items: [directItem(1), deliveredItem(2, { key: null, fault: 'vanished' }), directItem(3)],
  about: { source: 's3' },
  sources: new Map<SourceName, RecordingSource>([['s3', direct]]),
};

/** node-ctl against a node with one delivery. */
async function setup(options: WorldOptions & { readonly answeredBy?: 'node' | 'presigned' } = {}) {
  const world = await linkWorld(options);
  const audit = createMemoryAudit();
  const control = createLinkControl({
    ...{ deliveries: world.deliveries, clock: world.clock, audit, sources: options.sources ?? new Map() },
    links: { kind: options.answeredBy ?? 'node' },
  });
  return {
    ...{ ...world, audit },
    ctl: (...args: readonly string[]) => nodeCtlAgainst(fakeNodeControl(control), ['link', ...args]),
    /** The same where a person types this line. */
    typing: async (typed: string, ...args: readonly string[]) => {
      await using directory = await temporaryDirectory();
      const path = join(directory.path, 'control.sock');
      const listener = await openControlSocket({ path, control: fakeNodeControl(control), log: silentLog });
      const seen = { code: null as number | null, out: '', err: '' };
      const io = {
        out: (text: string) => (seen.out += text),
        err: (text: string) => (seen.err += text),
        errIsTerminal: false,
        env: {},
        clock: systemClock,
        interrupted: signal,
        exit: (code: number) => (seen.code = code),
      };
      const program = new Command('node-ctl').option('--socket <path>').option('--json').exitOverride();
      addLink(program, io, async () => typed);
      await program.parseAsync(['--socket', path, 'link', ...args], { from: 'user' });
      await listener.close();
      return seen;
    },
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
}

describe('link list', () => {
  test('shows what is open, how often it was opened, and by whom it was asked for', async () => {
    await using made = await setup();
    made.deliveries.opened(DELIVERED_JOB);
    made.deliveries.opened(DELIVERED_JOB);
    const { code, out } = await made.ctl('list');
    expect(code).toBe(0);
    expect(out).toMatch(/^abababab +open +\S+ \S+ +2 +32\.1 kB +2 +maria@example\.test +RAMAIS=1121/m);
    const json = JSON.parse((await made.ctl('--json', 'list')).out) as { deliveries: unknown[] };
    expect(json.deliveries).toMatchObject([{ job: DELIVERED_JOB, opened: 2, source: 'audio' }]);
  });

  test('does not say how often where the bucket answers links', async () => {
    await using made = await setup({ kind: 's3', answeredBy: 'presigned' });
    expect((await made.ctl('list')).out).toMatch(/kB +\? +maria/);
  });

  test('leaves out what opens nothing any more, but with --all', async () => {
    await using made = await setup();
    made.clock.advance({ hours: 2 });
    expect((await made.ctl('list')).out).toBe('no links are open; --all shows those that were\n');
    expect((await made.ctl('list', '--all')).out).toMatch(/abababab +expired/);
    await made.deliveries.revoke(DELIVERED_JOB, signal);
    expect((await made.ctl('list', '--all')).out).toMatch(/abababab +revoked/);
  });

  test('says how many more there are', async () => {
    await using made = await setup();
    await made.deliveries.begin(OTHER_JOB, aboutDelivery(), made.expiresAt, signal);
    expect((await made.ctl('list', '--limit', '1')).out).toContain('1 more; see --limit');
  });
});

describe('link revoke', () => {
  test('shows what it is about, and revokes after a yes; the audit log has it', async () => {
    await using made = await setup();
    const { code, out, err } = await made.typing('yes', 'revoke', SHORT);
    expect(err).toMatch(/requester +maria@example\.test/);
    expect([code, out]).toEqual([
      0,
      'the links of abababab are revoked, and what was published for them is removed\n',
    ]);
    expect(made.publisher.objects.size).toBe(0);
    expect(await made.open(await made.links.toPage(made.linked, 1))).toMatchObject({ problem: 'revoked' });
    const told = { event: 'links.revoked', job: DELIVERED_JOB, by: 'node-ctl', recordings: 2, zips: 1 };
    expect(made.audit.events).toEqual([
      { ...told, removed: false, notes: [] },
      { ...told, removed: true, notes: [] },
    ]);
  });

  test('does nothing without a yes', async () => {
    await using made = await setup();
    const { code, err } = await made.typing('', 'revoke', SHORT);
    expect([code, err]).toEqual([2, expect.stringContaining('nothing was revoked')]);
    expect(made.deliveries.summary(DELIVERED_JOB)?.state).toBe('open');
    expect(made.audit.events).toEqual([]);
  });

  test('--yes does not ask, and doing it again changes nothing', async () => {
    await using made = await setup();
    expect((await made.ctl('revoke', SHORT, '--yes')).code).toBe(0);
    const at = made.deliveries.summary(DELIVERED_JOB)?.revokedAt;
    made.clock.advance({ minutes: 5 });
    expect((await made.ctl('revoke', DELIVERED_JOB, '--yes')).code).toBe(0);
    expect(made.deliveries.summary(DELIVERED_JOB)?.revokedAt).toEqual(at);
  });

  test.each([
    [
      'node',
      /2 recordings are heard where .* led to one of them in the last hour can open it until 2026-03-02T13:/,
    ],
    ['presigned', /2 recordings are heard where .* nobody can take back: they open until 2026-03-02T14:00/],
  ] as const)('tells what it cannot take back, and until when (%s)', async (answeredBy, told) => {
    await using made = await setup({ ...lying, kind: 's3', answeredBy });
    const { code, out } = await made.ctl('revoke', SHORT, '--yes');
    expect([code, out]).toEqual([4, expect.stringMatching(told)]);
    const entry = { event: 'links.revoked', notes: [expect.any(String)] };
    expect(made.audit.events).toMatchObject([entry, entry]);
  });

  test('refuses what is being delivered, and what nobody knows', async () => {
    await using made = await setup();
    await made.deliveries.begin(OTHER_JOB, aboutDelivery(), made.expiresAt, signal);
    const begun = await made.ctl('revoke', 'cdcd', '--yes');
    expect([begun.code, begun.err]).toEqual([2, expect.stringContaining('node-ctl queue cancel cdcdcdcd')]);
    const unknown = await made.ctl('revoke', '0123', '--yes');
    expect([unknown.code, unknown.err]).toEqual([2, expect.stringContaining('node-ctl link list --all')]);
    expect((await made.ctl('revoke', 'nothing', '--yes')).code).toBe(2);
  });

  test('that cannot remove what was published stops the links all the same, and goes on when done again', async () => {
    await using made = await setup({ kind: 's3' });
    const { removeJob } = made.publisher;
    made.publisher.removeJob = async () => {
      throw new AppError('publish.unavailable', 'the bucket is away', { retriable: true });
    };
    const failed = await made.ctl('revoke', SHORT, '--yes');
    expect([failed.code, failed.err]).toEqual([3, expect.stringMatching(/revoked; .*the bucket is away/)]);
    expect(await made.open(await made.links.toPage(made.linked, 1))).toMatchObject({ problem: 'revoked' });
    made.publisher.removeJob = removeJob;
    expect((await made.ctl('revoke', SHORT, '--yes')).code).toBe(0);
    expect(made.publisher.objects.size).toBe(0);
    const removed = made.audit.events.map((event) => event['removed']);
    expect(removed).toEqual([false, false, true]);
  });

  test('is in the audit log before anything is removed: that may be broken off', async () => {
    await using made = await setup({ kind: 's3' });
    const seen: unknown[] = [];
    const { removeJob } = made.publisher;
    made.publisher.removeJob = async (...parameters) => {
      seen.push(made.deliveries.summary(DELIVERED_JOB)?.state, ...made.audit.events);
      await removeJob(...parameters);
    };
    expect((await made.ctl('revoke', SHORT, '--yes')).code).toBe(0);
    expect(seen).toMatchObject(['revoked', { event: 'links.revoked', removed: false }]);
  });
});
