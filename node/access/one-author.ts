import { headerFields, headerOf, type HeaderField } from '../mail/header-fields.ts';

/** Fields that make a request what it is; a mail has each at most once (RFC 5322 section 3.6). */
export const TELLING_FIELDS = ['from', 'subject', 'date', 'message-id'] as const;

/** From fields are looked into up to this, and for so many addresses. */
const MAX_FROM_LENGTH = 4 * 1024;
const MAX_CLAIMED = 20;
/** What some mailboxes put in front of a mail. */
const MBOX_LINE = /^>?From /;

/**
 * Why nobody can say what the header of a mail means; null where it is plain. A signature covers the last one of
 * several fields of a name (RFC 6376 section 5.4.2) while readers take the first, so whoever has a signed mail could
 * put another subject on top of it; and line ends that are not CRLF, or names that are folded, let two programs see two
 * headers.
 */
export function headerAmbiguity(raw: Buffer): string | null {
  const header = headerOf(raw);
  if (header.includes(0)) return 'a NUL stands in its header';
  const text = header.toString('latin1');
  if (/\r(?!\n|$)/.test(text) || (text.includes('\r\n') && /(?<!\r)\n/.test(text))) {
    return 'its header has line ends of several kinds';
  }
  const fields = headerFields(header);
  // `Subject` and its colon on the next line are one field to those who verify signatures, and none to readers.
  const lines = text.split(/\r?\n/).filter((line, at) => line !== '' && !(at === 0 && MBOX_LINE.test(line)));
  const starts = lines.filter((line) => !/^[ \t]/.test(line)).length;
  if (starts !== fields.length) return 'a line of it is no header field';
  for (const name of TELLING_FIELDS) {
    const count = countOf(fields, name);
    if (count > 1) return `it has ${count} ${name} fields`;
  }
  return null;
}

/** How many fields of this name there are. */
export function countOf(fields: readonly HeaderField[], name: string): number {
  return fields.filter((field) => field.name === name).length;
}

/** Everything in the From fields that looks like an address, in lower case: whom a mail may want to pass for. */
export function claimedSenders(raw: Buffer): readonly string[] {
  const claimed = new Set<string>();
  for (const { name, value } of headerFields(headerOf(raw))) {
    if (name !== 'from') continue;
    const text = value.slice(0, MAX_FROM_LENGTH).toLowerCase();
    for (const [address] of text.matchAll(/[^\s@<>()[\]\\,;:"]{1,64}@[a-z0-9.-]{1,255}/g)) {
      if (claimed.size < MAX_CLAIMED) claimed.add(address);
    }
  }
  return [...claimed];
}
