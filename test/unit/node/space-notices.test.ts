import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLog } from '../../../node/platform/log.ts';
import { createSpaceNotices, type SpaceNotices } from '../../../node/space-notices.ts';
import { AppError } from '../../../node/platform/errors.ts';
import { type FixedClock, fixedClock } from '../../support/fixed-clock.ts';
import { createMemoryAcceptor, type MemoryAcceptor } from '../../support/memory-acceptor.ts';
import { createMemorySpace, type MemorySpace } from '../../support/memory-space.ts';
import { eventually, temporaryDirectory } from '../../support/process.ts';

let cleanUp: AsyncDisposable;
let stateDir: string;
let clock: FixedClock;
let acceptor: MemoryAcceptor;
let space: MemorySpace;
let notices: SpaceNotices;

beforeEach(async () => {
  const temporary = await temporaryDirectory();
  cleanUp = temporary;
  stateDir = temporary.path;
  clock = fixedClock();
  acceptor = createMemoryAcceptor();
  space = createMemorySpace();
  notices = start();
});
afterEach(() => cleanUp[Symbol.asyncDispose]());

/** As after a restart. */
function start(): SpaceNotices {
  return createSpaceNotices({ space, acceptor, nodeId: 'audio', stateDir, clock, log: silentLog });
}

test('the admin is told once when the disk gets low, with what there is and how to see more', async () => {
  expect(await notices.check()).toBe('there is room on disk');
  space.leave(0.9);
  expect(await notices.check()).toMatch(/is told$/);
  for (let minute = 0; minute < 30; minute += 1) {
    clock.advance({ minutes: 1 });
    expect(await notices.check()).toMatch(/knows$/);
  }
  expect(acceptor.jobs).toMatchObject([
    {
      lane: 'replies',
      request: { command: 'AVISO', params: { kind: 'disk-low' }, requester: null },
      details: {
        freeBytes: '900000',
        headroomBytes: '1000000',
        since: '2026-03-02T12:00:00Z',
        stateDir,
        status: 'node-ctl status',
      },
    },
  ]);
});

test('the admin is told again after each day that it lasts, restarts or not', async () => {
  space.leave(0.9);
  await notices.check();
  clock.advance({ hours: 20 });
  notices = start();
  await notices.check();
  expect(acceptor.jobs).toHaveLength(1);
  clock.advance({ hours: 4 });
  await notices.check();
  notices = start();
  await notices.check();
  expect(acceptor.jobs).toHaveLength(2);
  clock.advance({ hours: 24 });
  await notices.check();
  expect(acceptor.jobs).toHaveLength(3);
});

test('another time that the disk gets low is another notice', async () => {
  space.leave(0.9);
  await notices.check();
  space.leave(2);
  expect(await notices.check()).toBe('there is room on disk again');
  clock.advance({ minutes: 10 });
  space.leave(0.5);
  await notices.check();
  expect(acceptor.jobs).toHaveLength(2);
});

test('a notice that cannot be put on disk is told as soon as it can', async () => {
  acceptor.failWith(new AppError('spool.unwritable', 'disk full', { retriable: true }));
  space.leave(0);
  await expect(notices.check()).rejects.toMatchObject({ code: 'spool.unwritable' });
  acceptor.failWith(null);
  await notices.check();
  expect(acceptor.jobs).toHaveLength(1);
});

test('it looks by itself, and goes on after a failure', async () => {
  const stopping = new AbortController();
  acceptor.failWith(new AppError('spool.unwritable', 'disk full', { retriable: true }));
  space.leave(0);
  const running = notices.run(stopping.signal);
  acceptor.failWith(null);
  await eventually('the notice', () => {
    clock.advance({ seconds: 5 });
    return acceptor.jobs.length === 1;
  });
  stopping.abort();
  await running;
});
