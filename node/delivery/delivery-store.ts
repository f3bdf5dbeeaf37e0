import { access, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing, namesIn, removeDurable, syncDirectory, writeDurable } from '../platform/durable.ts';
import { AppError, codeOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { createKeyedMutex } from '../platform/mutex.ts';
import { type DeliveryRecord, printRecord, readRecord, RECORD_VERSION } from './delivery-record.ts';
import type { Delivery } from './manifest.ts';
import { checkJobId, isJobId } from './object-key.ts';
import type { Publisher } from './publisher.ts';
import { removeFromWeb } from './web-publisher.ts';

const SUFFIX = '.json';
/** So long a record of what nobody here can remove is kept, for people to see. */
const ELSEWHERE_HOURS = 30 * 24;

/** What has been delivered and until when: a durable record a job. */
export interface DeliveryStore {
  /**
   * To be called before anything of a job is published, so that what a crash leaves behind is removed in time; what
   * an earlier attempt left behind is removed now. @throws what `Publisher.removeJob` throws
   */
  begin(job: string, expiresAt: Temporal.Instant, signal: AbortSignal): Promise<void>;
  /** Keeps a complete delivery. */
  save(delivery: Delivery): Promise<void>;
  /**
   * The complete delivery of a job; null where there is none, where it lies elsewhere than the publisher publishes
   * now (nobody can make its links), or where its record cannot be understood (logged).
   */
  read(job: string): Promise<Delivery | null>;
  /** As `read`, after a crash: null too where what it published is not there whole. */
  alreadyDelivered(job: string, signal: AbortSignal): Promise<Delivery | null>;
  /** Removes all that has expired, from the publisher and here. A sentence saying what it did; failures are logged. */
  sweepExpired(now: Temporal.Instant, signal: AbortSignal): Promise<string>;
}

export interface DeliveryStoreOptions {
  /** `<STATE_DIR>/deliveries`; made when it is first written to. */
  readonly directory: string;
  readonly publisher: Publisher;
  readonly log: Log;
  /** Where the web publisher keeps its files, whoever publishes now; left out: `web` beside `directory`. */
  readonly webRoot?: string;
}

/** The records of deliveries, as JSON files named after their jobs. */
export function createDeliveryStore(options: DeliveryStoreOptions): DeliveryStore {
  const { directory, publisher, log } = options;
  const pathOf = (job: string): string => join(directory, checkJobId(job) + SUFFIX);
  const exclusive = createKeyedMutex();
  let told = false;

  async function write(job: string, expiresAt: string, manifest: Delivery | null): Promise<void> {
    const made = await mkdir(directory, { recursive: true, mode: 0o700 });
    if (made !== undefined) await syncDirectory(join(directory, '..'));
    const record: DeliveryRecord = {
      version: RECORD_VERSION,
      job,
      publisher: publisher.name,
      place: publisher.place,
      expiresAt,
      manifest,
    };
    await writeDurable(pathOf(job), printRecord(record));
  }

  /** Removes what an earlier attempt published. */
  async function clear(job: string, signal: AbortSignal): Promise<void> {
    const record = await readRecord(pathOf(job)).catch(() => null); // broken: it lies here, most likely
    try {
      if (record === null) await publisher.removeJob(job, signal);
      else await removeObjects(options, record, signal);
    } catch (error) {
      if (codeOf(error) !== 'publish.elsewhere') throw error;
      log.warn(ELSEWHERE, { job, place: record?.place });
    }
  }

  async function read(job: string): Promise<Delivery | null> {
    try {
      const record = await readRecord(pathOf(job));
      return record !== null && isHere(record, publisher) ? record.manifest : null;
    } catch (error) {
      log.warn('the record of a delivery cannot be understood', { job, code: codeOf(error) });
      return null;
    }
  }

  return {
    begin: (job, expiresAt, signal) =>
      exclusive(job, async () => {
        if (await isThere(pathOf(job))) await clear(job, signal);
        await write(job, expiresAt.toString(), null);
      }),
    save: (delivery) => write(delivery.job, delivery.expiresAt, delivery),
    read,
    alreadyDelivered: async (job, signal) => {
      const delivery = await read(job);
      if (delivery === null) return null;
      return (await isWhole(delivery, publisher, signal)) ? delivery : null;
    },
    sweepExpired: async (now, signal) => {
      const swept = await sweep(directory, log, signal, (job) =>
        exclusive(job, () => expire(options, job, now, signal)),
      );
      if (swept.elsewhere > 0 && !told) {
        told = true;
        log.warn(ELSEWHERE, { deliveries: swept.elsewhere, place: swept.place });
      }
      return sentenceOf(swept);
    },
  };
}

const ELSEWHERE =
  'expired deliveries lie where this node cannot remove them: remove them by hand, or configure that bucket again; ' +
  'their records are dropped after 30 days';

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

/** Whether the publisher puts things where this one lies; records of before 'place' was kept lie where it does. */
function isHere({ publisher, place }: DeliveryRecord, now: Publisher): boolean {
  return publisher === now.name && (place === undefined || place === now.place);
}

/** @throws what `Publisher.removeJob` throws */
async function removeObjects(
  { directory, publisher, webRoot }: DeliveryStoreOptions,
  record: DeliveryRecord,
  signal: AbortSignal,
): Promise<void> {
  const { job, place } = record;
  if (record.publisher === publisher.name) await publisher.removeJob(job, signal, place);
  else if (record.publisher === 'web') await removeFromWeb(webRoot ?? join(directory, '../web'), job);
  else throw new AppError('publish.elsewhere', `the results lie in ${place ?? 'a bucket'}`);
}

type Expiry = 'removed' | 'kept' | 'dropped' | { readonly elsewhere: string };

/** Removes the delivery of a job where it has expired. */
async function expire(
  options: DeliveryStoreOptions,
  job: string,
  now: Temporal.Instant,
  signal: AbortSignal,
): Promise<Expiry> {
  const path = join(options.directory, job + SUFFIX);
  const record = await readRecord(path);
  if (record === null) return 'kept';
  const expiresAt = Temporal.Instant.from(record.expiresAt);
  if (Temporal.Instant.compare(now, expiresAt) < 0) return 'kept';
  try {
    await removeObjects(options, record, signal);
  } catch (error) {
    if (codeOf(error) !== 'publish.elsewhere') throw error;
    const isOld = Temporal.Instant.compare(now, expiresAt.add({ hours: ELSEWHERE_HOURS })) >= 0;
    if (!isOld) return { elsewhere: record.place ?? 'a bucket that is not known' };
    await removeDurable(path);
    return 'dropped';
  }
  await removeDurable(path);
  return 'removed';
}

async function isThere(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

interface Swept {
  removed: number;
  kept: number;
  failed: number;
  dropped: number;
  elsewhere: number;
  /** One of the places of those that lie elsewhere. */
  place: string | null;
}

async function sweep(
  directory: string,
  log: Log,
  signal: AbortSignal,
  one: (job: string) => Promise<Expiry>,
): Promise<Swept> {
  const swept: Swept = { removed: 0, kept: 0, failed: 0, dropped: 0, elsewhere: 0, place: null };
  for (const job of await listJobs(directory)) {
    signal.throwIfAborted();
    try {
      const became = await one(job);
      if (typeof became === 'string') {
        swept[became] += 1;
      } else {
        swept.elsewhere += 1;
        swept.place = became.elsewhere;
      }
    } catch (error) {
      signal.throwIfAborted();
      swept.failed += 1;
      log.warn('an expired delivery could not be removed', { job, code: codeOf(error) });
    }
  }
  return swept;
}

async function listJobs(directory: string): Promise<string[]> {
  const names = (await namesIn(directory)).filter((name) => name.endsWith(SUFFIX));
  return names
    .map((name) => name.slice(0, -SUFFIX.length))
    .filter(isJobId)
    .toSorted();
}

function sentenceOf(counts: Swept): string {
  const parts = [`removed ${counts.removed} expired ${counts.removed === 1 ? 'delivery' : 'deliveries'}`];
  if (counts.kept > 0) parts.push(`${counts.kept} still open`);
  if (counts.elsewhere > 0) parts.push(`${counts.elsewhere} held by a publisher that is not configured`);
  if (counts.dropped > 0) parts.push(`${counts.dropped} of these given up`);
  if (counts.failed > 0) parts.push(`${counts.failed} could not be removed`);
  return parts.join(', ');
}
