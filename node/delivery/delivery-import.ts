import { rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { namesIn, removeDurable } from '../platform/durable.ts';
import { codeOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { type DeliveryRecord, readRecord, RECORD_VERSION } from './delivery-record.ts';
import type { DeliveryRows } from './delivery-rows.ts';
import { isJobId } from './object-key.ts';
import type { Publisher } from './publisher.ts';

const SUFFIX = '.json';
/** What nobody can say the end of ends after the longest that links can live (a week) and a delivery can take. */
const UNKNOWN_END_HOURS = 8 * 24;

export interface ImportOptions {
  /** Where records lay as files, one a job, before there was a database. */
  readonly directory: string;
  readonly publisher: Publisher;
  readonly use: <T>(work: (rows: DeliveryRows) => T) => T;
  readonly log: Log;
}

/**
 * Takes over records that lie as files: each is in the database before its file is removed, so that a crash loses
 * none. One that cannot be understood is taken as a delivery that never was completed: its links open nothing, and
 * what it published is removed when they cannot be alive. How many there were.
 */
export async function importRecords({ directory, publisher, use, log }: ImportOptions): Promise<number> {
  let imported = 0;
  for (const name of await namesIn(directory)) {
    const job = name.slice(0, -SUFFIX.length);
    if (!name.endsWith(SUFFIX) || !isJobId(job)) continue;
    const path = join(directory, name);
    const row = use((rows) => rows.row(job));
    const record = await recordOf(path, job, publisher, log);
    // A crash between the two steps leaves a file that says the same; a complete delivery is of an earlier version that ran since.
    if (row === null || (row.revoked === null && record.manifest !== null)) {
      use((rows) => insertRecord(rows, record));
    }
    await removeDurable(path);
    imported += 1;
  }
  if (imported === 0) return 0;
  log.info('took over the records of deliveries', { records: imported });
  await rmdir(directory).catch(() => undefined); // something else lies there: it stays
  return imported;
}

async function recordOf(path: string, job: string, publisher: Publisher, log: Log): Promise<DeliveryRecord> {
  try {
    const record = await readRecord(path);
    if (record !== null) return record;
  } catch (error) {
    if (codeOf(error) !== 'delivery.broken-record') throw error;
    log.warn('the record of a delivery cannot be understood', { job, code: codeOf(error) });
  }
  const written = Temporal.Instant.fromEpochMilliseconds(Math.ceil((await stat(path)).mtimeMs));
  const expiresAt = written.add({ hours: UNKNOWN_END_HOURS }).toString();
  return {
    version: RECORD_VERSION,
    job,
    publisher: publisher.name,
    place: publisher.place,
    expiresAt,
    manifest: null,
  };
}

function insertRecord(rows: DeliveryRows, { expiresAt, manifest, place, ...record }: DeliveryRecord): void {
  const { job, publisher } = record;
  rows.transaction(() => {
    const id = rows.insert({ job, publisher, place: place ?? null, about: null, expires: expiresAt });
    if (manifest === null) return;
    rows.addItems(id, 0, 0, manifest.items);
    rows.complete(id, manifest, manifest.items.filter(({ key }) => key !== null).length);
  });
}
