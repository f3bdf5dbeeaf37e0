import { codeOf } from '../platform/errors.ts';
import { isAway, MAX_FAILURES, removeObjects, RETRY_MS, retryAt, settleRevoked } from './delivery-removal.ts';
import type { StoreScope } from './delivery-scope.ts';

/** Records that a sweep has in hand at a time. */
const BATCH = 100;
/** The record of what lies elsewhere is kept so long after its links, for people to see. */
const ELSEWHERE_MS = 30 * 24 * 60 * 60_000;

/** What became of what was due. */
export interface Swept {
  removed: number;
  failed: number;
  dropped: number;
  elsewhere: number;
  /** One of the places of those that lie elsewhere. */
  place: string | null;
}

/** Removes all that is due. What it costs depends on that alone, however many deliveries there are. */
export async function sweepDue(
  scope: StoreScope,
  now: Temporal.Instant,
  signal: AbortSignal,
): Promise<Swept> {
  const { use, exclusive, log } = scope;
  const nowMs = now.epochMilliseconds;
  const swept: Swept = { removed: 0, failed: 0, dropped: 0, elsewhere: 0, place: null };
  let failures = 0;
  for (;;) {
    // Whatever becomes of one, it is not due any more: the next batch is another one.
    const batch = use((rows) => rows.due(nowMs, BATCH));
    if (batch.length === 0) return swept;
    for (const { id, job } of batch) {
      signal.throwIfAborted();
      try {
        count(swept, await exclusive(job, () => expire(scope, job, nowMs, signal)));
        failures = 0;
      } catch (error) {
        signal.throwIfAborted();
        swept.failed += 1;
        if (isAway(error)) failures += 1;
        log.warn('an expired delivery could not be removed', { job, code: codeOf(error) });
        use((rows) => rows.postpone(id, nowMs + RETRY_MS));
        if (failures >= MAX_FAILURES) return swept;
      }
    }
  }
}

type Expiry = 'removed' | 'kept' | 'dropped' | { readonly elsewhere: string };

/** Removes the delivery of a job, or what is left of one that was taken back, where that is due. */
async function expire(scope: StoreScope, job: string, nowMs: number, signal: AbortSignal): Promise<Expiry> {
  const { use } = scope;
  const row = use((rows) => rows.row(job));
  if (row === null || row.due > nowMs) return 'kept';
  let became: Expiry = 'removed';
  try {
    // What is known to be gone is not asked for again.
    if (row.removed === 0) await removeObjects(scope, row, signal);
  } catch (error) {
    if (codeOf(error) !== 'publish.elsewhere') throw error;
    if (nowMs < row.ends + ELSEWHERE_MS) {
      use((rows) => rows.postpone(row.id, retryAt(error, nowMs)));
      return { elsewhere: row.place ?? 'a bucket that is not known' };
    }
    became = 'dropped';
  }
  if (row.revoked === null || row.removed === 1) use((rows) => rows.remove(row.id));
  else settleRevoked(scope, row, nowMs);
  return became;
}

function count(swept: Swept, became: Expiry): void {
  if (typeof became === 'object') {
    swept.elsewhere += 1;
    swept.place = became.elsewhere;
  } else if (became !== 'kept') {
    swept[became] += 1;
  }
}

/** What a sweep did, in words. */
export function sentenceOf(swept: Swept): string {
  const parts = [`removed ${swept.removed} expired ${swept.removed === 1 ? 'delivery' : 'deliveries'}`];
  if (swept.elsewhere > 0) parts.push(`${swept.elsewhere} held by a publisher that is not configured`);
  if (swept.dropped > 0) parts.push(`${swept.dropped} given up that are held by one`);
  if (swept.failed > 0) parts.push(`${swept.failed} could not be removed`);
  return parts.join(', ');
}
