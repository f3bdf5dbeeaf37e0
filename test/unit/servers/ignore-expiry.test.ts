import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { AppError } from '../../../node/platform/errors.ts';
import { silentLog } from '../../../node/platform/log.ts';
import { openIgnoreExpiry } from '../../../node/servers/ignore-expiry.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { createMemoryAudit } from '../../support/memory-audit.ts';
import { eventually, temporaryDirectory } from '../../support/process.ts';
import { sipServer } from '../../support/sip-server.ts';

const { signal } = new AbortController();
const [GV1, GV2] = [sipServer({ id: 'gv1p' }), sipServer({ id: 'gv2p' })];

async function setup() {
  const directory = await temporaryDirectory();
  onTestFinished(() => directory[Symbol.asyncDispose]());
  const path = join(directory.path, 'ignored.json');
  const clock = fixedClock();
  const audit = createMemoryAudit();
  const away = new Set<string>();
  const visited: string[] = [];
  const refuse = (): never => {
    throw new Error('not to be called');
  };
  const bans = {
    ...{ look: refuse, release: refuse },
    expire: async ({ id }: { id: string }) => {
      if (away.has(id)) throw new AppError('server.unreachable', 'no answer', { retriable: true });
      visited.push(id);
      return 'done';
    },
  };
  const reopen = (servers = [GV1, GV2]) =>
    openIgnoreExpiry({ path, servers, bans, clock, audit, log: silentLog });
  const inDays = (days: number) => clock.now().add({ hours: 24 * days });
  return { path, clock, audit, away, visited, reopen, inDays };
}

describe('what this node has had ignored', () => {
  test('is visited each round, and forgotten when its time is over', async () => {
    const { clock, audit, visited, reopen, inDays } = await setup();
    const expiry = await reopen();
    expect(await expiry.round(signal)).toBe('no ignore entries of this node anywhere');
    await expiry.note(GV1, '203.0.113.9', inDays(30));
    await expiry.note(GV1, '203.0.113.10', inDays(31));
    expect(await expiry.round(signal)).toBe('gv1p: done');
    expect(audit.events).toEqual([]);
    clock.advance({ hours: 24 * 30 + 2 });
    await expiry.round(signal);
    expect(audit.events).toEqual([{ event: 'ban.ignore-expired', server: 'gv1p', ips: ['203.0.113.9'] }]);
    clock.advance({ hours: 24 });
    await expiry.round(signal);
    expect(visited).toEqual(['gv1p', 'gv1p', 'gv1p']);
    expect(await expiry.round(signal)).toBe('no ignore entries of this node anywhere');
  });

  test('is not forgotten before a server whose clock is behind has taken it out, too', async () => {
    const { clock, visited, reopen, inDays } = await setup();
    const expiry = await reopen();
    await expiry.note(GV1, '203.0.113.9', inDays(30));
    clock.advance({ hours: 24 * 30 });
    await expiry.round(signal);
    clock.advance({ hours: 1 });
    await expiry.round(signal);
    expect(visited).toEqual(['gv1p', 'gv1p']);
  });

  test('survives a restart, in a file that only the node reads', async () => {
    const { path, reopen, inDays } = await setup();
    await (await reopen()).note(GV2, '203.0.113.9', inDays(1));
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await (await reopen()).round(signal)).toBe('gv2p: done');
  });

  test('a server that is away, or disabled, is tried again', async () => {
    const { clock, away, visited, reopen, inDays } = await setup();
    const expiry = await reopen();
    await expiry.note(GV1, '203.0.113.9', inDays(1));
    await expiry.note(GV2, '203.0.113.9', inDays(1));
    clock.advance({ hours: 48 });
    away.add('gv1p');
    expect(await expiry.round(signal)).toBe('gv1p: later (server.unreachable: no answer); gv2p: done');
    away.clear();
    const disabled = await reopen([{ ...GV1, enabled: false }]);
    expect(await disabled.round(signal)).toBe('gv1p: is disabled');
    expect(await (await reopen()).round(signal)).toBe('gv1p: done');
    expect(visited).toEqual(['gv2p', 'gv1p']);
    expect(await (await reopen()).round(signal)).toBe('no ignore entries of this node anywhere');
  });

  test('the later of two ends counts', async () => {
    const { clock, reopen, inDays } = await setup();
    const expiry = await reopen();
    await expiry.note(GV1, '203.0.113.9', inDays(30));
    await expiry.note(GV1, '203.0.113.9', inDays(10));
    clock.advance({ hours: 24 * 20 });
    await expiry.round(signal);
    expect(await expiry.round(signal)).toBe('gv1p: done');
  });

  test('a server that nobody knows any more is let go when its time is over', async () => {
    const { clock, reopen, inDays } = await setup();
    const expiry = await reopen([]);
    await expiry.note(GV1, '203.0.113.9', inDays(1));
    clock.advance({ hours: 48 });
    expect(await expiry.round(signal)).toBe('gv1p: is not in SERVERS_FILE any more');
    expect(await expiry.round(signal)).toBe('no ignore entries of this node anywhere');
  });

  test('rounds come by themselves, each hour, until the node stops', async () => {
    const { clock, visited, reopen, inDays } = await setup();
    const expiry = await reopen();
    await expiry.note(GV1, '203.0.113.9', inDays(1));
    const stopping = new AbortController();
    const running = expiry.run(stopping.signal);
    clock.advance({ minutes: 1 });
    await eventually('a first round', () => visited.length === 1);
    await eventually('a second round', () => {
      clock.advance({ minutes: 30 });
      return visited.length >= 2;
    });
    stopping.abort();
    await running;
  });
});
