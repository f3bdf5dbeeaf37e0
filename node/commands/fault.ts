import * as z from 'zod';

const MAX_FIELD_LENGTH = 1000;
const MAX_CODE_LENGTH = 100;
/** A list of all servers stands in one. */
const MAX_VALUE_LENGTH = 50_000;

/** A {@link Fault} as a stored document has it. */
export const faultSchema = z.strictObject({
  field: z.string().max(MAX_FIELD_LENGTH),
  code: z.string().max(MAX_CODE_LENGTH),
  values: z.record(z.string().max(MAX_CODE_LENGTH), z.union([z.string().max(MAX_VALUE_LENGTH), z.number()])),
});
