import { execFileSync } from 'node:child_process';
import { chown, lstat, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect } from 'vitest';
import { createServerControl } from '../../node/listeners/control-servers.ts';
import { systemClock } from '../../node/platform/clock.ts';
import { codeOf } from '../../node/platform/errors.ts';
import { makeSshKey } from '../../node/platform/openssh-keys.ts';
import { parseInventory } from '../../node/servers/inventory.ts';
import { openKnownServers } from '../../node/servers/known-servers.ts';
import { withSession } from '../../node/servers/remote.ts';
import { eventually, freePort } from '../support/process.ts';
import { remoteContract } from '../support/remote-contract.ts';
import { needs } from '../support/requirements.ts';
import { startSilencer } from '../support/silencer.ts';
import { mountSmallDisk } from '../support/small-disk.ts';
import { type SshWorld, startSshWorld } from '../support/ssh-world.ts';

const { describe, test } = needs('sshd');
const onDisk = needs('sshd', 'tmpfs');

const { signal } = new AbortController();
const isRoot = process.getuid?.() === 0;
const LIMIT = 10_000_000;
const script = (text: string): string[] => [process.execPath, '-e', text, '--'];

let world: SshWorld;
let directory: string;

beforeAll(async () => {
  world = await startSshWorld();
});

beforeEach(async () => {
  directory = await mkdtemp(join(world.directory, 'test-'));
  await world.letIn('');
});

afterAll(() => world[Symbol.asyncDispose]());

const codeOfFailed = (work: Promise<unknown>): Promise<string> => work.then(() => 'none', codeOf);
const logins = (): number => world.sshd.log().split('Accepted publickey').length - 1;

remoteContract(describe, 'OpenSSH', async () => ({
  remote: world.remote(),
  server: await world.server(),
  directory: await mkdtemp(join(world.directory, 'contract-')),
  programs: {
    words: script('console.log(JSON.stringify(process.argv.slice(1)))'),
    cat: ['cat'],
    fail: script('console.log("out"); console.error("err"); process.exitCode = 3'),
    flood: ['yes'],
    wait: ['sleep', '60'],
  },
  [Symbol.asyncDispose]: async () => undefined,
}));

describe('a host key', () => {
  test('that is not known is refused, with what makes it known, and nothing is sent', async () => {
    const before = logins();
    const server = await world.server({ hostKeys: [] });
    const error: unknown = await world
      .remote()
      .open(server, signal)
      .catch((failure: unknown) => failure);
    expect(codeOf(error)).toBe('server.host-key');
    const [ed25519 = ''] = await world.fingerprints();
    expect(String(error)).toContain('node-ctl server trust gv1p');
    expect(String(error)).toContain(`"host_key": "${ed25519}"`);
    expect(logins()).toBe(before);
  });

  test('is known by the fingerprint that ssh-keygen prints, whichever kind it is of', async () => {
    for (const kind of ['ed25519', 'ecdsa']) {
      const path = join(world.sshd.hostKeysDirectory, `ssh_host_${kind}_key.pub`);
      const printed = execFileSync('ssh-keygen', ['-lf', path], { encoding: 'utf8' }).split(' ')[1] ?? '';
      const server = await world.server({ hostKeys: [printed] });
      const ran = await withSession(world.remote(), server, signal, (session) => session.run(['true']));
      expect(ran.code).toBe(0);
    }
  });

  test('of each kind is shown to whoever is to say yes, without a login', async () => {
    const before = logins();
    const keys = await world.remote().hostKeys(await world.server({ hostKeys: [] }), signal);
    expect(keys.map((key) => key.type)).toEqual(['ssh-ed25519', 'ecdsa-sha2-nistp256']);
    expect(keys.map((key) => key.fingerprint)).toEqual(await world.fingerprints());
    expect(logins()).toBe(before);
  });

  test('that is another one than before is refused', async () => {
    await using other = await startSshWorld();
    const server = await world.server();
    const error: unknown = await world
      .remote()
      .open({ ...server, port: other.sshd.port }, signal)
      .catch((failure: unknown) => failure);
    expect(codeOf(error)).toBe('server.host-key');
    expect(String(error)).toContain('another host key');
    expect(other.sshd.log()).not.toContain('Accepted');
  });
});

