import * as z from 'zod';
import { sha256Schema } from '../../protocol/job.ts';

/** What became of a mail, or of a job that came in by another door. */
export const outcomeSchema = z.enum([
  'accepted',
  'refused',
  'too-large',
  'duplicate',
  'bad-token',
  'not-allowed',
  'ignored',
  'in-doubt',
  'conflict',
  'set-aside',
  'answer',
]);
export type LedgerOutcome = z.infer<typeof outcomeSchema>;

const instant = z.string().refine((text) => {
  try {
    Temporal.Instant.from(text);
    return true;
  } catch {
    return false;
  }
}, 'is no instant');
const uid = z.int().nonnegative();

/** One mail, or one job; `uidValidity` and `uid` are null where it did not come from the mailbox. */
export const entrySchema = z.strictObject({
  kind: z.literal('entry'),
  job: sha256Schema,
  /** Digest of the job that was made of it; null where none was. */
  digest: sha256Schema.nullable(),
  uidValidity: z.string().max(20).nullable(),
  uid: uid.nullable(),
  /** When the server took the mail in. */
  receivedAt: instant.nullable(),
  at: instant,
  outcome: outcomeSchema,
});

/** Every mail of this UIDVALIDITY up to this UID has been dealt with. */
export const watermarkSchema = z.strictObject({
  kind: z.literal('watermark'),
  uidValidity: z.string().max(20),
  uid,
  at: instant,
});

/** The mails up to this UID carry their flags. */
export const flaggedSchema = z.strictObject({
  kind: z.literal('flagged'),
  uidValidity: z.string().max(20),
  uid,
});

export const lineSchema = z.discriminatedUnion('kind', [entrySchema, watermarkSchema, flaggedSchema]);
export type LedgerLine = z.infer<typeof lineSchema>;
export type LedgerEntry = z.infer<typeof entrySchema>;

/** The line in a file's text; null where it is none of ours. */
export function readLine(text: string): LedgerLine | null {
  try {
    return lineSchema.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null; // not JSON: the caller counts and reports it
  }
}
