import * as z from 'zod';
import { sha256Schema } from '../../protocol/job.ts';

const MAX_ITEMS = 50_000;
const MAX_TEXT_LENGTH = 4096;
const text = z.string().max(MAX_TEXT_LENGTH);

const recordingSchema = z.strictObject({
  key: text,
  origin: text,
  destination: text,
  startedAt: text,
  sizeBytes: z.int().nonnegative(),
  format: text,
});

/** A recording of a request, and what became of it. */
const itemSchema = z.strictObject({
  recording: recordingSchema,
  /** Where it is published; null where it was left out. */
  key: text.nullable(),
  /** Why it was left out, or what is doubtful about what was delivered. */
  fault: z.enum(['empty', 'unreadable', 'vanished', 'growing', 'broken']).nullable(),
  /** The name it is saved under, and its name in the ZIP. */
  fileName: text,
});
export type DeliveredItem = z.infer<typeof itemSchema>;

/** What was delivered for a job. JSON: it is a step's result, and stands in the delivery's record. */
export const deliverySchema = z.strictObject({
  job: sha256Schema,
  /** When the links die; an ISO instant. */
  expiresAt: z.iso.datetime(),
  /** Null where not one recording could be put into it. */
  zip: z
    .strictObject({
      key: text,
      fileName: text,
      sizeBytes: z.int().nonnegative(),
      /** Recordings in it, the manifest not counted. */
      count: z.int().nonnegative(),
    })
    .nullable(),
  /** Every recording of the request, in the order of the request. */
  items: z.array(itemSchema).max(MAX_ITEMS),
  /** Bytes of the recordings that were published singly. */
  totalBytes: z.int().nonnegative(),
});
export type Delivery = z.infer<typeof deliverySchema>;
