import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ChangeablePeople } from '../../../node/access/people.ts';
import { createPermission } from '../../../node/commands/permission.ts';
import type { AuditEvent } from '../../../node/audit.ts';
import { createRamaisGrammar } from '../../../node/commands/ramais-grammar.ts';
import { createRegistry } from '../../../node/commands/registry.ts';
import { createHolds, type Holds } from '../../../node/forward/forward-holds.ts';
import { createJobHandlers, type JobHandlers } from '../../../node/forward/job-handlers.ts';
import { AppError } from '../../../node/platform/errors.ts';
import { digestOf } from '../../../node/queue/job-file.ts';
import type { NewJob, Spool } from '../../../node/queue/spool.ts';
import type { RpcParams } from '../../../protocol/methods.ts';
import type { FixedClock } from '../../support/fixed-clock.ts';
import { openTestSpool, pausingClock } from '../../support/forward-world.ts';
import { newJob } from '../../support/jobs.ts';
import { eventually, temporaryDirectory } from '../../support/process.ts';
import { memoryPeople, ROLE_COMMANDS } from '../../support/memory-access-store.ts';
import { OPTIONS, ramais, simple } from '../commands/grammar-support.ts';
import { createMemoryAudit } from '../../support/memory-audit.ts';
import { createMemorySpace, type MemorySpace } from '../../support/memory-space.ts';

const CALL = { signal: new AbortController().signal, caller: 'audio2' };

let cleanUp: AsyncDisposable;
let clock: FixedClock;
let root: string;
let spool: Spool;
let holds: Holds;
let handlers: JobHandlers;
let audit: AuditEvent[];
let ledger: Map<string, string>;
let failing: string | null;
let cancelled: string[];
let isBegun: boolean;
let withdrawn: string[];
let people: ChangeablePeople;
let space: MemorySpace;

beforeEach(async () => {
  const directory = await temporaryDirectory();
  cleanUp = directory;
  root = directory.path;
  clock = pausingClock();
  spool = await openTestSpool(directory.path, 'audio', clock);
  holds = createHolds(clock);
  audit = [];
  ledger = new Map();
  failing = null;
  cancelled = [];
  isBegun = false;
  withdrawn = [];
  people = memoryPeople(['maria@example.com']);
  space = createMemorySpace();
  const grammar = createRamaisGrammar({ ...OPTIONS, clock });
  const foretell = async () => ({ count: 3, bytes: 4_000 });
  handlers = createJobHandlers({
    registry: createRegistry([
      {
        ...ramais,
        ...{ recheck: grammar.recheck, foretell },
        touches: (params) => ({ extensions: grammar.schema.parse(params).extensions, servers: null }),
      },
      simple('RECUSA', { internal: true }),
      simple('CHECKIP'),
    ]),
    permission: createPermission(people, ROLE_COMMANDS),
    sources: new Set(['audio'] as const),
    spool: {
      get: (id) => spool.get(id),
      read: (id) => spool.read(id),
      reopen: (id, atLeast) => spool.reopen(id, atLeast),
      stateOf: (id) => spool.stateOf(id),
      positionOf: (job) => spool.positionOf(job),
      ids: (state) => spool.ids(state),
      open: (lane) => spool.open(lane),
      accept: async (job) => {
        if (failing !== null) throw new AppError(failing, 'as the test wants it', { retriable: true });
        return spool.accept(job);
      },
    },
    ledger: {
      accepted: (id) => (ledger.has(id) ? { digest: ledger.get(id) ?? '' } : null),
      append: async ({ job, digest }) => {
        ledger.set(job, digest ?? '');
      },
    },
    audit: createMemoryAudit(audit),
    space,
    holds,
    cancel: async (id, { told }) => {
      if (isBegun) throw new AppError('job.begun', 'it is brought to an end');
      cancelled.push(told ? `${id} told` : id);
    },
    settlements: {
      withdraw: async (id) => {
        withdrawn.push(id);
      },
    },
    noteSettled: async (_settled, by) => (by === 'audio2' ? 'noted' : 'unknown'),
  });
});

