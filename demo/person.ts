import { simpleParser } from 'mailparser';
import { createTransport } from 'nodemailer';
import type { MailServers, PassedMail } from './mail-servers.ts';

/** The people of the demo, and the mailboxes they write to. */
export const ADDRESSES = {
  node: 'gravacoes@example.com',
  /** Of a third node, which is alone. */
  lone: 'filial@example.com',
  requester: 'ana@example.com',
  admin: 'admin@example.com',
} as const;

/** Who writes: Ana unless told otherwise. */
export const PEOPLE = {
  ana: { name: 'Ana Souza', address: ADDRESSES.requester },
  beto: { name: 'Beto Lima', address: 'beto@example.com' },
  carla: { name: 'Carla Dias', address: 'carla@example.com' },
  admin: { name: 'Administração', address: ADDRESSES.admin },
} as const;
export type Person = keyof typeof PEOPLE;

export interface SentRequest {
  readonly messageId: string;
  readonly uid: number;
}

export interface SendOptions {
  readonly by?: Person;
  /** Whoever hands it over in truth: then the name in it is a forged one. */
  readonly handedOverBy?: string;
  /** Of a mail that was sent before, under whose id and date this one goes. */
  readonly as?: { readonly messageId: string; readonly date: Date };
  /** Header fields beside those that belong there, as a broken program may add them. */
  readonly odd?: readonly { readonly key: string; readonly value: string }[];
}

/** Writes to the node as a person does: a subject, and a body nobody reads. */
export async function sendRequest(
  servers: MailServers,
  subject: string,
  { by = 'ana', handedOverBy, as, odd = [] }: SendOptions = {},
): Promise<SentRequest> {
  const transport = createTransport({ host: '127.0.0.1', port: servers.smtpPort, ignoreTLS: true });
  const to = servers.address;
  const { messageId } = await transport.sendMail({
    from: PEOPLE[by],
    ...(handedOverBy === undefined ? {} : { envelope: { from: handedOverBy, to } }),
    ...as,
    ...{ to, subject, headers: [...odd] },
    text: `Oi! Preciso disso, por favor.\n\nObrigado,\n${PEOPLE[by].name}\n`,
  });
  transport.close();
  const mail = servers.mails.findLast(({ inboxUid, raw }) => inboxUid !== null && raw.includes(messageId));
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
  /** What the node calls it, in its Message-ID (mail/message-id.ts): `result`, `refusal`; null where it is none of a node. */
  readonly answerKind: string | null;
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
    answerKind:
      /^<[0-9a-f]{32}\.(?<kind>[a-z0-9-]+)\.\d+@/.exec(parsed.messageId ?? '')?.groups?.['kind'] ?? null,
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
