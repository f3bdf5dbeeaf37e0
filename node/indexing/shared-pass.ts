import type { Clock } from '../platform/clock.ts';
import { AppError, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import {
  applyListed,
  brokenOffPass,
  type BucketIndex,
  knownCuts,
  listedAt,
  noteEnd,
  notePass,
  openBucketIndex,
  rereadFolders,
} from './bucket-index.ts';
import type { IndexWriter } from './index-database.ts';
import { beginPass, type ListedPart, listPass, type PassState } from './listing-pass.ts';

/** A pass that still runs is joined by who comes so much later: what a mail asks for was there when it was written. */
const JOINED_SECONDS = 10;

/** What a pass has done. */
export interface PassResult {
  /** RFC 3339: what was there by then is in the index. */
  readonly begunAt: string;
  readonly pages: number;
  readonly objects: number;
  readonly added: number;
  readonly removed: number;
}

/** Passes over the bucket, at most one at a time, shared by all who want one. */
export interface SharedPass extends AsyncDisposable {
  /** The index that passes write to from now on; what runs for another is ended. */
  adopt(writer: IndexWriter): void;
  /** What was adopted. @throws AppError `index.not-ready` where nothing was */
  index(): BucketIndex;
  /**
   * Sees to it that the index is of no earlier than `since`: by what it is of already (null), by a pass that runs, by one
   * that broke off and is young enough to go on, or by a new one. @throws AppError as `Lister.page`; the signal's
   * reason, while the pass goes on for others
   */
  since(instant: Temporal.Instant, signal: AbortSignal): Promise<PassResult | null>;
}

interface RunningPass {
  readonly begunAt: Temporal.Instant;
  readonly result: Promise<PassResult>;
  /** Ends it where it is. */
  readonly stop: AbortController;
}

export function createSharedPass(options: {
  readonly part: () => Promise<ListedPart>;
  readonly clock: Clock;
  readonly log: Log;
}): SharedPass {
  const { part, clock, log } = options;
  let adopted: BucketIndex | null = null;
  let running: RunningPass | null = null;
  let closed = false;

  const index = (): BucketIndex => {
    if (adopted === null) throw new AppError('index.not-ready', 'there is no index yet', { retriable: true });
    return adopted;
  };
  const begin = (of: BucketIndex, state: PassState): RunningPass => {
    const stop = new AbortController();
    const result = part()
      .then((listed) => runPass(listed, of, state, stop.signal))
      .finally(() => {
        if (running === pass) running = null;
      });
    const pass: RunningPass = { begunAt: Temporal.Instant.from(state.begunAt), result, stop };
    // Who waits for it is told; those may have gone away.
    result.catch((error: unknown) =>
      log.debug('a listing of the bucket broke off', { cause: messageOf(error) }),
    );
    return pass;
  };
  /** What is of later than now was noted by a clock that has been set back, and tells nothing. */
  const isOf = (instant: Temporal.Instant | null, since: Temporal.Instant): boolean =>
    instant !== null && isSince(instant, since) && isSince(clock.now(), instant);
  const next = (since: Temporal.Instant): RunningPass => {
    const of = index();
    if (closed) throw isClosed();
    const broken = brokenOffPass(of);
    const goesOn = broken !== null && isOf(Temporal.Instant.from(broken.begunAt), since);
    return begin(of, goesOn ? broken : beginPass(clock.now(), knownCuts(of)));
  };

  return {
    adopt: (writer) => {
      adopted = openBucketIndex(writer);
      running?.stop.abort(
        new AppError('index.replaced', 'another index took its place', { retriable: true }),
      );
      running = null;
    },
    index,
    since: async (since, signal) => {
      for (;;) {
        signal.throwIfAborted();
        const of = index();
        if (isOf(listedAt(of), since)) return null;
        const isOwn = running === null;
        running ??= next(since);
        const isEnough = isOwn || isOf(running.begunAt, since.subtract({ seconds: JOINED_SECONDS }));
        try {
          const result = await abortable(running.result, signal);
          if (isEnough) return result;
        } catch (error) {
          signal.throwIfAborted();
          if (isEnough && adopted === of) throw error;
        }
      }
    },
    [Symbol.asyncDispose]: async () => {
      closed = true;
      running?.stop.abort(isClosed());
      await running?.result.catch(() => undefined); // told to those who waited
    },
  };
}

/** Notes how far it has come with each page, so that a pass that breaks off can go on. */
async function runPass(
  part: ListedPart,
  index: BucketIndex,
  state: PassState,
  signal: AbortSignal,
): Promise<PassResult> {
  const { begunAt } = state;
  const reached = [...state.reached];
  const isWhole = reached.every((each) => each === null);
  let objects = 0;
  let added = 0;
  let removed = 0;
  const { cuts, pages } = await listPass(
    part,
    state,
    (listed, range, to) => {
      signal.throwIfAborted();
      const change = inTransaction(index, () => {
        // Other ranges go on after a page that could not be put in: that one is not to be passed over.
        notePass(index, { ...state, reached: reached.with(range, to) });
        return applyListed(index, listed);
      });
      reached[range] = to;
      objects += listed.objects.length;
      added += change.added;
      removed += change.removed;
    },
    signal,
  );
  if (isWhole && objects === 0) {
    notePass(index, null);
    const message = 'the bucket is empty: check S3_RECORDINGS_BUCKET and S3_RECORDINGS_PREFIX';
    throw new AppError('recordings.unavailable', message, { retriable: true });
  }
  noteEnd(index, begunAt, isWhole ? cuts : null);
  return { begunAt, pages, objects, added, removed };
}

function inTransaction<T>(index: BucketIndex, work: () => T): T {
  try {
    return index.writer.transaction(work);
  } catch (error) {
    rereadFolders(index);
    throw error;
  }
}

function isClosed(): AppError {
  return new AppError('index.closed', 'the index is being closed', { retriable: true });
}

function isSince(instant: Temporal.Instant | null, since: Temporal.Instant): boolean {
  return instant !== null && Temporal.Instant.compare(instant, since) >= 0;
}

/** What work comes to; the signal's reason when that aborts first, while the work goes on. */
async function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const over = new AbortController();
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), {
      once: true,
      signal: over.signal,
    });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    over.abort();
  }
}