afterEach(async () => {
  holds.close();
  spool.close();
  await cleanUp[Symbol.asyncDispose]();
});

function submission(
  name: string,
  change: Partial<RpcParams<'job.submit'>> = {},
  request: Partial<NewJob['request']> = {},
) {
  const job = newJob(name);
  const whole = { ...job.request, ...request };
  return {
    id: job.id,
    digest: digestOf(whole),
    request: whole,
    source: 'audio' as const,
    confirmed: true,
    ...change,
  };
}

const submit = (params: RpcParams<'job.submit'>) => handlers['job.submit'](params, CALL);
const get = async (id: string) => (await handlers['job.get']({ id }, CALL)).report;

describe('what a search will find', () => {
  test('is told with the answer while the confirmation waits for it, and not afterwards', async () => {
    expect((await submit(submission('a', { confirmed: false }))).measured).toEqual({
      count: 3,
      bytes: 4_000,
    });
    expect((await submit(submission('a', { confirmed: true }))).measured).toBeNull();
  });
});

describe('a node whose disk has too little room', () => {
  const refusal = { code: 'node.disk-low', retriable: false };

  test('refuses recordings for good, and leaves no trace of them', async () => {
    space.leave(0.9);
    await expect(submit(submission('a', { confirmed: false }))).rejects.toMatchObject(refusal);
    expect(spool.ids(null)).toEqual([]);
    expect(audit).toEqual([]);
    expect(holds.isHeld(newJob('a').id)).toBe(false);
  });

  test('knows a job that it has, or had, as before', async () => {
    await submit(submission('a'));
    ledger.set(newJob('purged').id, newJob('purged').id);
    space.leave(0.1);
    expect(await submit(submission('a'))).toMatchObject({ kind: 'duplicate' });
    await submit(submission('purged'));
  });

  test('takes what makes no files until it is almost full', async () => {
    const checkIp = submission('a', { source: null }, { command: 'CHECKIP', params: {} });
    const again = submission('b', { source: null }, { command: 'CHECKIP', params: {} });
    space.leave(0.3);
    expect(await submit(checkIp)).toMatchObject({ kind: 'accepted' });
    space.leave(0.2);
    await expect(submit(again)).rejects.toMatchObject(refusal);
  });
});

