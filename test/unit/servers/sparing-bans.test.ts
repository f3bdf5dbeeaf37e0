import { describe, expect, test } from 'vitest';
import type { Bans, ServerReport } from '../../../node/servers/bans.ts';
import { createSparingBans } from '../../../node/servers/sparing-bans.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { sipServer } from '../../support/sip-server.ts';

const { signal } = new AbortController();
const [GV1, GV2] = [sipServer({ id: 'gv1p' }), sipServer({ id: 'gv2p' })];
const NOTE = {
  requester: 'maria@example.com',
  jobId: 'ab12',
  until: Temporal.Instant.from('2026-04-01T12:00:00Z'),
};

/** Servers of which one says nothing for so many seconds. */
function setup(seconds: number) {
  const clock = fixedClock();
  const asked: string[] = [];
  const state = { silent: true };
  const reportOf = async (id: string): Promise<ServerReport> => {
    asked.push(id);
    const isAway = state.silent && id === 'gv1p';
    if (isAway) clock.advance({ seconds });
    const problem = isAway ? { code: 'server.timeout', message: 'no answer' } : null;
    return {
      ...{ serverId: id, serverName: id, state: isAway ? 'unchecked' : 'free', jails: [], lines: [] },
      ...{ ignored: 'unknown', ignoredUntil: null, problem, at: clock.now().toString() },
    };
  };
  const bans: Bans = {
    look: ({ id }) => reportOf(id),
    release: ({ id }) => reportOf(id),
    expire: async () => 'done',
  };
  return { clock, asked, state, sparing: createSparingBans(bans, clock) };
}

describe('a server that says nothing', () => {
  test('for long is not asked again for five times as long, whoever asks, and others are', async () => {
    const { clock, asked, state, sparing } = setup(10);
    await sparing.look(GV1, '203.0.113.9', signal);
    clock.advance({ seconds: 49 });
    const spared = await sparing.release(GV1, '203.0.113.10', NOTE, signal);
    expect(spared).toMatchObject({ state: 'unchecked', problem: { code: 'server.timeout' } });
    expect(spared.at).toBe(clock.now().toString());
    expect(await sparing.look(GV2, '203.0.113.9', signal)).toMatchObject({ state: 'free' });
    expect(asked).toEqual(['gv1p', 'gv2p']);
    clock.advance({ seconds: 1 });
    state.silent = false;
    expect(await sparing.look(GV1, '203.0.113.9', signal)).toMatchObject({ state: 'free' });
    expect(await sparing.look(GV1, '203.0.113.10', signal)).toMatchObject({ state: 'free' });
  });

  test('and says so at once is asked each time', async () => {
    const { asked, sparing } = setup(1);
    await sparing.look(GV1, '203.0.113.9', signal);
    await sparing.look(GV1, '203.0.113.9', signal);
    expect(asked).toEqual(['gv1p', 'gv1p']);
  });

  test('because the request was stopped is asked by the next', async () => {
    const { asked, sparing } = setup(10);
    await sparing.look(GV1, '203.0.113.9', AbortSignal.abort());
    await sparing.look(GV1, '203.0.113.9', signal);
    expect(asked).toEqual(['gv1p', 'gv1p']);
  });
});
