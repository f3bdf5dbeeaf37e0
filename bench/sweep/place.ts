import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { mapBounded } from '../../node/platform/concurrency.ts';
import { openRecords } from '../../node/delivery/delivery-records.ts';
import type { DeliveredItem } from '../../node/delivery/manifest.ts';
import { type OpenedDeliveries, openDeliveries } from '../../node/delivery/open-deliveries.ts';
import { recordingObject } from '../../node/delivery/published-object.ts';
import type { Publisher } from '../../node/delivery/publisher.ts';
import { createS3Publisher } from '../../node/delivery/s3-publisher.ts';
import { createWebPublisher } from '../../node/delivery/web-publisher.ts';
import { systemClock } from '../../node/platform/clock.ts';
import { silentLog } from '../../node/platform/log.ts';
import { type Ceph, CEPH_REGION } from '../../test/support/ceph.ts';
import { putObjects } from '../bucket/fill.ts';

export const BUCKET = 'sweep-bench';
const NODE = 'bench';
/** Of one delivery: a ZIP, and its recordings. */
const RECORDINGS = 3;
const WRITES_AT_A_TIME = 16;
const ROWS_AT_A_TIME = 500;
const DAY_HOURS = 24;

/** Where a bench of sweeps puts its deliveries; crosses to the process that is measured. */
export interface Place {
  readonly publisher: 'web' | 's3';
  readonly stateDir: string;
  readonly endpoint: string;
  readonly accessKey: string;
  readonly secretKey: string;
}

export function publisherOf(place: Place): Publisher | Promise<Publisher> {
  if (place.publisher === 'web')
    return createWebPublisher({ root: join(place.stateDir, 'web'), nodeId: NODE });
  return createS3Publisher({
    ...{ bucket: BUCKET, region: CEPH_REGION, endpoint: place.endpoint, prefix: 'parelha', nodeId: NODE },
    credentials: { accessKeyId: place.accessKey, secretAccessKey: place.secretKey },
    ...{ clock: systemClock, log: silentLog },
  });
}

export function storeOf(place: Place, publisher: Publisher): Promise<OpenedDeliveries> {
  const { stateDir } = place;
  const presignedHours = publisher.presign === null ? null : DAY_HOURS;
  const webRoot = join(stateDir, 'web');
  return openDeliveries({
    ...{ stateDir, webRoot, publisher, presignedHours, clock: systemClock, log: silentLog },
  });
}

export const jobOf = (number: number): string => number.toString(16).padStart(64, '0');

const nameOf = (index: number): string =>
  `internal-1121-2000-20251027-0800${10 + index}-1761548400.${index}.wav`;

/** The names of what is published of a delivery. */
const NAMES = ['gravacoes.zip', ...Array.from({ length: RECORDINGS }, (_, index) => nameOf(index))];

/** Delivers `count` results that are open for a day yet, from the `first`th on: files or objects, and records. */
export async function fill(place: Place, ceph: Ceph | null, first: number, count: number): Promise<void> {
  const jobs = Array.from({ length: count }, (_, index) => jobOf(first + index));
  if (ceph === null) {
    await mapBounded(jobs, WRITES_AT_A_TIME, async (job) => {
      const folder = join(place.stateDir, 'web', NODE, job);
      await mkdir(folder, { recursive: true });
      for (const name of NAMES) await writeFile(join(folder, name), 'RIFF');
    });
  } else {
    const keys = jobs.flatMap((job) => NAMES.map((name) => `parelha/${NODE}/${job}/${name}`));
    await putObjects(ceph, BUCKET, keys);
  }
  await fillRecords(place, jobs);
}

/** As the store writes them, many at a time. */
async function fillRecords(place: Place, jobs: readonly string[]): Promise<void> {
  const publisher = await publisherOf(place);
  const expires = systemClock.now().add({ hours: DAY_HOURS }).toString();
  const records = openRecords(join(place.stateDir, 'deliveries.db'), silentLog);
  for (let first = 0; first < jobs.length; first += ROWS_AT_A_TIME) {
    const some = jobs.slice(first, first + ROWS_AT_A_TIME);
    records.use((rows) =>
      rows.transaction(() => {
        for (const job of some) {
          const where = { publisher: publisher.name, place: publisher.place };
          const id = rows.insert({ job, ...where, about: null, expires });
          rows.addItems(id, 0, 0, itemsOf(job));
          rows.complete(id, { job, expiresAt: expires, zips: [], totalBytes: 12 }, RECORDINGS);
        }
      }),
    );
  }
  records.close();
}

function itemsOf(job: string): DeliveredItem[] {
  return Array.from({ length: RECORDINGS }, (_, index) => ({
    recording: {
      ...{ key: nameOf(index), origin: '1121', destination: '2000' },
      ...{ startedAt: '2025-10-27T08:00:00', sizeBytes: 4, format: 'wav' },
    },
    ...{ key: `${job}/${nameOf(index)}`, fault: null, fileName: nameOf(index) },
    ...{ seconds: 1, playable: true, playKey: null },
  }));
}

/** Delivers one whose links have died. */
export async function deliverExpired(
  store: OpenedDeliveries,
  publisher: Publisher,
  job: string,
): Promise<void> {
  const { signal } = new AbortController();
  for (const fileName of NAMES) {
    await publisher.put(recordingObject(job, fileName), Readable.from([Buffer.from('RIFF')]), signal);
  }
  const expiresAt = systemClock.now().subtract({ minutes: 1 }).toString();
  await store.save({ job, expiresAt, zips: [], items: itemsOf(job), totalBytes: 12 });
}