describe('a job that is handed over', () => {
  test('is on disk, in the audit log and in the ledger when that is acknowledged', async () => {
    const params = submission('a');
    const { kind, report } = await submit(params);
    expect(kind).toBe('accepted');
    expect(report).toEqual({
      ...{
        id: params.id,
        digest: params.digest,
        state: 'pending',
        position: 1,
        lastError: null,
        outcome: null,
      },
    });
    expect(spool.get(params.id)).toMatchObject({
      ...{ door: 'rpc', lane: 'recordings', source: 'audio', acceptedBy: 'audio' },
      details: { handedOverBy: 'audio2' },
    });
    expect(audit).toMatchObject([
      { event: 'rpc.accepted', job: params.id, by: 'audio2', from: 'maria@example.com' },
    ]);
    expect([...ledger]).toEqual([[params.id, params.digest]]);
  });

  test('again is the same job; with another request it is a conflict', async () => {
    const params = submission('a');
    await submit(params);
    await submit(submission('b'));
    expect(await submit(params)).toMatchObject({ kind: 'duplicate', report: { position: 1 } });
    expect(await submit(submission('b'))).toMatchObject({ kind: 'duplicate', report: { position: 2 } });
    expect(audit).toHaveLength(2);
    const other = submission('a', {}, { subject: 'another' });
    await expect(submit(other)).rejects.toMatchObject({ code: 'job.conflict' });
  });

  test('that is not written down after a crash is written down when the call is repeated', async () => {
    const params = submission('a');
    await submit(params);
    ledger.clear();
    await submit(params);
    expect([...ledger.keys()]).toEqual([params.id]);
  });

  test.each<[string, Partial<RpcParams<'job.submit'>>, Partial<NewJob['request']>]>([
    ['with a digest of something else', { digest: '0'.repeat(64) }, {}],
    ['of an unknown command', {}, { command: 'NADA' }],
    ['of a command that nobody can ask for', { source: null }, { command: 'RECUSA', params: {} }],
    ['with other parameters than the command’s', {}, { params: { extensions: '1121' } }],
    ['with a source that is not served here', { source: 's3' }, {}],
    ['without a source', { source: null }, {}],
    ['for somebody who may not ask here', {}, { requester: 'mallory@example.org' }],
    ['for several, one of whom may ask here', {}, { requester: 'mallory@example.org, maria@example.com' }],
    [
      'for nobody, though it is no search',
      { source: null },
      { command: 'CHECKIP', params: {}, requester: null },
    ],
    [
      'past the limits of this node',
      {},
      { params: { ...newJob('a').request.params, end: '2026-08-01T00:00:00', server: 'nenhum' } },
    ],
  ])('%s is refused for good, and leaves nothing', async (_what, change, request) => {
    const error = await submit(submission('a', change, request)).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'job.refused', retriable: false });
    expect(spool.ids(null)).toEqual([]);
    expect(ledger.size).toBe(0);
    expect(holds.isHeld(newJob('a').id)).toBe(false);
  });

  test('is not judged again once it is here', async () => {
    const params = submission('a');
    await submit(params);
    expect(await submit({ ...params, source: 's3' })).toMatchObject({ kind: 'duplicate' });
  });

  test('is taken up again where it failed here and somebody there wants it tried again, once', async () => {
    const params = submission('a');
    const fail = async (): Promise<void> => {
      const at = clock.now().toString();
      await spool.conclude(params.id, { kind: 'failed', at, summary: 'no disk', code: 'x.y' });
      await spool.file(params.id);
    };
    await submit(params);
    await fail();
    expect(await submit(params)).toMatchObject({ report: { state: 'failed' } });
    expect(await submit({ ...params, generation: 3 })).toMatchObject({
      report: { state: 'pending', outcome: null },
    });
    expect(withdrawn).toEqual([params.id]);
    await fail();
    expect(await submit({ ...params, generation: 3 })).toMatchObject({ report: { state: 'failed' } });
    expect((await spool.read(params.id))?.generation).toBe(3);
  });

  test('is taken up again by the repeated call where a crash broke that off', async () => {
    const params = submission('a');
    await submit(params);
    const at = clock.now().toString();
    await spool.conclude(params.id, { kind: 'failed', at, summary: 'no disk', code: 'x.y' });
    await spool.file(params.id);
    const pending = join(root, 'audio', 'pending');
    await rename(pending, `${pending}.away`);
    await writeFile(pending, '');
    await expect(submit({ ...params, generation: 1 })).rejects.toThrow();
    await rm(pending);
    await rename(`${pending}.away`, pending);
    spool.close();
    spool = await openTestSpool(root, 'audio', clock);
    expect(spool.stateOf(params.id)).toBe('failed');
    expect(await submit({ ...params, generation: 1 })).toMatchObject({ report: { state: 'pending' } });
    expect(spool.get(params.id)?.generation).toBe(1);
  });

  test('that this node would hand over itself is refused: two would wait for one another', async () => {
    await spool.accept(newJob('a', { lane: 'forward' }));
    await expect(submit(submission('a'))).rejects.toMatchObject({ code: 'job.refused', retriable: false });
  });

  test('is not taken up again by the repeated call that brought it, where it failed here meanwhile', async () => {
    const params = submission('a', { generation: 1 });
    await submit(params);
    const at = clock.now().toString();
    await spool.conclude(params.id, { kind: 'failed', at, summary: 'no disk', code: 'x.y' });
    await spool.file(params.id);
    expect(await submit(params)).toMatchObject({ kind: 'duplicate', report: { state: 'failed' } });
    expect(await submit({ ...params, generation: 2 })).toMatchObject({ report: { state: 'pending' } });
  });

  test('on a disk that fails is to be tried again, and is not held', async () => {
    failing = 'spool.unwritable';
    const params = submission('a', { confirmed: false });
    await expect(submit(params)).rejects.toMatchObject({ code: 'rpc.unavailable', retriable: true });
    expect(holds.isHeld(params.id)).toBe(false);
  });

  test('by nobody is not taken', async () => {
    const anonymous = handlers['job.submit'](submission('a'), { ...CALL, caller: null });
    await expect(anonymous).rejects.toMatchObject({ code: 'rpc.unauthenticated' });
  });
});

