import { execFile } from 'node:child_process';
import { chmod, chown, mkdir, readdir, rm, writeFile, readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { once } from 'node:events';
import { type Account, serverAccount } from './account.ts';
import { makeCertificate } from './certificate.ts';
import {
  type Child,
  eventually,
  freePort,
  portFree,
  portReady,
  signalTree,
  startChild,
  temporaryDirectory,
} from './process.ts';

const run = promisify(execFile);

/** A Dovecot of our own: IMAP (with STARTTLS), IMAPS and LMTP on the loopback address. */
export interface Dovecot extends AsyncDisposable {
  readonly host: string;
  readonly imapPort: number;
  readonly imapsPort: number;
  readonly lmtpPort: number;
  /** Certificate of the server, and the authority to trust. */
  readonly ca: string;
  /** Password of every user; a user is any address and exists from its first mail or login on. */
  readonly password: string;
  /** The server's log: logins, errors. */
  readonly logFile: string;
  /** Process id of the master process. */
  readonly pid: number;
  /** Sends a signal to all its processes, as SIGSTOP for a server that hangs. */
  signal(signal: NodeJS.Signals): Promise<void>;
  /** Ends it at once, as a crash would; mailboxes stay. Resolves when its ports are free. */
  stop(): Promise<void>;
  /** Starts it again on the same ports, after `stop`. */
  start(): Promise<void>;
  /** Delivers a raw mail by LMTP; resolves when it lies in the mailbox. */
  deliver(user: string, raw: string | Buffer): Promise<void>;
  /** Delivers many over one connection. */
  fill(user: string, mails: readonly string[]): Promise<void>;
  /** Ends all sessions of a user. */
  kick(user: string): Promise<void>;
  /** Gives all mails of the inbox new UIDs under another UIDVALIDITY, as after a loss of the index. */
  renumber(user: string): Promise<void>;
  /** Runs doveadm with this server's configuration. */
  doveadm(...args: string[]): Promise<string>;
}

export interface DovecotOptions {
  /** Its log then has a line, with microseconds, for each IMAP command that has ended; see inbox-sessions.ts. */
  readonly logCommands?: boolean;
}

/** Starts Dovecot as an ordinary child process; works as root and as any other user. */
export async function startDovecot(options: DovecotOptions = {}): Promise<Dovecot> {
  const directory = await temporaryDirectory();
  const D = directory.path;
  const [imapPort, imapsPort, lmtpPort] = [await freePort(), await freePort(), await freePort()];
  const { certFile, keyFile } = await makeCertificate(D);
  const account = serverAccount();
  await mkdir(join(D, 'mail'));
  await mkdir(join(D, 'run'));
  if (account.root) {
    await chown(join(D, 'mail'), account.uid, account.gid);
    await chmod(D, 0o711);
  }
  const config = join(D, 'dovecot.conf');
  const { logCommands = false } = options;
  const settings = { imapPort, imapsPort, lmtpPort, certFile, keyFile, logCommands };
  await writeFile(config, configuration(D, account, settings));
  const launch = async (): Promise<Child> => {
    const launched = startChild('dovecot', ['-F', '-c', config]);
    await Promise.all([imapPort, imapsPort, lmtpPort].map((port) => portReady(port))).catch(
      (error: unknown) => {
        throw new Error(`Dovecot did not start: ${launched.output()}`, { cause: error });
      },
    );
    return launched;
  };
  let child = await launch();
  const doveadm = async (...args: string[]): Promise<string> =>
    (await run('doveadm', ['-c', config, ...args])).stdout;
  return {
    host: '127.0.0.1',
    imapPort,
    imapsPort,
    lmtpPort,
    ca: await readFile(certFile, 'utf8'),
    password: 'secret',
    logFile: join(D, 'dovecot.log'),
    get pid() {
      return child.process.pid ?? 0;
    },
    signal: (signal) => signalTree(child.process.pid ?? 0, signal),
    stop: async () => {
      await signalTree(child.process.pid ?? 0, 'SIGKILL'); // asked politely, it waits for its clients
      await child.end();
      await Promise.all([imapPort, imapsPort, lmtpPort].map(portFree));
    },
    start: async () => {
      child = await launch();
    },
    deliver: (user, raw) => deliverByLmtp(lmtpPort, user, [raw]),
    fill: (user, mails) => deliverByLmtp(lmtpPort, user, mails),
    kick: async (user) => {
      await doveadm('kick', user);
    },
    renumber: async (user) => {
      const validity = (): Promise<string> =>
        doveadm('mailbox', 'status', '-u', user, 'uidvalidity', 'INBOX');
      const before = await validity();
      // It is made of the time in seconds, so the next one may be the same.
      await eventually('another UIDVALIDITY', async () => {
        await doveadm('kick', user).catch(() => undefined); // fails where nobody is logged in
        for (const name of await readdir(join(D, 'mail', user))) {
          if (name.startsWith('dovecot')) await rm(join(D, 'mail', user, name), { force: true });
        }
        return (await validity()) !== before;
      });
    },
    doveadm,
    [Symbol.asyncDispose]: async () => {
      await child.end('SIGTERM');
      await directory[Symbol.asyncDispose]();
    },
  };
}

interface Settings {
  readonly imapPort: number;
  readonly imapsPort: number;
  readonly lmtpPort: number;
  readonly certFile: string;
  readonly keyFile: string;
  readonly logCommands: boolean;
}

const LOG_COMMANDS = `log_debug = event=imap_command_finished
imap_id_log = name
log_timestamp = "%Y-%m-%dT%H:%M:%S.%{usecs} "
`;

function configuration(D: string, account: Account, settings: Settings): string {
  const { user, group, uid, gid } = account;
  const owner = `uid=${uid} gid=${gid}`;
  const internal = account.root
    ? ''
    : `default_internal_user = ${user}\ndefault_login_user = ${user}\ndefault_internal_group = ${group}\n`;
  return `${internal}base_dir = ${D}/run
state_dir = ${D}/state
log_path = ${D}/dovecot.log
${settings.logCommands ? LOG_COMMANDS : ''}listen = 127.0.0.1
protocols = imap lmtp
mail_location = maildir:${D}/mail/%u
first_valid_uid = 1
first_valid_gid = 1
mail_max_userip_connections = 100
mailbox_idle_check_interval = 5 secs
recipient_delimiter = +
lmtp_save_to_detail_mailbox = yes
ssl = yes
ssl_cert = <${settings.certFile}
ssl_key = <${settings.keyFile}
disable_plaintext_auth = no
namespace inbox {
  inbox = yes
  mailbox Sent {
    auto = create
    special_use = \\Sent
  }
}
passdb {
  driver = static
  args = password=secret
}
userdb {
  driver = static
  args = ${owner} home=${D}/mail/%u allow_all_users=yes
}
service imap-login {
  chroot =
  inet_listener imap {
    port = ${settings.imapPort}
  }
  inet_listener imaps {
    port = ${settings.imapsPort}
    ssl = yes
  }
}
service lmtp {
  inet_listener lmtp {
    address = 127.0.0.1
    port = ${settings.lmtpPort}
  }
}
service anvil {
  chroot =
}
service stats {
  chroot =
}
`;
}

/** LMTP (RFC 2033): one reply for the one recipient after the final dot. */
async function deliverByLmtp(port: number, user: string, mails: readonly (string | Buffer)[]): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  let received = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => (received += chunk));
  const reply = async (expected: string): Promise<void> => {
    while (!/^\d{3} .*\r\n/m.test(received)) await once(socket, 'data');
    if (!received.startsWith(expected)) throw new Error(`LMTP said: ${received}`);
    received = '';
  };
  const say = async (line: string, expected: string): Promise<void> => {
    socket.write(`${line}\r\n`, 'latin1');
    await reply(expected);
  };
  try {
    await reply('220');
    await say('LHLO test', '250');
    for (const raw of mails) {
      const text = (typeof raw === 'string' ? Buffer.from(raw) : raw).toString('latin1');
      const body = text.replaceAll(/\r?\n/g, '\r\n').replaceAll(/^\./gm, '..');
      await say('MAIL FROM:<sender@example.test>', '250');
      await say(`RCPT TO:<${user}>`, '250');
      await say('DATA', '354');
      await say(`${body}${body.endsWith('\r\n') ? '' : '\r\n'}.`, '250');
    }
  } finally {
    socket.destroy();
  }
}
