import { once } from 'node:events';
import type { AddressInfo, Server, Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import hoodiecrow, { type HoodiecrowConnection, type HoodiecrowServer } from 'hoodiecrow-imap';
import { SMTPServer, type SMTPServerSession } from 'smtp-server';

/** By which this server signs what it says of a sender (RFC 8601 section 2.5). */
export const AUTHSERV_ID = 'mx.example.com';
const LOOPBACK = '127.0.0.1';
const SENT = 'Sent';
/** The server's names for the responses after which a connection has no mailbox, or another one. */
const LEAVES: ReadonlySet<string> = new Set(['EXAMINE', 'CLOSE', 'LOGOUT COMPLETED']);
/** A demo keeps every mail in memory; none of its mails comes near this. */
const MAX_MAIL_BYTES = 5_000_000;

export interface MailServersOptions {
  /** Address of the mailbox the node reads; also its user name, for both servers. */
  readonly address: string;
  readonly password: string;
  /** Of another pair of servers of the demo, whose mails are numbered with these. */
  readonly mails?: PassedMail[];
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

/** Who had the inbox open. */
export interface InboxWatch {
  /** Sessions that have it now. */
  readonly now: number;
  /** The most that ever had it at once. */
  readonly most: number;
  /** How long nobody had it before it was last opened; 0 at the first time. */
  readonly gapMs: number;
}

/** An SMTP and an IMAP server in this process, on free loopback ports, that keep all mail in memory. */
export interface MailServers extends AsyncDisposable {
  readonly address: string;
  readonly imapPort: number;
  readonly smtpPort: number;
  /** The folder in which the node's own mails are filed, as Gmail does. */
  readonly sentMailbox: string;
  /** Every mail so far, in order. */
  readonly mails: PassedMail[];
  inbox(): InboxWatch;
  isSeen(uid: number): boolean;
}

/** Starts both servers: mail for `address` goes into its inbox, all other mail is kept for people to look at. */
export async function startMailServers(options: MailServersOptions): Promise<MailServers> {
  const { address, password, mails = [] } = options;
  const imap = hoodiecrow({
    plugins: ['IDLE', 'SPECIAL-USE', 'UIDPLUS', 'ENABLE', 'ID', 'UNSELECT'],
    users: { [address]: { password } },
    storage: { INBOX: {}, '': { folders: { [SENT]: { 'special-use': '\\Sent' } } } },
  });
  const inbox = watchInbox(imap);

  const file = (mailbox: string, flags: string[], raw: Buffer): number =>
    imap.appendMessage(mailbox, flags, new Date(), raw.toString('latin1')).message.uid;
  const take = (raw: Buffer, session: SMTPServerSession): void => {
    const { mailFrom, rcptTo } = session.envelope;
    const from = mailFrom === false ? '' : mailFrom.address;
    const to = rcptTo.map((recipient) => recipient.address.toLowerCase());
    if (from === address) file(SENT, ['\\Seen'], raw);
    const inboxUid = to.includes(address) ? file('INBOX', [], vouchedFor(from, raw)) : null;
    mails.push({ number: mails.length + 1, raw, from, to, inboxUid });
  };
  const smtp = smtpServer(address, password, take);

  const open = [await listen(imap.server), await listen(smtp.server)] as const;
  return {
    address,
    imapPort: open[0].port,
    smtpPort: open[1].port,
    sentMailbox: SENT,
    mails,
    inbox,
    isSeen: (uid) => {
      const mail = imap.getMailbox('INBOX')?.messages.find((message) => message.uid === uid);
      return mail?.flags.includes('\\Seen') ?? false;
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(open.map((listener) => listener.close()));
    },
  };
}

/**
 * The mail as a provider's server files it: with its word on the sender. Whoever hands a mail over in the name of their own
 * domain is taken to be of it.
 */
function vouchedFor(from: string, raw: Buffer): Buffer {
  const named = /^From: .*?@(?<domain>[a-z0-9.-]+)/im.exec(raw.toString('latin1'))?.groups?.['domain'] ?? '';
  const word = from.slice(from.lastIndexOf('@') + 1) === named ? 'pass' : 'fail';
  const results = `Authentication-Results: ${AUTHSERV_ID}; dmarc=${word} header.from=${named}\r\n`;
  return Buffer.concat([Buffer.from(results), raw]);
}

/**
 * Watches who has the inbox selected. The server keeps what a connection had selected when that logs out or is cut, so
 * this keeps its own account.
 */
function watchInbox(imap: HoodiecrowServer): MailServers['inbox'] {
  const inside = new Set<HoodiecrowConnection>();
  let leftAt: number | null = null;
  const watch = { most: 0, gapMs: 0 };
  const enter = (connection: HoodiecrowConnection): void => {
    if (leftAt !== null && inside.size === 0) watch.gapMs = performance.now() - leftAt;
    inside.add(connection);
    watch.most = Math.max(watch.most, inside.size);
  };
  const leave = (connection: HoodiecrowConnection): void => {
    if (inside.delete(connection)) leftAt = performance.now();
  };
  imap.connectionHandlers.push((connection) => {
    connection.socket?.once('close', () => leave(connection));
  });
  imap.outputHandlers.push((connection, _response, what) => {
    if (what !== undefined && LEAVES.has(what)) leave(connection);
    if (what !== 'SELECT') return;
    leave(connection); // it may have been in another one before
    if (connection.selectedMailbox && connection.selectedMailbox.path === 'INBOX') enter(connection);
  });
  return () => ({ now: inside.size, ...watch });
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
    socket.setNoDelay(true); // they answer in several small pieces, each of which would wait for the one before
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
