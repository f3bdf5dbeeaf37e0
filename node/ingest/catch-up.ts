import type { MailboxSession, MailSummary } from '../mail/mailbox.ts';
import type { Clock } from '../platform/clock.ts';
import type { Intake } from './intake.ts';
import { earlier } from './ledger-index.ts';
import type { Ledger } from './ledger.ts';

/** On the first start older mail was somebody else's business. */
const FIRST_START_HOURS = 24;
/** A server may take mails in out of the order of their times: so far behind the last is looked again. */
const RESCAN_MARGIN_HOURS = 1;
const PAGE = 100;

export interface CatchUp {
  readonly session: MailboxSession;
  readonly intake: Intake;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Brings the ledger level with a mailbox whose UIDs it does not know yet, and says what it did. It ends with a
 * watermark: where it breaks off before, the next connection does it anew, and the ledger keeps it from
 * repeating anything.
 */
export async function catchUp(it: CatchUp): Promise<string> {
  const { session, ledger, clock } = it;
  const watermark = ledger.watermark(session.uidValidity);
  if (watermark !== null) return `connected; mails after UID ${watermark} are new`;

  const startedAt = ledger.startedAt();
  if (startedAt === null) {
    const since = clock.now().subtract({ hours: FIRST_START_HOURS });
    const taken = await each(it, since, (mail) => (mail.seen ? null : 'new'));
    return `first start: ${taken} unread mails of the last ${FIRST_START_HOURS} hours were dealt with`;
  }
  const last = earlier(ledger.lastReceivedAt() ?? startedAt, clock.now());
  const taken = await each(it, sinceOf(last, startedAt), (mail) =>
    mail.seen ? 'again-seen' : 'again-unseen',
  );
  return `the mailbox has new UIDs: ${taken} mails since ${last} were looked at again`;
}

/** The last accepted mail, with a margin before it that does not reach back to before the first start. */
function sinceOf(last: Temporal.Instant, startedAt: Temporal.Instant): Temporal.Instant {
  const margin = last.subtract({ hours: RESCAN_MARGIN_HOURS });
  if (Temporal.Instant.compare(margin, startedAt) >= 0) return margin;
  return Temporal.Instant.compare(last, startedAt) < 0 ? last : startedAt;
}

/** Takes the mails that were there when the session began and came at or after `since`, page by page. */
async function each(
  { session, intake, ledger, signal }: CatchUp,
  since: Temporal.Instant,
  meetingOf: (mail: MailSummary) => 'new' | 'again-unseen' | 'again-seen' | null,
): Promise<number> {
  let taken = 0;
  let page = await session.listSince(since, PAGE);
  while (page.length > 0) {
    const mails = page
      .filter((mail) => mail.uid < session.uidNext)
      .filter((mail) => Temporal.Instant.compare(mail.receivedAt, since) >= 0);
    taken += await intake.take(mails, meetingOf, signal);
    signal.throwIfAborted();
    const last = page.at(-1);
    if (page.length < PAGE || last === undefined || last.uid >= session.uidNext) break;
    page = await session.listAfter(last.uid, PAGE);
  }
  await ledger.setWatermark(session.uidValidity, session.uidNext - 1);
  return taken;
}