test('a server that somebody trusts is reached from then on, and has what its commands need', async () => {
  const known = await openKnownServers(join(directory, 'known_servers.json'), systemClock);
  const remote = world.remote({ trusted: known.trusted });
  await writeFile(join(directory, 'a.def'), '[3010]\nMAC:\n');
  const declared = `[{"kind":"section","path":"${directory}/a.def","field":"MAC:{mac}"}]`;
  const inventory = parseInventory(
    `{"sip_servers":[{"id":"gv1p","host":"${world.sshd.host}","port":${world.sshd.port},"user":"${world.sshd.user}",
      "commands":["MACCHANGE"],"mac_files":${declared},"mac_backup_dir":"${directory}-old"}]}`,
  );
  if (!inventory.ok) throw new Error(inventory.problems.join('; '));
  const control = createServerControl({
    ...{ servers: inventory.servers, serversFile: '/etc/parelha/servers.json', user: 'parelha' },
    ...{ remote, scan: remote, known },
    bans: { look: () => Promise.reject(new Error('CHECKIP is not allowed there')) },
    keys: { keyFile: '/certs/servers.key', publicLine: async () => world.publicKey },
    audit: { record: async () => undefined },
  });
  const failing = async (): Promise<string[]> =>
    (await control.serverTest({ id: 'gv1p' }, signal)).checks
      .filter((one) => one.ok === false)
      .map((one) => one.name);
  expect(await failing()).toEqual(['host key']);
  const shown = await control.serverHostKeys({ id: 'gv1p' }, signal);
  await control.serverTrust({ id: 'gv1p', fingerprints: shown.keys.map((key) => key.fingerprint) }, signal);
  expect(await failing()).toEqual([]);
  await rm(join(directory, 'a.def'));
  expect(await failing()).toEqual(['mac file']);
});

describe('a server', () => {
  test('that does not let the key in is told from one that is not there', async () => {
    const server = await world.server();
    const stranger = await makeSshKey('stranger');
    const remote = world.remote({ loginOf: async () => ({ user: world.sshd.user, privateKey: stranger }) });
    expect(await codeOfFailed(remote.open(server, signal))).toBe('server.login');
    const closed = { ...server, port: await freePort() };
    expect(await codeOfFailed(world.remote().open(closed, signal))).toBe('server.unreachable');
    expect(await codeOfFailed(world.remote().hostKeys(closed, signal))).toBe('server.unreachable');
  });

  test('that says nothing is waited for no longer than the limit', async () => {
    const silent = createServer((socket) => socket.on('error', () => undefined).resume());
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as { port: number };
    const remote = world.remote({ limits: { connectMs: 300, keepaliveMs: 5000, keepaliveMissed: 3 } });
    expect(await codeOfFailed(remote.open(await world.server({ port }), signal))).toBe('server.timeout');
    const { promise, resolve } = Promise.withResolvers<void>();
    silent.close(() => resolve());
    await promise;
  });

  test('that falls silent is noticed by what is asked of it', async () => {
    await using silencer = await startSilencer(world.sshd.port);
    const remote = world.remote({ limits: { connectMs: 5000, keepaliveMs: 100, keepaliveMissed: 2 } });
    const server = await world.server({ port: silencer.port });
    const session = await remote.open(server, signal);
    const files = await session.files();
    const waiting = [session.run(['sleep', '30']), files.list(directory, 10)];
    await waiting[1];
    silencer.silence();
    expect(await codeOfFailed(waiting[0]!)).toBe('server.unreachable');
    expect(await codeOfFailed(files.list(directory, 10))).toBe('server.unreachable');
  });

  test('whose connection is cut ends what goes on, and is opened anew', async () => {
    const remote = world.remote();
    const server = await world.server();
    const session = await remote.open(server, signal);
    const waiting = codeOfFailed(session.run(['sleep', '30']));
    await world.sshd.stop();
    expect(await waiting).toBe('server.unreachable');
    await world.sshd.start();
    const ran = await withSession(remote, server, signal, (next) => next.run(['true']));
    expect(ran.code).toBe(0);
  });
});

describe('sessions', () => {
  test('are as many as allowed; others wait until one is closed', async () => {
    const remote = world.remote({ maxSessions: 2 });
    const server = await world.server();
    const before = logins();
    const [one, two] = await Promise.all([remote.open(server, signal), remote.open(server, signal)]);
    const third = remote.open(server, signal);
    await one.run(['true']);
    expect(logins()).toBe(before + 2);
    one.close();
    const session = await third;
    expect((await session.run(['true'])).code).toBe(0);
    session.close();
    two.close();
  });

  test('that failed to open leave their place to others', async () => {
    const remote = world.remote({ maxSessions: 1 });
    const server = await world.server();
    for (const hostKeys of [[], [], []]) await codeOfFailed(remote.open({ ...server, hostKeys }, signal));
    expect((await withSession(remote, server, signal, (session) => session.run(['true']))).code).toBe(0);
  });

  test('in which nothing is asked for are ended, those at work are not', async () => {
    const remote = world.remote({ idleMs: 150, maxSessions: 1 });
    const server = await world.server();
    const session = await remote.open(server, signal);
    expect((await session.run(['sleep', '0.5'])).code).toBe(0);
    const next = await remote.open(server, signal); // its place is free once the other is over
    expect(await codeOfFailed(session.run(['true']))).toBe('server.unreachable');
    next.close();
  });
});

