import { describe, expect, test } from 'vitest';
import type { JobReport } from '../../../protocol/messages.ts';
import type { RpcHandlers, RpcParams } from '../../../protocol/methods.ts';
import { AppError } from '../../../node/platform/errors.ts';
import { createForwardWorld, type ForwardWorld } from '../../support/forward-world.ts';
import { eventually } from '../../support/process.ts';

const AT = '2026-03-02T12:00:05Z';

function reportOf(
  { id, digest }: { id: string; digest: string },
  change: Partial<JobReport> = {},
): JobReport {
  return { id, digest, state: 'pending', position: 3, lastError: null, outcome: null, ...change };
}

/** A peer that takes every job; gives what it was told. */
function taking(world: ForwardWorld, more: Partial<RpcHandlers> = {}) {
  const submitted: RpcParams<'job.submit'>[] = [];
  world.handlers.current = {
    'job.submit': async (params) => {
      const kind = submitted.some(({ id }) => id === params.id) ? 'duplicate' : 'accepted';
      submitted.push(params);
      return { kind, report: reportOf(params) };
    },
    'job.get': async ({ id }) => {
      const known = submitted.find((params) => params.id === id);
      return { report: known === undefined ? null : reportOf(known) };
    },
    ...more,
  };
  return submitted;
}

