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
}

export interface Mailer {
  /**
   * Hands a mail to the SMTP server; resolves with its answer once it has taken responsibility (250 after the
   * final dot). @throws AppError `mail.rejected` (final), `mail.unavailable` (not sent; retriable),
   * `mail.unknown` (the connection was lost after the final dot: sent or not; retriable after looking)
   */
  send(mail: OutgoingMail, signal: AbortSignal): Promise<string>;
  close(): Promise<void>;
}
