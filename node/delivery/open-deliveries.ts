import { join } from 'node:path';
import { createKeyedMutex } from '../platform/mutex.ts';
import type { DeliveryStore } from './deliveries.ts';
import { importRecords } from './delivery-import.ts';
import { sweepUnknown } from './delivery-orphans.ts';
import { createReading } from './delivery-reading.ts';
import { openRecords } from './delivery-records.ts';
import { ELSEWHERE } from './delivery-removal.ts';
import type { DeliveryStoreOptions, StoreScope } from './delivery-scope.ts';
import { sentenceOf, sweepDue } from './delivery-sweep.ts';
import { createWriting } from './delivery-writing.ts';

export interface OpenedDeliveries extends DeliveryStore {
  /** What an operator should know; empty where all is well. */
  warnings(): readonly string[];
}

/**
 * Opens the records of deliveries. A damaged database is set aside and a new one begun: links of before open nothing
 * then, and what they opened is removed when that is safe.
 * @throws AppError `delivery.newer-store`, `delivery.unavailable`
 */
export async function openDeliveries(options: DeliveryStoreOptions): Promise<OpenedDeliveries> {
  const { stateDir, publisher, log } = options;
  const { use, warnings, close } = openRecords(join(stateDir, 'deliveries.db'), log);
  await importRecords({ directory: join(stateDir, 'deliveries'), publisher, use, log });
  const scope: StoreScope = { ...options, use, exclusive: createKeyedMutex() };
  let told = false;
  return {
    ...createWriting(scope),
    ...createReading(scope),
    sweepExpired: async (now, signal) => {
      const swept = await sweepDue(scope, now, signal);
      if (swept.elsewhere > 0 && !told) {
        told = true;
        log.warn(ELSEWHERE, { deliveries: swept.elsewhere, place: swept.place });
      }
      if (swept.removed > 0) use((rows) => rows.vacuum());
      return sentenceOf(swept);
    },
    sweepOrphans: (now, signal) => sweepUnknown(scope, now, signal),
    warnings,
    close,
  };
}
