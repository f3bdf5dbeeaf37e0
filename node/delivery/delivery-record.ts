import * as z from 'zod';
import { sha256Schema } from '../../protocol/job.ts';
import { isMissing, readBounded } from '../platform/durable.ts';
import { AppError } from '../platform/errors.ts';
import { deliverySchema } from './manifest.ts';

export const RECORD_VERSION = 1;
/** Some 300 bytes a recording. */
const MAX_RECORD_BYTES = 32 * 1024 * 1024;
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
/** A delivery as it stands in its file. */
export type DeliveryRecord = z.infer<typeof recordSchema>;

/** Reads a record; null where there is none. @throws AppError `delivery.broken-record` */
export async function readRecord(path: string): Promise<DeliveryRecord | null> {
  try {
    return recordSchema.parse(JSON.parse((await readBounded(path, MAX_RECORD_BYTES)).toString()));
  } catch (error) {
    if (isMissing(error)) return null;
    throw new AppError('delivery.broken-record', `${path} is no record of a delivery`, { cause: error });
  }
}
