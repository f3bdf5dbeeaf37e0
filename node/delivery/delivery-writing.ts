import { setImmediate as nextTurn } from 'node:timers/promises';
import { AppError, codeOf } from '../platform/errors.ts';
import type { DeliveryStore } from './deliveries.ts';
import { summaryOf } from './delivery-reading.ts';
import { ELSEWHERE, removeObjects, retryAt, settleRevoked } from './delivery-removal.ts';
import type { DeliveryRow } from './delivery-rows.ts';
import type { StoreScope } from './delivery-scope.ts';
import type { DeliveredItem } from './manifest.ts';
import { checkJobId } from './object-key.ts';

/** Recordings written at a time: some milliseconds in which nothing else goes on. */
const CHUNK_ITEMS = 1_000;
/** Of the recordings of one delivery, as JSON: a key in a bucket has 1,024 bytes at most, and there are 50,000. */
const MAX_ITEMS_LENGTH = 128 * 1024 * 1024;

/** Its requests are bounded in time by themselves. */
const NEVER = new AbortController().signal;

/** What changes the records of deliveries. */
export function createWriting(
  scope: StoreScope,
): Pick<DeliveryStore, 'begin' | 'save' | 'opened' | 'revoke'> {
  const { publisher, use, exclusive, clock, log } = scope;
  const place = { publisher: publisher.name, place: publisher.place };

  return {
    begin: (job, about, expiresAt, signal) =>
      exclusive(checkJobId(job), async () => {
        const row = use((rows) => rows.row(job));
        // Should this break off half-way, what is left is not to pass for a delivery.
        if (row !== null && row.revoked === null) use((rows) => rows.reset(row.id));
        if (row !== null) await clear(scope, row, signal);
        if (row !== null && row.revoked !== null) throw takenBack(job);
        const expires = expiresAt.toString();
        use((rows) => rows.insert({ job, ...place, about: JSON.stringify(about), expires }));
      }),
    save: (delivery) =>
      exclusive(checkJobId(delivery.job), async () => {
        const { job, expiresAt, items } = delivery;
        const row = use((rows) => rows.row(job));
        if (row !== null && row.revoked !== null) {
          await removeObjects(scope, { ...row, ...place }, NEVER);
          throw takenBack(job);
        }
        const fresh = { job, ...place, about: null, expires: expiresAt };
        const id = row?.id ?? use((rows) => rows.insert(fresh));
        use((rows) => rows.reset(id));
        await addItems(scope, id, items);
        use((rows) => rows.complete(id, delivery, availableIn(items)));
      }),
    opened: (job) => {
      try {
        use((rows) => rows.opened(job, clock.now().toString()));
      } catch (error) {
        // Whoever opens a link is not to suffer from it; the audit log has the opening.
        log.warn('the opening of a link was not counted', { job, code: codeOf(error) });
      }
    },
    revoke: (job, signal, taken) =>
      exclusive(checkJobId(job), async () => {
        const row = use((rows) => rows.row(job));
        if (row === null) throw new AppError('delivery.unknown', `nothing is known of a delivery of ${job}`);
        const now = clock.now();
        const nowMs = now.epochMilliseconds;
        const at = row.revoked ?? now.toString();
        // From here on no link opens anything; should the rest not come to its end, the sweep does it.
        if (row.removed === 0) use((rows) => rows.revoke(row.id, at, nowMs));
        try {
          await taken?.();
          await removeObjects(scope, row, signal);
        } catch (error) {
          if (row.removed === 0) use((rows) => rows.postpone(row.id, retryAt(error, nowMs)));
          throw error;
        }
        if (row.removed === 0) settleRevoked(scope, { ...row, revoked: at }, nowMs);
        return summaryOf({ ...row, revoked: at }, publisher);
      }),
  };
}

/** Removes what an earlier attempt published. @throws what `Publisher.removeJob` throws, where it lies here */
async function clear(scope: StoreScope, row: DeliveryRow, signal: AbortSignal): Promise<void> {
  try {
    await removeObjects(scope, row, signal);
  } catch (error) {
    if (codeOf(error) !== 'publish.elsewhere') throw error;
    scope.log.warn(ELSEWHERE, { job: row.job, place: row.place });
  }
}

/** In parts, each on disk by itself: until the delivery is said to be complete they count for nothing. */
async function addItems(
  { use, maxItemsLength = MAX_ITEMS_LENGTH }: StoreScope,
  id: number,
  items: readonly DeliveredItem[],
): Promise<void> {
  let length = 0;
  let available = 0;
  for (let first = 0; first < items.length; first += CHUNK_ITEMS) {
    const chunk = items.slice(first, first + CHUNK_ITEMS);
    length += use((rows) => rows.addItems(id, first, available, chunk));
    if (length > maxItemsLength) {
      use((rows) => rows.reset(id));
      throw new AppError(
        'delivery.too-large',
        'the list of what was delivered is too long: ask for fewer days',
      );
    }
    available += availableIn(chunk);
    await nextTurn();
  }
}

function availableIn(items: readonly DeliveredItem[]): number {
  return items.filter(({ key }) => key !== null).length;
}

function takenBack(job: string): AppError {
  return new AppError('delivery.revoked', `the delivery of ${job} was taken back, and is not made again`);
}
