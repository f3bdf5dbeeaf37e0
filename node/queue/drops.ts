import { type FSWatcher, watch } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../platform/clock.ts';
import { isMissing, readBounded, removeDurable } from '../platform/durable.ts';
import { AppError, codeOf, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { createWake } from '../platform/wake.ts';

/** Old documents have a few hundred bytes. */
const DROP_MAX_BYTES = 65_536;
/** A file that cannot be read as JSON and has not changed for so long is not going to be finished. */
const HALF_WRITTEN_MS = 15_000;
/** Names with a dot in front are somebody's temporary files, until they are this old. */
const ABANDONED_MS = 3_600_000;
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

/** Takes the files that others drop into `pending/`: whole ones are admitted, foreign ones moved aside. */
export function createDrops(options: DropOptions) {
  const { directory, clock, log } = options;
  const stopping = new AbortController();
  const wake = createWake();
  let watcher: FSWatcher | null = null;
  let loop: Promise<void> = Promise.resolve();

  /** Looks at every foreign file once; tells whether one is still being written. */
  async function sweep(): Promise<boolean> {
    let unfinished = false;
    for (const name of (await readdir(directory)).toSorted()) {
      if (stopping.signal.aborted) break;
      if (options.isOwn(name)) continue;
      try {
        unfinished = (await take(name)) === 'unfinished' || unfinished;
      } catch (error) {
        // One file never stops the others: it lies where it is and is tried at the next sweep.
        log.warn('a dropped file could not be taken yet', {
          file: name,
          code: codeOf(error),
          reason: messageOf(error),
        });
      }
    }
    return unfinished;
  }

  async function take(name: string): Promise<'taken' | 'unfinished' | 'left'> {
    const path = join(directory, name);
    const about = await lstat(path).catch((error: unknown) => {
      if (isMissing(error)) return null;
      throw error;
    });
    if (about === null) return 'left';
    const ageMs = clock.now().epochMilliseconds - about.mtimeMs;
    if (name.startsWith('.') && ageMs < ABANDONED_MS) return 'left';
    const refuse = async (reason: string): Promise<'taken'> => {
      log.warn('a dropped file was moved aside', { file: name, reason });
      await options.setAside(path, reason);
      return 'taken';
    };
    if (!about.isFile()) return refuse('not a regular file');
    if (name.startsWith('.')) return refuse('a temporary file that nobody finished');
    if (about.size > DROP_MAX_BYTES) return refuse(`larger than ${DROP_MAX_BYTES} bytes`);

    const content = await readBounded(path, DROP_MAX_BYTES);
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
      if (!stopping.signal.aborted) await clock.sleep(UNFINISHED_MS / 10).catch(() => undefined);
    }
  }

  return {
    start: (): void => {
      watcher = watch(directory, (_event, name) => {
        if (name !== null && !options.isOwn(name)) wake.wake();
      });
      // The sweep goes on without it.
      watcher.on('error', (error) =>
        log.warn('watching for dropped files failed', { reason: messageOf(error) }),
      );
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
    return undefined; // Half-written or foreign; the caller tells them apart by age.
  }
}
