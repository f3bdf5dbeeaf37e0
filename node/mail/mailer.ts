/** A mail of ours, ready to go. */
export interface OutgoingMail {
  /** With angle brackets; deterministic, see `messageIdOf`. */
  readonly messageId: string;
  readonly to: readonly string[];
  readonly cc: readonly string[];
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  /** Message-ID of the mail answered, with its angle brackets. */
  readonly inReplyTo: string | null;
  readonly references: readonly string[];
  /** Where it goes only to some of `to` and `cc`, these; the header names all as before. */
  readonly only?: readonly string[];
}

/** What a server said to a mail that it took for at least one recipient. */
export type Receipt = {
  /** Its answer to the final dot. */
  readonly response: string;
  /** Recipients that it put off (4xx): the mail did not go to them, and may later. */
  readonly deferred: readonly string[];
  /** Recipients that it refused for good (5xx). */
  readonly refused: readonly string[];
};

export interface Mailer {
  /**
   * Hands a mail to the SMTP server; resolves once it has taken responsibility (250 after the final dot) for
   * at least one recipient. @throws AppError `mail.rejected` (final), `mail.unavailable` (not sent; retriable),
   * `mail.unknown` (the connection was lost after the final dot: sent or not; retriable after looking)
   */
  send(mail: OutgoingMail, signal: AbortSignal): Promise<Receipt>;
  /** Ends all connections at once, also those on which the server keeps us waiting. */
  close(): Promise<void>;
}
