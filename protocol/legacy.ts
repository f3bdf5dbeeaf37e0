import * as z from 'zod';

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