describe('handing a job over', () => {
  test('is by a call, after which the job waits and the audit log says where it is', async () => {
    await using world = await createForwardWorld();
    const submitted = taking(world);
    const { id, digest, request } = await world.accept('a');
    const ending = await world.attempt(id);
    expect(ending).toMatchObject({ kind: 'waiting', summary: 'audio has it, by rpc' });
    expect(submitted).toEqual([{ id, digest, request, source: 'audio', confirmed: false }]);
    expect(world.spool.get(id)?.steps['submit']).toMatchObject({ result: { way: 'rpc', position: 3 } });
    expect(world.audit).toEqual([{ event: 'job.forwarded', job: id, to: 'audio', way: 'rpc' }]);
    expect(world.dropbox.tries).toBe(0);
  });

  test('tells the peer of whoever asks before it, as one let in while the peer was away is refused for good', async () => {
    const record = { key: 'person:maria@example.com', version: 1, node: 'audio2', at: AT, by: 'node-ctl' };
    await using world = await createForwardWorld({ standing: [{ ...record, value: { role: 'operador' } }] });
    let told = 0;
    taking(world, {
      'access.put': async ({ records }) => {
        told += 1;
        if (told === 1) throw new AppError('rpc.unavailable', 'disk full', { retriable: true });
        return { taken: records.length };
      },
    });
    expect(await world.attempt((await world.accept('a')).id)).toMatchObject({ kind: 'waiting' });
    expect(world.peer.calls.map(({ method }) => method)).toEqual(['access.put', 'access.put', 'job.submit']);
  });

  test('asks a peer that knows no such people all the same', async () => {
    const record = { key: 'person:maria@example.com', version: 1, node: 'audio2', at: AT, by: 'node-ctl' };
    await using world = await createForwardWorld({ standing: [{ ...record, value: null }] });
    const submitted = taking(world, {
      'access.put': async () => {
        throw new AppError('rpc.unknown-method', 'an older one', { retriable: true });
      },
    });
    await world.attempt((await world.accept('a')).id);
    expect(submitted).toHaveLength(1);
  });

  test('tries a call three times before it drops a file', async () => {
    await using world = await createForwardWorld();
    world.peer.link = 'down';
    const { id } = await world.accept('a');
    expect(await world.attempt(id)).toMatchObject({ kind: 'waiting', summary: 'audio has it, by drop' });
    expect(world.peer.calls).toHaveLength(3);
    expect([...world.dropbox.files.keys()]).toEqual([`${id}.json`]);
  });

  test.each([
    'rpc.unavailable',
    'rpc.failed',
    'rpc.too-many',
    'rpc.unauthenticated',
    'rpc.unknown-method',
  ] as const)('an answer %s is no last word', async (code) => {
    await using world = await createForwardWorld();
    taking(world, {
      'job.submit': async () => {
        throw new AppError(code, 'as the test wants it', { retriable: true });
      },
    });
    const { id } = await world.accept('a');
    expect((await world.attempt(id)).kind).toBe('waiting');
    expect(world.dropbox.files.size).toBe(1);
  });

  test.each(['job.refused', 'job.conflict', 'rpc.invalid', 'rpc.too-large'] as const)(
    'an answer %s is: the job ends with it, and no file is dropped',
    async (code) => {
      await using world = await createForwardWorld();
      taking(world, {
        'job.submit': async () => {
          throw new AppError(code, 'as the test wants it');
        },
      });
      const { id } = await world.accept('a');
      await expect(world.attempt(id)).rejects.toMatchObject({ code, retriable: false });
      expect(world.peer.calls).toHaveLength(1);
      expect(world.dropbox.tries).toBe(0);
    },
  );

  test('where neither way is open, the job waits with the reason, for longer and longer up to a minute', async () => {
    await using world = await createForwardWorld();
    world.peer.link = 'down';
    world.dropbox.failWith('drop.unreachable');
    const { id } = await world.accept('a');
    const waits: number[] = [];
    for (let count = 0; count < 8; count += 1) {
      const ending = await world.attempt(id);
      if (ending.kind !== 'waiting') throw new Error('it is to wait');
      expect(ending.trouble?.code).toBe('peer.away');
      expect(ending.trouble?.message).toMatch(/peer\.unreachable.*drop\.unreachable/);
      waits.push(ending.notBefore.since(world.clock.now()).total('seconds'));
      world.clock.advance({ seconds: 40 });
    }
    expect(waits.map((wait) => Math.round(wait))).toEqual([2, 3, 6, 12, 24, 45, 45, 45]);
    expect(world.spool.get(id)?.steps['submit']?.doneAt).toBeNull();
  });

  test('a lane of jobs does not spend its time on a peer that was away a moment ago', async () => {
    await using world = await createForwardWorld();
    world.peer.link = 'down';
    world.dropbox.failWith('drop.timeout');
    for (let count = 0; count < 50; count += 1) await world.attempt((await world.accept(`job ${count}`)).id);
    expect(world.peer.calls).toHaveLength(3);
    expect(world.dropbox.tries).toBe(1);
    world.clock.advance({ seconds: 5 });
    await world.attempt((await world.accept('later')).id);
    expect(world.peer.calls).toHaveLength(4);
  });

  test('many jobs that wait do not wear the disk out: each waits the longer', async () => {
    await using world = await createForwardWorld();
    world.peer.link = 'down';
    world.dropbox.failWith('drop.timeout');
    const ids: string[] = [];
    for (let count = 0; count < 50; count += 1) ids.push((await world.accept(`job ${count}`)).id);
    const ending = await world.attempt(ids[0] ?? '');
    if (ending.kind !== 'waiting') throw new Error('it is to wait');
    expect(ending.notBefore.since(world.clock.now()).total('seconds')).toBe(10);
  });

  test('when the peer is back, all that waits for it is ready at once', async () => {
    await using world = await createForwardWorld();
    world.peer.link = 'down';
    world.dropbox.failWith('drop.timeout');
    const [first, second] = [await world.accept('a'), await world.accept('b')];
    for (const { id } of [first, second]) await world.attempt(id);
    let told = 0;
    world.forwarder.onReady(() => (told += 1));
    world.peer.link = 'up';
    taking(world);
    world.clock.advance({ seconds: 3 });
    await world.attempt(first.id);
    expect(told).toBe(1);
    expect(world.spool.get(second.id)?.notBefore).toBeNull();
  });

  test('an attempt that broke off is simply made again: the peer knows the job by its id', async () => {
    await using world = await createForwardWorld();
    const submitted = taking(world);
    const { id } = await world.accept('a');
    world.peer.link = 'answers-lost';
    world.dropbox.failWith('drop.unreachable');
    await world.attempt(id);
    expect(submitted.length).toBeGreaterThan(0);
    world.peer.link = 'up';
    world.clock.advance({ minutes: 1 });
    expect(await world.attempt(id)).toMatchObject({ summary: 'audio has it, by rpc' });
    expect(new Set(submitted.map((params) => params.digest)).size).toBe(1);
  });

  test('with PEER_RPC off it is a file, and the job ends as delivered', async () => {
    await using world = await createForwardWorld({ rpc: false });
    const { id } = await world.accept('a');
    const ending = await world.attempt(id);
    expect(ending).toMatchObject({
      kind: 'delivered',
      summary: 'dropped at audio, which does not report back',
    });
    expect(world.dropbox.files.size).toBe(1);
    expect(world.peer.calls).toEqual([]);
  });
});

