import { execFileSync } from 'node:child_process';
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathWithDaemons } from './programs.ts';
import { type Child, eventually, startChild, temporaryDirectory } from './process.ts';

/** What installing changes. Elsewhere the host is the one that the tests run on. */
const COPIED = ['etc', 'usr/local/bin'];
const EMPTY = ['opt', 'var/lib', 'var/log', 'var/spool', 'run'];
/** The stand-in for systemctl comes first. */
const SEARCHED = `/usr/local/bin:${pathWithDaemons()}`;
const COMMAND_TIMEOUT_MS = 240_000;

/** Said by the shell that holds the mounts, when they are there. */
const READY = 'mounted';
const SETUP = `
set -e
mount --make-rprivate /
for part in ${COPIED.join(' ')}; do
  mkdir -p "$1/$part"
  cp -a "/$part/." "$1/$part/"
done
cp --remove-destination -L /etc/resolv.conf "$1/etc/resolv.conf" || true # a link into /run, often
for part in ${EMPTY.join(' ')}; do mkdir -p "$1/$part"; done
for part in ${[...COPIED, ...EMPTY].join(' ')}; do mount --bind "$1/$part" "/$part"; done
echo ${READY}
exec sleep 3600
`;

/** This machine with directories of its own where an installation writes: seen by what is run in it, and nobody else. */
export interface PrivateHost extends AsyncDisposable {
  /** Runs a program as root to its end. */
  run(command: string, ...args: string[]): Promise<{ code: number; out: string }>;
  /** Starts a program with an empty environment but for PATH, as systemd does. */
  start(command: string, args: readonly string[]): Child;
  /** Where a file of the host lies as others see it. */
  outside(path: string): string;
  /** What systemctl was called with: it is a stand-in that writes that down. */
  readonly systemctlLog: string;
}

/** Whether this process may have mounts of its own. */
export function canMountPrivately(): boolean {
  try {
    execFileSync('unshare', ['--mount', 'mount', '--make-rprivate', '/'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

export async function privateHost(): Promise<PrivateHost> {
  const directory = await temporaryDirectory();
  const { path } = directory;
  await chmod(path, 0o755); // services of other users are to find what is theirs
  const holder = startChild('unshare', ['--mount', 'sh', '-c', SETUP, 'sh', path]);
  await eventually('the mounts to be there', () => {
    if (holder.process.exitCode !== null) throw new Error(holder.output());
    return holder.output().includes(READY);
  });
  const outside = (inside: string): string => join(path, inside);
  const systemctlLog = outside('/run/systemctl.log');
  await mkdir(outside('/run/systemd/system'), { recursive: true });
  await writeFile(outside('/usr/local/bin/systemctl'), `#!/bin/sh\necho "$*" >>/run/systemctl.log\n`, {
    mode: 0o755,
  });
  const enter = (command: string, args: readonly string[], env: NodeJS.ProcessEnv): Child => {
    const holderPath = `/proc/${holder.process.pid}`;
    // The root too: entering the mounts alone leads out of a chroot, where these tests may run.
    const namespace = [
      `--mount=${holderPath}/ns/mnt`,
      `--root=${holderPath}/root`,
      `--wd=${holderPath}/root`,
    ];
    return startChild('nsenter', [...namespace, '--', command, ...args], {
      env: { ...env, PATH: SEARCHED },
    });
  };
  return {
    ...{ outside, systemctlLog },
    start: (command, args) => enter(command, args, {}),
    run: async (command, ...args) => {
      const child = enter(command, args, process.env); // what npm is told of proxies and certificates is there
      await eventually(`${command} to end`, () => child.process.exitCode !== null, COMMAND_TIMEOUT_MS);
      await child.end();
      return { code: child.process.exitCode ?? -1, out: child.output() };
    },
    [Symbol.asyncDispose]: async () => {
      await holder.end('SIGKILL');
      await rm(path, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
