import type { HeaderField } from './header-fields.ts';

/** What gave a machine away. */
export type AutomaticReason =
  | 'loop'
  | 'auto-submitted'
  | 'auto-reply'
  | 'bulk'
  | 'list'
  | 'report'
  | 'null-return-path'
  | 'mailer-daemon';

const LIST_FIELDS = new Set(['list-id', 'list-unsubscribe', 'list-post', 'list-help', 'mailing-list']);
const REPLY_FIELDS = new Set(['x-autoreply', 'x-autorespond', 'x-autoresponder', 'x-auto-reply-from']);
const BULK = new Set(['bulk', 'list', 'junk', 'auto_reply']);
/** Exchange: what answers to this mail are unwanted; an out-of-office reply names these (MS-OXCMAIL 2.2.3.2.14). */
const SUPPRESSED = new Set(['all', 'oof', 'autoreply']);
const DAEMONS = new Set(['mailer-daemon', 'postmaster']);

/**
 * Why a mail is not to be answered: RFC 3834 section 2 and 5 (Auto-Submitted, null return path, lists), and
 * the fields by which programs told so before it. Null where none applies.
 */
export function automaticReason(
  fields: readonly HeaderField[],
  fromAddress: string | null,
): AutomaticReason | null {
  for (const field of fields) {
    const reason = reasonOf(field);
    if (reason !== null) return reason;
  }
  const localPart = fromAddress?.split('@')[0] ?? '';
  return DAEMONS.has(localPart) ? 'mailer-daemon' : null;
}

function reasonOf({ name, value }: HeaderField): AutomaticReason | null {
  const words = value
    .toLowerCase()
    .split(/[\s,;]+/)
    .filter((word) => word !== '');
  const first = words[0] ?? '';
  if (name === 'auto-submitted') return first === 'no' || first === '' ? null : 'auto-submitted';
  if (name === 'precedence') return BULK.has(first) ? 'bulk' : null;
  if (name === 'x-auto-response-suppress')
    return words.some((word) => SUPPRESSED.has(word)) ? 'auto-reply' : null;
  if (name === 'return-path') return first === '<>' ? 'null-return-path' : null;
  if (name === 'content-type') return first === 'multipart/report' ? 'report' : null;
  if (LIST_FIELDS.has(name)) return 'list';
  return REPLY_FIELDS.has(name) ? 'auto-reply' : null;
}
