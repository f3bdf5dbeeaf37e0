import { once } from 'node:events';
import type { AddressInfo, Server, Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import hoodiecrow, { type HoodiecrowConnection } from 'hoodiecrow-imap';
import { SMTPServer, type SMTPServerSession } from 'smtp-server';

const LOOPBACK = '127.0.0.1';
const SENT = 'Sent';
/** A demo keeps every mail in memory; none of its mails comes near this. */
const MAX_MAIL_BYTES = 5_000_000;

export interface MailServersOptions {
  /** Address of the mailbox the node reads; also its user name, for both servers. */
  readonly address: string;
  readonly password: string;
}

/** A mail that passed through the SMTP server, as it was handed over. */
export interface PassedMail {
  /** Position among all mails of the demo, from 1. */
  readonly number: number;
  readonly raw: Buffer;
  /** Addresses of the envelope. */
  readonly from: string;
  readonly to: readonly string[];
  /** UID in the node's inbox where it was for the node, null where it was for people. */
  readonly inboxUid: number | null;
}

/** An SMTP and an IMAP server in this process, on free loopback ports, that keep all mail in memory. */
export interface MailServers extends AsyncDisposable {
  readonly imapPort: number;
  readonly smtpPort: number;
  /** The folder in which the node's own mails are filed, as Gmail does. */
  readonly sentMailbox: string;
  /** Every mail so far, in order. */
  readonly mails: readonly PassedMail[];
  /** Whether somebody has the inbox open. */
  isInboxOpen(): boolean;
  isSeen(uid: number): boolean;
}

/** Starts both servers: mail for `address` goes into its inbox, all other mail is kept for people to look at. */
export async function startMailServers(options: MailServersOptions): Promise<MailServers> {
  const { address, password } = options;
  const imap = hoodiecrow({
    plugins: ['IDLE', 'SPECIAL-USE', 'UIDPLUS', 'ENABLE', 'ID', 'UNSELECT'],
    users: { [address]: { password } },
    storage: { INBOX: {}, '': { folders: { [SENT]: { 'special-use': '\\Sent' } } } },
  });
  const sessions = new Set<HoodiecrowConnection>();
  imap.connectionHandlers.push((connection) => sessions.add(connection));

  const mails: PassedMail[] = [];
  const file = (mailbox: string, flags: string[], raw: Buffer): number =>
    imap.appendMessage(mailbox, flags, new Date(), raw.toString('latin1')).message.uid;
  const take = (raw: Buffer, session: SMTPServerSession): void => {
    const { mailFrom, rcptTo } = session.envelope;
    const from = mailFrom === false ? '' : mailFrom.address;
    const to = rcptTo.map((recipient) => recipient.address.toLowerCase());
    if (from === address) file(SENT, ['\\Seen'], raw);
    const inboxUid = to.includes(address) ? file('INBOX', [], raw) : null;
    mails.push({ number: mails.length + 1, raw, from, to, inboxUid });
  };
  const smtp = smtpServer(address, password, take);

  const open = [await listen(imap.server), await listen(smtp.server)] as const;
  return {
    imapPort: open[0].port,
    smtpPort: open[1].port,
    sentMailbox: SENT,
    mails,
    isInboxOpen: () => [...sessions].some((session) => session.selectedMailbox?.path === 'INBOX'),
    isSeen: (uid) => {
      const mail = imap.getMailbox('INBOX')?.messages.find((message) => message.uid === uid);
      return mail?.flags.includes('\\Seen') ?? false;
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(open.map((listener) => listener.close()));
    },
  };
}

/** Takes mail from anyone to anyone, as the server of one's own provider does, and lets the node log in. */
function smtpServer(
  address: string,
  password: string,
  take: (raw: Buffer, session: SMTPServerSession) => void,
): SMTPServer {
  return new SMTPServer({
    authOptional: true,
    allowInsecureAuth: true,
    disabledCommands: ['STARTTLS'],
    disableReverseLookup: true,
    size: MAX_MAIL_BYTES,
    logger: false,
    onAuth: (auth, _session, callback) => {
      const good = auth.username === address && auth.password === password;
      callback(good ? null : new Error('Invalid username or password'), { user: address });
    },
    onData: (stream, session, callback) => {
      buffer(stream).then(
        (raw) => {
          take(raw, session);
          callback();
        },
        (error: Error) => callback(error),
      );
    },
  });
}

/** Listens on a free port; closing also ends the connections that are open. */
async function listen(server: Server): Promise<{ port: number; close: () => Promise<void> }> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.listen(0, LOOPBACK);
  await once(server, 'listening');
  const close = async (): Promise<void> => {
    const closed = once(server, 'close');
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  return { port: (server.address() as AddressInfo).port, close };
}
