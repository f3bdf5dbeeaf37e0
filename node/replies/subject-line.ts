import { NO_SUBJECT, TOKEN_PLACEHOLDER } from './catalogue.ts';
import { tidy } from './html.ts';

/** Well within what mail programs take; the mailer folds it. */
const MAX_LENGTH = 900;
/** A door token. It is cut at the door; this is for the day somebody forgets. */
const TOKEN = /\[\s*[0-9a-f]{8}\s*\]/gi;
const RE = /^re ?:/i;

/** A subject from outside as it may be shown: without tokens, controls and line ends. */
export function shownSubject(subject: string): string {
  const shown = tidy(subject).replaceAll(TOKEN, ' ').replaceAll(/\s+/g, ' ').trim();
  return shown === '' ? NO_SUBJECT : cutText(shown, MAX_LENGTH);
}

/**
 * The subject of an answer. Kept as it came, behind one `Re:`: mail programs file an answer under its request by
 * references and subject together, so what the answer says stands in the preheader and the first line instead.
 */
export function replySubject(subject: string): string {
  const shown = shownSubject(subject);
  return RE.test(shown) ? shown : `Re: ${shown}`;
}

/** A corrected subject as it is to be sent: with a place for the token where one is needed. */
export function subjectToSend(corrected: string, tokenRequired: boolean): string {
  const subject = tidy(corrected).trim();
  return tokenRequired ? `${TOKEN_PLACEHOLDER} ${subject}` : subject;
}

/** The link that opens a new mail to `mailbox` with this subject (RFC 6068). */
export function mailtoLink(mailbox: string, subject: string): string {
  return `mailto:${encodeURIComponent(tidy(mailbox)).replaceAll('%40', '@')}?subject=${encodeURIComponent(subject)}`;
}

/** At most `length` characters, with an ellipsis where something was cut. */
export function cutText(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1).toWellFormed()}…`;
}
