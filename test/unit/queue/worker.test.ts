import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import * as z from 'zod';
import type { Job } from '../../../protocol/job.ts';
import type { Command, Ending, JobContext, Waiting } from '../../../node/commands/command.ts';
import { AppError } from '../../../node/platform/errors.ts';
import { silentLog } from '../../../node/platform/log.ts';
import { type Confirmations, createConfirmations } from '../../../node/queue/confirmations.ts';
import { createContextFactory } from '../../../node/queue/context.ts';
import { type Spool, openSpool } from '../../../node/queue/spool.ts';
import { type Worker, createWorker } from '../../../node/queue/worker.ts';
import { type FixedClock, fixedClock } from '../../support/fixed-clock.ts';
import { newJob } from '../../support/jobs.ts';
import { eventually, temporaryDirectory } from '../../support/process.ts';

/** A command whose work and confirmation are what a test says. */
interface Script {
  work(job: Job, context: JobContext): Promise<void | Ending | Waiting>;
  confirm(job: Job, context: JobContext): Promise<void>;
}

let cleanUp: AsyncDisposable;
let clock: FixedClock;
let spool: Spool;
let worker: Worker;
let running: Promise<void>;
let confirmations: Confirmations;
let script: Script;
let failures: string[];
let settled: string[];
let noteEnding: (job: Job) => Promise<void>;

beforeEach(async () => {
  const directory = await temporaryDirectory();
  cleanUp = directory;
  clock = fixedClock();
  failures = [];
  settled = [];
  noteEnding = async () => undefined;
  script = { work: async () => undefined, confirm: async () => undefined };
  spool = await openSpool({
    directory: directory.path,
    nodeId: 'audio',
    clock,
    log: silentLog,
    sealKey: Buffer.alloc(32, 7),
    acceptedEarlier: () => null,
    setAside: async () => undefined,
  });
  const command: Command = {
    keyword: 'RAMAIS',
    schema: z.record(z.string(), z.json()),
    example: () => 'RAMAIS=1',
    parse: () => ({ ok: true, params: {} }),
    route: () => ({ lane: 'recordings', source: 'audio' }),
    confirm: (job, _params, context) => script.confirm(job, context),
    mustFinish: (job) => job.request.subject === 'begun',
    work: async (job, _params, context) => {
      return (await script.work(job, context)) ?? { kind: 'done', summary: 'sent' };
    },
  };
  const contextOf = createContextFactory(spool, clock, silentLog, () => undefined);
  const shared = { command: () => command, contextOf, clock, log: silentLog, random: () => 0.5 };
  confirmations = createConfirmations({
    ...shared,
    openJob: spool.get,
    onTried: (job) => worker.kick(job.lane),
  });
  worker = createWorker({
    ...shared,
    spool,
    lanes: ['forward', 'recordings', 'servers'],
    maxAttempts: 3,
    processingTimeoutMs: 60_000,
    mayStart: (job) => !confirmations.isFirst(job.id),
    answerFailure: async (job, code) => {
      failures.push(`${job.id.slice(0, 4)} ${code}`);
    },
    noteEnding: async (job) => {
      await noteEnding(job);
      settled.push(job.request.subject);
    },
  });
  spool.onAccepted(confirmations.add);
  running = worker.run();
});

afterEach(async () => {
  await confirmations.stop();
  await worker.stop();
  await running;
  spool.close();
  await cleanUp[Symbol.asyncDispose]();
});

async function accept(name: string, lane: Job['lane'] = 'recordings'): Promise<string> {
  const job = newJob(name, { lane });
  await spool.accept({ ...job, request: { ...job.request, subject: name } });
  return job.id;
}

const ended = (count: number): Promise<unknown> =>
  eventually(
    `${count} jobs to end`,
    () => settled.length === count && spool.ids('completed').length + spool.ids('failed').length === count,
  );

/** Waits until so many attempts have ended and the job waits for the next. */
const putBack = (id: string, attempts: number): Promise<unknown> =>
  eventually('the attempt to be put back', () => {
    const { failures: failed, interruptions } = spool.get(id) ?? { failures: 0, interruptions: 0 };
    return failed + interruptions === attempts && spool.stateOf(id) === 'pending';
  });

