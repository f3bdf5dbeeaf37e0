import { ImapFlow } from 'imapflow';
import { type ParsedMail, simpleParser } from 'mailparser';
import { createTransport } from 'nodemailer';
import type { MailServers } from './exim.ts';
import { PEOPLE, TOKEN } from './node.ts';
import { eventually } from './process.ts';

/** A look into a mailbox is a connection with all it takes. */
const MAILBOX_POLL_MS = 100;

/** A mail as its receiver has it. */
export interface ReceivedMail {
  readonly parsed: ParsedMail;
  readonly raw: string;
  readonly seen: boolean;
  readonly flags: ReadonlySet<string>;
}

/** Sends a request as a person would, by SMTP; gives its Message-ID. */
export async function sendRequest(
  { exim }: MailServers,
  subject: string,
  more: {
    from?: string;
    to?: string;
    headers?: Record<string, string>;
    text?: string;
    token?: string | null;
    /** Sender in the envelope, where it is not that of the header: empty for a bounce. */
    envelopeFrom?: string;
  } = {},
): Promise<string> {
  const transport = createTransport({ host: exim.host, port: exim.smtpPort, ignoreTLS: true });
  try {
    const token = more.token === undefined ? TOKEN : more.token;
    const from = more.from ?? PEOPLE.maria;
    const to = more.to ?? PEOPLE.node;
    const { messageId } = await transport.sendMail({
      from,
      to,
      envelope: { from: more.envelopeFrom ?? from, to },
      subject: token === null ? subject : `[${token}] ${subject}`,
      text: more.text ?? 'Obrigada!',
      headers: more.headers ?? {},
    });
    return messageId;
  } finally {
    transport.close();
  }
}

/** All mails in a mailbox, oldest first; none where it does not exist. */
export async function mailsOf(
  { dovecot }: MailServers,
  user: string,
  mailbox = 'INBOX',
): Promise<ReceivedMail[]> {
  const client = new ImapFlow({
    host: dovecot.host,
    port: dovecot.imapPort,
    secure: false,
    doSTARTTLS: false,
    auth: { user, pass: dovecot.password },
    logger: false,
  });
  client.on('error', () => undefined); // what it says comes as a rejection too
  await client.connect();
  try {
    const { exists } = await client.mailboxOpen(mailbox, { readOnly: true });
    if (exists === 0) return [];
    const fetched = await client.fetchAll('1:*', { source: true, flags: true });
    return await Promise.all(
      fetched.map(async ({ source, flags = new Set<string>() }) => ({
        parsed: await simpleParser(source ?? Buffer.alloc(0)),
        raw: source?.toString() ?? '',
        seen: flags.has('\\Seen'),
        flags,
      })),
    );
  } finally {
    await client.logout();
  }
}

/** Waits for `count` mails to somebody that `match`, and gives them. */
export async function waitForMails(
  servers: MailServers,
  user: string,
  count: number,
  match: (mail: ReceivedMail) => boolean = () => true,
  timeoutMs = 30_000,
): Promise<ReceivedMail[]> {
  return eventually(
    `${count} mails to ${user}`,
    async () => {
      const found = (await mailsOf(servers, user)).filter(match);
      return found.length >= count ? found : null;
    },
    timeoutMs,
    MAILBOX_POLL_MS,
  );
}

/** Which of our mails this is, by its deterministic Message-ID. */
export function kindOf({ parsed }: ReceivedMail): string {
  return /\.(?<kind>[a-z]+)\.\d+@/.exec(parsed.messageId ?? '')?.groups?.['kind'] ?? 'foreign';
}

export const isKind =
  (kind: string) =>
  (mail: ReceivedMail): boolean =>
    kindOf(mail) === kind;

/** The links of a mail in the order in which they stand in its HTML. */
export function linksOf({ parsed }: ReceivedMail): { url: string; label: string }[] {
  const html = typeof parsed.html === 'string' ? parsed.html : '';
  return [...html.matchAll(/<a\b[^>]*\bhref="([^"]+)"[^>]*>([\s\S]*?)<\/a\s*>/g)].map((link) => ({
    url: (link[1] ?? '').replaceAll('&amp;', '&'),
    label: (link[2] ?? '').replaceAll(/<[^>]*>/g, '').trim(),
  }));
}
