import { chmod, chown, mkdir, writeFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Account, serverAccount } from './account.ts';
import { makeCertificate } from './certificate.ts';
import { type Dovecot, type DovecotOptions, startDovecot } from './dovecot.ts';
import { type Child, freePort, portFree, portReady, startChild, temporaryDirectory } from './process.ts';

/** An Exim of our own: takes mail for `example.test`, hands it to Dovecot by LMTP. */
export interface Exim extends AsyncDisposable {
  readonly host: string;
  /** Plain, offers STARTTLS and AUTH. */
  readonly smtpPort: number;
  /** TLS from the first byte. */
  readonly smtpsPort: number;
  readonly ca: string;
  /** For AUTH; any user has it. */
  readonly password: string;
  readonly logFile: string;
  /** Ends it; what it has not delivered yet stays in its spool. */
  stop(): Promise<void>;
  /** Starts it again on the same ports, after `stop`. */
  start(): Promise<void>;
}

/** Both mail servers, joined: what is sent by SMTP arrives in the mailboxes. */
export interface MailServers extends AsyncDisposable {
  readonly dovecot: Dovecot;
  readonly exim: Exim;
}

/**
 * Starts Exim as an ordinary child process; works as root and as any other user. What carries `X-Parelha-Loop`
 * is filed in its sender's own `Sent` mailbox too, as Gmail does with what is sent through it.
 */
export async function startExim(options: { lmtpPort: number }): Promise<Exim> {
  const directory = await temporaryDirectory();
  const D = directory.path;
  const [smtpPort, smtpsPort] = [await freePort(), await freePort()];
  const { certFile, keyFile } = await makeCertificate(D);
  const account = serverAccount();
  for (const name of ['spool', 'log']) await mkdir(join(D, name));
  if (account.root) {
    for (const name of ['spool', 'log', 'cert.pem', 'key.pem'])
      await chown(join(D, name), account.uid, account.gid);
    await chmod(D, 0o711);
  }
  const config = join(D, 'exim.conf');
  await writeFile(config, configuration(D, account, { ...options, smtpPort, smtpsPort, certFile, keyFile }));
  const launch = async (): Promise<Child> => {
    const launched = startChild('exim4', ['-C', config, '-bdf', '-q2s']);
    await Promise.all([smtpPort, smtpsPort].map((port) => portReady(port))).catch((error: unknown) => {
      throw new Error(`Exim did not start: ${launched.output()}`, { cause: error });
    });
    return launched;
  };
  let child = await launch();
  return {
    host: '127.0.0.1',
    smtpPort,
    smtpsPort,
    ca: await readFile(certFile, 'utf8'),
    password: 'secret',
    logFile: join(D, 'log', 'mainlog'),
    stop: async () => {
      await child.end();
      await Promise.all([smtpPort, smtpsPort].map(portFree));
    },
    start: async () => {
      child = await launch();
    },
    [Symbol.asyncDispose]: async () => {
      await child.end('SIGTERM');
      await directory[Symbol.asyncDispose]();
    },
  };
}

/** Starts Dovecot and Exim, joined by LMTP. */
export async function startMailServers(options: DovecotOptions = {}): Promise<MailServers> {
  const dovecot = await startDovecot(options);
  const exim = await startExim({ lmtpPort: dovecot.lmtpPort });
  return {
    dovecot,
    exim,
    [Symbol.asyncDispose]: async () => {
      await exim[Symbol.asyncDispose]();
      await dovecot[Symbol.asyncDispose]();
    },
  };
}

interface Settings {
  readonly lmtpPort: number;
  readonly smtpPort: number;
  readonly smtpsPort: number;
  readonly certFile: string;
  readonly keyFile: string;
}

function configuration(D: string, account: Account, settings: Settings): string {
  return `primary_hostname = mail.test
spool_directory = ${D}/spool
log_file_path = ${D}/log/%slog
pid_file_path = ${D}/exim.pid
exim_user = ${account.user}
exim_group = ${account.group}
never_users =
local_interfaces = <; 127.0.0.1.${settings.smtpPort} ; 127.0.0.1.${settings.smtpsPort}
daemon_smtp_ports = <; ${settings.smtpPort} ; ${settings.smtpsPort}
tls_on_connect_ports = ${settings.smtpsPort}
tls_advertise_hosts = *
tls_certificate = ${settings.certFile}
tls_privatekey = ${settings.keyFile}
domainlist local_domains = example.test
acl_smtp_rcpt = acl_rcpt
host_lookup =
rfc1413_query_timeout = 0s
smtp_accept_max = 100
keep_environment =
deliver_drop_privilege = true
begin acl
acl_rcpt:
  deny domains = +local_domains
       local_parts = refused
       message = no such user
  defer domains = +local_domains
       local_parts = later
       message = try again later
  accept domains = +local_domains
  deny message = relay not permitted
begin routers
file_in_sent:
  driver = redirect
  condition = \${if and{{def:h_X-Parelha-Loop:}{!match{$local_part}{\\N\\+Sent$\\N}}{match_domain{$sender_address_domain}{+local_domains}}}}
  data = $sender_address_local_part+Sent@$sender_address_domain
  unseen
to_lmtp:
  driver = manualroute
  domains = +local_domains
  route_list = * 127.0.0.1
  self = send
  transport = lmtp_tcp
begin transports
lmtp_tcp:
  driver = smtp
  protocol = lmtp
  port = ${settings.lmtpPort}
  hosts_avoid_tls = *
  allow_localhost
begin retry
* * F,1m,1s
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = \${if eq{$auth3}{secret}}
  server_set_id = $auth2
`;
}