describe('a peer that is away for long', () => {
  const away = async (): Promise<ForwardWorld> => {
    const world = await createForwardWorld();
    world.peer.link = 'down';
    world.dropbox.failWith('drop.timeout');
    return world;
  };

  test('after 15 minutes the requesters are told, and the admin once for all of them', async () => {
    await using world = await away();
    const [first, second] = [await world.accept('a'), await world.accept('b')];
    world.clock.advance({ minutes: 14 });
    for (const { id } of [first, second]) await world.attempt(id);
    expect(world.delayed).toEqual([]);
    world.clock.advance({ minutes: 1 });
    for (const { id } of [second, first]) await world.attempt(id);
    expect(world.delayed).toEqual([second.id, first.id]);
    const notices = world.spool.open('replies');
    expect(notices.map(({ request }) => request.params)).toEqual([{ kind: 'peer-away' }]);
    expect(notices[0]?.details).toMatchObject({ peer: 'audio', waiting: '2' });
  });

  test('of another outage the admin is told anew', async () => {
    await using world = await away();
    const first = await world.accept('a');
    world.clock.advance({ minutes: 16 });
    await world.attempt(first.id);
    world.peer.link = 'up';
    taking(world);
    world.clock.advance({ minutes: 1 });
    await world.attempt(first.id);
    world.peer.link = 'down';
    const second = await world.accept('b');
    world.clock.advance({ minutes: 16 });
    await world.attempt(second.id);
    expect(world.spool.open('replies')).toHaveLength(2);
  });

  test('after two weeks the job is given up, so that its requester hears of it', async () => {
    await using world = await away();
    const { id } = await world.accept('a');
    for (let tries = 1; tries < 30; tries += 1) await world.attempt(id);
    world.clock.advance({ hours: 14 * 24 + 1 });
    await expect(world.attempt(id)).rejects.toMatchObject({ code: 'peer.away', retriable: false });
  });

  test('the job is not given up at the first tries after this node itself was off for so long', async () => {
    await using world = await away();
    const { id } = await world.accept('a');
    world.clock.advance({ hours: 14 * 24 + 1 });
    expect((await world.attempt(id)).kind).toBe('waiting');
  });

  test('its requester is not told of a delay where the job was settled while the call was on its way', async () => {
    await using world = await away();
    const { id, digest } = await world.accept('a');
    world.clock.advance({ minutes: 16 });
    world.peer.link = 'up';
    world.handlers.current = {
      'job.submit': async () => {
        const outcome = { kind: 'done', at: AT, summary: 'sent' } as const;
        await world.forwarder.noteSettled({ id, digest, outcome }, 'audio');
        throw new AppError('rpc.unavailable', 'the answer is lost', { retriable: true });
      },
    };
    await world.attempt(id);
    expect(world.delayed).toEqual([]);
  });

  test('that answers and takes nothing is tried with one job, not with all that wait', async () => {
    await using world = await createForwardWorld();
    taking(world);
    const followed = await world.accept('followed');
    await world.attempt(followed.id);
    const full = async (): Promise<never> => {
      throw new AppError('rpc.unavailable', 'its disk is full', { retriable: true });
    };
    const report = reportOf(followed);
    world.handlers.current = { 'job.submit': full, 'job.get': async () => ({ report }) };
    world.dropbox.failWith('drop.rejected');
    const [first, second] = [await world.accept('a'), await world.accept('b')];
    for (const { id } of [first, second]) await world.attempt(id);
    world.clock.advance({ seconds: 5 });
    await world.attempt(followed.id);
    expect(world.spool.get(first.id)?.notBefore).toBeNull();
    expect(world.spool.get(second.id)?.notBefore).not.toBeNull();
  });
});

