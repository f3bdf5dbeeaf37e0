import * as z from 'zod';
import { instantSchema, type LedgerEntry, ledgerEntrySchema, uidSchema } from '../../protocol/ledger.ts';

const uidValidity = z.string().max(20);

/**
 * Names the ledger that the entries after it belong to, until the next such line. A ledger that was lost or damaged
 * goes on under another name, so that its serials are never taken for those of before.
 */
export const streamSchema = z.strictObject({
  kind: z.literal('stream'),
  id: z.uuid(),
  /** Highest serial among its entries that were dropped; 0 where none was. */
  dropped: z.int().nonnegative(),
});

/**
 * Every mail of this UIDVALIDITY up to this UID has been dealt with; ends a rescan. In the copy of a peer's ledger:
 * the peer's word on its own.
 */
export const watermarkLineSchema = z.strictObject({
  kind: z.literal('watermark'),
  uidValidity,
  uid: uidSchema,
  at: instantSchema,
});

/** The mails up to this UID carry their flags. */
export const flaggedSchema = z.strictObject({ kind: z.literal('flagged'), uidValidity, uid: uidSchema });

/** Another may have dealt with mails meanwhile: no watermark counts until the next one is set. */
export const rescanSchema = z.strictObject({ kind: z.literal('rescan'), at: instantSchema });

export const lineSchema = z.discriminatedUnion('kind', [
  ledgerEntrySchema,
  streamSchema,
  watermarkLineSchema,
  flaggedSchema,
  rescanSchema,
]);
export type LedgerLine = z.infer<typeof lineSchema>;
export type StreamLine = z.infer<typeof streamSchema>;
export type WatermarkLine = z.infer<typeof watermarkLineSchema>;
export type { LedgerEntry };
export type { LedgerOutcome } from '../../protocol/ledger.ts';

/** The line in a file's text; null where it is none of ours. */
export function readLine(text: string): LedgerLine | null {
  try {
    return lineSchema.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null; // not JSON: the caller counts and reports it
  }
}

export function printLine(line: LedgerLine): string {
  return `${JSON.stringify(line)}\n`;
}
