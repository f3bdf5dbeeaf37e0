import { chown, lstat, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Server } from '../../node/servers/inventory.ts';
import { createPhones } from '../../node/servers/mac-change.ts';
import type { Phones } from '../../node/servers/mac-phones.ts';
import type { Remote, RemoteFiles } from '../../node/servers/remote.ts';
import { systemClock } from '../../node/platform/clock.ts';
import { silentLog } from '../../node/platform/log.ts';
import { MAC_CONTENTS, macFilesIn } from './mac-files.ts';
import type { SshWorld } from './ssh-world.ts';

/** Of the definition files: another than who logs in, where the tests may give files away. */
const OWNER =
  process.getuid?.() === 0
    ? { uid: 33, gid: 44 }
    : { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
const MODE = 0o640;

/** Definition files on a real server, and what changes them. */
export interface MacServer {
  readonly server: Server;
  readonly phones: Phones;
  /** Where the files lie. */
  readonly files: string;
  readonly backups: string;
  /** Every file that phones can be given, with owner and mode. */
  served(): Promise<Record<string, string>>;
  /** What has been notified. */
  notified(): Promise<string>;
}

export interface MacServerOptions {
  /** In place of the server's own port. */
  readonly port?: number;
  /** Called before each request for files, with its number from 1 on and what it is. */
  readonly before?: (number: number, what: string) => Promise<void> | void;
}

/** Puts the files into a directory of their own on the server. */
export async function makeMacServer(
  world: SshWorld,
  directory: string,
  options: MacServerOptions = {},
): Promise<MacServer> {
  const files = join(directory, 'pabx');
  const backups = join(directory, 'backups');
  const noted = join(directory, 'notified');
  for (const [name, content] of Object.entries(MAC_CONTENTS)) {
    const path = join(files, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content, { mode: MODE });
    await chown(path, OWNER.uid, OWNER.gid);
  }
  const over = options.port === undefined ? {} : { port: options.port };
  const server = await world.server({
    ...{ id: 'gv2p', macFiles: macFilesIn(files), macBackupDir: backups, ...over },
    notify: ['tee', '-a', noted],
  });
  const remote = options.before === undefined ? world.remote() : watched(world.remote(), options.before);
  return {
    ...{ server, files, backups },
    phones: createPhones({ remote, nodeId: 'audio', clock: systemClock, log: silentLog }),
    served: async () => {
      const found: Record<string, string> = {};
      for (const name of (await readdir(files, { recursive: true })).toSorted()) {
        const path = join(files, name);
        const { mode, uid, gid } = await lstat(path);
        if ((await stat(path)).isDirectory()) continue;
        found[name] = `${(mode & 0o7777).toString(8)} ${uid}:${gid} ${await readFile(path, 'latin1')}`;
      }
      return found;
    },
    notified: () => readFile(noted, 'utf8').catch(() => 'never'),
  };
}

/** The same remote, of which each request for files is told before it is made. */
function watched(remote: Remote, before: NonNullable<MacServerOptions['before']>): Remote {
  let number = 0;
  const watch = (files: RemoteFiles): RemoteFiles =>
    new Proxy(files, {
      get: (target, name: keyof RemoteFiles) => {
        const act = target[name] as ((...all: readonly never[]) => unknown) | undefined;
        if (act === undefined) return undefined; // `then`: it is no promise
        return async (...parameters: readonly never[]) => {
          number += 1;
          await before(number, `${name} ${parameters.filter((each) => typeof each === 'string').join(' ')}`);
          return act(...parameters);
        };
      },
    });
  return {
    open: async (server, signal) => {
      const session = await remote.open(server, signal);
      return { run: session.run, close: session.close, files: async () => watch(await session.files()) };
    },
  };
}