describe('lanes', () => {
  test('work the jobs of a lane one after another, oldest first', async () => {
    let atOnce = 0;
    script.work = async () => {
      atOnce += 1;
      expect(atOnce).toBe(1);
      await Promise.resolve();
      atOnce -= 1;
    };
    for (const name of ['a', 'b', 'c', 'd']) await accept(name);
    await ended(4);
    expect(settled).toEqual(['a', 'b', 'c', 'd']);
  });

  test('do not wait for one another', async () => {
    const gate = Promise.withResolvers<void>();
    script.work = (job) => (job.lane === 'recordings' ? gate.promise : Promise.resolve());
    await accept('long');
    await accept('short', 'servers');
    await ended(1);
    expect(settled).toEqual(['short']);
    gate.resolve();
    await ended(2);
  });

  test('a paused queue begins nothing until it is resumed', async () => {
    worker.pause();
    const id = await accept('a');
    await eventually('confirmed', () => !confirmations.isFirst(id));
    expect(spool.stateOf(id)).toBe('pending');
    worker.resume();
    await ended(1);
  });
});

describe('failures', () => {
  const unavailable = new AppError('recordings.unavailable', 'no disk', { retriable: true });

  test('a retriable one is tried again after its backoff, the attempt counted on disk', async () => {
    let tries = 0;
    script.work = async () => {
      tries += 1;
      if (tries < 3) throw unavailable;
    };
    const id = await accept('a');
    await putBack(id, 1);
    expect(spool.get(id)).toMatchObject({ attempts: 1, lastError: { code: 'recordings.unavailable' } });
    expect(tries).toBe(1);
    clock.advance({ minutes: 5 });
    worker.kick('recordings');
    await putBack(id, 2);
    clock.advance({ minutes: 5 });
    worker.kick('recordings');
    await ended(1);
    expect(failures).toEqual([]);
  });

  test('after MAX_RETRIES attempts the requester is answered and the job lies in failed/', async () => {
    script.work = () => Promise.reject(unavailable);
    const id = await accept('a');
    for (const attempt of [1, 2]) {
      await putBack(id, attempt);
      clock.advance({ minutes: 5 });
      worker.kick('recordings');
    }
    await ended(1);
    expect(failures).toEqual([`${id.slice(0, 4)} recordings.unavailable`]);
    expect(spool.stateOf(id)).toBe('failed');
    expect((await spool.read(id))?.outcome).toMatchObject({ kind: 'failed', code: 'recordings.unavailable' });
  });

  test('a final one is not tried again', async () => {
    script.work = () => Promise.reject(new AppError('publish.refused', 'no such bucket'));
    const id = await accept('a');
    await ended(1);
    expect(failures).toEqual([`${id.slice(0, 4)} publish.refused`]);
  });

  test('a mail server that is away is waited for beyond MAX_RETRIES', async () => {
    let tries = 0;
    script.work = async () => {
      tries += 1;
      if (tries <= 5) throw new AppError('mail.unavailable', 'refused', { retriable: true });
    };
    const id = await accept('a');
    for (let attempt = 1; attempt <= 5; attempt += 1) {
      await putBack(id, attempt);
      clock.advance({ minutes: 6 });
      worker.kick('recordings');
    }
    await ended(1);
    expect(failures).toEqual([]);
  });

  test('the time that a mail server was away does not count against the job', async () => {
    const unsent = new AppError('mail.unavailable', 'refused', { retriable: true });
    let tries = 0;
    script.work = async () => {
      tries += 1;
      if (tries <= 4) throw unsent;
      if (tries === 5) throw unavailable;
    };
    const id = await accept('a');
    for (let attempt = 1; attempt <= 5; attempt += 1) {
      await putBack(id, attempt);
      clock.advance({ minutes: 6 });
      worker.kick('recordings');
    }
    await ended(1);
    expect(failures).toEqual([]);
  });

  test('one whose end was decided before a crash ends so, and is not worked again', async () => {
    worker.pause();
    let worked = 0;
    script.work = async () => {
      worked += 1;
    };
    const id = await accept('a');
    await spool.claim(id);
    await spool.conclude(id, { kind: 'failed', at: clock.now().toString(), summary: 'no disk', code: 'x.y' });
    worker.resume();
    await ended(1);
    expect(worked).toBe(0);
    expect(failures).toEqual([`${id.slice(0, 4)} x.y`]);
    expect(spool.stateOf(id)).toBe('failed');
  });

  test('one whose end cannot be kept for now is ended later, and holds up no other', async () => {
    let full = true;
    noteEnding = async (job) => {
      if (full && job.request.subject === 'a') throw new AppError('audit.unwritable', 'disk full');
    };
    const id = await accept('a');
    await accept('b');
    await ended(1);
    expect(settled).toEqual(['b']);
    full = false;
    clock.advance({ seconds: 10 });
    worker.kick('recordings');
    await ended(2);
    expect(spool.stateOf(id)).toBe('completed');
    expect(failures).toEqual([]);
  });

  test('a waiting job that is cancelled is answered once, whatever the lane does at that moment', async () => {
    worker.pause();
    const id = await accept('a');
    await eventually('confirmed', () => !confirmations.isFirst(id));
    const cancelling = worker.cancel(id);
    worker.resume();
    await cancelling;
    await ended(1);
    expect((await spool.read(id))?.outcome?.kind).toBe('cancelled');
    expect(failures).toEqual([`${id.slice(0, 4)} job.cancelled`]);
  });

  test('a job that its requester no longer wants, and knows to be cancelled, is not answered again', async () => {
    worker.pause();
    const id = await accept('a');
    await worker.cancel(id, { told: true });
    await ended(1);
    expect((await spool.read(id))?.outcome).toMatchObject({ kind: 'cancelled', code: 'job.withdrawn' });
    expect(failures).toEqual([]);
  });

  test('a job that must be brought to an end cannot be cancelled, neither waiting nor in hand', async () => {
    const hold = Promise.withResolvers<void>();
    script.work = () => hold.promise;
    const id = await accept('begun');
    await expect(worker.cancel(id)).rejects.toMatchObject({ code: 'job.begun' });
    await eventually('the work to run', () => worker.progressOf(id) !== null);
    await expect(worker.cancel(id, { told: true })).rejects.toMatchObject({ code: 'job.begun' });
    hold.resolve();
    await ended(1);
    expect((await spool.read(id))?.outcome?.kind).toBe('done');
  });

  test('a waiting job does not hold up those behind it', async () => {
    script.work = (job) => (job.request.subject === 'a' ? Promise.reject(unavailable) : Promise.resolve());
    await accept('a');
    await accept('b');
    await ended(1);
    expect(settled).toEqual(['b']);
  });

  test('a cancelled job stops where it is and is answered', async () => {
    script.work = (_job, context) =>
      new Promise((_resolve, reject) => {
        context.signal.addEventListener('abort', () => reject(context.signal.reason as Error));
      });
    const id = await accept('a');
    await eventually('the work to begin', () => spool.stateOf(id) === 'processing');
    await eventually('the work to run', () => worker.progressOf(id) !== null);
    await worker.cancel(id);
    await ended(1);
    expect((await spool.read(id))?.outcome?.kind).toBe('cancelled');
    expect(failures).toEqual([`${id.slice(0, 4)} job.cancelled`]);
  });

  test('a job at which the node stopped each time is given up, not begun again', async () => {
    worker.pause();
    const id = await accept('poison');
    for (let crash = 0; crash < 5; crash += 1) await spool.claim(id);
    worker.resume();
    await ended(1);
    expect(failures).toEqual([`${id.slice(0, 4)} job.crashed`]);
  });
});

