import type { MailboxSession, MailContent, MailSummary } from '../mail/mailbox.ts';
import type { Clock } from '../platform/clock.ts';
import { AppError, codeOf, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { type Patience, patienceMs } from './patience.ts';

/** Mails after one that cannot be read, of which one at a time shows whether the server gives out others. */
const MAX_OTHERS = 10;

export interface ReadingOptions {
  readonly session: MailboxSession;
  readonly patience: Patience;
  readonly clock: Clock;
  readonly log: Log;
  readonly maxBytes: number;
  /** Told of what keeps a mail from being read for now. */
  readonly onError: (error: unknown) => void;
}

/** Reads mails together; what is missing in the answer is to be read alone. */
export async function readGroup(
  { session, patience, maxBytes, log }: ReadingOptions,
  group: readonly MailSummary[],
): Promise<Map<number, MailContent>> {
  const { uidValidity } = session;
  if (group.some(({ uid }) => patience.suspects(uidValidity, uid))) return new Map();
  try {
    const contents = await session.read(
      group.map(({ uid }) => uid),
      maxBytes,
    );
    return new Map(contents.map((content) => [content.uid, content]));
  } catch (error) {
    // Also where the session is over: each is then read alone in the next, to find the one that ends it.
    patience.suspect(uidValidity, group);
    if (codeOf(error) !== 'mailbox.unavailable') throw error;
    log.warn('mails cannot be read together and are read one by one', { reason: messageOf(error) });
    return new Map();
  }
}

/**
 * A mail that did not come with its group: its content, null where it is gone. An error where it stays
 * unreadable for minutes while the server gives out others; as long as it gives out none, it is waited for.
 */
export async function readAlone(
  options: ReadingOptions,
  { uid }: MailSummary,
  signal: AbortSignal,
): Promise<MailContent | AppError | null> {
  const { session, patience, clock, log } = options;
  const { uidValidity } = session;
  for (let tries = 1; ; tries += 1) {
    const [listed, ...others] = await session.listAfter(uid - 1, 1 + MAX_OTHERS);
    if (listed?.uid !== uid) {
      patience.forget(uidValidity, uid);
      return null;
    }
    if (patience.isOver(uidValidity, uid)) {
      return new AppError('mailbox.unreadable', 'the server lists it and does not give it out');
    }
    const total = patience.begin(uidValidity, uid);
    // First the other: this mail may end the session.
    const other = total === 1 ? undefined : others[total % others.length];
    if (other !== undefined && (await readOne(options, other.uid)) !== null) patience.blame(uidValidity, uid);
    const content = await readOne(options, uid);
    if (content !== null) {
      patience.forget(uidValidity, uid);
      return content;
    }
    const waitMs = patienceMs(tries);
    log.warn(`a mail cannot be read; again in ${waitMs / 1000} s`, { uid, tries: total });
    await clock.sleep(waitMs, signal);
  }
}

/** Null where the server refuses it or does not give it out. @throws AppError where the session is over */
async function readOne(
  { session, maxBytes, onError }: ReadingOptions,
  uid: number,
): Promise<MailContent | null> {
  try {
    return (await session.read([uid], maxBytes))[0] ?? null;
  } catch (error) {
    if (codeOf(error) !== 'mailbox.unavailable') throw error;
    onError(error);
    return null;
  }
}
