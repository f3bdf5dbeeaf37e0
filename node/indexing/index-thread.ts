import { Worker } from 'node:worker_threads';
import type { SourceName } from '../../protocol/job.ts';
import type { Clock } from '../platform/clock.ts';
import { AppError, messageOf } from '../platform/errors.ts';
import { inTime } from '../platform/in-time.ts';
import type { Log } from '../platform/log.ts';
import type { DayRange } from '../recordings/day-folders.ts';
import type { IndexStatus, IndexVerdict, RecordingIndex } from '../recordings/recording-index.ts';
import type { IndexAccess, Settled } from './index-access.ts';
import type { IndexReader } from './index-database.ts';
import { openReader } from './index-files.ts';
import type { FromThread, HostReport, KeeperSpec, ThreadData, ToThread } from './messages.ts';
import { type Answer, createThreadCalls } from './thread-calls.ts';

/** An index that does not settle in this time lies on a disk that hangs: the search is tried again later. */
const SETTLE_LIMIT_MS = 30_000;
/** Settling again where another index took over meanwhile. */
const MAX_SETTLE_ROUNDS = 3;
/** A thread that died is started again after this, then after twice as much, up to the most. */
const FIRST_RESTART_MS = 1_000;
const MAX_RESTART_MS = 300_000;
/** A thread that has lived so long did not die of what it began with. */
const STABLE_MS = 600_000;
/** A thread that hangs in the kernel is left behind. */
const CLOSE_LIMIT_MS = 10_000;

export interface IndexOptions {
  readonly source: SourceName;
  /** `<STATE_DIR>/index`. */
  readonly directory: string;
  readonly keeper: KeeperSpec;
  readonly clock: Clock;
  readonly log: Log;
  /** A search waits so long for the index to settle; 30 s unless told. */
  readonly settleLimitMs?: number;
}

const NOTHING: HostReport = {
  state: 'starting',
  message: 'it has not been started',
  files: 0,
  folders: 0,
  watched: 0,
  databaseBytes: 0,
  progress: null,
  builtAt: null,
  sweptAt: null,
  auditedAt: null,
  serial: null,
};

/** An index with a thread of its own, which keeps it; searches read it here. */
export function createIndex(options: IndexOptions): RecordingIndex & IndexAccess {
  return new ThreadedIndex(options);
}

class ThreadedIndex implements RecordingIndex, IndexAccess {
  readonly source: SourceName;
  readonly #options: IndexOptions;
  readonly #calls = createThreadCalls((message) => this.#post(message));
  readonly #closed = new AbortController();
  #worker: Worker | null = null;
  #exited: Promise<void> = Promise.resolve();
  #report = NOTHING;
  #reader: IndexReader | null = null;
  #deaths = 0;

  constructor(options: IndexOptions) {
    this.source = options.source;
    this.#options = options;
  }

