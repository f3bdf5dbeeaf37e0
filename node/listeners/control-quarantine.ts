import * as z from 'zod';
import type { Quarantined } from '../access/quarantine.ts';
import type { QuarantineDesk } from '../ingest/quarantined.ts';
import { type HandlersOf, idPrefixOf } from './control-table.ts';

/** As many as are kept. */
const MAX_LISTED = 500;

const idPrefix = idPrefixOf('a mail in quarantine');

/** A mail whose sender could not be proved. */
export const quarantineViewSchema = z.object({
  id: z.string(),
  /** Since when it is in quarantine, and when the server took it in. */
  at: z.string(),
  receivedAt: z.string(),
  /** As its From field says; nobody knows whether that is so. */
  from: z.string(),
  /** Without its tokens. */
  subject: z.string(),
  reason: z.string(),
  detail: z.string(),
  sizeBytes: z.int().nonnegative(),
});
export type QuarantineView = z.infer<typeof quarantineViewSchema>;

const done = z.object({ id: z.string(), message: z.string() });

/** The calls about mails in quarantine, for the table of all. */
export const QUARANTINE_METHODS = {
  /** The newest first. */
  quarantine: {
    params: z.strictObject({}),
    result: z.object({ mails: z.array(quarantineViewSchema).max(MAX_LISTED + 1) }),
  },
  /** The beginning of a mail as text, its tokens blanked. */
  quarantineShow: {
    params: z.strictObject({ id: idPrefix }),
    result: z.object({ mail: quarantineViewSchema, text: z.string() }),
  },
  /** Lets a mail go on as if its sender were proved. */
  quarantineRelease: { params: z.strictObject({ id: idPrefix }), result: done },
  /** Removes a mail from the quarantine. */
  quarantineDismiss: { params: z.strictObject({ id: idPrefix }), result: done },
} as const;

export type QuarantineControl = HandlersOf<typeof QUARANTINE_METHODS, []>;

/** What node-ctl can have a node do about them. */
export function createQuarantineControl(desk: QuarantineDesk): QuarantineControl {
  return {
    quarantine: async () => ({ mails: desk.list().map(viewOf) }),
    quarantineShow: async ({ id }) => {
      const { mail, text } = await desk.show(id);
      return { mail: viewOf(mail), text };
    },
    quarantineRelease: ({ id }) => desk.release(id),
    quarantineDismiss: ({ id }) => desk.dismiss(id),
  };
}

function viewOf(mail: Quarantined): QuarantineView {
  const { id, at, receivedAt, fromText, subject, reason, detail, sizeBytes } = mail;
  return { id, at, receivedAt, from: fromText, subject, reason, detail, sizeBytes };
}
