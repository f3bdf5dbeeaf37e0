import type { MailboxSession, MailContent, MailSummary } from '../mail/mailbox.ts';
import type { Clock } from '../platform/clock.ts';
import { AppError, codeOf, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import type { Acceptance, Arrival } from './arrival.ts';
import type { Ledger } from './ledger.ts';
import type { Patience } from './patience.ts';
import { readAlone, readGroup } from './reading.ts';

/** Mails listed at a time. */
const BATCH = 50;
/** Content held in memory at a time; a mail that is larger alone is held alone. */
const BATCH_BYTES = 16 * 1024 * 1024;
/** Tries for a mail that was read and cannot be dealt with, before it is put aside and the others go on. */
const MAX_TRIES = 3;
const RETRY_MS = 250;
/** Waits for a disk that takes nothing, or a DNS that says nothing: doubling between these. */
const DISK_BASE_MS = 1_000;
const DISK_CAP_MS = 60_000;
/** The state of the disk and no fault of a mail's: it passes when somebody makes room. */
const DISK_CODES = new Set([
  ...['spool.unwritable', 'ledger.unwritable', 'audit.unwritable', 'access.unwritable'],
  ...['ENOSPC', 'EDQUOT', 'EIO', 'EROFS', 'EMFILE', 'ENFILE', 'EACCES', 'EPERM', 'ENOENT'],
]);
/** What passes by itself is waited for as well; how long, its own room knows (node/access/open-sender-proof.ts). */
const DNS_AWAY = 'access.dns';

type Meeting = Arrival['meeting'];

/** Takes mails of one session, in the order of their UIDs. */
export interface Intake {
  /** Deals with all that is after the watermark; says what it did, or null where there was nothing. */
  drain(signal: AbortSignal): Promise<string | null>;
  /** Deals with these mails but for those without a meeting; resolves with how many it dealt with. */
  take(
    mails: readonly MailSummary[],
    meetingOf: (mail: MailSummary) => Meeting | null,
    signal: AbortSignal,
  ): Promise<number>;
}

export interface IntakeOptions {
  readonly session: MailboxSession;
  /** Outlives the session. */
  readonly patience: Patience;
  readonly ledger: Ledger;
  readonly acceptance: Acceptance;
  readonly clock: Clock;
  readonly log: Log;
  /** MAIL_MAX_BYTES: of a larger mail the headers alone are read. */
  readonly maxBytes: number;
  readonly onMail: () => void;
  /** Told of what keeps a mail from being taken for now. */
  readonly onError: (error: unknown) => void;
}

export function createIntake(options: IntakeOptions): Intake {
  const { session, ledger } = options;

  const take: Intake['take'] = async (mails, meetingOf, signal) => {
    let taken = 0;
    const wanted = mails.filter((mail) => meetingOf(mail) !== null);
    for (const group of groupsOf(wanted, options)) {
      const contents = await readGroup(options, group);
      for (const mail of group) {
        if (signal.aborted) break;
        const content = contents.get(mail.uid) ?? (await readAlone(options, mail, signal));
        if (content === null) continue; // removed by somebody between listing and reading
        await dealWith(options, arrivalOf(session, mail, content, meetingOf(mail) ?? 'new'), content, signal);
        options.patience.forget(session.uidValidity, mail.uid);
        options.onMail();
        taken += 1;
      }
      await flag(options);
      if (signal.aborted) break;
    }
    return taken;
  };

  const drain: Intake['drain'] = async (signal) => {
    await flag(options); // of a connection that ended between acceptance and flags
    let taken = 0;
    while (!signal.aborted) {
      const watermark = ledger.watermark(session.uidValidity);
      if (watermark === null) {
        throw new AppError('ledger.rescan', 'mails are to be looked at again from the next connection on', {
          retriable: true,
        });
      }
      const mails = await session.listAfter(watermark, BATCH);
      if (mails.length === 0) break;
      taken += await take(mails, () => 'new', signal);
      // All of them were removed meanwhile: nothing to go on from, so wait for the next hint.
      if (ledger.watermark(session.uidValidity) === watermark) break;
    }
    return taken === 0 ? null : `${taken} new ${taken === 1 ? 'mail was' : 'mails were'} dealt with`;
  };

  return { drain, take };
}

/** Decides, as often as it takes: a full disk and the DNS are waited for, a mail that cannot be dealt with is put aside. */
async function dealWith(
  { acceptance, clock, log, onError }: IntakeOptions,
  arrival: Arrival,
  content: MailContent | AppError,
  signal: AbortSignal,
): Promise<void> {
  let fault: unknown = content instanceof AppError ? content : null;
  let tries = fault === null ? 0 : MAX_TRIES;
  let waits = 0;
  for (;;) {
    try {
      await (tries < MAX_TRIES ? acceptance.decide(arrival) : acceptance.giveUp(arrival, fault));
      return;
    } catch (error) {
      onError(error);
      const facts = { uid: arrival.uid, code: codeOf(error), reason: messageOf(error) };
      const isDisk = DISK_CODES.has(facts.code);
      if (isDisk || facts.code === DNS_AWAY) {
        const waitMs = Math.min(DISK_CAP_MS, DISK_BASE_MS * 2 ** Math.min(waits, 10));
        waits += 1;
        const what = isDisk ? 'cannot be kept and stays unread' : 'waits for the DNS of its sender';
        log.error(`a mail ${what}; again in ${waitMs / 1000} s`, facts);
        await clock.sleep(waitMs, signal);
        continue;
      }
      if (tries >= MAX_TRIES) throw error;
      fault = error;
      tries += 1;
      log.error('a mail could not be dealt with', { ...facts, tries });
      await clock.sleep(RETRY_MS, signal);
    }
  }
}

/** Flags are for people; the ledger decides. What fails here is made up for by the next reading. */
async function flag({ session, ledger, log }: IntakeOptions): Promise<void> {
  const uids = ledger.unflagged(session.uidValidity);
  if (uids.length === 0) return;
  try {
    await session.markAccepted(uids);
    await ledger.setFlagged(
      session.uidValidity,
      uids.reduce((highest, uid) => Math.max(highest, uid), 0),
    );
  } catch (error) {
    log.warn('accepted mails could not be marked as read', { mails: uids.length, reason: messageOf(error) });
  }
}

function arrivalOf(
  session: MailboxSession,
  mail: MailSummary,
  content: MailContent | AppError,
  meeting: Meeting,
): Arrival {
  const { raw, truncated } =
    content instanceof AppError ? { raw: Buffer.alloc(0), truncated: false } : content;
  return {
    uidValidity: session.uidValidity,
    uid: mail.uid,
    receivedAt: mail.receivedAt,
    raw,
    truncated,
    meeting,
  };
}

function* groupsOf(
  mails: readonly MailSummary[],
  { session, patience, maxBytes }: IntakeOptions,
): Generator<readonly MailSummary[]> {
  let group: MailSummary[] = [];
  let bytes = 0;
  for (const mail of mails) {
    // One that made others fail is held alone too.
    const size = patience.suspects(session.uidValidity, mail.uid)
      ? BATCH_BYTES
      : Math.min(mail.sizeBytes, maxBytes);
    if (group.length > 0 && (bytes + size > BATCH_BYTES || group.length >= BATCH)) {
      yield group;
      group = [];
      bytes = 0;
    }
    group.push(mail);
    bytes += size;
  }
  if (group.length > 0) yield group;
}