describe('a job that the peer has', () => {
  test('ends as the peer says, and the peer is named as the one who ended it', async () => {
    await using world = await createForwardWorld();
    const outcome = { kind: 'failed', at: AT, summary: 'no disk', code: 'recordings.unavailable' } as const;
    const { id, digest } = await world.accept('a');
    taking(world, {
      'job.get': async () => ({ report: reportOf({ id, digest }, { state: 'failed', outcome }) }),
    });
    await world.attempt(id);
    expect(await world.attempt(id)).toEqual({ ...outcome, by: 'audio' });
  });

  test('is asked about at growing intervals, from seconds to minutes', async () => {
    await using world = await createForwardWorld();
    taking(world);
    const { id } = await world.accept('a');
    const waits: number[] = [];
    for (let count = 0; count < 14; count += 1) {
      const ending = await world.attempt(id);
      if (ending.kind !== 'waiting') throw new Error('it is to wait');
      const wait = ending.notBefore.since(world.clock.now());
      waits.push(Math.round(wait.total('seconds')));
      world.clock.advance(wait);
    }
    expect(waits.slice(0, 5)).toEqual([5, 5, 5, 8, 11]);
    expect(waits.at(-1)).toBe(300);
    expect(world.peer.calls.filter(({ method }) => method === 'job.submit')).toHaveLength(1);
  });

  test('is handed over again where the peer does not know it', async () => {
    await using world = await createForwardWorld();
    const submitted = taking(world, { 'job.get': async () => ({ report: null }) });
    const { id } = await world.accept('a');
    await world.attempt(id);
    expect(await world.attempt(id)).toMatchObject({ summary: 'audio did not know it: handed over again' });
    expect(submitted).toHaveLength(2);
    expect(submitted[1]?.confirmed).toBe(true);
  });

  test('is handed over again also where the peer does not know it after a week', async () => {
    await using world = await createForwardWorld();
    const submitted = taking(world, { 'job.get': async () => ({ report: null }) });
    const { id } = await world.accept('a');
    await world.attempt(id);
    world.clock.advance({ hours: 8 * 24 });
    expect((await world.attempt(id)).kind).toBe('waiting');
    expect(submitted).toHaveLength(2);
  });

  test('as a file is given a minute to be taken before it is handed over again', async () => {
    await using world = await createForwardWorld();
    world.peer.link = 'down';
    const { id } = await world.accept('a');
    await world.attempt(id);
    world.peer.link = 'up';
    const submitted = taking(world);
    world.clock.advance({ seconds: 31 });
    expect(await world.attempt(id)).toMatchObject({
      summary: 'dropped at audio, which has not taken it yet',
    });
    world.clock.advance({ seconds: 31 });
    await world.attempt(id);
    expect(submitted).toHaveLength(1);
  });

  test('waits on while the peer does not answer, and ends as delivered after a week without a word', async () => {
    await using world = await createForwardWorld();
    taking(world);
    const { id } = await world.accept('a');
    await world.attempt(id);
    world.peer.link = 'down';
    world.clock.advance({ hours: 100 });
    expect((await world.attempt(id)).kind).toBe('waiting');
    world.clock.advance({ hours: 68 });
    expect(await world.attempt(id)).toMatchObject({ kind: 'delivered', summary: /seven days/ });
  });

  test('of which the peer only knows that it was dealt with ends as delivered', async () => {
    await using world = await createForwardWorld();
    const { id, digest } = await world.accept('a');
    const report = reportOf({ id, digest }, { state: null, position: null });
    taking(world, { 'job.get': async () => ({ report }) });
    await world.attempt(id);
    expect((await world.attempt(id)).kind).toBe('delivered');
  });

  test('under another digest is a conflict', async () => {
    await using world = await createForwardWorld();
    const { id } = await world.accept('a');
    taking(world, { 'job.get': async () => ({ report: reportOf({ id, digest: '0'.repeat(64) }) }) });
    await world.attempt(id);
    await expect(world.attempt(id)).rejects.toMatchObject({ code: 'job.conflict', retriable: false });
  });
});

describe('the word that a job has ended', () => {
  const outcome = { kind: 'done', at: AT, summary: '3 of 3 recordings' } as const;

  test('is on disk before it is acknowledged, and makes the job ready', async () => {
    await using world = await createForwardWorld();
    taking(world);
    const { id, digest } = await world.accept('a');
    await world.attempt(id);
    let told = 0;
    world.forwarder.onReady(() => (told += 1));
    expect(await world.forwarder.noteSettled({ id, digest, outcome }, 'audio')).toBe('noted');
    expect(world.spool.get(id)).toMatchObject({ outcome: { ...outcome, by: 'audio' }, notBefore: null });
    expect(told).toBe(1);
  });

  test('may come again, also after the job is filed', async () => {
    await using world = await createForwardWorld();
    taking(world);
    const { id, digest } = await world.accept('a');
    await world.attempt(id);
    await world.forwarder.noteSettled({ id, digest, outcome }, 'audio');
    expect(await world.forwarder.noteSettled({ id, digest, outcome }, 'audio')).toBe('noted');
    await world.spool.file(id);
    const other = { ...outcome, kind: 'failed', code: 'x.y' } as const;
    expect(await world.forwarder.noteSettled({ id, digest, outcome: other }, 'audio')).toBe('noted');
    expect((await world.spool.read(id))?.outcome).toEqual({ ...outcome, by: 'audio' });
  });

  test('of before it was taken up again does not end it once more', async () => {
    await using world = await createForwardWorld();
    taking(world);
    const { id, digest } = await world.accept('a');
    await world.attempt(id);
    const failed = { kind: 'failed', at: AT, summary: 'no disk', code: 'x.y' } as const;
    await world.spool.conclude(id, { ...failed, by: 'audio' });
    await world.spool.file(id);
    await world.spool.reopen(id);
    expect(await world.forwarder.noteSettled({ id, digest, outcome: failed }, 'audio')).toBe('noted');
    expect(world.spool.get(id)?.outcome).toBeNull();
    await world.attempt(id);
    await world.forwarder.noteSettled({ id, digest, outcome }, 'audio');
    expect(world.spool.get(id)?.outcome).toEqual({ ...outcome, by: 'audio' });
  });

  test('of a job that nobody forwarded is unknown, of another request a conflict', async () => {
    await using world = await createForwardWorld();
    const { id, digest } = await world.accept('a');
    const wrong = { id, digest: '0'.repeat(64), outcome };
    await expect(world.forwarder.noteSettled(wrong, 'audio')).rejects.toMatchObject({ code: 'job.conflict' });
    expect(await world.forwarder.noteSettled({ ...wrong, id: '1'.repeat(64) }, 'audio')).toBe('unknown');
    const own = await world.spool.accept({
      ...{ id: '2'.repeat(64), door: 'mail', lane: 'recordings', source: 'audio' },
      request: (await world.accept('b')).request,
    });
    const settled = { id: own.job!.id, digest: own.job!.digest, outcome };
    expect(await world.forwarder.noteSettled(settled, 'audio')).toBe('unknown');
    expect(world.spool.get(own.job!.id)?.outcome).toBeNull();
    expect(digest).not.toBe(wrong.digest);
  });
});

