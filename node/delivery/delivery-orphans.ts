import { codeOf } from '../platform/errors.ts';
import { isAway, MAX_FAILURES } from './delivery-removal.ts';
import type { StoreScope } from './delivery-scope.ts';
import type { Publisher } from './publisher.ts';
import { jobsInWeb, newestInWeb, removeFromWeb } from './web-files.ts';

const HOUR_MS = 3_600_000;
/** Without a record no link of a node opens anything. The hour is for what is being written, and for clocks that differ. */
const UNSEEN_MS = HOUR_MS;
/** By so much a link that a bucket answers may outlive LINK_HOURS: these count from the end of a delivery, an object from its own. */
const PRESIGNED_SLACK_MS = 24 * HOUR_MS;

/** Where things lie that can be orphans. */
interface Place extends Pick<Publisher, 'jobs' | 'newestOf' | 'removeJob'> {
  /** No link to what is older than this, in ms, can be alive without a record. */
  readonly safeMs: number;
}

/**
 * Removes what lies under this node's own prefix and has no record, as after the records were lost. A record stands
 * before anything of its job does, so what has none belongs to nobody; it goes when no link to it can be alive. A
 * request for each 1,000 deliveries, a page of them in memory.
 */
export async function sweepUnknown(
  scope: StoreScope,
  now: Temporal.Instant,
  signal: AbortSignal,
): Promise<string> {
  const { use, exclusive, log } = scope;
  const nowMs = now.epochMilliseconds;
  let removed = 0;
  let young = 0;
  let failed = 0;
  for (const place of placesOf(scope)) {
    let failures = 0;
    for await (const page of place.jobs(signal)) {
      for (const job of use((rows) => rows.unknown(page))) {
        signal.throwIfAborted();
        try {
          const became = await exclusive(job, () => removeUnknown(scope, place, job, nowMs, signal));
          if (became === 'removed') removed += 1;
          if (became === 'young') young += 1;
          failures = 0;
        } catch (error) {
          signal.throwIfAborted();
          log.warn('what has no record of its delivery could not be removed', { job, code: codeOf(error) });
          failed += 1;
          if (isAway(error)) failures += 1;
          if (failures >= MAX_FAILURES) throw error;
        }
      }
    }
  }
  if (removed > 0) log.info('removed what had no record of its delivery', { jobs: removed });
  const parts = [`removed ${removed} ${removed === 1 ? 'delivery' : 'deliveries'} without a record`];
  if (young > 0) parts.push(`${young} too young to tell`);
  if (failed > 0) parts.push(`${failed} could not be removed`);
  return parts.join(', ');
}

function placesOf({ publisher, webRoot, presignedHours }: StoreScope): Place[] {
  const safeMs = presignedHours === null ? UNSEEN_MS : presignedHours * HOUR_MS + PRESIGNED_SLACK_MS;
  const here: Place = {
    jobs: (signal) => publisher.jobs(signal),
    newestOf: (job, signal) => publisher.newestOf(job, signal),
    removeJob: (job, signal) => publisher.removeJob(job, signal),
    safeMs,
  };
  if (publisher.name === 'web') return [here];
  // What was published by web before a bucket was configured.
  const web: Place = {
    jobs: (signal) => jobsInWeb(webRoot, signal),
    newestOf: (job) => newestInWeb(webRoot, job),
    removeJob: (job) => removeFromWeb(webRoot, job),
    safeMs: UNSEEN_MS,
  };
  return [here, web];
}

async function removeUnknown(
  { use }: StoreScope,
  place: Place,
  job: string,
  nowMs: number,
  signal: AbortSignal,
): Promise<'removed' | 'young' | 'known' | 'gone'> {
  // It may have been begun since the page was read.
  if (use((rows) => rows.row(job)) !== null) return 'known';
  const newest = await place.newestOf(job, signal);
  if (newest === null) return 'gone';
  if (nowMs - newest.epochMilliseconds < place.safeMs) return 'young';
  await place.removeJob(job, signal);
  return 'removed';
}