  start(): void {
    const { source, directory, keeper, clock } = this.#options;
    const workerData: ThreadData = { source, directory, keeper };
    const begunMs = clock.monotonicMs();
    // Without the main thread's flags: it runs TypeScript as it is, whatever loads the rest.
    const file = new URL('./index-worker.ts', import.meta.url);
    let worker: Worker;
    try {
      worker = new Worker(file, { workerData, execArgv: [] });
    } catch (error) {
      this.#died(messageOf(error), 0); // there is no thread to be had (TasksMax=)
      return;
    }
    this.#worker = worker;
    let cause = 'it ended';
    worker.on('message', (message: FromThread) => this.#receive(message));
    worker.on('error', (error) => {
      cause = messageOf(error);
    });
    this.#exited = new Promise((resolve) => {
      worker.once('exit', () => {
        resolve();
        this.#died(cause, clock.monotonicMs() - begunMs);
      });
    });
  }

  status(): IndexStatus {
    const { state, message, files, folders, watched, databaseBytes } = this.#report;
    const { progress, builtAt, sweptAt, auditedAt } = this.#report;
    const how = { state, message, files, folders, watched, databaseBytes };
    return { source: this.source, ...how, progress, builtAt, sweptAt, auditedAt };
  }

  rebuild(): string {
    if (this.#report.progress !== null) throw new AppError('index.busy', 'the index is already being built');
    this.#post({ kind: 'rebuild', broken: null });
    return `the index of ${this.source} is being built anew; the present one is used until then`;
  }

  async verify(signal: AbortSignal): Promise<IndexVerdict> {
    const verdict = await this.#ask((id) => ({ kind: 'verify', id }), signal);
    if (verdict === null || !('missing' in verdict)) throw notReady(this.#report.message);
    return verdict;
  }

  async settle(
    range: DayRange,
    signal: AbortSignal,
    limitMs = this.#options.settleLimitMs ?? SETTLE_LIMIT_MS,
  ): Promise<Settled | null> {
    signal.throwIfAborted();
    for (let round = 1; round <= MAX_SETTLE_ROUNDS; round += 1) {
      if (this.#worker === null || this.#report.state !== 'ready') return null;
      const settled = await this.#settleInTime(range, signal, limitMs);
      if (settled === null || !('serial' in settled)) return null;
      const reader = this.#readerOf(settled.serial);
      // Another index took over between the answer and now: that one has not been settled.
      if (reader !== null) return { reader, unreadable: settled.unreadable };
    }
    return null;
  }

  present(): IndexReader | null {
    const { state, serial } = this.#report;
    return state === 'ready' && serial !== null ? this.#readerOf(serial) : null;
  }

  gone(keys: readonly string[]): void {
    this.#post({ kind: 'gone', keys });
  }

  broken(error: unknown): void {
    const serial = this.#reader?.serial ?? null;
    this.#options.log.error('the index could not be read', { source: this.source, cause: messageOf(error) });
    this.#dropReader();
    if (serial !== null) this.#post({ kind: 'rebuild', broken: serial });
  }

  async close(): Promise<void> {
    this.#closed.abort(new AppError('index.closed', 'the node stops', { retriable: true }));
    const { clock, log } = this.#options;
    const worker = this.#worker;
    if (worker !== null) {
      this.#post({ kind: 'close' });
      const ended = await inTime(
        clock,
        CLOSE_LIMIT_MS,
        this.#exited.then(() => true),
      );
      if (ended === null) {
        log.warn('the thread of an index does not end and is left behind', { source: this.source });
        worker.unref();
        // It may hang in a system call, which nothing ends: nobody waits for that.
        worker.terminate().catch(() => undefined);
      }
    }
    this.#dropReader();
    this.#calls.end(new AppError('index.closed', 'the index is closed', { retriable: true }));
  }

  async #settleInTime(range: DayRange, signal: AbortSignal, limitMs: number): Promise<Answer> {
    const gaveUp = new AbortController();
    const either = AbortSignal.any([signal, gaveUp.signal]);
    const asked = this.#ask((id) => ({ kind: 'settle', id, range }), either).then((answer) => ({ answer }));
    const settled = await inTime(this.#options.clock, limitMs, asked, signal);
    if (settled !== null) return settled.answer;
    const error = new AppError(
      'recordings.unavailable',
      `the recordings of ${this.source} did not answer within ${Math.round(limitMs / 1000)} s: does their disk hang?`,
      { retriable: true },
    );
    asked.catch(() => undefined); // nobody waits for it any more
    gaveUp.abort(error);
    throw error;
  }

  /** Asks the thread; as `ThreadCalls.ask`. @throws AppError `index.not-ready` where there is none */
  async #ask(messageOfId: (id: number) => ToThread, signal: AbortSignal): Promise<Answer> {
    signal.throwIfAborted();
    if (this.#worker === null) throw notReady(this.#report.message);
    return this.#calls.ask(messageOfId, signal);
  }

  #post(message: ToThread): void {
    this.#worker?.postMessage(message);
  }

  #receive(message: FromThread): void {
    switch (message.kind) {
      case 'report':
        this.#report = message.report;
        if (this.#reader !== null && this.#reader.serial !== message.report.serial) this.#dropReader();
        return;
      case 'log':
        this.#options.log[message.level](message.message, message.fields);
        return;
      default:
        this.#calls.answered(message);
    }
  }

  /** The reader of this serial; null where that is not the present index. */
  #readerOf(serial: number): IndexReader | null {
    if (this.#report.serial !== serial) return null;
    if (this.#reader !== null) return this.#reader;
    const { directory, source, log } = this.#options;
    try {
      this.#reader = openReader(directory, source, serial);
    } catch (error) {
      log.error('the index could not be opened', { source, cause: messageOf(error) });
      this.#post({ kind: 'rebuild', broken: serial });
    }
    return this.#reader;
  }

  #dropReader(): void {
    this.#reader?.[Symbol.dispose]();
    this.#reader = null;
  }

  /** Nobody waits for a thread that is gone, and another is started in a while. */
  #died(cause: string, livedMs: number): void {
    this.#worker = null;
    if (this.#closed.signal.aborted) return;
    const { clock, log, source } = this.#options;
    this.#deaths = livedMs > STABLE_MS ? 1 : this.#deaths + 1;
    const waitMs = Math.min(FIRST_RESTART_MS * 2 ** (this.#deaths - 1), MAX_RESTART_MS);
    log.error('the thread of an index died and is started again', { source, cause, inMs: waitMs });
    const message = `its thread died (${cause}); started again in ${Math.round(waitMs / 1000)} s`;
    this.#report = { ...this.#report, state: 'failed', message, progress: null, serial: null, watched: 0 };
    this.#dropReader();
    this.#calls.end(null);
    clock.sleep(waitMs, this.#closed.signal).then(
      () => this.start(),
      () => undefined, // closed meanwhile
    );
  }
}

function notReady(message: string): AppError {
  return new AppError('index.not-ready', message, { retriable: true });
}