describe('a program', () => {
  test('that takes too long is cut off, and ends when it has something to say', async () => {
    const pidFile = join(directory, 'pid');
    await withSession(world.remote(), await world.server(), signal, async (session) => {
      const slow = ['sh', '-c', `echo $$ > ${pidFile}; while sleep 0.2; do echo x; done`];
      expect(await codeOfFailed(session.run(slow, { timeoutMs: 1000 }))).toBe('server.timeout');
      const pid = Number(await readFile(pidFile, 'utf8'));
      await eventually('the program is gone', () => {
        try {
          return !process.kill(pid, 0);
        } catch (error) {
          return codeOf(error) === 'ESRCH';
        }
      });
    });
  });

  test('that a signal ended has no status', async () => {
    const ran = await withSession(world.remote(), await world.server(), signal, (session) =>
      session.run(['sh', '-c', 'kill -9 $$']),
    );
    expect(ran.code).toBe(null);
  });

  test('that is forced is given the words as they are, and SFTP is refused', async () => {
    await world.letIn('restrict,command="printf %s \\"$SSH_ORIGINAL_COMMAND\\""');
    await withSession(world.remote(), await world.server(), signal, async (session) => {
      const argv = [
        'parelha-remote',
        'release',
        '2001:db8::1',
        '2026-01-02T03:04:05Z',
        'abc',
        'ana@example.com',
      ];
      expect((await session.run(argv)).stdout).toBe(argv.join(' '));
    });
    await world.letIn('restrict,command="false"');
    await withSession(world.remote(), await world.server(), signal, async (session) => {
      expect(await codeOfFailed(session.files())).toBe('server.no-sftp');
    });
  });
});

describe('a file', () => {
  test('that is a pipe or a link is what it is, and a pipe is not waited for', async () => {
    execFileSync('mkfifo', [join(directory, 'pipe')]);
    await writeFile(join(directory, 'file'), 'x');
    await symlink('file', join(directory, 'link'));
    await withSession(world.remote(), await world.server(), signal, async (session) => {
      const files = await session.files();
      expect(await codeOfFailed(files.read(join(directory, 'pipe'), LIMIT))).toBe('server.file');
      expect(await files.stat(join(directory, 'pipe'))).toMatchObject({ kind: 'other' });
      expect(await files.stat(join(directory, 'link'))).toMatchObject({ kind: 'link' });
      expect((await files.read(join(directory, 'link'), LIMIT)).toString()).toBe('x');
      expect(
        await codeOfFailed(files.create(join(directory, 'link'), Buffer.from('y'), { mode: 0o600 })),
      ).toBe('server.exists');
    });
  });

  test('is given its owner where the login may do that, and is not made where it may not', async () => {
    const path = join(directory, 'file');
    const like = { mode: 0o640, uid: 65_534, gid: 65_534 };
    await withSession(world.remote(), await world.server(), signal, async (session) => {
      const files = await session.files();
      const made = await codeOfFailed(files.create(path, Buffer.from('x'), like));
      if (!isRoot) {
        expect(made).toBe('server.denied');
        await expect(lstat(path)).rejects.toThrow('ENOENT');
        return;
      }
      expect(made).toBe('none');
      expect(await stat(path)).toMatchObject({ uid: 65_534, gid: 65_534 });
      expect((await stat(path)).mode & 0o7777).toBe(0o640);
      await chown(path, 0, 0);
      expect(await files.stat(path)).toMatchObject({ uid: 0, gid: 0, mode: 0o640, kind: 'file' });
    });
  });

  onDisk.test('for which the disk has no room is not left behind half, and its reason is told', async () => {
    await using disk = await mountSmallDisk(1_000_000);
    await withSession(world.remote(), await world.server(), signal, async (session) => {
      const files = await session.files();
      const path = join(disk.path, 'file');
      await disk.fill(40_000);
      expect(await codeOfFailed(files.create(path, Buffer.alloc(200_000), { mode: 0o600 }))).toBe(
        'server.disk-full',
      );
      expect(await files.list(disk.path, 10)).toEqual(['.filler']);
      await disk.free();
      await files.create(path, Buffer.alloc(200_000), { mode: 0o600 });
    });
  });
});