describe('a job whose confirmation is not out', () => {
  test('is held until it is', async () => {
    let released = 0;
    holds.onReleased(() => (released += 1));
    const params = submission('a', { confirmed: false });
    await submit(params);
    expect(holds.isHeld(params.id)).toBe(true);
    await submit({ ...params, confirmed: true });
    expect(holds.isHeld(params.id)).toBe(false);
    expect(released).toBe(1);
  });

  test('is held for three seconds at most, however often it is handed over', async () => {
    const params = submission('a', { confirmed: false });
    await submit(params);
    clock.advance({ seconds: 2 });
    await submit(params);
    clock.advance({ seconds: 1 });
    await eventually('the release', () => !holds.isHeld(params.id));
    await submit(params);
    expect(holds.isHeld(params.id)).toBe(false);
  });

  test('is held before the queue hears of it', async () => {
    const params = submission('a', { confirmed: false });
    let wasHeld = false;
    spool.onAccepted(({ id }) => {
      wasHeld = holds.isHeld(id);
    });
    await submit(params);
    expect(wasHeld).toBe(true);
  });
});

describe('asked about a job', () => {
  test('says how it ended once it is filed, and null of one it never had', async () => {
    const { id } = submission('a');
    expect(await get(id)).toBeNull();
    await submit(submission('a'));
    const outcome = { kind: 'done', at: clock.now().toString(), summary: 'sent' } as const;
    await spool.conclude(id, outcome);
    expect(await get(id)).toMatchObject({ state: 'pending', outcome: null });
    await spool.file(id);
    expect(await get(id)).toMatchObject({ state: 'completed', position: null, outcome });
  });

  test('says that it has dealt with one that only the ledger knows', async () => {
    const { id, digest } = submission('a');
    ledger.set(id, digest);
    expect(await get(id)).toEqual({
      id,
      digest,
      state: null,
      position: null,
      lastError: null,
      outcome: null,
    });
  });
});

describe('told to cancel a job', () => {
  test('does so while it is open, and writes down for whom', async () => {
    const { id } = submission('a');
    await submit(submission('a'));
    expect((await handlers['job.cancel']({ id }, CALL)).report).toMatchObject({ id });
    expect(cancelled).toEqual([id]);
    expect(audit.at(-1)).toEqual({ event: 'job.cancelled', job: id, by: 'audio2' });
  });

  test('leaves one that has ended as it is, and knows no other', async () => {
    const { id } = submission('a');
    await submit(submission('a'));
    await spool.conclude(id, { kind: 'done', at: clock.now().toString(), summary: 'sent' });
    await spool.file(id);
    expect((await handlers['job.cancel']({ id }, CALL)).report).toMatchObject({ outcome: { kind: 'done' } });
    expect((await handlers['job.cancel']({ id: '0'.repeat(64) }, CALL)).report).toBeNull();
    expect(cancelled).toEqual([]);
  });

  test('says so of one that must be brought to an end', async () => {
    await submit(submission('a'));
    isBegun = true;
    const cancelling = handlers['job.cancel']({ id: submission('a').id }, CALL);
    await expect(cancelling).rejects.toMatchObject({ code: 'job.refused' });
  });

  test('leaves one that came in here to the people of this host', async () => {
    const job = newJob('a');
    await spool.accept(job);
    expect((await handlers['job.cancel']({ id: job.id }, CALL)).report).toMatchObject({ state: 'pending' });
    expect({ cancelled, audit }).toEqual({ cancelled: [], audit: [] });
  });

  test('cancels one that came in here for whoever asked for it, and for nobody else', async () => {
    const job = newJob('a');
    await spool.accept(job);
    const { requester } = job.request;
    if (requester === null) throw new Error('somebody asked for it');
    await handlers['job.cancel']({ id: job.id, requester: 'bia@example.com' }, CALL);
    expect(cancelled).toEqual([]);
    await handlers['job.cancel']({ id: job.id, requester, told: true }, CALL);
    expect(cancelled).toEqual([`${job.id} told`]);
    expect(audit).toEqual([{ event: 'job.cancelled', job: job.id, by: 'audio2', requester }]);
  });
});