describe('a job that another node works', () => {
  const waiting = (): Waiting => ({
    kind: 'waiting',
    notBefore: clock.now().add({ minutes: 1 }),
    summary: 'waits for audio',
    trouble: { code: 'peer.away', message: 'refused' },
  });

  test('is looked at again at its time, however often, and shows what it waits for', async () => {
    let tries = 0;
    script.work = async () => {
      tries += 1;
      return tries <= 5 ? waiting() : undefined;
    };
    const id = await accept('a');
    for (let attempt = 1; attempt <= 5; attempt += 1) {
      await putBack(id, attempt);
      expect(spool.get(id)).toMatchObject({
        failures: 0,
        lastError: { code: 'peer.away', message: 'refused' },
      });
      expect(tries).toBe(attempt);
      clock.advance({ minutes: 1 });
      worker.kick('recordings');
    }
    await ended(1);
  });

  test('is not given up for how often it was looked at, when something else fails for a moment', async () => {
    worker.pause();
    const id = await accept('a', 'forward');
    await spool.defer(id, { failures: 0, interruptions: 10_000, notBefore: null, lastError: null });
    let tries = 0;
    script.work = async () => {
      tries += 1;
      if (tries === 1) throw new AppError('mail.unavailable', 'refused', { retriable: true });
    };
    worker.resume();
    await eventually('the attempt to be put back', () => spool.get(id)?.interruptions === 10_001);
    clock.advance({ minutes: 6 });
    worker.kick('forward');
    await ended(1);
    expect(failures).toEqual([]);
  });

  test('ends at once where it was settled while it was in hand', async () => {
    const outcome = { kind: 'done', at: clock.now().toString(), summary: 'sent', by: 'audio' } as const;
    let tries = 0;
    script.work = async (job) => {
      tries += 1;
      await spool.conclude(job.id, outcome);
      return waiting();
    };
    const id = await accept('a');
    await ended(1);
    expect(tries).toBe(1);
    expect((await spool.read(id))?.outcome).toEqual(outcome);
  });

  test('is not answered again where it failed: the node that ended it has told the requester', async () => {
    const at = '2026-03-02T11:00:00Z';
    const failure = {
      kind: 'failed',
      at,
      summary: 'no disk',
      code: 'recordings.unavailable',
      by: 'audio',
    } as const;
    script.work = async () => failure;
    const id = await accept('a');
    await ended(1);
    expect(spool.stateOf(id)).toBe('failed');
    expect((await spool.read(id))?.outcome).toEqual(failure);
    expect(failures).toEqual([]);
  });
});

