import { setImmediate as nextTurn } from 'node:timers/promises';
import { codeOf } from '../platform/errors.ts';
import type { Wake } from '../platform/wake.ts';
import { watchGrowing } from './disk-checks.ts';
import { applyEvents } from './disk-events.ts';
import { type DiskIndex, readFolder } from './disk-folders.ts';
import { sizeSome } from './disk-sizes.ts';

/** What events tell of is looked at so much later, so that what comes together is done together. */
const EVENTS_DELAY_MS = 1;
const IDLE_MS = 60_000;
/** Sizes are found in a tenth of the time at most, and looked for so often where there are none to be found. */
const SIZES_REST_FACTOR = 9;
const SIZES_MIN_REST_MS = 100;
const SIZES_IDLE_MS = 15_000;

/** An index, and what wakes whoever follows its events. */
export interface OpenedIndex {
  readonly index: DiskIndex;
  /** Woken by events. */
  readonly wake: Wake;
}

/**
 * What goes on with an index in use while nobody searches: it follows events, and finds sizes. Resolves when the signal
 * ends it; what goes wrong is told and tried again.
 */
export async function follow(
  opened: OpenedIndex,
  signal: AbortSignal,
  onFailure: (error: unknown) => void,
): Promise<void> {
  await Promise.all([followEvents(opened, signal, onFailure), findSizes(opened.index, signal, onFailure)]);
}

/** Has names looked at that a search has found nothing under. */
export function lookAgain({ index, wake }: OpenedIndex, keys: readonly string[]): void {
  for (const key of keys) {
    const cut = key.lastIndexOf('/');
    const folder = index.tree.at(key.slice(0, Math.max(cut, 0)));
    if (folder === undefined || folder.doubtful) continue;
    folder.pending ??= new Set();
    folder.pending.add(key.slice(cut + 1));
    index.noticed.add(folder);
  }
  wake.wake();
}

/** Puts into the index what events tell of, and reads folders that nobody has read yet, until it is ended. */
async function followEvents(
  { index, wake }: OpenedIndex,
  signal: AbortSignal,
  onFailure: (error: unknown) => void,
): Promise<void> {
  wake.wake();
  let begun = false;
  while (!signal.aborted) {
    try {
      await wake.wait(IDLE_MS, signal);
      await index.clock.sleep(EVENTS_DELAY_MS, signal);
      if (!begun) await watchGrowing(index, signal);
      begun = true;
      applyEvents(index);
      for (const folder of index.unread) {
        readFolder(index, folder);
        await nextTurn();
        if (signal.aborted) return;
      }
    } catch (error) {
      if (signal.aborted) return;
      // Searches say that the disk is away; what is there when it is back, how its folders changed tells.
      if (codeOf(error) !== 'recordings.unavailable') onFailure(error);
    }
  }
}

/** Finds sizes, a few at a time, until it is ended. */
async function findSizes(
  index: DiskIndex,
  signal: AbortSignal,
  onFailure: (error: unknown) => void,
): Promise<void> {
  let growing = 0;
  let restMs = SIZES_MIN_REST_MS;
  while (!signal.aborted) {
    try {
      await index.clock.sleep(restMs, signal);
      const slice = sizeSome(index, growing);
      growing = slice.growing;
      restMs =
        slice.sized === 0 ? SIZES_IDLE_MS : Math.max(SIZES_MIN_REST_MS, slice.tookMs * SIZES_REST_FACTOR);
    } catch (error) {
      if (signal.aborted) return;
      restMs = SIZES_IDLE_MS;
      onFailure(error);
    }
  }
}
