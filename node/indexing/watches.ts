import { type FSWatcher, watch as watchFolder } from 'node:fs';
import { basename } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { codeOf, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { type FolderStat, statFolder, statRoot } from './folder-scan.ts';
import { type Folder, isSameFolder, pathOf } from './folder-tree.ts';

/**
 * The kernel keeps as many events that nobody has read, then drops them (inotify(7), max_queued_events), and libuv does
 * not pass on that it did: so many at once are taken as a sign of it. Half of the kernel's default. The queue is one for
 * all watches of a thread, and each `Watches` counts its own: while an index is built beside the one in use both watch the
 * same folders, each of them is told of every event, and so either count is the queue's.
 */
const BURST_EVENTS = 8192;
/** Names of one folder that wait to be looked at; of more, the folder is read instead. */
const MAX_PENDING_NAMES = 16_384;

/** `fs.watch`, as much of it as is used. */
export type WatchFunction = (
  path: string,
  listener: (event: string, name: string | null) => void,
) => FSWatcher;

export interface WatchesOptions {
  readonly root: string;
  /** At most so many directories. */
  readonly maxWatches: number;
  readonly watch?: WatchFunction;
  readonly log: Log;
  /** A folder has something to be looked at. */
  readonly noticed: (folder: Folder) => void;
}

/** Watches over directories, one by one; their events become {@link Folder.pending}. */
export interface Watches {
  /** Watches a folder if that is possible; whether it is watched now. */
  put(folder: Folder): boolean;
  drop(folder: Folder): void;
  all(): readonly Folder[];
  readonly count: number;
  /** Lets limits that were met be tried again. */
  retry(): void;
  /** Resolves when all events of what happened before the call have been noticed. */
  drained(): Promise<void>;
  /** For good: what still works on an index that was replaced watches nothing more. */
  close(): void;
}

const watchNatively: WatchFunction = (path, listener) => watchFolder(path, { persistent: false }, listener);

export function createWatches(options: WatchesOptions): Watches {
  return new FolderWatches(options);
}

class FolderWatches implements Watches {
  readonly #options: WatchesOptions;
  readonly #watched = new Set<Folder>();
  #refused = false;
  #warned = false;
  #closed = false;
  /** Events of this turn of the event loop. */
  #burst = 0;

  constructor(options: WatchesOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#watched.size;
  }

  all(): readonly Folder[] {
    return [...this.#watched];
  }

  put(folder: Folder): boolean {
    const { maxWatches, watch = watchNatively } = this.#options;
    if (folder.watch !== null) return true;
    if (this.#closed || this.#refused || this.#watched.size >= maxWatches) return false;
    try {
      const path = pathOf(this.#options, folder);
      const own = basename(path);
      const watcher = watch(path, (event, name) => this.#notice(folder, own, event, name));
      watcher.on('error', () => {
        if (folder.watch === watcher) this.drop(folder); // what became of the folder, looking at it will tell
      });
      folder.watch = watcher;
      this.#watched.add(folder);
      return true;
    } catch (error) {
      this.#refuse(folder, error);
      return false;
    }
  }

  drop(folder: Folder): void {
    folder.watch?.close();
    folder.watch = null;
    this.#watched.delete(folder);
    // What was known by events alone is no longer known.
    folder.seen = folder.settled;
  }

  retry(): void {
    this.#refused = false;
  }

  async drained(): Promise<void> {
    // The kernel has queued them before the change's own system call returned; one whole turn of the loop reads them all.
    await nextTurn();
    await nextTurn();
  }

  close(): void {
    this.#closed = true;
    for (const folder of this.#watched) folder.watch?.close();
    this.#watched.clear();
  }

  #notice(folder: Folder, own: string, event: string, name: string | null): void {
    this.#countEvent();
    if (event === 'change' && name !== null) return; // contents, of which the index knows nothing
    folder.eventful = true;
    // libuv gives events of the folder itself its own name: removed, moved, unmounted, or its times were changed.
    if (name === own) this.#renew(folder);
    if (folder.doubtful) return;
    folder.pending ??= new Set();
    if (name !== null) folder.pending.add(name);
    if (name === null || name === '' || folder.pending.size > MAX_PENDING_NAMES) this.#doubt(folder);
    else this.#options.noticed(folder);
  }

  #countEvent(): void {
    if (this.#burst === 0) {
      setImmediate(() => {
        this.#burst = 0;
      });
    }
    this.#burst += 1;
    if (this.#burst !== BURST_EVENTS) return;
    this.#options.log.info(
      'too many changes at once to trust that all were told: watched folders are read again',
    );
    for (const folder of this.#watched) this.#doubt(folder);
  }

  #doubt(folder: Folder): void {
    folder.doubtful = true;
    folder.pending = null;
    this.#options.noticed(folder);
  }

  /** The watch may be dead: another one takes its place, and where nothing changed until then, nothing is lost. */
  #renew(folder: Folder): void {
    const believed = folder.seen;
    this.drop(folder);
    const now = this.put(folder) ? this.#look(folder) : null;
    if (now !== null && now.changed === believed && isSameFolder(folder, now) === true)
      folder.seen = believed;
    else this.#doubt(folder);
  }

  #look(folder: Folder): FolderStat | null {
    try {
      const path = pathOf(this.#options, folder);
      return folder.parent === null ? statRoot(path) : statFolder(path);
    } catch {
      return null; // reading it will tell
    }
  }

  #refuse(folder: Folder, error: unknown): void {
    const code = codeOf(error);
    // The folder itself is gone or closed to us: reading it will tell.
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EACCES') return;
    this.#refused = true;
    if (this.#warned) return;
    this.#warned = true;
    this.#options.log.warn(
      'not all folders can be watched (fs.inotify.max_user_watches); the others are looked at in turns',
      { folder: folder.path, watched: this.#watched.size, cause: messageOf(error) },
    );
  }
}
