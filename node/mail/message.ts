import { createHash } from 'node:crypto';
import { AppError, messageOf } from '../platform/errors.ts';
import { type AutomaticReason, automaticReason } from './automatic.ts';
import { headerFields, type HeaderField, headerOf, LOOP_HEADER, rawText } from './header-fields.ts';

const MAX_HEADER_BYTES = 256 * 1024;
const MAX_FIELDS = 2_000;
const MAX_RAW_SUBJECT_LENGTH = 16 * 1024;
const MAX_RAW_FROM_LENGTH = 4 * 1024;
/** More than a request may have: one that is too long is to be refused for it, not cut to another that passes. */
const MAX_SUBJECT_LENGTH = 2_000;
const MAX_MESSAGE_ID_LENGTH = 998;
const MAX_REFERENCES = 50;
const MAX_ADDRESS_LENGTH = 320;
const MAX_SHOWN_LENGTH = 200;

/** What a node needs to know of a mail that came in; commands stand in the subject, so bodies are not read. */
export interface IncomingMail {
  /** Job id: SHA-256 of (Message-ID, From, Date) as they stand, or of the raw mail where there is no Message-ID. */
  readonly identity: string;
  /** With angle brackets; null where there is none to answer to. */
  readonly messageId: string | null;
  /** Null unless exactly one plain address stands in exactly one From field. `address` is in lower case. */
  readonly from: { readonly address: string; readonly name: string } | null;
  /** The From field as it stands, shortened: for logs and notices. */
  readonly fromText: string;
  /** The Date field as it stands. */
  readonly date: string;
  /** Decoded, on one line. */
  readonly subject: string;
  /** Message-IDs of the thread, oldest first, without this mail's own. */
  readonly references: readonly string[];
  /** Why it is taken for written by a machine; null where a person seems to have written it. */
  readonly automatic: AutomaticReason | null;
  /** Id of the node whose loop header it carries. */
  readonly loopOf: string | null;
}

export interface MessageLimits {
  readonly maxHeaderBytes?: number;
}

/**
 * Reads what the header of a mail says. The header alone will do.
 * @throws AppError `mail.unparsable` where it is no mail, or its header is beyond all bounds
 */
export async function readMessage(raw: Buffer, limits: MessageLimits = {}): Promise<IncomingMail> {
  const header = headerOf(raw);
  const maxBytes = limits.maxHeaderBytes ?? MAX_HEADER_BYTES;
  if (header.length > maxBytes) throw unparsable(`its header has more than ${maxBytes} bytes`);
  const fields = headerFields(header);
  if (fields.length === 0) throw unparsable('it has no header');
  if (fields.length > MAX_FIELDS) throw unparsable(`its header has more than ${MAX_FIELDS} fields`);

  const first = (name: string): string => fields.find((field) => field.name === name)?.value ?? '';
  const from = await senderOf(fields);
  const loopOf = clean(first(LOOP_HEADER.toLowerCase())).slice(0, MAX_SHOWN_LENGTH);
  const messageId = messageIds(first('message-id'))[0] ?? null;
  return {
    identity: identityOf(raw, first),
    messageId,
    from,
    fromText: clean(rawText(first('from'))).slice(0, MAX_SHOWN_LENGTH),
    date: clean(first('date')).slice(0, MAX_SHOWN_LENGTH),
    subject: await decodeSubject(first('subject')),
    references: referencesOf(first('references'), first('in-reply-to'), messageId),
    automatic: loopOf === '' ? automaticReason(fields, from?.address ?? null) : 'loop',
    loopOf: loopOf === '' ? null : loopOf,
  };
}

/** Text on one line, without control and invisible characters, and without halves of surrogate pairs. */
export function clean(text: string): string {
  return text
    .toWellFormed()
    .normalize('NFC')
    .replaceAll(/\p{Cf}/gu, '')
    .replaceAll(/[\s\p{Cc}]+/gu, ' ')
    .trim();
}

function identityOf(raw: Buffer, first: (name: string) => string): string {
  const hash = createHash('sha256');
  if (first('message-id') === '') return hash.update(raw).digest('hex');
  for (const name of ['message-id', 'from', 'date']) {
    const value = first(name).replaceAll(/\s+/g, ' ');
    hash.update(`${value.length}:${value}`, 'latin1'); // lengths keep ('a', 'bc') and ('ab', 'c') apart
  }
  return hash.digest('hex');
}

async function senderOf(fields: readonly HeaderField[]): Promise<IncomingMail['from']> {
  const from = fields.filter((field) => field.name === 'from');
  const value = from[0]?.value ?? '';
  if (from.length !== 1 || value.length > MAX_RAW_FROM_LENGTH) return null;
  const { parseAddressHeader } = await import('mailparser');
  const parsed = parseAddressHeader(rawText(value), { decodePunycode: false }).value;
  const address = parsed[0]?.address?.toLowerCase();
  if (parsed.length !== 1 || address === undefined || parsed[0]?.group !== undefined) return null;
  if (address.length > MAX_ADDRESS_LENGTH || !/^[^\s@<>()[\]\\,;:"]+@[a-z0-9.-]+$/.test(address)) return null;
  // Only an address that stands there as it is: none that an encoded word was decoded into (RFC 2047 section 5).
  if (!value.toLowerCase().includes(address)) return null;
  return { address, name: clean(parsed[0]?.name ?? '').slice(0, MAX_SHOWN_LENGTH) };
}

/** RFC 2047, by mailparser, given this field alone: no body, no nesting, nothing to run away with. */
async function decodeSubject(value: string): Promise<string> {
  const field = `Subject: ${rawText(value.slice(0, MAX_RAW_SUBJECT_LENGTH))}\r\n\r\n`;
  try {
    const { simpleParser } = await import('mailparser'); // loaded with the first mail: it is large
    const { subject } = await simpleParser(Buffer.from(field), {
      skipTextToHtml: true,
      skipHtmlToText: true,
    });
    return clean(clean(subject ?? '').slice(0, MAX_SUBJECT_LENGTH));
  } catch (error) {
    throw unparsable(`its subject cannot be decoded: ${messageOf(error)}`, error);
  }
}

function referencesOf(references: string, inReplyTo: string, own: string | null): string[] {
  const all = [...messageIds(references), ...messageIds(inReplyTo)];
  return [...new Set(all)].filter((id) => id !== own).slice(-MAX_REFERENCES);
}

/** msg-id of RFC 5322 section 3.6.4, as loosely as it is written in practice. */
function messageIds(value: string): string[] {
  return (value.match(/<[!-;=?-~]+>/g) ?? []).filter((id) => id.length <= MAX_MESSAGE_ID_LENGTH);
}

function unparsable(reason: string, cause?: unknown): AppError {
  return new AppError('mail.unparsable', `the mail cannot be read: ${reason}`, { cause });
}
