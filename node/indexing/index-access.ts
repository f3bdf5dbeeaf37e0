import type { DayRange } from '../recordings/day-folders.ts';
import type { IndexReader } from './index-database.ts';

/** What settling came to. */
export interface Settled {
  /** Sees what was settled; until the next call of `settle`. */
  readonly reader: IndexReader;
  /** Folders or pages of these days that could not be read. */
  readonly unreadable: readonly string[];
}

/** An index as a search uses it. */
export interface IndexAccess {
  /**
   * Makes the index agree with what lies there now wherever these days can be; null where there is no index to be
   * used, so that the search has to do without.
   * @throws AppError `recordings.unavailable` (retriable) where the source is away or does not answer within `limitMs`;
   * the signal's reason
   */
  settle(range: DayRange, signal: AbortSignal, limitMs?: number): Promise<Settled | null>;
  /** The index as it was last settled, for what need not be exact; null where there is none. Until the next turn of the event loop. */
  present(): IndexReader | null;
  /** Tells of hits that were gone when they were looked at. */
  gone(keys: readonly string[]): void;
  /** Says that the reader has met a damaged file: another index is built, and none is used meanwhile. */
  broken(error: unknown): void;
}
