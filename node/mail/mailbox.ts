/** What a listing says of a mail, before its content is read. */
export interface MailSummary {
  /** Unique within one UIDVALIDITY, ascending (RFC 9051 section 2.3.1.1). */
  readonly uid: number;
  /** When the server took the mail in. */
  readonly receivedAt: Temporal.Instant;
  readonly sizeBytes: number;
  readonly seen: boolean;
}

export interface MailContent {
  readonly uid: number;
  /** The raw mail; its headers alone where the mail is over the limit given to `read`. */
  readonly raw: Buffer;
  /** True where `raw` holds the headers alone. */
  readonly truncated: boolean;
}

/** The inbox as the master sees it. Each connection is a fresh session; a session that has closed stays closed. */
export interface Mailbox {
  /**
   * Connects, logs in and selects the inbox for writing. The signal is for all of the session's life: when it
   * aborts, the session is closed within a second, and commands that hang reject with the signal's reason.
   * @throws AppError `mailbox.login` (credentials refused), `mailbox.unavailable` (retriable)
   */
  open(signal: AbortSignal): Promise<MailboxSession>;
}

export interface MailboxSession {
  /** Changes when the server has given all mails new UIDs; a decimal text. */
  readonly uidValidity: string;
  /** The UID the next mail will get, as of `open`: what is below it was there before (RFC 9051 section 2.3.1.1). */
  readonly uidNext: number;
  /** Mails whose UID is over `uid`, ascending, at most `limit`. */
  listAfter(uid: number, limit: number): Promise<readonly MailSummary[]>;
  /** Mails the server took in at or after `since`, ascending by UID, at most `limit`. */
  listSince(since: Temporal.Instant, limit: number): Promise<readonly MailSummary[]>;
  /** The content of these mails, without marking them read. Larger than `maxBytes`: the headers alone. */
  read(uids: readonly number[], maxBytes: number): Promise<readonly MailContent[]>;
  /** Sets `\Seen` and, where the server keeps keywords, `$Parelha`. */
  markAccepted(uids: readonly number[]): Promise<void>;
  /**
   * Resolves when the server hints at new mail, or after `timeoutMs`. A hint that came since the last wait
   * counts. Rejects with the signal's reason when it aborts.
   * @throws AppError `mailbox.closed` (retriable) when the session ends
   */
  waitForMail(timeoutMs: number, signal: AbortSignal): Promise<'hint' | 'timeout'>;
  /** Ends the session within seconds; never throws. */
  close(): Promise<void>;
}

/** The mailbox in which the server files what we send: tells whether a mail went out before a crash. */
export interface SentMail {
  /**
   * True where a mail with this Message-ID (with its angle brackets) lies there. Rejects at once with the
   * signal's reason when it aborts. @throws AppError as `Mailbox.open`, and `mailbox.closed`
   */
  contains(messageId: string, signal: AbortSignal): Promise<boolean>;
}