describe('a confirmation', () => {
  const { signal } = new AbortController();
  const nothing = { position: null, measured: null };

  test('waits for the first try and says the position in the peer’s lane', async () => {
    await using world = await createForwardWorld();
    taking(world);
    const job = await world.accept('a');
    const placement = world.forwarder.placement(job, signal);
    await world.attempt(job.id);
    expect(await placement).toEqual({ position: 3, measured: null });
    expect(await world.forwarder.placement(job, signal)).toEqual({ position: 3, measured: null });
  });

  test('waits for two seconds at most', async () => {
    await using world = await createForwardWorld();
    const job = await world.accept('a');
    const placement = world.forwarder.placement(job, signal);
    world.clock.advance({ seconds: 2 });
    expect(await placement).toEqual(nothing);
  });

  test('does not wait for a peer that was away seconds ago, nor for one that is reached by files alone', async () => {
    await using world = await createForwardWorld();
    world.peer.link = 'down';
    await world.attempt((await world.accept('a')).id);
    expect(await world.forwarder.placement(await world.accept('b'), signal)).toEqual(nothing);
    await using other = await createForwardWorld({ rpc: false });
    expect(await other.forwarder.placement(await other.accept('a'), signal)).toEqual(nothing);
  });

  test('that is out is told to the peer, which may then begin', async () => {
    await using world = await createForwardWorld();
    const submitted = taking(world);
    const job = await world.accept('a');
    await world.attempt(job.id);
    await world.confirm(job.id);
    world.forwarder.confirmed(job);
    await eventually('the second call', () => submitted.length === 2);
    expect(submitted.map(({ confirmed }) => confirmed)).toEqual([false, true]);
  });

  test('that goes out while the call is on its way is told when that has arrived', async () => {
    await using world = await createForwardWorld();
    const submitted = taking(world);
    const job = await world.accept('a');
    world.peer.before = async () => {
      world.peer.before = async () => undefined;
      await world.confirm(job.id);
      world.forwarder.confirmed(job);
    };
    await world.attempt(job.id);
    await eventually('the second call', () => submitted.length === 2);
    expect(submitted.map(({ confirmed }) => confirmed)).toEqual([false, true]);
  });
});

describe('cancelling', () => {
  test('is for this node where the job was never handed over', async () => {
    await using world = await createForwardWorld();
    expect(await world.forwarder.cancel(await world.accept('a'))).toBe(false);
    expect(world.peer.calls).toEqual([]);
  });

  test('is done where the job is worked, also where it is not known whether it arrived', async () => {
    await using world = await createForwardWorld();
    const cancelled: string[] = [];
    const submitted = taking(world, {
      'job.cancel': async ({ id }) => {
        cancelled.push(id);
        const known = submitted.find((params) => params.id === id);
        return { report: known === undefined ? null : reportOf(known) };
      },
    });
    world.peer.link = 'answers-lost';
    world.dropbox.failWith('drop.unreachable');
    const { id } = await world.accept('a');
    await world.attempt(id);
    world.peer.link = 'up';
    expect(await world.forwarder.cancel(world.spool.get(id)!)).toBe(true);
    expect(cancelled).toEqual([id]);
    world.peer.link = 'down';
    await expect(world.forwarder.cancel(world.spool.get(id)!)).rejects.toMatchObject({
      code: 'peer.unreachable',
    });
  });
});
