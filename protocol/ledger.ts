import * as z from 'zod';
import { sha256Schema } from './job.ts';

/** What became of a mail, or of a job that came in by another door. */
export const ledgerOutcomeSchema = z.enum([
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
export type LedgerOutcome = z.infer<typeof ledgerOutcomeSchema>;

export const instantSchema = z.string().refine((text) => {
  try {
    Temporal.Instant.from(text);
    return true;
  } catch {
    return false;
  }
}, 'is no instant');
export const uidSchema = z.int().nonnegative();

/** One mail, or one job; `uidValidity` and `uid` are null where it did not come from the mailbox. */
export const ledgerEntrySchema = z.strictObject({
  kind: z.literal('entry'),
  /** Place in the ledger it was written to, growing from 1 on; never given out again, also when it is dropped as too old. */
  serial: z.int().positive(),
  job: sha256Schema,
  /** Digest of the job that was made of it; null where none was. */
  digest: sha256Schema.nullable(),
  uidValidity: z.string().max(20).nullable(),
  uid: uidSchema.nullable(),
  /** When the server took the mail in. */
  receivedAt: instantSchema.nullable(),
  at: instantSchema,
  outcome: ledgerOutcomeSchema,
});
export type LedgerEntry = z.infer<typeof ledgerEntrySchema>;