test('stopping the node puts a running job back, and it is no failure of the job', async () => {
  script.work = (_job, context) =>
    new Promise((_resolve, reject) => {
      context.signal.addEventListener('abort', () => reject(context.signal.reason as Error));
    });
  const id = await accept('a');
  await eventually('the work to run', () => worker.progressOf(id) !== null);
  await worker.stop();
  expect(spool.stateOf(id)).toBe('pending');
  expect(spool.get(id)).toMatchObject({ attempts: 1, failures: 0, interruptions: 1 });
});

describe('confirmations', () => {
  test('go out at once while the lane is busy, and before the job is worked', async () => {
    const gate = Promise.withResolvers<void>();
    const events: string[] = [];
    script.confirm = async (job) => {
      events.push(`confirm ${job.request.subject}`);
    };
    script.work = async (job) => {
      events.push(`work ${job.request.subject}`);
      await gate.promise;
    };
    for (const name of ['a', 'b', 'c']) await accept(name);
    await eventually('three confirmations and one job', () => events.length === 4);
    expect(events.filter((event) => event.startsWith('confirm'))).toHaveLength(3);
    expect(events.indexOf('confirm a')).toBeLessThan(events.indexOf('work a'));
    gate.resolve();
    await ended(3);
  });

  test('one that is to be tried again does not go out once it is decided how the job ends', async () => {
    let tries = 0;
    script.confirm = async () => {
      tries += 1;
      throw new AppError('mail.unavailable', 'refused', { retriable: true });
    };
    worker.pause();
    const id = await accept('a');
    await eventually('the first try', () => !confirmations.isFirst(id));
    await spool.conclude(id, { kind: 'done', at: clock.now().toString(), summary: 'sent', by: 'audio' });
    clock.advance({ minutes: 6 });
    worker.resume();
    await ended(1);
    expect(tries).toBe(1);
  });

  test('one that fails does not keep the job from being worked, nor take a place from others', async () => {
    script.confirm = () => Promise.reject(new AppError('mail.unavailable', 'refused', { retriable: true }));
    for (let count = 0; count < 20; count += 1) await accept(`job ${count}`);
    await ended(20);
  });
});

test('a step that is done is not done again; one that was begun first looks whether it happened', async () => {
  const performed: string[] = [];
  let tries = 0;
  script.work = async (_job, context) => {
    tries += 1;
    await context.step('first', {
      happened: async () => null,
      perform: async () => {
        performed.push('first');
        return { size: 1 };
      },
    });
    const result = await context.step('second', {
      happened: async () => 'it had happened',
      perform: async () => {
        performed.push('second');
        throw new AppError('mail.unknown', 'connection lost after the final dot', { retriable: true });
      },
    });
    performed.push(result);
  };
  const id = await accept('a');
  await putBack(id, 1);
  clock.advance({ minutes: 5 });
  worker.kick('recordings');
  await ended(1);
  expect(tries).toBe(2);
  expect(performed).toEqual(['first', 'second', 'it had happened']);
});
