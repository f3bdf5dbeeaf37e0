import type { SourceName } from '../../protocol/job.ts';
import type { LogFields, LogLevel } from '../platform/log.ts';
import type { DayRange } from '../recordings/day-folders.ts';
import type { IndexStatus, IndexVerdict } from '../recordings/recording-index.ts';
import type { S3KeeperOptions } from './s3-keeper.ts';

/** Which keeper a thread is to host, and with what: plain data. */
export type KeeperSpec =
  | { readonly kind: 'disk'; readonly root: string; readonly maxWatches?: number }
  | { readonly kind: 's3'; readonly options: Omit<S3KeeperOptions, 'clock' | 'log'> };

/** What an index thread is started with. */
export interface ThreadData {
  readonly source: SourceName;
  /** `<STATE_DIR>/index`. */
  readonly directory: string;
  readonly keeper: KeeperSpec;
}

export type ToThread =
  | { readonly kind: 'settle'; readonly id: number; readonly range: DayRange }
  | { readonly kind: 'verify'; readonly id: number }
  | { readonly kind: 'abort'; readonly id: number }
  | { readonly kind: 'gone'; readonly keys: readonly string[] }
  /** `broken`: the serial of an index that cannot be read. */
  | { readonly kind: 'rebuild'; readonly broken: number | null }
  | { readonly kind: 'close' };

/** How an index is, as its thread tells it. */
export interface HostReport extends Omit<IndexStatus, 'source'> {
  /** Of the database that searches may read; null where there is none. */
  readonly serial: number | null;
}

/** What settling came to. */
export interface SettleAnswer {
  /** Of the index that was settled. */
  readonly serial: number;
  readonly unreadable: readonly string[];
}

/** An error as it crosses. */
export interface CarriedError {
  readonly code: string;
  readonly message: string;
  readonly retriable: boolean;
}

export type FromThread =
  | { readonly kind: 'report'; readonly report: HostReport }
  | { readonly kind: 'settled'; readonly id: number; readonly answer: SettleAnswer | null }
  | { readonly kind: 'verified'; readonly id: number; readonly verdict: IndexVerdict }
  | { readonly kind: 'failed'; readonly id: number; readonly error: CarriedError }
  | { readonly kind: 'log'; readonly level: LogLevel; readonly message: string; readonly fields: LogFields };
