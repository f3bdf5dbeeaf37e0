import { realpathSync } from 'node:fs';
import type { Clock } from '../platform/clock.ts';
import { AppError, codeOf, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { createWake } from '../platform/wake.ts';
import type { DayRange } from '../recordings/day-folders.ts';
import type { IndexVerdict } from '../recordings/recording-index.ts';
import { follow, lookAgain, type OpenedIndex } from './disk-background.ts';
import { buildDiskIndex } from './disk-build.ts';
import { checkFolders, readFolders, unreadableFolders, watchGrowing } from './disk-checks.ts';
import type { DiskIndex } from './disk-folders.ts';
import { createFolderTree, type Folder, type FolderTree, folderTreeOf } from './folder-tree.ts';
import type { IndexBuilder, IndexWriter } from './index-database.ts';
import type { BuildProgress, Keeper } from './keeper.ts';
import { createWatches, type WatchFunction } from './watches.ts';

/** Directories watched at most; the kernel may allow fewer. Each takes about a kilobyte of it. */
const DEFAULT_MAX_WATCHES = 4096;

export interface DiskKeeperOptions {
  /** RECORDINGS_DIR. */
  readonly root: string;
  readonly clock: Clock;
  readonly log: Log;
  /** 0: nothing is watched, all is looked at. */
  readonly maxWatches?: number;
  readonly watch?: WatchFunction;
}

/** An index in use, and what goes on with it in the background. */
interface Live extends OpenedIndex {
  readonly ended: AbortController;
  readonly tasks: Promise<unknown>;
}

/** Keeps the index of a directory tree true to it. */
export function createDiskKeeper(options: DiskKeeperOptions): Keeper {
  return new DiskKeeper(options);
}

class DiskKeeper implements Keeper {
  readonly #options: DiskKeeperOptions;
  #building: OpenedIndex | null = null;
  #live: Live | null = null;
  /** What went wrong in the background, to be told at the next call. */
  #failure: unknown = null;

  constructor(options: DiskKeeperOptions) {
    this.#options = options;
  }

  place(): string | null {
    try {
      return realpathSync(this.#options.root);
    } catch {
      return null; // it is away
    }
  }

  async build(builder: IndexBuilder, progress: BuildProgress, signal: AbortSignal): Promise<string> {
    this.#building?.index.watches.close();
    const tree = createFolderTree(builder.putFolder('', null), null);
    const opened = openTree(this.#options, tree, builder);
    this.#building = opened;
    try {
      return await buildDiskIndex(opened.index, progress, signal);
    } catch (error) {
      opened.index.watches.close();
      this.#building = null;
      throw error;
    }
  }

  adopt(writer: IndexWriter): void {
    let opened = this.#building?.index.writer === writer ? this.#building : null;
    if (opened === null) {
      const tree = folderTreeOf(writer.folders());
      if (tree === null) throw new AppError('index.broken', 'the folders of the index make no tree');
      opened = openTree(this.#options, tree, writer);
    }
    this.#building = null;
    this.#failure = null;
    const before = this.#live;
    before?.ended.abort();
    before?.index.watches.close();
    const ended = new AbortController();
    const onFailure = (error: unknown): void => this.#noteFailure(error);
    const tasks = Promise.all([before?.tasks, follow(opened, ended.signal, onFailure)]);
    this.#live = { ...opened, ended, tasks };
  }

  settle(range: DayRange, signal: AbortSignal): Promise<string | null> {
    return this.#tallied('before a search', (index) => checkFolders(index, range, signal));
  }

  sweep(signal: AbortSignal): Promise<string | null> {
    return this.#tallied('looked at all folders', async (index) => {
      await watchGrowing(index, signal);
      await checkFolders(index, null, signal);
    });
  }

  async audit(signal: AbortSignal): Promise<IndexVerdict> {
    const index = this.#current();
    const begunMs = index.clock.monotonicMs();
    const { added, removed } = await readFolders(index, signal);
    return {
      ...index.writer.counts(),
      missing: added,
      stale: removed,
      unreadable: [...index.tree.all()].filter(({ unreadable }) => unreadable).length,
      elapsedMs: Math.round(index.clock.monotonicMs() - begunMs),
    };
  }

  unreadable(range: DayRange): readonly string[] {
    return this.#live === null ? [] : unreadableFolders(this.#live.index, range);
  }

  gone(keys: readonly string[]): void {
    if (this.#live !== null) lookAgain(this.#live, keys);
  }

  watched(): number {
    return this.#live?.index.watches.count ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#building?.index.watches.close();
    this.#live?.ended.abort();
    this.#live?.index.watches.close();
    await this.#live?.tasks;
    this.#live = null;
  }

  #current(): DiskIndex {
    if (this.#live === null) {
      throw new AppError('index.not-ready', 'there is no index yet', { retriable: true });
    }
    const failure = this.#failure;
    this.#failure = null;
    if (failure !== null) throw failure instanceof Error ? failure : new Error(messageOf(failure));
    return this.#live.index;
  }

  /** Null where nothing was to be done. */
  async #tallied(about: string, work: (index: DiskIndex) => Promise<void>): Promise<string | null> {
    const index = this.#current();
    const before = { ...index.tally };
    await work(index);
    const { read, added, removed } = index.tally;
    const [folders, more, fewer] = [read - before.read, added - before.added, removed - before.removed];
    if (folders + more + fewer === 0) return null;
    return `${about}: ${folders} folders read, ${more} recordings new, ${fewer} gone`;
  }

  #noteFailure(error: unknown): void {
    this.#failure = error;
    const code = codeOf(error);
    this.#options.log.error('the index could not follow what changed', { code, cause: messageOf(error) });
  }
}

function openTree(
  { root, log, clock, maxWatches = DEFAULT_MAX_WATCHES, watch }: DiskKeeperOptions,
  tree: FolderTree,
  writer: IndexWriter,
): OpenedIndex {
  const noticed: DiskIndex['noticed'] = new Set();
  const wake = createWake();
  const watches = createWatches({
    root,
    maxWatches,
    ...(watch === undefined ? {} : { watch }),
    log,
    noticed: (folder) => {
      noticed.add(folder);
      wake.wake();
    },
  });
  const tally = { read: 0, added: 0, removed: 0 };
  const known = { unread: new Set<Folder>(), localDevices: new Map<number, boolean>() };
  return { index: { root, tree, writer, watches, clock, log, noticed, tally, ...known }, wake };
}
