import { readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../../node/platform/log.ts';
import { type Spool, type SpoolOptions, openSpool } from '../../../node/queue/spool.ts';
import { digestOf } from '../../../node/queue/job-file.ts';
import { type FixedClock, fixedClock } from '../../support/fixed-clock.ts';
import { newJob } from '../../support/jobs.ts';
import { temporaryDirectory } from '../../support/process.ts';

const { signal } = new AbortController();
const EARLIER = Temporal.Instant.from('2000-01-01T00:00:00Z');
const LATER = Temporal.Instant.from('2999-01-01T00:00:00Z');
const all = (before: Temporal.Instant) => ({ completed: before, failed: before });
const SEAL_KEY = Buffer.alloc(32, 7);
let directory: string;
let cleanUp: AsyncDisposable;
let clock: FixedClock;
let setAside: string[];
const spools: Spool[] = [];

beforeEach(async () => {
  const temporary = await temporaryDirectory();
  directory = temporary.path;
  cleanUp = temporary;
  clock = fixedClock();
  setAside = [];
});
afterEach(async () => {
  for (const spool of spools.splice(0)) spool.close();
  await cleanUp[Symbol.asyncDispose]();
});

async function open(change: Partial<SpoolOptions> = {}): Promise<Spool> {
  const spool = await openSpool({
    directory,
    nodeId: 'audio',
    clock,
    log: silentLog,
    sealKey: SEAL_KEY,
    acceptedEarlier: () => null,
    setAside: async (path, reason) => {
      setAside.push(`${path}: ${reason}`);
    },
    ...change,
  });
  spools.push(spool);
  return spool;
}

async function reopen(spool: Spool): Promise<Spool> {
  spool.close();
  spools.splice(spools.indexOf(spool), 1);
  return open();
}

describe('accepting', () => {
  test('a job lies in pending/ as a file that only its owner reads', async () => {
    const spool = await open();
    const { kind, job } = await spool.accept(newJob('one'));
    expect(kind).toBe('accepted');
    const [name] = await readdir(join(directory, 'pending'));
    expect(name).toBe(`000000000001-${job?.id}.json`);
    const file = join(directory, 'pending', name ?? '');
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ ...job });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  test('the same job again is a duplicate, also at the same moment and after it has ended', async () => {
    const spool = await open();
    const kinds = await Promise.all([1, 2, 3].map(async () => (await spool.accept(newJob('one'))).kind));
    expect(kinds.toSorted()).toEqual(['accepted', 'duplicate', 'duplicate']);
    await spool.claim(newJob('one').id);
    await spool.conclude(newJob('one').id, { kind: 'done', at: clock.now().toString(), summary: 'sent' });
    await spool.file(newJob('one').id);
    expect((await (await reopen(spool)).accept(newJob('one'))).kind).toBe('duplicate');
  });

  test('the same id with another request is refused', async () => {
    const spool = await open();
    await spool.accept(newJob('one'));
    const other = newJob('one');
    const request = { ...other.request, requester: 'eve@example.com' };
    await expect(spool.accept({ ...other, request })).rejects.toMatchObject({ code: 'spool.conflict' });
  });

  test('a job the ledger knows is a duplicate when the spool has forgotten it', async () => {
    const known = newJob('one');
    const spool = await open({
      acceptedEarlier: (id) => (id === known.id ? { digest: digestOf(known.request) } : null),
    });
    expect((await spool.accept(known)).kind).toBe('duplicate');
    const request = { ...known.request, requester: 'eve@example.com' };
    await expect(spool.accept({ ...known, request })).rejects.toMatchObject({ code: 'spool.conflict' });
  });

  test('order is that of acceptance, also when the clock jumps back and over a restart', async () => {
    let spool = await open();
    await spool.accept(newJob('first'));
    clock.set('2020-01-01T00:00:00Z');
    await spool.accept(newJob('second'));
    spool = await reopen(spool);
    await spool.accept(newJob('third'));
    expect(spool.ids('pending')).toEqual(['first', 'second', 'third'].map((name) => newJob(name).id));
    expect(spool.positionOf(spool.open('recordings')[2]!)).toBe(3);
  });
});

describe('after a stop', () => {
  test('a job that was being worked is pending again, with its attempt counted and its steps kept', async () => {
    const spool = await open();
    const { id } = newJob('one');
    await spool.accept(newJob('one'));
    await spool.claim(id);
    await spool.recordStep(id, 'deliver', { intentAt: clock.now().toString(), doneAt: null });
    const again = await reopen(spool);
    expect(again.ids('pending')).toEqual([id]);
    expect(again.get(id)).toMatchObject({ attempts: 1, steps: { deliver: { doneAt: null } } });
  });

  test('a job that was concluded and not filed is open still, as it was concluded', async () => {
    const spool = await open();
    const { id } = newJob('one');
    await spool.accept(newJob('one'));
    await spool.claim(id);
    await spool.conclude(id, { kind: 'done', at: clock.now().toString(), summary: 'sent' });
    const again = await reopen(spool);
    expect(again.get(id)?.outcome?.summary).toBe('sent');
    await again.conclude(id, { kind: 'failed', at: clock.now().toString(), summary: 'later', code: 'x.y' });
    await again.file(id);
    expect(again.ids('completed')).toEqual([id]);
  });

  test.each([
    ['altered', (text: string) => text.replace('maria@', 'eve@')],
    ['cut off', (text: string) => text.slice(0, 100)],
    ['sealed by another', (text: string) => text.replace(/"seal": ".*"/, `"seal": "${'A'.repeat(43)}"`)],
    ['not sealed', (text: string) => JSON.stringify({ ...JSON.parse(text), seal: undefined })],
  ])('a document that was %s is set aside and told of, and the others are worked', async (_how, change_) => {
    const spool = await open();
    await spool.accept(newJob('one'));
    await spool.accept(newJob('two'));
    const fileName = `000000000001-${newJob('one').id}.json`;
    const file = join(directory, 'pending', fileName);
    await writeFile(file, change_(await readFile(file, 'utf8')));
    const again = await reopen(spool);
    expect(again.ids('pending')).toEqual([newJob('two').id]);
    expect(setAside).toHaveLength(1);
    expect(again.damaged.map((one) => one.fileName)).toEqual([fileName]);
  });

  test('a file in the form of ours that another dropped while the node was down does not pass for a job', async () => {
    const spool = await open();
    const { job } = await spool.accept(newJob('one'));
    const id = newJob('forged').id;
    const forged = { ...job, id, sequence: 2, request: { ...job?.request, requester: 'eve@example.com' } };
    await writeFile(join(directory, 'pending', `000000000002-${id}.json`), JSON.stringify(forged));
    expect((await reopen(spool)).ids('pending')).toEqual([newJob('one').id]);
  });

  test('temporary files of a crash are removed', async () => {
    const spool = await open();
    await writeFile(join(directory, 'pending', '.tmp-half'), '{');
    await reopen(spool);
    expect(await readdir(join(directory, 'pending'))).toEqual([]);
  });
});

test('a job that could not be read back is not accepted', async () => {
  const spool = await open();
  const job = newJob('one');
  const request = { ...job.request, subject: 'x'.repeat(2000) };
  await expect(spool.accept({ ...job, request })).rejects.toMatchObject({ code: 'job.invalid' });
  expect(await readdir(join(directory, 'pending'))).toEqual([]);
});

test('an ended job whose file somebody has removed is forgotten, and holds up nothing', async () => {
  const spool = await open();
  for (const name of ['gone', 'there']) {
    await spool.accept(newJob(name));
    await spool.conclude(newJob(name).id, { kind: 'done', at: clock.now().toString(), summary: 'sent' });
    await spool.file(newJob(name).id);
  }
  await rm(join(directory, 'completed', `000000000001-${newJob('gone').id}.json`));
  expect(await spool.read(newJob('gone').id)).toBeNull();
  expect(await spool.purge(all(LATER), signal)).toBe(1);
});

test('a second owner is refused', async () => {
  await open();
  await expect(open()).rejects.toMatchObject({ code: 'spool.owned' });
});

test('a failed job taken up again is a new generation that keeps its confirmation alone', async () => {
  const spool = await open();
  const { id } = newJob('one');
  await spool.accept(newJob('one'));
  await spool.claim(id);
  const done = { intentAt: clock.now().toString(), doneAt: clock.now().toString() };
  await spool.recordStep(id, 'mail:confirmation', done);
  await spool.recordStep(id, 'deliver', done);
  await spool.conclude(id, { kind: 'failed', at: clock.now().toString(), summary: 'no', code: 'x.y' });
  await spool.file(id);
  const job = await spool.reopen(id);
  expect(job).toMatchObject({ generation: 1, attempts: 0, outcome: null });
  expect(Object.keys(job.steps)).toEqual(['mail:confirmation']);
  expect(spool.ids('pending')).toEqual([id]);
});

test('purging removes ended jobs that are old and leaves the rest', async () => {
  const spool = await open();
  for (const name of ['old', 'waiting']) await spool.accept(newJob(name));
  await spool.claim(newJob('old').id);
  await spool.conclude(newJob('old').id, { kind: 'done', at: clock.now().toString(), summary: 'sent' });
  await spool.file(newJob('old').id);
  expect(await spool.purge(all(EARLIER), signal)).toBe(0);
  expect(await spool.purge(all(LATER), signal)).toBe(1);
  expect(spool.stateOf(newJob('old').id)).toBeUndefined();
  expect(spool.ids('pending')).toEqual([newJob('waiting').id]);
});

test('each directory has a time of its own: what failed can be kept longer, and what was done too', async () => {
  const spool = await open();
  for (const [name, kind] of [
    ['done', 'done'],
    ['given-up', 'failed'],
    ['called-off', 'cancelled'],
  ] as const) {
    await spool.accept(newJob(name));
    await spool.claim(newJob(name).id);
    await spool.conclude(newJob(name).id, { kind, at: clock.now().toString(), summary: 'over' });
    await spool.file(newJob(name).id);
  }
  expect(await spool.purge({ completed: LATER, failed: EARLIER }, signal)).toBe(1);
  expect(spool.stateOf(newJob('done').id)).toBeUndefined();
  expect(spool.ids('failed')).toEqual([newJob('given-up').id, newJob('called-off').id]);
  expect(await spool.purge({ completed: EARLIER, failed: LATER }, signal)).toBe(2);
  expect(spool.ids(null)).toEqual([]);
});

test('the digest does not depend on the order of keys, and does on every value', () => {
  const shuffled = (value: Record<string, unknown>): Record<string, unknown> =>
    Object.fromEntries(Object.entries(value).toReversed());
  fc.assert(
    fc.property(
      fc.dictionary(fc.string(), fc.jsonValue()),
      fc.string({ maxLength: 50 }),
      (params, subject) => {
        const request = { ...newJob('x').request, params: params as never, subject };
        expect(digestOf(shuffled(request) as never)).toBe(digestOf(request));
        expect(digestOf({ ...request, subject: `${subject}.` })).not.toBe(digestOf(request));
      },
    ),
  );
});
