import type { DayRange } from '../recordings/day-folders.ts';
import type { IndexVerdict } from '../recordings/recording-index.ts';
import type { IndexBuilder, IndexWriter } from './index-database.ts';

/** How far a build is. */
export type BuildProgress = (done: { readonly files: number; readonly folders: number }) => void;

/**
 * Keeps an index true to its source. Lives in the index's own thread, the only one that writes; may block that
 * thread for some milliseconds at a time. `build`, `settle` and `sweep` give a sentence saying what was done, for the log;
 * null where nothing was to be done. @throws AppError `recordings.unavailable` where the root cannot be read; the signal's
 * reason
 */
export interface Keeper extends AsyncDisposable {
  /** Where its source lies: an index of another place is of no use. Null where that cannot be told now. */
  place(): string | null;
  /** Fills a new index with all there is. */
  build(builder: IndexBuilder, progress: BuildProgress, signal: AbortSignal): Promise<string>;
  /** Takes over an index that is complete: begins to watch, and will change it from now on. Replaces the one before. */
  adopt(writer: IndexWriter): void;
  /** Makes the index agree with what lies there now wherever these days can be: called before each search. */
  settle(range: DayRange, signal: AbortSignal): Promise<string | null>;
  /** Looks everywhere where something can have changed unnoticed; called every few minutes. */
  sweep(signal: AbortSignal): Promise<string | null>;
  /** Compares everything, whatever it thinks it knows; puts right what differs. */
  audit(signal: AbortSignal): Promise<IndexVerdict>;
  /** Folders or pages of these days that could not be read when they were last looked at; none where there is none such. */
  unreadable?(range: DayRange): readonly string[];
  /** A hit that was gone when it was looked at. */
  gone(keys: readonly string[]): void;
  /** Folders whose changes are told at once. */
  watched(): number;
}
