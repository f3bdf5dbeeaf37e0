import * as z from 'zod';
import { jobRequestSchema, sha256Schema, sourceNameSchema } from './job.ts';

/** A file that is dropped into `pending/`; old documents have a few hundred bytes. */
export const MAX_DROP_BYTES = 65_536;
const MAX_TEXT_LENGTH = 1000;
const text = z.string().max(MAX_TEXT_LENGTH);

/**
 * The queue document of the Python nodes, as it is dropped into `pending/`. What it does not name is passed
 * over (`looseObject`): a node of ours drops a superset of it.
 */
export const legacyDocumentSchema = z.looseObject({
  request_id: text.min(1),
  timestamp_received: text,
  from_email: text.min(1),
  status: text,
  retries: z.number(),
  parameters: z.looseObject({
    ramais: z.union([text, z.number()]).transform(String),
    inicio: text,
    fim: text,
    email: text.optional(),
    server: text.optional(),
    audios_from: text.optional(),
  }),
});
export type LegacyDocument = z.infer<typeof legacyDocumentSchema>;

/** What one node of ours tells the other in a file it drops: the field `parelha`, which old nodes pass over. */
export const droppedPartSchema = z.object({
  id: sha256Schema,
  digest: sha256Schema,
  request: jobRequestSchema,
  /** Where the recordings are, as the dropping node has resolved it. */
  source: sourceNameSchema,
  /** JWS by which the dropping node stands for the four above (`node/forward/drop-document.ts`). */
  token: z.string().max(4096),
});
export type DroppedPart = z.infer<typeof droppedPartSchema>;