describe('asked for the jobs of somebody', () => {
  const list = async (query: RpcParams<'job.list'>) => {
    const { jobs, total } = await handlers['job.list'](query, CALL);
    return { ids: jobs.map(({ id }) => id), total };
  };
  const [mine, theirs] = [newJob('mine'), newJob('theirs')];
  const accept = async () => {
    await spool.accept(mine);
    await spool.accept({ ...theirs, request: { ...theirs.request, requester: 'bia@example.com' } });
    await submit(submission('handed over'));
    const answer = { ...newJob('x').request, command: 'RECUSA', params: { reason: 'faults' } };
    await spool.accept(newJob('an answer', { lane: 'replies', source: null, request: answer }));
  };

  test('tells the open ones that came in here, the newest first', async () => {
    await accept();
    expect(await list({ requester: 'maria@example.com', prefix: null })).toEqual({
      ids: [mine.id],
      total: 1,
    });
    expect(await list({ requester: null, prefix: null })).toEqual({ ids: [theirs.id, mine.id], total: 2 });
  });

  test('tells ended ones by the beginning of their id alone', async () => {
    await accept();
    await spool.conclude(mine.id, { kind: 'done', at: clock.now().toString(), summary: '' });
    await spool.file(mine.id);
    expect(await list({ requester: 'maria@example.com', prefix: null })).toEqual({ ids: [], total: 0 });
    const prefix = mine.id.slice(0, 12);
    expect(await list({ requester: 'maria@example.com', prefix })).toEqual({ ids: [mine.id], total: 1 });
    expect(await list({ requester: 'bia@example.com', prefix })).toEqual({ ids: [], total: 0 });
  });

  test('tells a hundred of many', async () => {
    for (let at = 0; at < 103; at += 1) await spool.accept(newJob(`many ${at}`));
    const { ids, total } = await list({ requester: null, prefix: null });
    expect([ids.length, total]).toEqual([100, 103]);
  });

  test('tells nobody but the peer', async () => {
    await expect(
      handlers['job.list']({ requester: null, prefix: null }, { ...CALL, caller: null }),
    ).rejects.toMatchObject({ code: 'rpc.unauthenticated' });
  });
});

test('a job of whom this node limits to other extensions is refused', async () => {
  await people.put(
    { address: 'maria@example.com', role: 'consulta', extensions: ['3010'], servers: null },
    'admin@example.com',
  );
  await expect(submit(submission('a'))).rejects.toMatchObject({
    code: 'job.refused',
    message: expect.stringContaining('extension-not-permitted') as string,
  });
});

test('the word that a job has ended is taken in the name of the caller', async () => {
  const outcome = { kind: 'done', at: clock.now().toString(), summary: 'sent' } as const;
  const { id, digest } = submission('a');
  expect(await handlers['job.settled']({ id, digest, outcome }, CALL)).toEqual({ kind: 'noted' });
});
