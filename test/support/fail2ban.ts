import { execFile } from 'node:child_process';
import { appendFile, chmod, cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pathWithDaemons } from './programs.ts';
import { type Child, eventually, startChild, temporaryDirectory } from './process.ts';

const run = promisify(execFile);
const HELPER = join(import.meta.dirname, '../../deploy/remote/parelha-remote');
const SFTP_SERVER = '/usr/lib/openssh/sftp-server';

export interface Fail2banOptions {
  /** Each bans after two failures; `sshd` alone unless told otherwise. */
  readonly jails?: readonly string[];
  /** As an admin has them: texts by their path below the configuration. */
  readonly files?: Readonly<Record<string, string>>;
}

/** A fail2ban of our own with the jail.conf that Debian ships, which neither filters nor bans anything of this host. */
export interface Fail2ban extends AsyncDisposable {
  /** In place of /etc/fail2ban. */
  readonly configDirectory: string;
  readonly jailDirectory: string;
  /** The log that its jails watch, and its own. */
  readonly authLog: string;
  readonly ownLog: string;
  /** Runs fail2ban-client against it. */
  client(...words: readonly string[]): Promise<{ code: number; stdout: string }>;
  ban(jail: string, ...ips: readonly string[]): Promise<void>;
  /** Jails in which an address is banned, as `banned IP` says. */
  holding(ip: string): Promise<string[]>;
  /** What `get JAIL ignoreip` says. */
  ignored(jail: string): Promise<string[]>;
  /** Lines `ban IP` and `unban IP`, as its actions were run. */
  actions(): Promise<string[]>;
  /** Writes failures of an address into the log that it watches. */
  fail(ip: string, times: number): Promise<void>;
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Put in front of a key in authorized_keys: the helper as a forced command. */
  readonly withHelper: string;
  /** The same for an account with a shell and no helper: whatever is asked for is run. */
  readonly withShell: string;
}

/** Starts fail2ban-server as an ordinary child process; needs no root. */
export async function startFail2ban(options: Fail2banOptions = {}): Promise<Fail2ban> {
  const { jails = ['sshd'], files = {} } = options;
  const directory = await temporaryDirectory();
  const D = directory.path;
  const configDirectory = join(D, 'fail2ban');
  await cp('/etc/fail2ban', configDirectory, { recursive: true });
  await rm(join(configDirectory, 'jail.d'), { recursive: true });
  const [authLog, ownLog] = [join(D, 'auth.log'), join(D, 'fail2ban.log')];
  for (const [path, text] of Object.entries({ ...configuration(D, authLog, ownLog, jails), ...files })) {
    await mkdir(join(configDirectory, path, '..'), { recursive: true });
    await writeFile(join(configDirectory, path), text);
  }
  for (const path of [authLog, ownLog, join(D, 'actions')]) await writeFile(path, '');
  await writePrograms(D, configDirectory);
  const client: Fail2ban['client'] = async (...words) => {
    try {
      return { code: 0, stdout: (await run(join(D, 'bin/fail2ban-client'), words)).stdout };
    } catch (error) {
      const { code, stdout } = error as { code: number; stdout: string };
      return { code, stdout };
    }
  };
  const launch = async (): Promise<Child> => {
    const launched = startChild('fail2ban-server', ['-f', '-c', configDirectory, 'start']);
    await eventually('fail2ban to answer', async () => {
      if (launched.process.exitCode !== null) throw new Error(launched.output());
      // It answers before its jails are there.
      const { code, stdout } = await client('status');
      return code === 0 && jails.every((jail) => stdout.includes(jail));
    }).catch((error: unknown) => {
      throw new Error(`fail2ban did not start: ${launched.output()}`, { cause: error });
    });
    return launched;
  };
  let child = await launch();
  const path = `${D}/bin:${pathWithDaemons()}`;
  return {
    ...{ configDirectory, jailDirectory: join(configDirectory, 'jail.d'), authLog, ownLog, client },
    ban: async (jail, ...ips) => {
      await client('set', jail, 'banip', ...ips);
      await eventually(`${ips.join(' ')} to be banned`, async () => {
        const said = (await client('get', jail, 'banip', '\n')).stdout.split('\n');
        return ips.every((ip) => said.includes(ip));
      });
    },
    holding: async (ip) =>
      [...(await client('banned', ip)).stdout.matchAll(/'([^']+)'/g)].map((match) => match[1] ?? ''),
    ignored: async (jail) =>
      [...(await client('get', jail, 'ignoreip')).stdout.matchAll(/^[|`]- (.*)$/gm)].map(
        (match) => match[1] ?? '',
      ),
    actions: async () =>
      (await readFile(join(D, 'actions'), 'utf8')).split('\n').filter((line) => line !== ''),
    fail: (ip, times) => {
      const stamp = new Date().toISOString().slice(0, 19).replace('T', ' ');
      return appendFile(authLog, `${stamp} auth fail from ${ip}\n`.repeat(times));
    },
    stop: () => child.end('SIGTERM'),
    start: async () => {
      child = await launch();
    },
    withHelper: `restrict,command="env PATH=${path} PARELHA_REMOTE_CONF=${D}/remote.conf ${HELPER} --sftp"`,
    withShell: String.raw`restrict,command="PATH=${path}; eval \"$SSH_ORIGINAL_COMMAND\""`,
    [Symbol.asyncDispose]: async () => {
      await child.end('SIGTERM');
      await directory[Symbol.asyncDispose]();
    },
  };
}

function configuration(
  D: string,
  authLog: string,
  ownLog: string,
  jails: readonly string[],
): Record<string, string> {
  const section = (jail: string): string =>
    `[${jail}]\nenabled = true\nbackend = polling\nfilter = dummy\nlogpath = ${authLog}\naction = note\nmaxretry = 2\n`;
  return {
    'fail2ban.local': `[DEFAULT]
loglevel = INFO
logtarget = ${ownLog}
socket = ${D}/fail2ban.sock
pidfile = ${D}/fail2ban.pid
dbfile = None
allowipv6 = auto
`,
    'filter.d/dummy.conf': `[Definition]
failregex = ^.*auth fail from <HOST>$
datepattern = {^LN-BEG}
`,
    'action.d/note.conf': `[Definition]
actionban = echo "ban <ip>" >> ${D}/actions
actionunban = echo "unban <ip>" >> ${D}/actions
`,
    'jail.d/defaults-debian.conf': jails.map(section).join('\n'),
  };
}

/** What an account of the server finds on its PATH: a fail2ban-client that knows where this fail2ban is, and SFTP. */
async function writePrograms(D: string, configDirectory: string): Promise<void> {
  const program = async (name: string, text: string): Promise<void> => {
    await writeFile(join(D, 'bin', name), `#!/bin/sh\n${text}\n`);
    await chmod(join(D, 'bin', name), 0o755);
  };
  await mkdir(join(D, 'bin'));
  await program('fail2ban-client', `exec /usr/bin/fail2ban-client -c ${configDirectory} "$@"`);
  await program('internal-sftp', `exec ${SFTP_SERVER}`);
  await writeFile(
    join(D, 'remote.conf'),
    `fail2ban_directory=${configDirectory}\nlogs=${D}/fail2ban.log ${D}/auth.log\nlock=${D}/lock\nprivileged=no\n`,
  );
}
