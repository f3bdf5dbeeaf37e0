import { simpleParser } from 'mailparser';
import { createTransport } from 'nodemailer';
import type { MailServers, PassedMail } from './mail-servers.ts';

/** The people of the demo, and the mailbox they write to. */
export const ADDRESSES = {
  node: 'gravacoes@example.com',
  requester: 'ana@example.com',
  admin: 'admin@example.com',
} as const;

export interface SentRequest {
  readonly messageId: string;
  readonly uid: number;
}

/** Writes to the node as a person does: a subject, and a body nobody reads. */
export async function sendRequest(servers: MailServers, subject: string): Promise<SentRequest> {
  const transport = createTransport({ host: '127.0.0.1', port: servers.smtpPort, ignoreTLS: true });
  const { messageId } = await transport.sendMail({
    from: { name: 'Ana Souza', address: ADDRESSES.requester },
    to: ADDRESSES.node,
    subject,
    text: 'Oi! Preciso dessas gravações, por favor.\n\nObrigada,\nAna\n',
  });
  transport.close();
  const mail = servers.mails.findLast((passed) => passed.inboxUid !== null);
  if (mail?.inboxUid == null) throw new Error('the mail did not reach the inbox');
  return { messageId, uid: mail.inboxUid };
}

/** A mail as its reader sees it. */
export interface ReadMail {
  readonly number: number;
  readonly subject: string;
  readonly from: string;
  /** The sender's name, or the address where there is none. */
  readonly sender: string;
  readonly to: string;
  readonly cc: string;
  /** Instant in ISO form, as the mail itself says. */
  readonly date: string;
  readonly inReplyTo: string | null;
  readonly html: string | null;
  readonly text: string;
  /** Its first line, as a list of mails shows it. */
  readonly opening: string;
  readonly headers: string;
  /** Addresses of the links in its HTML, in order. */
  readonly links: readonly string[];
}

/** Takes a mail apart. */
export async function readMail(mail: PassedMail): Promise<ReadMail> {
  const parsed = await simpleParser(mail.raw);
  const html = typeof parsed.html === 'string' ? parsed.html : null;
  const addresses = (field: typeof parsed.to): string =>
    [field ?? []]
      .flat()
      .map((part) => part.text)
      .join(', ');
  return {
    number: mail.number,
    subject: parsed.subject ?? '',
    from: parsed.from?.text ?? '',
    sender: parsed.from?.value[0]?.name || (parsed.from?.text ?? ''),
    to: addresses(parsed.to),
    cc: addresses(parsed.cc),
    date: (parsed.date ?? new Date()).toISOString(),
    inReplyTo: parsed.inReplyTo ?? null,
    html,
    text: parsed.text ?? '',
    opening: (parsed.text ?? '').trimStart().split('\n', 1)[0] ?? '',
    headers: parsed.headerLines.map((header) => header.line).join('\n'),
    links: [...(html ?? '').matchAll(/href="(https?:[^"]+)"/g)].map((match) =>
      (match[1] ?? '').replaceAll('&amp;', '&'),
    ),
  };
}

/** What people got in answer to a request so far, in order. */
export async function answersTo(servers: MailServers, request: SentRequest): Promise<ReadMail[]> {
  const read = await Promise.all(servers.mails.filter((mail) => mail.inboxUid === null).map(readMail));
  return read.filter((mail) => mail.inReplyTo === request.messageId);
}
