import * as z from 'zod';
import type { Doubts } from '../ingest/doubts.ts';
import { type HandlersOf, idPrefixOf } from './control-table.ts';

/** As many as are kept. */
const MAX_LISTED = 1_000;

const idPrefix = idPrefixOf('a mail in doubt');

/** A mail of which nobody knows whether it was dealt with. */
export const doubtViewSchema = z.object({
  id: z.string(),
  /** Since when it is in doubt, and when the server took it in. */
  at: z.string(),
  receivedAt: z.string(),
  from: z.string(),
  subject: z.string(),
  /** What taking it would put into the queue. */
  command: z.string(),
});
export type DoubtView = z.infer<typeof doubtViewSchema>;

/** The calls about mails in doubt, for the table of all. */
export const DOUBT_METHODS = {
  /** The newest first. */
  doubts: {
    params: z.strictObject({}),
    result: z.object({ doubts: z.array(doubtViewSchema).max(MAX_LISTED) }),
  },
  /** Puts the mail's job into the queue, or leaves the mail as it is. */
  resolveDoubt: {
    params: z.strictObject({ id: idPrefix, how: z.enum(['take', 'dismiss']) }),
    result: z.object({ id: z.string(), message: z.string() }),
  },
} as const;

export type DoubtControl = HandlersOf<typeof DOUBT_METHODS, []>;

/** What node-ctl can have a node do about them. */
export function createDoubtControl(doubts: Doubts): DoubtControl {
  return {
    doubts: async () => ({ doubts: [...(await doubts.list())] }),
    resolveDoubt: ({ id, how }) => doubts.resolve(id, how),
  };
}
