import type { Clock } from '../platform/clock.ts';
import { codeOf } from '../platform/errors.ts';
import type { HeldMail } from './held-mail.ts';
import type { Mailer, OutgoingMail, Receipt } from './mailer.ts';
import type { Place, ReplyBudget, Share } from './reply-budget.ts';

export interface Budgeting {
  readonly mailer: Mailer;
  readonly budget: ReplyBudget;
  readonly held: HeldMail;
  readonly clock: Clock;
}

/** What of a job's is sent, and what it is to each of its recipients. */
export interface Budgeted {
  readonly job: string;
  readonly kind: string;
  readonly shareOf: (address: string) => Share;
}

/**
 * Sends a mail to those for whom there is room, and holds it back for the others: on disk, before anybody gets it. Who
 * was held back at an earlier attempt still is. The header names all of them. @throws as `Mailer.send` and `HeldMail.put`
 */
export async function sendWithin(
  { mailer, budget, held, clock }: Budgeting,
  { job, kind, shareOf }: Budgeted,
  mail: OutgoingMail,
  signal: AbortSignal,
): Promise<Receipt> {
  const all = [...mail.to, ...mail.cc];
  const before = new Set(held.recipientsOf(mail.messageId));
  const places = new Map<string, Place>();
  for (const address of all) {
    const place = before.has(address) ? null : budget.take(address, shareOf(address));
    if (place !== null) places.set(address, place);
  }
  const giveBack = (): void => {
    for (const place of places.values()) place.giveBack();
  };
  const only = all.filter((address) => places.has(address));
  const { subject, text, messageId } = mail;
  try {
    for (const to of all.filter((address) => !places.has(address))) {
      await held.put({ to, messageId, job, kind, subject, text, at: clock.now().toString() });
    }
    if (only.length === 0) return { response: 'held back for a digest', deferred: [], refused: [] };
    return await mailer.send(only.length < all.length ? { ...mail, only } : mail, signal);
  } catch (error) {
    // It may have gone out.
    if (codeOf(error) !== 'mail.unknown') giveBack();
    if (codeOf(error) !== 'mail.rejected' || only.length === all.length) throw error;
    // Refused for all that were left: the others have it for certain, so the mail as a whole did not fail.
    return { response: 'refused; held back for the others', deferred: [], refused: only };
  }
}
