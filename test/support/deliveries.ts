import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Readable } from 'node:stream';
import type { DeliveredItem, Delivery } from '../../node/delivery/manifest.ts';
import type { DeliveryStoreOptions } from '../../node/delivery/delivery-scope.ts';
import { type OpenedDeliveries, openDeliveries } from '../../node/delivery/open-deliveries.ts';
import type { Publisher } from '../../node/delivery/publisher.ts';
import type { Clock } from '../../node/platform/clock.ts';
import { createLog, silentLog } from '../../node/platform/log.ts';
import { aboutDelivery, deliveredItem } from './delivered.ts';
import { fixedClock } from './fixed-clock.ts';
import { createMemoryPublisher } from './memory-publisher.ts';
import { temporaryDirectory } from './process.ts';
import { audioObject, JOB } from './publisher-contract.ts';

const { signal } = new AbortController();

/** What a request is about, where it does not matter. */
export const ABOUT = aboutDelivery();

/** The id of one of many jobs. */
export function jobOf(number: number): string {
  return number.toString(16).padStart(64, '0');
}

/** The records of deliveries of a publisher, below `stateDir`, as a node opens them. */
export function openDeliveriesIn(
  stateDir: string,
  publisher: Publisher,
  clock: Clock,
  log = silentLog,
  bounds: Pick<DeliveryStoreOptions, 'maxItemsLength'> = {},
): Promise<OpenedDeliveries> {
  const presignedHours = publisher.presign === null ? null : 24;
  return openDeliveries({
    ...{ stateDir, publisher, webRoot: join(stateDir, 'web'), presignedHours, clock, log, ...bounds },
  });
}

/** The jobs of which a node that is down has records, and when these end; the first to end first. */
export function deliveryEnds(stateDir: string): { readonly job: string; readonly ends: Temporal.Instant }[] {
  const database = new DatabaseSync(join(stateDir, 'deliveries.db'));
  try {
    const rows = database.prepare('SELECT job, ends FROM deliveries ORDER BY ends').all();
    return rows.map(({ job, ends }) => ({
      job: String(job),
      ends: Temporal.Instant.fromEpochMilliseconds(Number(ends)),
    }));
  } finally {
    database.close();
  }
}

/** Records beside a publisher in memory; `kind` is that of the publisher. */
export async function deliveriesWorld(kind: 'web' | 's3' = 'web') {
  const temporary = await temporaryDirectory();
  const stateDir = temporary.path;
  const clock = fixedClock();
  const publisher = createMemoryPublisher(clock, { kind });
  const lines: string[] = [];
  const log = createLog({ level: 'warn', style: 'terminal', write: (line) => lines.push(line) });
  const opened: OpenedDeliveries[] = [];
  /** The same records opened anew, as after a restart, with another publisher. */
  const reopen = async (
    change: Partial<Publisher> = {},
    bounds: Pick<DeliveryStoreOptions, 'maxItemsLength'> = {},
  ): Promise<OpenedDeliveries> => {
    for (const one of opened.splice(0)) one.close();
    const store = await openDeliveriesIn(stateDir, { ...publisher, ...change }, clock, log, bounds);
    opened.push(store);
    return store;
  };
  const store = await reopen();
  return {
    ...{ store, reopen, stateDir, clock, publisher, lines },
    /** How many rows a table of the database has. */
    rows: (table: 'deliveries' | 'items' | 'names'): number => {
      const database = new DatabaseSync(join(stateDir, 'deliveries.db'), { readOnly: true });
      try {
        return Number(database.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.['n']);
      } finally {
        database.close();
      }
    },
    /** Publishes a ZIP of a job. */
    publish: (job = JOB, fileName = 'g.zip', content = 'zip'): Promise<number> =>
      publisher.put(audioObject(job, fileName), Readable.from([Buffer.from(content)]), signal),
    [Symbol.asyncDispose]: async () => {
      for (const one of opened) one.close();
      await temporary[Symbol.asyncDispose]();
    },
  };
}
export type DeliveriesWorld = Awaited<ReturnType<typeof deliveriesWorld>>;

/** A recording of three bytes under this name; `changes` over it. */
export function itemNamed(fileName: string, changes: Partial<DeliveredItem> = {}): DeliveredItem {
  const item = deliveredItem(1, { fileName, ...changes });
  return { ...item, recording: { ...item.recording, sizeBytes: 3 } };
}

/** A delivery whose one ZIP is published. */
export async function deliveryOf(
  world: Pick<DeliveriesWorld, 'publish' | 'clock'>,
  job = JOB,
  hours = 24,
  items: readonly DeliveredItem[] = [],
): Promise<Delivery> {
  await world.publish(job);
  return {
    job,
    expiresAt: world.clock.now().add({ hours }).toString(),
    zips: [{ key: `${job}/g.zip`, fileName: 'g.zip', sizeBytes: 3, count: 1 }],
    items: [...items],
    totalBytes: 3 * items.length,
  };
}
