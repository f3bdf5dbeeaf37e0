import { type FSWatcher, type Stats, watch } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { MAX_DROP_BYTES } from '../../protocol/legacy.ts';
import type { Clock } from '../platform/clock.ts';
import { isMissing, readBounded, removeDurable, TEMPORARY_PREFIX } from '../platform/durable.ts';
import { AppError, codeOf, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { createWake } from '../platform/wake.ts';

/** A file that cannot be read as JSON and has not changed for so long is not going to be finished. */
const HALF_WRITTEN_MS = 15_000;
/** Names with a dot in front are somebody's temporary files, and what may not be read may be mended, for so long. */
const ABANDONED_MS = 3_600_000;
/** Files whose waiting is timed at once; more of them wait for their turn. */
const MAX_TIMED = 1_000;
/** Watching may miss an event (inotify(7), queue overflow), so the directory is read again this often. */
const SWEEP_MS = 10_000;
/** While a file is being written, it is looked at this often. */
const UNFINISHED_MS = 200;

export interface DropOptions {
  readonly directory: string;
  /** Whether a name is one of the spool's own files. */
  readonly isOwn: (fileName: string) => boolean;
  /**
   * Takes a document, its job on disk when this resolves. @throws AppError `drop.refused` with the reason where it is
   * foreign; anything else leaves the file where it is, to be tried again
   */
  readonly admit: (content: Buffer, document: unknown) => Promise<string>;
  /** Called where a file is moved aside; it is the one that moves it. */
  readonly setAside: (path: string, reason: string) => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
}

/** A file that cannot be taken yet. */
interface Waiting {
  /** Changes when somebody writes to it. */
  readonly print: string;
  /** On the clock for durations, since the file's own time is its sender's. */
  readonly sinceMs: number;
  /** Codes of errors that were logged. */
  readonly told: Set<string>;
}

/** Takes the files that others drop into `pending/`: whole ones are admitted, foreign ones moved aside. */
export function createDrops(options: DropOptions) {
  const { directory, clock, log } = options;
  const stopping = new AbortController();
  const wake = createWake();
  const waiting = new Map<string, Waiting>();
  let watcher: FSWatcher | null = null;
  let loop: Promise<void> = Promise.resolve();

  /** Looks at every foreign file once; tells whether one is still being written. */
  async function sweep(): Promise<boolean> {
    let unfinished = false;
    const names = (await readdir(directory)).toSorted();
    const there = new Set(names);
    for (const name of waiting.keys()) if (!there.has(name)) waiting.delete(name);
    for (const name of names) {
      if (stopping.signal.aborted) break;
      if (options.isOwn(name)) continue;
      try {
        unfinished = (await take(name)) === 'unfinished' || unfinished;
      } catch (error) {
        // One file never stops the others: it lies where it is and is tried at the next sweep.
        tell(name, error);
      }
    }
    return unfinished;
  }

  /** Logs what is wrong with a file, once. */
  function tell(name: string, error: unknown): void {
    const code = codeOf(error);
    const told = waiting.get(name)?.told;
    if (told?.has(code) === true || (told === undefined && waiting.size >= MAX_TIMED)) return;
    told?.add(code);
    log.warn('a dropped file could not be taken yet', { file: name, code, reason: messageOf(error) });
  }

  /** Milliseconds since a file was first seen as it is. */
  function unchangedMs(name: string, { ino, size, mtimeMs }: Stats): number {
    const nowMs = clock.monotonicMs();
    const print = `${ino}:${size}:${mtimeMs}`;
    const earlier = waiting.get(name);
    if (earlier?.print === print) return nowMs - earlier.sinceMs;
    if (earlier === undefined && waiting.size >= MAX_TIMED) return 0;
    waiting.set(name, { print, sinceMs: nowMs, told: new Set() });
    return 0;
  }

  async function take(name: string): Promise<'taken' | 'unfinished' | 'left'> {
    const path = join(directory, name);
    const about = await lstat(path).catch((error: unknown) => {
      if (isMissing(error)) return null;
      throw error;
    });
    if (about === null) return 'left';
    const ageMs = unchangedMs(name, about);
    if (name.startsWith('.') && ageMs < ABANDONED_MS) return 'left';
    const refuse = async (reason: string): Promise<'taken'> => {
      log.warn('a dropped file was moved aside', { file: name, reason });
      await options.setAside(path, reason);
      return 'taken';
    };
    if (!about.isFile()) return refuse('not a regular file');
    if (name.startsWith('.')) return refuse('a temporary file that nobody finished');
    if (about.size > MAX_DROP_BYTES) return refuse(`larger than ${MAX_DROP_BYTES} bytes`);

    let content: Buffer;
    try {
      content = await readBounded(path, MAX_DROP_BYTES);
    } catch (error) {
      if (codeOf(error) !== 'EACCES' || ageMs < ABANDONED_MS) throw error;
      return refuse('it may not be read (EACCES)');
    }
    const document = parse(content);
    if (document === undefined) {
      return ageMs < HALF_WRITTEN_MS ? 'unfinished' : refuse('not a whole JSON document');
    }
    try {
      log.info(await options.admit(content, document), { file: name });
    } catch (error) {
      if (error instanceof AppError && error.code === 'drop.refused') return refuse(error.message);
      throw error;
    }
    await removeDurable(path);
    return 'taken';
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      let unfinished = false;
      try {
        unfinished = await sweep();
      } catch (error) {
        log.error('the directory for dropped files cannot be read', {
          code: codeOf(error),
          reason: messageOf(error),
        });
      }
      await wake.wait(unfinished ? UNFINISHED_MS : SWEEP_MS, stopping.signal);
      // A file being written makes an event for each write.
      if (!stopping.signal.aborted) await clock.sleep(UNFINISHED_MS / 10);
    }
  }

  const notWatching = (error: unknown): void => {
    log.warn(`dropped files cannot be watched for; they are looked for every ${SWEEP_MS / 1000} s`, {
      code: codeOf(error),
      reason: messageOf(error),
    });
  };

  return {
    start: (): void => {
      try {
        watcher = watch(directory, (_event, name) => {
          if (name !== null && !name.startsWith(TEMPORARY_PREFIX) && !options.isOwn(name)) wake.wake();
        });
        watcher.on('error', notWatching);
      } catch (error) {
        notWatching(error); // at the limit of inotify(7) it throws
      }
      loop = run();
    },
    stop: async (): Promise<void> => {
      stopping.abort();
      watcher?.close();
      await loop;
    },
  };
}

function parse(content: Buffer): unknown {
  try {
    return JSON.parse(content.toString('utf8'));
  } catch {
    return undefined; // Half-written or foreign; the caller tells them apart by time.
  }
}
