import type { SourceName } from '../../protocol/job.ts';
import type { Clock } from '../platform/clock.ts';
import { AppError, codeOf, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { createWake } from '../platform/wake.ts';
import type { DayRange } from '../recordings/day-folders.ts';
import type { IndexVerdict } from '../recordings/recording-index.ts';
import { HostStatus, WALKING } from './host-status.ts';
import type { IndexBuilder, IndexWriter } from './index-database.ts';
import { beginIndex, openIndex, removeOtherIndexes } from './index-files.ts';
import type { Keeper } from './keeper.ts';
import type { HostReport, SettleAnswer } from './messages.ts';

/** Between two sweeps. */
const SWEEP_MS = 300_000;
const AUDIT_EVERY_HOURS = 7 * 24;
/** A build that failed is tried again after this, then after twice as much, up to the most. */
const FIRST_RETRY_MS = 5_000;
const MAX_RETRY_MS = 300_000;
const FOLLOWS = 'it follows what changes';
/** Facts that the host keeps in the index. */
const BUILT_AT = 'built-at';
const AUDITED_AT = 'audited-at';
const PLACE = 'place';

export interface IndexHostOptions {
  readonly source: SourceName;
  readonly directory: string;
  readonly keeper: Keeper;
  readonly clock: Clock;
  readonly log: Log;
  /** Told whenever a status changes. */
  readonly report: (report: HostReport) => void;
}

/** Has one index built, kept and compared. Lives in the index's thread. */
export interface IndexHost {
  start(): void;
  /** Null where there is no index to be used. @throws AppError as {@link Keeper} */
  settle(range: DayRange, signal: AbortSignal): Promise<SettleAnswer | null>;
  verify(signal: AbortSignal): Promise<IndexVerdict>;
  /** `broken`: the index of this serial cannot be read. */
  rebuild(broken: number | null): void;
  gone(keys: readonly string[]): void;
  close(): Promise<void>;
}

export function createIndexHost(options: IndexHostOptions): IndexHost {
  return new Host(options);
}

class Host implements IndexHost {
  readonly #options: IndexHostOptions;
  readonly #status: HostStatus;
  readonly #ended = new AbortController();
  readonly #wake = createWake();
  #writer: IndexWriter | null = null;
  /** The keeper still has it, until it gets another. */
  #damaged: IndexWriter | null = null;
  #wanted = false;
  #verifying = false;
  #failures = 0;
  #running: Promise<void> = Promise.resolve();

  constructor(options: IndexHostOptions) {
    this.#options = options;
    this.#status = new HostStatus(() =>
      options.report(this.#status.of(this.#writer, options.keeper.watched())),
    );
  }

  start(): void {
    this.#running = this.#run();
  }

  async settle(range: DayRange, signal: AbortSignal): Promise<SettleAnswer | null> {
    const { keeper, log, source } = this.#options;
    if (this.#writer === null || this.#status.state !== 'ready') return null;
    const { serial } = this.#writer;
    try {
      const sentence = await keeper.settle(range, signal);
      if (sentence !== null) log.debug(sentence, { source });
      return { serial, unreadable: keeper.unreadable?.(range) ?? [] };
    } catch (error) {
      if (signal.aborted || codeOf(error).startsWith('recordings.')) throw error;
      // Another index took its place meanwhile, and it was closed.
      if (this.#writer !== null && this.#writer.serial !== serial) return this.settle(range, signal);
      if (codeOf(error) === 'index.broken') this.#discard(error);
      else log.warn('the index cannot be used now', { source, code: codeOf(error), cause: messageOf(error) });
      return null;
    }
  }

  async verify(signal: AbortSignal): Promise<IndexVerdict> {
    const { state, message, progress } = this.#status;
    if (this.#writer === null || state !== 'ready') {
      throw new AppError('index.not-ready', message, { retriable: true });
    }
    if (progress !== null || this.#verifying) {
      throw new AppError('index.busy', 'the index is being built or compared', { retriable: true });
    }
    return this.#audit(AbortSignal.any([signal, this.#ended.signal]));
  }

  rebuild(broken: number | null): void {
    if (broken === null) this.#wanted = true;
    else if (this.#writer?.serial === broken) this.#discard(new Error('a search could not read it'));
    this.#wake.wake();
  }

  gone(keys: readonly string[]): void {
    try {
      this.#options.keeper.gone(keys);
    } catch (error) {
      // It was a hint: what is gone, settling finds too.
      const { log, source } = this.#options;
      log.debug('what was gone could not be forgotten', { source, cause: messageOf(error) });
    }
  }

  async close(): Promise<void> {
    this.#ended.abort(new AppError('index.closed', 'the node stops', { retriable: true }));
    await this.#running;
    await this.#options.keeper[Symbol.asyncDispose]();
    for (const each of [this.#writer, this.#damaged]) each?.[Symbol.dispose]();
    this.#writer = null;
  }

  async #run(): Promise<void> {
    this.#openExisting();
    while (!this.#ended.signal.aborted) {
      const waitMs = await this.#round();
      if (waitMs > 0) await this.#wake.wait(waitMs, this.#ended.signal);
    }
  }

  #openExisting(): void {
    const { directory, source, log, keeper } = this.#options;
    try {
      const found = openIndex(directory, source);
      if (found === null) return;
      this.#damaged = found; // until it has proved to be usable
      const place = keeper.place();
      if (place !== null && found.fact(PLACE) !== place) throw new Error('it is of another place');
      this.#use(found);
      this.#status.become('ready', FOLLOWS);
    } catch (error) {
      const cause = messageOf(error);
      log.error('the index that lies there cannot be used and is built anew', { source, cause });
      this.#damaged?.[Symbol.dispose]();
      this.#damaged = null;
    }
  }

  /** One round: a build where one is wanted, else a sweep. How long to wait until the next. */
  async #round(): Promise<number> {
    // A comparison goes on with the index that it began with, which a build would close.
    const building = this.#writer === null || (this.#wanted && !this.#verifying);
    try {
      await (building ? this.#build() : this.#keep());
      return SWEEP_MS;
    } catch (error) {
      if (this.#ended.signal.aborted) return 0;
      if (codeOf(error) !== 'index.broken' || building) return this.#failed(error, building);
      this.#discard(error);
      return 0;
    }
  }

  async #build(): Promise<void> {
    const { directory, source, keeper, clock, log } = this.#options;
    const begunMs = clock.monotonicMs();
    let builder: IndexBuilder | null = null;
    try {
      const follow = this.#status.begin(this.#writer?.counts().files ?? null, this.#options);
      builder = beginIndex(directory, source);
      const what = await keeper.build(builder, follow, this.#ended.signal);
      // A build looks at everything, as an audit does.
      for (const fact of [BUILT_AT, AUDITED_AT]) builder.setFact(fact, clock.now().toString());
      builder.setFact(PLACE, keeper.place());
      builder.complete();
      this.#use(builder);
      removeOtherIndexes(directory, source, builder.serial);
      log.info('the index is built', { source, what, ms: Math.round(clock.monotonicMs() - begunMs) });
    } catch (error) {
      builder?.[Symbol.dispose]();
      throw error;
    } finally {
      this.#status.progress = null;
    }
    this.#wanted = false;
    this.#failures = 0;
    this.#status.sweptAt = this.#status.builtAt;
    this.#status.become('ready', FOLLOWS);
  }

  #use(next: IndexWriter): void {
    this.#options.keeper.adopt(next);
    this.#status.builtAt = next.fact(BUILT_AT);
    this.#status.auditedAt = next.fact(AUDITED_AT);
    const before = [this.#writer, this.#damaged];
    this.#writer = next;
    this.#damaged = null;
    for (const each of before) if (each !== next) each?.[Symbol.dispose]();
  }

  /** No search uses it any more; what follows builds another. */
  #discard(error: unknown): void {
    if (this.#writer === null) return;
    const { source, log } = this.#options;
    const cause = messageOf(error);
    log.error('the index is damaged and will be built anew', { source, cause });
    this.#damaged = this.#writer;
    this.#writer = null;
    this.#status.become('building', `it was damaged (${cause}) and is built anew; ${WALKING}`);
    this.#wake.wake();
  }

  async #keep(): Promise<void> {
    const { keeper, clock, log, source } = this.#options;
    const sentence = await keeper.sweep(this.#ended.signal);
    if (sentence !== null) log.info(sentence, { source });
    this.#status.sweptAt = clock.now().toString();
    if (isDue(this.#status.auditedAt, clock) && !this.#verifying) await this.#audit(this.#ended.signal);
    this.#failures = 0;
    this.#status.become(this.#status.state, FOLLOWS);
  }

  async #audit(signal: AbortSignal): Promise<IndexVerdict> {
    const { keeper, clock, log, source } = this.#options;
    this.#verifying = true;
    try {
      const verdict = await keeper.audit(signal);
      const damage = this.#writer?.check() ?? null;
      if (damage !== null) throw new AppError('index.broken', damage);
      const now = clock.now().toString();
      Object.assign(this.#status, { sweptAt: now, auditedAt: now });
      this.#writer?.setFact(AUDITED_AT, now);
      log.info('compared the index with all that lies there', { source, ...verdict });
      return verdict;
    } catch (error) {
      if (codeOf(error) === 'index.broken') this.#discard(error);
      throw error;
    } finally {
      this.#verifying = false;
      if (this.#wanted) this.#wake.wake();
      this.#status.tell();
    }
  }

  #failed(error: unknown, building: boolean): number {
    const { log, source } = this.#options;
    const waitMs = Math.min(FIRST_RETRY_MS * 2 ** this.#failures, MAX_RETRY_MS);
    this.#failures += 1;
    if (this.#writer !== null) this.#wanted = false; // the present one goes on; who wants another asks again
    const what = building
      ? 'the index cannot be built now'
      : 'the index cannot be compared with the source now';
    log.warn(what, { source, code: codeOf(error), cause: messageOf(error), againInMs: waitMs });
    const sentence = `${what}: ${messageOf(error)}; tried again in ${Math.round(waitMs / 1000)} s`;
    this.#status.become(this.#writer === null ? 'failed' : this.#status.state, sentence);
    return waitMs;
  }
}

/** What is of later than now was noted by a clock that has been set back. */
function isDue(last: string | null, clock: Clock): boolean {
  if (last === null) return true;
  const hours = clock.now().since(Temporal.Instant.from(last)).total('hours');
  return hours < 0 || hours >= AUDIT_EVERY_HOURS;
}
