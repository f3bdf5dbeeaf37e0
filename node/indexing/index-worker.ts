import { parentPort, workerData } from 'node:worker_threads';
import { type Clock, systemClock } from '../platform/clock.ts';
import { AppError, codeOf, messageOf } from '../platform/errors.ts';
import type { Log, LogFields, LogLevel } from '../platform/log.ts';
import { createDiskKeeper } from './disk-keeper.ts';
import { createIndexHost, type IndexHost } from './index-host.ts';
import type { Keeper } from './keeper.ts';
import type { FromThread, KeeperSpec, ThreadData, ToThread } from './messages.ts';

/** Entry of an index's thread: hosts what keeps the index, and does what it is told by messages. */

const port = parentPort;
if (port === null) throw new Error('this is the entry of a thread');
const data = workerData as ThreadData;
const send = (message: FromThread): void => port.postMessage(message);
const running = new Map<number, AbortController>();

const host = createIndexHost({
  ...data,
  keeper: await createKeeper(data.keeper, systemClock, carriedLog({})),
  clock: systemClock,
  log: carriedLog({}),
  report: (report) => send({ kind: 'report', report }),
});
port.on('message', (message: ToThread) => receive(host, message));
host.start();

async function createKeeper(spec: KeeperSpec, clock: Clock, log: Log): Promise<Keeper> {
  if (spec.kind === 'disk') return createDiskKeeper({ ...spec, clock, log });
  // The S3 client is loaded only where there is a bucket.
  const { createS3Keeper } = await import('./s3-keeper.ts');
  return createS3Keeper({ ...spec.options, clock, log });
}

function receive(to: IndexHost, message: ToThread): void {
  switch (message.kind) {
    case 'settle':
      answer(message.id, async (signal) => {
        send({ kind: 'settled', id: message.id, answer: await to.settle(message.range, signal) });
      });
      return;
    case 'verify':
      answer(message.id, async (signal) => {
        send({ kind: 'verified', id: message.id, verdict: await to.verify(signal) });
      });
      return;
    case 'abort':
      running.get(message.id)?.abort(new AppError('index.aborted', 'nobody waits for it any more'));
      return;
    case 'gone':
      to.gone(message.keys);
      return;
    case 'rebuild':
      to.rebuild(message.broken);
      return;
    case 'close':
      answer(0, async () => {
        await to.close();
        port?.close();
      });
  }
}

/** Does what was asked; an error is the answer too. */
function answer(id: number, work: (signal: AbortSignal) => Promise<void>): void {
  const aborter = new AbortController();
  running.set(id, aborter);
  work(aborter.signal)
    .catch((error: unknown) => {
      const retriable = error instanceof AppError ? error.retriable : true;
      send({ kind: 'failed', id, error: { code: codeOf(error), message: messageOf(error), retriable } });
    })
    .finally(() => running.delete(id));
}

/** A log whose lines are written by the main thread. */
function carriedLog(fixed: LogFields): Log {
  const at = (level: LogLevel) => (message: string, fields?: LogFields) =>
    send({ kind: 'log', level, message, fields: { ...fixed, ...fields } });
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    with: (fields) => carriedLog({ ...fixed, ...fields }),
  };
}
