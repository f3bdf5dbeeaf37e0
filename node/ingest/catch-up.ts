import type { MailboxSession, MailSummary } from '../mail/mailbox.ts';
import type { Clock } from '../platform/clock.ts';
import type { Intake } from './intake.ts';
import type { Known } from './known.ts';
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
  readonly known: Known;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Brings the ledger level with a mailbox whose mails it cannot tell by their UIDs: on the first start, where the server
 * gave new UIDs, and where another may have dealt with mails meanwhile. Says what it did. It ends with a watermark:
 * where it breaks off before, the next connection does it anew, and the ledger keeps it from repeating anything.
 */
export async function catchUp(it: CatchUp): Promise<string> {
  const { session, ledger, known, clock } = it;
  const watermark = ledger.watermark(session.uidValidity);
  if (watermark !== null) return `connected; mails after UID ${watermark} are new`;

  const rescan = ledger.rescanDue();
  const dayAgo = clock.now().subtract({ hours: FIRST_START_HOURS });
  const startedAt = known.startedAt();
  if (startedAt === null && !rescan) {
    const taken = await each(it, { since: dayAgo, afterUid: null }, (mail) => (mail.seen ? null : 'new'));
    return `first start: ${taken} unread mails of the last ${FIRST_START_HOURS} hours were dealt with`;
  }
  const last = earlier(known.lastReceivedAt() ?? startedAt ?? dayAgo, clock.now());
  // By UID too, where the UIDs are still those of before: a mail that was moved here has a time of long ago.
  const range = { since: sinceOf(last, startedAt ?? dayAgo), afterUid: known.dealtUpTo(session.uidValidity) };
  const taken = await each(it, range, (mail) => (mail.seen ? 'again-seen' : 'again-unseen'));
  const why = rescan ? 'another may have read the mailbox' : 'the mailbox has new UIDs';
  return `${why}: ${taken} mails since ${last} were looked at again`;
}

/** The last accepted mail, with a margin before it that does not reach back to before the first start. */
function sinceOf(last: Temporal.Instant, startedAt: Temporal.Instant): Temporal.Instant {
  const margin = last.subtract({ hours: RESCAN_MARGIN_HOURS });
  if (Temporal.Instant.compare(margin, startedAt) >= 0) return margin;
  return Temporal.Instant.compare(last, startedAt) < 0 ? last : startedAt;
}

/** Mails that came at or after `since`, and those after a UID; null for none. */
interface Range {
  readonly since: Temporal.Instant;
  readonly afterUid: number | null;
}

/** Takes the mails of a range that were there when the session began, page by page. */
async function each(
  { session, intake, ledger, signal }: CatchUp,
  { since, afterUid }: Range,
  meetingOf: (mail: MailSummary) => 'new' | 'again-unseen' | 'again-seen' | null,
): Promise<number> {
  const isMeant = (mail: MailSummary): boolean =>
    (afterUid !== null && mail.uid > afterUid) || Temporal.Instant.compare(mail.receivedAt, since) >= 0;
  const [first] = await session.listSince(since, 1);
  let after = Math.min(first === undefined ? Infinity : first.uid - 1, afterUid ?? Infinity);
  let taken = 0;
  while (after < session.uidNext - 1) {
    const page = await session.listAfter(after, PAGE);
    const mails = page.filter((mail) => mail.uid < session.uidNext && isMeant(mail));
    taken += await intake.take(mails, meetingOf, signal);
    signal.throwIfAborted();
    const last = page.at(-1);
    if (page.length < PAGE || last === undefined) break;
    after = last.uid;
  }
  await ledger.setWatermark(session.uidValidity, session.uidNext - 1);
  return taken;
}
