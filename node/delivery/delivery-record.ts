import * as z from 'zod';
import { sha256Schema } from '../../protocol/job.ts';
import { isMissing, readBounded } from '../platform/durable.ts';
import { AppError } from '../platform/errors.ts';
import { deliverySchema } from './manifest.ts';

export const RECORD_VERSION = 2;
/** Some 300 bytes a recording, and twice its key, which in a bucket has 1,024 bytes at most. */
const MAX_RECORD_BYTES = 128 * 1024 * 1024;
const MAX_PLACE_LENGTH = 4096;

const recordSchema = z.strictObject({
  version: z.literal(RECORD_VERSION),
  job: sha256Schema,
  /** Which publisher holds it, and where: settings may have changed since. */
  publisher: z.enum(['web', 's3']),
  place: z.string().max(MAX_PLACE_LENGTH).optional(),
  expiresAt: z.iso.datetime(),
  /** Null from when publishing begins until it is complete. */
  manifest: deliverySchema.nullable(),
});
/** A delivery as it stood in a file of its own, before there was a database. */
export type DeliveryRecord = z.infer<typeof recordSchema>;

/** As it stood before a delivery could have several ZIPs: it had one or none. */
const firstSchema = recordSchema.extend({
  version: z.literal(1),
  manifest: deliverySchema
    .omit({ zips: true })
    .extend({ zip: deliverySchema.shape.zips.element.nullable() })
    .nullable(),
});

const anySchema = z.union([
  recordSchema,
  firstSchema.transform(({ manifest, ...record }): DeliveryRecord => {
    const version = RECORD_VERSION;
    if (manifest === null) return { ...record, version, manifest };
    const { zip, ...kept } = manifest;
    return { ...record, version, manifest: { ...kept, zips: zip === null ? [] : [zip] } };
  }),
]);

/** Reads a record; null where there is none. @throws AppError `delivery.broken-record` */
export async function readRecord(path: string): Promise<DeliveryRecord | null> {
  try {
    return anySchema.parse(JSON.parse((await readBounded(path, MAX_RECORD_BYTES)).toString()));
  } catch (error) {
    if (isMissing(error)) return null;
    throw new AppError('delivery.broken-record', `${path} is no record of a delivery`, { cause: error });
  }
}
