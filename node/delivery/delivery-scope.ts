import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { KeyedMutex } from '../platform/mutex.ts';
import type { DeliveryRows } from './delivery-rows.ts';
import type { Publisher } from './publisher.ts';

export interface DeliveryStoreOptions {
  /** Holds `deliveries.db`; records of before, in `deliveries/`, are taken over. */
  readonly stateDir: string;
  readonly publisher: Publisher;
  /** Where the web publisher keeps its files, whoever publishes now. */
  readonly webRoot: string;
  /** LINK_HOURS where the bucket answers links by itself; null where this node answers all. */
  readonly presignedHours: number | null;
  readonly clock: Clock;
  readonly log: Log;
  /** Of the recordings of one delivery, as JSON; 128 Mi characters unless told. */
  readonly maxItemsLength?: number;
}

/** What the parts of the store share. */
export interface StoreScope extends Omit<DeliveryStoreOptions, 'stateDir'> {
  /** Does something with the records. */
  readonly use: <T>(work: (rows: DeliveryRows) => T) => T;
  /** One thing at a time is done to the delivery of a job. */
  readonly exclusive: KeyedMutex;
}
