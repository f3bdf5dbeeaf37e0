import { codeOf } from '../platform/errors.ts';
import type { Delivered, DeliveryStore, DeliverySummary } from './deliveries.ts';
import { type DeliveryRow, understood, zipsOf } from './delivery-rows.ts';
import type { StoreScope } from './delivery-scope.ts';
import { aboutSchema, type DeliveredItem, type Delivery, deliverySchema } from './manifest.ts';
import { pagePart } from './page-name.ts';
import type { Publisher } from './publisher.ts';

const itemsSchema = deliverySchema.shape.items;

/** What is asked of the records of deliveries. */
export function createReading({
  publisher,
  use,
  clock,
  log,
}: StoreScope): Pick<
  DeliveryStore,
  'alreadyDelivered' | 'find' | 'items' | 'jobsWith' | 'list' | 'read' | 'summary'
> {
  /** Its row, where it is delivered and not taken back. */
  const completeRow = (job: string): DeliveryRow | null => {
    const row = use((rows) => rows.row(job));
    return row === null || row.complete === 0 || row.revoked !== null ? null : row;
  };
  /** Null where the record cannot be understood. */
  const logged = <T>(job: string, work: () => T): T | null => {
    try {
      return work();
    } catch (error) {
      if (codeOf(error) !== 'delivery.broken-record') throw error;
      log.warn('the record of a delivery cannot be understood', { job, code: codeOf(error) });
      return null;
    }
  };
  const read = (job: string, anywhere?: 'anywhere'): Delivery | null =>
    logged(job, () => {
      const row = completeRow(job);
      if (row === null || (anywhere === undefined && !isHere(row, publisher))) return null;
      return deliveryOf(
        row,
        itemsOf(job, () => use((rows) => rows.items(row.id))),
      );
    });
  const delivered = (row: DeliveryRow, name: string): Delivered | null => {
    const found = use((rows) => rows.name(row.id, name));
    if (found === null) return pagePart(name) !== null ? { kind: 'page' } : null;
    const { kind, position } = found;
    if (kind === 'zip') {
      const zip = zipsOf(row)[position];
      return zip === undefined ? null : { kind, zip };
    }
    const [item] = itemsOf(row.job, () => [use((rows) => rows.item(row.id, position))]);
    return item === undefined ? null : { kind, item };
  };

  return {
    read: async (job, anywhere) => read(job, anywhere),
    alreadyDelivered: async (job, signal) => {
      const delivery = read(job);
      return delivery !== null && (await isWhole(delivery, publisher, signal)) ? delivery : null;
    },
    summary: (job) => {
      const row = use((rows) => rows.row(job));
      return row === null ? null : summaryOf(row, publisher);
    },
    jobsWith: (prefix, limit) => use((rows) => rows.jobsWith(prefix, limit)),
    list: ({ open, limit }) => {
      const openAtMs = open ? clock.now().epochMilliseconds : null;
      const { rows, total } = use((all) => all.list(openAtMs, limit));
      return { deliveries: rows.map((row) => summaryOf(row, publisher)), total };
    },
    find: (job, name) =>
      logged(job, () => {
        const row = completeRow(job);
        return row === null ? null : delivered(row, name);
      }),
    items: (job, offset, limit) =>
      logged(job, () => {
        const row = completeRow(job);
        if (row === null) return [];
        return itemsOf(job, () => use((rows) => rows.available(row.id, offset, limit)));
      }) ?? [],
  };
}

/** A row in the words of operators. */
export function summaryOf(row: DeliveryRow, publisher: Publisher): DeliverySummary {
  return {
    job: row.job,
    about: row.about === null ? null : (aboutSchema.safeParse(jsonOf(row.about)).data ?? null),
    state: stateOf(row, publisher),
    publisher: row.publisher,
    expiresAt: Temporal.Instant.from(row.expires),
    revokedAt: row.revoked === null ? null : Temporal.Instant.from(row.revoked),
    recordings: row.recordings,
    zips: zipsOf(row).length,
    totalBytes: row.bytes,
    opened: row.opened,
    lastOpenedAt: row.last_opened === null ? null : Temporal.Instant.from(row.last_opened),
  };
}

function stateOf(row: DeliveryRow, publisher: Publisher): DeliverySummary['state'] {
  if (row.revoked !== null) return 'revoked';
  if (!isHere(row, publisher)) return 'elsewhere';
  return row.complete === 0 ? 'begun' : 'open';
}

/** Whether the publisher puts things where this one lies; records of before `place` was kept lie where it does. */
function isHere({ publisher, place }: DeliveryRow, now: Publisher): boolean {
  return publisher === now.name && (place === null || place === now.place);
}

/** Whether what was published is there: the record was written after all of it, so the ZIPs stand for the singles. */
async function isWhole(
  { zips, items }: Delivery,
  publisher: Publisher,
  signal: AbortSignal,
): Promise<boolean> {
  for (const { key, sizeBytes } of zips) {
    if ((await publisher.size(key, signal)) !== sizeBytes) return false;
  }
  if (zips.length > 0) return true;
  const single = items.find(({ key, direct }) => key !== null && direct !== true);
  return single?.key == null || (await publisher.size(single.key, signal)) !== null;
}

function deliveryOf(row: DeliveryRow, items: DeliveredItem[]): Delivery {
  const { job, expires: expiresAt, bytes: totalBytes } = row;
  return { job, expiresAt, zips: zipsOf(row), items, totalBytes };
}

/** @throws AppError `delivery.broken-record` */
function itemsOf(job: string, read: () => unknown[]): DeliveredItem[] {
  return understood(job, () => itemsSchema.parse(read()));
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null; // what it was about is not known, and nothing depends on it
  }
}
