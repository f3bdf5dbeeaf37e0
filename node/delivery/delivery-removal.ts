import { AppError, codeOf } from '../platform/errors.ts';
import { type DeliveryRow, msOf } from './delivery-rows.ts';
import type { StoreScope } from './delivery-scope.ts';
import { removeFromWeb } from './web-files.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** What could not be removed is tried again after this. */
export const RETRY_MS = 10 * MINUTE_MS;
/** What lies elsewhere is looked at so often. */
const ELSEWHERE_ROUND_MS = DAY_MS;
/** So long it is known that a delivery was taken back: as long as the ledger knows its mail. */
const REVOKED_MS = 400 * DAY_MS;
/** After so many failures in a row of one that is away the rest waits for the next sweep. */
export const MAX_FAILURES = 5;

export const ELSEWHERE =
  'expired deliveries lie where this node cannot remove them: remove them by hand, or configure that bucket again; ' +
  'their records are dropped after 30 days';

/** Removes what was published of a delivery. @throws what `Publisher.removeJob` throws */
export async function removeObjects(
  { publisher, webRoot }: Pick<StoreScope, 'publisher' | 'webRoot'>,
  { job, place, publisher: holder }: Pick<DeliveryRow, 'job' | 'place' | 'publisher'>,
  signal: AbortSignal,
): Promise<void> {
  if (holder === publisher.name) await publisher.removeJob(job, signal, place ?? undefined);
  else if (holder === 'web') await removeFromWeb(webRoot, job);
  else throw new AppError('publish.elsewhere', `the results lie in ${place ?? 'a bucket'}`);
}

/** Says that what was revoked is gone, for good where nobody can be publishing it any more. */
export function settleRevoked({ use }: Pick<StoreScope, 'use'>, row: DeliveryRow, nowMs: number): void {
  if (row.complete === 0 && row.ends > nowMs) {
    // An attempt may still be publishing: it is looked at again when none can be.
    use((rows) => rows.postpone(row.id, row.ends));
    return;
  }
  use((rows) => rows.dropItems(row.id));
  use((rows) => rows.removed(row.id, (row.revoked === null ? nowMs : msOf(row.revoked)) + REVOKED_MS));
}

/** When what a sweep or an operator could not remove is tried again. */
export function retryAt(error: unknown, nowMs: number): number {
  return nowMs + (codeOf(error) === 'publish.elsewhere' ? ELSEWHERE_ROUND_MS : RETRY_MS);
}

/**
 * Whether the publisher may be away. What is refused, or fails on this host's disk, is that one delivery's matter: it
 * keeps no other from being removed.
 */
export function isAway(error: unknown): boolean {
  return error instanceof AppError && error.retriable;
}
