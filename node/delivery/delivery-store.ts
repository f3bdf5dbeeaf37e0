import { access, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { sha256Schema } from '../../protocol/job.ts';
import { isMissing, readBounded, removeDurable, syncDirectory, writeDurable } from '../platform/durable.ts';
import { AppError, codeOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { type Delivery, deliverySchema } from './manifest.ts';
import { checkJobId, isJobId } from './object-key.ts';
import type { Publisher } from './publisher.ts';

const RECORD_VERSION = 1;
/** Some 300 bytes a recording. */
const MAX_RECORD_BYTES = 32 * 1024 * 1024;
const SUFFIX = '.json';

const recordSchema = z.strictObject({
  version: z.literal(RECORD_VERSION),
  job: sha256Schema,
  /** Which publisher holds it: another one cannot remove it. */
  publisher: z.enum(['web', 's3']),
  expiresAt: z.iso.datetime(),
  /** Null from when publishing begins until it is complete. */
  manifest: deliverySchema.nullable(),
});
type DeliveryRecord = z.infer<typeof recordSchema>;

/** What has been delivered and until when: a durable record a job. */
export interface DeliveryStore {
  /**
   * To be called before anything of a job is published, so that what a crash leaves behind is removed in time; what
   * an earlier attempt left behind is removed now. @throws what `Publisher.removeJob` throws
   */
  begin(job: string, expiresAt: Temporal.Instant, signal: AbortSignal): Promise<void>;
  /** Keeps a complete delivery. */
  save(delivery: Delivery): Promise<void>;
  /** The complete delivery of a job; null where there is none, or its record cannot be understood (logged). */
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
}

/** The records of deliveries, as JSON files named after their jobs. */
export function createDeliveryStore({ directory, publisher, log }: DeliveryStoreOptions): DeliveryStore {
  const pathOf = (job: string): string => join(directory, checkJobId(job) + SUFFIX);

  async function write(job: string, expiresAt: string, manifest: Delivery | null): Promise<void> {
    const made = await mkdir(directory, { recursive: true, mode: 0o700 });
    if (made !== undefined) await syncDirectory(join(directory, '..'));
    const record: DeliveryRecord = {
      version: RECORD_VERSION,
      job,
      publisher: publisher.name,
      expiresAt,
      manifest,
    };
    await writeDurable(pathOf(job), `${JSON.stringify(record)}\n`);
  }

  async function read(job: string): Promise<Delivery | null> {
    try {
      return (await readRecord(pathOf(job)))?.manifest ?? null;
    } catch (error) {
      log.warn('the record of a delivery cannot be understood', { job, code: codeOf(error) });
      return null;
    }
  }

  return {
    begin: async (job, expiresAt, signal) => {
      if (await isThere(pathOf(job))) await publisher.removeJob(job, signal);
      await write(job, expiresAt.toString(), null);
    },
    save: (delivery) => write(delivery.job, delivery.expiresAt, delivery),
    read,
    alreadyDelivered: async (job, signal) => {
      const delivery = await read(job);
      if (delivery === null) return null;
      // The singles were published before the record was written; the ZIP stands for all that was.
      const probe = delivery.zip ?? delivery.items.find((item) => item.key !== null);
      if (probe?.key == null) return delivery;
      const size = await publisher.size(probe.key, signal);
      const whole = delivery.zip === null ? size !== null : size === delivery.zip.sizeBytes;
      return whole ? delivery : null;
    },
    sweepExpired: (now, signal) => sweep(directory, publisher, log, now, signal),
  };
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

/** Null where there is none. @throws AppError `delivery.broken-record` */
async function readRecord(path: string): Promise<DeliveryRecord | null> {
  try {
    return recordSchema.parse(JSON.parse((await readBounded(path, MAX_RECORD_BYTES)).toString()));
  } catch (error) {
    if (isMissing(error)) return null;
    throw new AppError('delivery.broken-record', `${path} is no record of a delivery`, { cause: error });
  }
}

async function sweep(
  directory: string,
  publisher: Publisher,
  log: Log,
  now: Temporal.Instant,
  signal: AbortSignal,
): Promise<string> {
  const jobs = await listJobs(directory);
  const counts = { removed: 0, kept: 0, failed: 0, elsewhere: 0 };
  for (const job of jobs) {
    signal.throwIfAborted();
    const path = join(directory, job + SUFFIX);
    try {
      const record = await readRecord(path);
      if (record === null || Temporal.Instant.compare(now, Temporal.Instant.from(record.expiresAt)) < 0) {
        counts.kept += 1;
      } else if (record.publisher === publisher.name) {
        await publisher.removeJob(job, signal);
        await removeDurable(path);
        counts.removed += 1;
      } else {
        counts.elsewhere += 1;
      }
    } catch (error) {
      signal.throwIfAborted();
      counts.failed += 1;
      log.warn('an expired delivery could not be removed', { job, code: codeOf(error) });
    }
  }
  return sentenceOf(counts);
}

async function listJobs(directory: string): Promise<string[]> {
  try {
    const names = await readdir(directory);
    const jobs = names.filter((name) => name.endsWith(SUFFIX)).map((name) => name.slice(0, -SUFFIX.length));
    return jobs.filter(isJobId).toSorted();
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

function sentenceOf(counts: { removed: number; kept: number; failed: number; elsewhere: number }): string {
  const parts = [`removed ${counts.removed} expired ${counts.removed === 1 ? 'delivery' : 'deliveries'}`];
  if (counts.kept > 0) parts.push(`${counts.kept} still open`);
  if (counts.elsewhere > 0) parts.push(`${counts.elsewhere} held by a publisher that is not configured`);
  if (counts.failed > 0) parts.push(`${counts.failed} could not be removed`);
  return parts.join(', ');
}
