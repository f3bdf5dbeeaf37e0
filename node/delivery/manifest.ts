import * as z from 'zod';
import { sha256Schema, sourceNameSchema } from '../../protocol/job.ts';
import { MAX_RECORDINGS } from '../recordings/source.ts';

const MAX_TEXT_LENGTH = 4096;
const text = z.string().max(MAX_TEXT_LENGTH);

const recordingSchema = z.strictObject({
  key: text,
  origin: text,
  destination: text,
  startedAt: text,
  sizeBytes: z.int().nonnegative(),
  format: text,
  archived: z.literal(true).optional(),
});

/** A recording of a request, and what became of it. */
const itemSchema = z.strictObject({
  recording: recordingSchema,
  /** Where it is published, or its own key in the source where it is heard `direct`; null where it was left out. */
  key: text.nullable(),
  /** It is heard where it lies, by a link of its source: nothing was published. */
  direct: z.literal(true).optional(),
  /** Why it was left out, or what is doubtful about what was delivered. */
  fault: z.enum(['empty', 'unreadable', 'vanished', 'growing', 'broken', 'archived']).nullable(),
  /** The name it is saved under, and its name in the ZIP. */
  fileName: text,
  /** Length of the sound; null where its header does not tell. */
  seconds: z.number().nonnegative().nullable().default(null),
  /** Whether browsers play it as it is. */
  playable: z.boolean().default(true),
  /** Where what was converted for playing is published; null where nothing was. */
  playKey: text.nullable().default(null),
});
export type DeliveredItem = z.infer<typeof itemSchema>;

const zipSchema = z.strictObject({
  key: text,
  fileName: text,
  sizeBytes: z.int().nonnegative(),
  /** Recordings in it, the manifest not counted. */
  count: z.int().nonnegative(),
});
export type DeliveredZip = z.infer<typeof zipSchema>;

/** What a delivery answers, for its page and for operators. */
export const aboutSchema = z.strictObject({
  /** As received, without its token. */
  subject: text,
  requester: text.nullable(),
  extensions: z.array(text),
  /** First and last second searched. */
  start: text,
  end: text,
  server: text.nullable(),
  source: sourceNameSchema,
  /** RECORDINGS_TZ. */
  timeZone: text,
  narrowedByServer: z.boolean().nullable(),
  /** Directories or pages that could not be read. */
  unreadable: z.int().nonnegative(),
});
export type DeliveryAbout = z.infer<typeof aboutSchema>;

/** What was delivered for a job. JSON: it is a step's result, and stands in the delivery's record. */
export const deliverySchema = z.strictObject({
  job: sha256Schema,
  /** When the links die; an ISO instant. */
  expiresAt: z.iso.datetime(),
  /** In order: a result over MAX_RESULT_BYTES or MAX_RESULT_FILES has several. Empty where not one recording could be put into one. */
  zips: z.array(zipSchema).max(MAX_RECORDINGS),
  /** Every recording of the request, in the order of the request. */
  items: z.array(itemSchema).max(MAX_RECORDINGS),
  /** Bytes of the recordings that can be heard singly. */
  totalBytes: z.int().nonnegative(),
});
export type Delivery = z.infer<typeof deliverySchema>;
