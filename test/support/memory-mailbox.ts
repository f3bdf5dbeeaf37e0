import type { Mailbox, MailboxSession, MailSummary, SentMail } from '../../node/mail/mailbox.ts';
import { AppError } from '../../node/platform/errors.ts';

interface StoredMail {
  readonly uid: number;
  readonly receivedAt: Temporal.Instant;
  readonly raw: Buffer;
  readonly flags: Set<string>;
}

export interface Delivery {
  readonly seen?: boolean;
  readonly receivedAt?: Temporal.Instant;
}

/** A mailbox in memory, held to the same contract as the IMAP one. */
export interface MemoryMailbox extends Mailbox {
  /** Puts a mail there and hints at it; gives its UID. */
  deliver(raw: string | Buffer, delivery?: Delivery): number;
  /** A person removes a mail. */
  remove(uid: number): void;
  /** A person marks it as unread again. */
  markUnread(uid: number): void;
  flagsOf(uid: number): readonly string[];
  /** Ends all sessions. */
  kick(): void;
  /** Gives all mails new UIDs, as a server does that lost its index; ends all sessions. */
  renumber(): void;
  /** The next opening fails with this. */
  failNextOpen(error: AppError): void;
  /** From now on `read` gives nothing for this mail although it is listed. */
  damage(uid: number): void;
  /** Sessions opened so far. */
  opened(): number;
  openSessions(): number;
}

/** `now` stamps deliveries that do not say when. */
export function createMemoryMailbox(now: () => Temporal.Instant): MemoryMailbox {
  let uidValidity = 1_000;
  let uidNext = 1;
  let mails: StoredMail[] = [];
  let opened = 0;
  const sessions = new Set<{ hint(): void; end(): void }>();
  const failures: AppError[] = [];
  const damaged = new Set<number>();
  const get = (uid: number): StoredMail => {
    const mail = mails.find((candidate) => candidate.uid === uid);
    if (mail === undefined) throw new Error(`no mail with UID ${uid}`);
    return mail;
  };
  const summaryOf = ({ uid, receivedAt, raw, flags }: StoredMail): MailSummary => ({
    uid,
    receivedAt,
    sizeBytes: raw.length,
    seen: flags.has('\\Seen'),
  });

  const createSession = (): MailboxSession => {
    let hinted = false;
    let closed = false;
    let wake: (() => void) | null = null;
    const handle = {
      hint: () => {
        hinted = true;
        wake?.();
      },
      end: () => {
        closed = true;
        sessions.delete(handle);
        wake?.();
      },
    };
    sessions.add(handle);
    /** Every operation takes a turn of the event loop, as one over a network does. */
    const command = async <T>(work: () => T): Promise<T> => {
      await Promise.resolve();
      if (closed) throw new AppError('mailbox.closed', 'the session is closed', { retriable: true });
      return work();
    };
    return {
      uidValidity: String(uidValidity),
      uidNext,
      listAfter: (uid, limit) =>
        command(() =>
          mails
            .filter((mail) => mail.uid > uid)
            .slice(0, limit)
            .map(summaryOf),
        ),
      listSince: (since, limit) =>
        command(() =>
          mails
            .filter((mail) => Temporal.Instant.compare(mail.receivedAt, since) >= 0)
            .slice(0, limit)
            .map(summaryOf),
        ),
      read: (uids, maxBytes) =>
        command(() =>
          uids.flatMap((uid) => {
            const mail = mails.find((candidate) => candidate.uid === uid);
            if (mail === undefined || damaged.has(uid)) return [];
            const truncated = mail.raw.length > maxBytes;
            const end = mail.raw.indexOf('\r\n\r\n') + 4;
            return { uid, raw: truncated ? mail.raw.subarray(0, end) : mail.raw, truncated };
          }),
        ),
      markAccepted: (uids) =>
        command(() => {
          for (const mail of mails.filter(({ uid }) => uids.includes(uid)))
            mail.flags.add('\\Seen').add('$Parelha');
        }),
      waitForMail: async (timeoutMs, signal) => {
        signal.throwIfAborted();
        if (!hinted && !closed) {
          const { promise, resolve } = Promise.withResolvers<void>();
          wake = resolve;
          const timer = setTimeout(resolve, timeoutMs);
          signal.addEventListener('abort', () => resolve(), { once: true });
          await promise;
          clearTimeout(timer);
          wake = null;
        }
        signal.throwIfAborted();
        if (closed) throw new AppError('mailbox.closed', 'the session is closed', { retriable: true });
        if (!hinted) return 'timeout';
        hinted = false;
        return 'hint';
      },
      close: async () => handle.end(),
    };
  };

  return {
    open: async (signal) => {
      signal.throwIfAborted();
      const failure = failures.shift();
      if (failure !== undefined) throw failure;
      opened += 1;
      return createSession();
    },
    deliver: (raw, { seen = false, receivedAt = now() } = {}) => {
      const content = Buffer.from(typeof raw === 'string' ? raw.replaceAll(/\r?\n/g, '\r\n') : raw);
      const uid = uidNext;
      uidNext += 1;
      mails.push({ uid, receivedAt, raw: content, flags: new Set(seen ? ['\\Seen'] : []) });
      for (const session of sessions) session.hint();
      return uid;
    },
    remove: (uid) => {
      mails = mails.filter((mail) => mail.uid !== uid);
    },
    markUnread: (uid) => {
      get(uid).flags.delete('\\Seen');
    },
    flagsOf: (uid) => [...get(uid).flags],
    kick: () => {
      for (const session of sessions) session.end();
    },
    renumber: () => {
      uidValidity += 1;
      mails = mails.map((mail, index) => ({ ...mail, uid: index + 1 }));
      uidNext = mails.length + 1;
      for (const session of sessions) session.end();
    },
    failNextOpen: (error) => failures.push(error),
    damage: (uid) => damaged.add(uid),
    opened: () => opened,
    openSessions: () => sessions.size,
  };
}

/** A mailbox of sent mails in memory. */
export interface MemorySentMail extends SentMail {
  readonly messageIds: Set<string>;
  /** How often it was asked. */
  looks(): number;
  /** The next look fails with this. */
  failNext(error: AppError): void;
}

export function createMemorySentMail(): MemorySentMail {
  const messageIds = new Set<string>();
  const failures: AppError[] = [];
  let looks = 0;
  return {
    messageIds,
    looks: () => looks,
    failNext: (error) => failures.push(error),
    contains: async (messageId, signal) => {
      signal.throwIfAborted();
      looks += 1;
      const failure = failures.shift();
      if (failure !== undefined) throw failure;
      return messageIds.has(messageId);
    },
  };
}
