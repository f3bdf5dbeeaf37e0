import { execFile } from 'node:child_process';
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import type { Namespace } from './namespaces.ts';
import { hasProgram, pathWithDaemons } from './programs.ts';
import {
  type Child,
  freePort,
  portFree,
  portReady,
  signalTree,
  startChild,
  temporaryDirectory,
} from './process.ts';

const run = promisify(execFile);

/** As a host has them: a client that knows one kind must ask for that one. */
const HOST_KEY_KINDS = ['ed25519', 'ecdsa'] as const;

/** An OpenSSH server of our own on the loopback address; the account that runs the tests can log in, by key alone. */
export interface Sshd extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** Who can log in. */
  readonly user: string;
  /** Lines as sshd reads them; a file that is not there lets nobody in. */
  readonly authorizedKeysFile: string;
  /** Its host keys as `type base64`. */
  hostKeys(): Promise<string[]>;
  /** Holds them as `ssh_host_*_key.pub`, as /etc/ssh does. */
  readonly hostKeysDirectory: string;
  /** What it logged so far: logins, refused requests. */
  log(): string;
  /** Ends it and its sessions at once. Resolves when the port is free. */
  stop(): Promise<void>;
  /** Starts it again on the same port, after `stop`. */
  start(): Promise<void>;
  /** Gives it other host keys, as somebody in the middle has; it is started again. */
  changeHostKeys(): Promise<void>;
}

export interface SshdOptions {
  /** In place of one in a directory of the server's own. */
  readonly authorizedKeysFile?: string;
  /** A network namespace, in place of this host: it listens on all addresses there, and is known by `linkAddress`. */
  readonly place?: Pick<Namespace, 'within' | 'address' | 'linkAddress'> | null;
}

/** Starts sshd as an ordinary child process; works as root and as any other user. */
export async function startSshd(options: SshdOptions = {}): Promise<Sshd> {
  const { place = null } = options;
  const directory = await temporaryDirectory();
  const D = directory.path;
  const port = await freePort();
  const user = userInfo().username;
  const authorizedKeysFile = options.authorizedKeysFile ?? join(D, 'authorized_keys');
  const hostKeysDirectory = join(D, 'host-keys');
  await mkdir(hostKeysDirectory);
  await makeHostKeys(hostKeysDirectory);
  // Where sshd shuts its unprivileged part in; it is there only while the system's own server runs.
  if (process.getuid?.() === 0) await mkdir('/run/sshd', { recursive: true, mode: 0o755 });
  const config = join(D, 'sshd_config');
  const listen = place === null ? '127.0.0.1' : '0.0.0.0';
  await writeFile(config, configuration({ D, listen, port, user, authorizedKeysFile, hostKeysDirectory }));
  let earlier = '';
  const launch = async (): Promise<Child> => {
    const command = [...(place?.within ?? []), absolutePath('sshd'), '-D', '-e', '-f', config];
    const launched = startChild(command[0] ?? '', command.slice(1));
    await portReady(port, place?.address).catch((error: unknown) => {
      throw new Error(`sshd did not start: ${launched.output()}`, { cause: error });
    });
    return launched;
  };
  let child = await launch();
  const stop = async (): Promise<void> => {
    await signalTree(child.process.pid ?? 0, 'SIGKILL'); // asked politely, it leaves its sessions running
    await child.end();
    earlier += child.output();
    await portFree(port);
  };
  const start = async (): Promise<void> => {
    child = await launch();
  };
  return {
    host: place?.linkAddress ?? '127.0.0.1',
    ...{ port, user, authorizedKeysFile, hostKeysDirectory, stop, start },
    hostKeys: () =>
      Promise.all(
        HOST_KEY_KINDS.map(async (kind) => {
          const line = await readFile(join(hostKeysDirectory, `ssh_host_${kind}_key.pub`), 'utf8');
          return line.split(' ').slice(0, 2).join(' ');
        }),
      ),
    log: () => earlier + child.output(),
    changeHostKeys: async () => {
      await stop();
      await makeHostKeys(hostKeysDirectory);
      await start();
    },
    [Symbol.asyncDispose]: async () => {
      await signalTree(child.process.pid ?? 0, 'SIGKILL');
      await child.end('SIGKILL');
      await directory[Symbol.asyncDispose]();
    },
  };
}

async function makeHostKeys(directory: string): Promise<void> {
  for (const kind of HOST_KEY_KINDS) {
    const path = join(directory, `ssh_host_${kind}_key`);
    await rm(path, { force: true });
    await run('ssh-keygen', ['-q', '-t', kind, '-N', '', '-C', 'test', '-f', path]);
    await chmod(path, 0o600);
  }
}

/** It starts itself anew for each connection, so it wants to be called by its whole path. */
function absolutePath(program: string): string {
  const paths = pathWithDaemons()
    .split(delimiter)
    .map((directory) => join(directory, program));
  const found = paths.find(hasProgram);
  if (found === undefined) throw new Error(`${program} is not on this machine`);
  return found;
}

interface Settings {
  readonly D: string;
  readonly listen: string;
  readonly port: number;
  readonly user: string;
  readonly authorizedKeysFile: string;
  readonly hostKeysDirectory: string;
}

function configuration({ D, listen, port, user, authorizedKeysFile, hostKeysDirectory }: Settings): string {
  // Without PAM sshd looks for a locked password, and of an account it may not look up it believes the worst.
  const usePam = process.getuid?.() === 0 ? 'no' : 'yes';
  const hostKeys = HOST_KEY_KINDS.map((kind) => `HostKey ${hostKeysDirectory}/ssh_host_${kind}_key`);
  return `Port ${port}
ListenAddress ${listen}
${hostKeys.join('\n')}
PidFile ${D}/sshd.pid
AuthorizedKeysFile ${authorizedKeysFile}
StrictModes no
UsePAM ${usePam}
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
AllowUsers ${user}
LogLevel VERBOSE
Subsystem sftp internal-sftp
`;
}
