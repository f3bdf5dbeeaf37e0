import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import ssh2, { type SFTPWrapper } from 'ssh2';
import { afterAll, beforeAll, expect } from 'vitest';
import { authorizedKeysLine } from '../../node/pairing/authorized-keys.ts';
import { createScpDrop } from '../../node/forward/scp-drop.ts';
import { readHostKeys } from '../../node/pairing/host-keys.ts';
import { makeSshKey, publicKeyOf } from '../../node/platform/openssh-keys.ts';
import { messageOf } from '../../node/platform/errors.ts';
import { type PrivateHost, privateHost } from '../support/private-host.ts';
import { type Child, freePort, portReady, temporaryDirectory } from '../support/process.ts';
import { needs } from '../support/requirements.ts';

const { describe, test } = needs('sshd', 'systemd-analyze', 'private-mounts');

const INSTALL = join(import.meta.dirname, '../../deploy/install-sshd.sh');
const HOME = '/var/lib/parelha';
const QUEUE = `${HOME}/queue`;
const PENDING = `${QUEUE}/pending`;
const KEYS = `${HOME}/.ssh/authorized_keys`;
const RULES = '/etc/ssh/sshd_config.d/parelha.conf';
const UNITS = '/etc/systemd/system';
const UNIT = `${UNITS}/var-lib-parelha.jail-var-lib-parelha-queue-pending.mount`;

let host: PrivateHost;
let local: Awaited<ReturnType<typeof temporaryDirectory>>;
let sshd: Child;
let port: number;
let keyFile: string;
let userKey: string;

/** A host with the node's user, who has let the peer's key in, and with an sshd as the distribution configures it. */
beforeAll(async () => {
  host = await privateHost();
  local = await temporaryDirectory();
  keyFile = join(local.path, 'ssh.key');
  const privateKey = await makeSshKey('parelha:audio');
  await writeFile(keyFile, privateKey, { mode: 0o600 });
  userKey = await publicKeyOf(privateKey);
  const account = ['--system', '--user-group', '--home-dir', HOME, '--shell', '/usr/sbin/nologin'];
  await done('useradd', ...account, '--password', '*', 'parelha');
  const owner = ['-o', 'parelha', '-g', 'parelha', '-m', '0700'];
  const places = [HOME, `${HOME}/.ssh`, `${HOME}/certs`, `${HOME}/web`].map((path) => ['-d', ...owner, path]);
  for (const place of places) await done('install', ...place);
  await letIn(authorizedKeysLine('audio', userKey, PENDING));
  await done('ssh-keygen', '-A');
  await done(INSTALL);
  await done('mount', '--bind', PENDING, `/var/lib/parelha.jail${PENDING}`); // as the unit says: systemd does not run here
  port = await freePort();
  const listening = ['-o', 'ListenAddress=127.0.0.1', '-o', `Port=${port}`];
  sshd = host.start('/usr/sbin/sshd', ['-D', '-e', ...listening]);
  await portReady(port).catch((error: unknown) => {
    throw new Error(sshd.output(), { cause: error });
  });
});
afterAll(async () => {
  await sshd?.end('SIGKILL');
  await host?.[Symbol.asyncDispose]();
  await local?.[Symbol.asyncDispose]();
});

/** Runs what must succeed. */
async function done(command: string, ...args: string[]): Promise<string> {
  const { code, out } = await host.run(command, ...args);
  expect(code, `${command} ${args.join(' ')}: ${out}`).toBe(0);
  return out;
}

async function letIn(line: string): Promise<void> {
  await writeFile(host.outside('/run/line'), `${line}\n`);
  await done('install', '-o', 'parelha', '-g', 'parelha', '-m', '0600', '/run/line', KEYS);
}

/** A secret of the node's user, as its TLS key is. */
async function putSecret(): Promise<string> {
  await writeFile(host.outside('/run/secret'), 'secret');
  await done(
    'install',
    '-o',
    'parelha',
    '-g',
    'parelha',
    '-m',
    '0600',
    '/run/secret',
    `${HOME}/certs/node.pem`,
  );
  return `${HOME}/certs/node.pem`;
}

async function session(): Promise<{ client: ssh2.Client } & Disposable> {
  const client = new ssh2.Client();
  const ready = Promise.withResolvers<void>();
  client.on('ready', ready.resolve).on('error', ready.reject);
  client.connect({ host: '127.0.0.1', port, username: 'parelha', privateKey: await readFile(keyFile) });
  await ready.promise;
  return { client, [Symbol.dispose]: () => client.end() };
}

type Done<T> = (error?: Error | null, value?: T) => void;

/** What an act came to: `done`, or what the server said. */
function outcome(act: (done: Done<unknown>) => void): Promise<string> {
  return new Promise((resolve) => {
    act((error) => resolve(error == null ? 'done' : messageOf(error)));
  });
}

async function sftpOf(client: ssh2.Client): Promise<SFTPWrapper> {
  return new Promise((resolve, reject) => {
    client.sftp((error, sftp) => (error === undefined ? resolve(sftp) : reject(error)));
  });
}

describe('the account that the peer’s key lets in', () => {
  test('takes a file as the peer drops it, under the path that it has on the host', async () => {
    const hostKeys = await readHostKeys(host.outside('/etc/ssh'));
    const trust = {
      ...{ peerId: 'audio', certificates: [], tokenKeys: new Map() },
      ...{ sshHostKeys: hostKeys, sshUser: 'parelha', queueDir: QUEUE },
    };
    const drop = createScpDrop({
      ...{ host: '127.0.0.1', port, keyFile, peerId: 'audio', knownHostsFile: 'known_hosts' },
      credentials: { peer: () => trust },
    });
    const { signal } = new AbortController();
    await drop.put('job.json', Buffer.from('{}'), signal);
    await drop.put('job.json', Buffer.from('{"again":1}'), signal);
    await drop.close();
    const uid = Number(await done('id', '-u', 'parelha'));
    expect(await readdir(host.outside(PENDING))).toEqual(['job.json']);
    expect(await stat(host.outside(`${PENDING}/job.json`))).toMatchObject({ uid, size: 11 });
  });

  test('reaches nothing else of the node, neither to write over it nor to move it to where it is served', async () => {
    const secret = await putSecret();
    const before = await readFile(host.outside(KEYS), 'utf8');
    using connected = await session();
    const sftp = await sftpOf(connected.client);
    const said = [
      await outcome((end) => sftp.open(KEYS, 'w', end)),
      await outcome((end) => sftp.open('../../.ssh/authorized_keys', 'w', end)),
      await outcome((end) => sftp.open(`${HOME}/role.json`, 'wx', end)),
      await outcome((end) => sftp.ext_openssh_rename(secret, `${HOME}/web/key.wav`, end)),
      await outcome((end) => sftp.ext_openssh_rename(secret, `${PENDING}/key.json`, end)),
      await outcome((end) => sftp.unlink(secret, end)),
    ];
    const refused = expect.stringMatching(/^(No such file|Permission denied)$/) as unknown;
    expect(said).toEqual(said.map(() => refused));
    expect(await readFile(host.outside(KEYS), 'utf8')).toBe(before);
    expect(await readFile(host.outside(secret), 'utf8')).toBe('secret');
  });

  test('may do no more with a line of authorized_keys that says nothing of it', async () => {
    await letIn(userKey);
    using connected = await session();
    const { client } = connected;
    const sftp = await sftpOf(client);
    await writeFile(host.outside(`${PENDING}/request.json`), '{}');
    await chmod(host.outside(`${PENDING}/request.json`), 0o644);
    const refused = expect.stringMatching(
      /Permission denied|No such file|open failed|Unable to|pseudo-terminal/,
    ) as unknown;
    expect([
      await outcome((end) => sftp.readFile(`${PENDING}/request.json`, end)),
      await outcome((end) => sftp.readFile('/etc/passwd', end)),
      await outcome((end) => sftp.readdir('/', end)),
      await outcome((end) => sftp.symlink('/etc/passwd', `${PENDING}/x`, end)),
      await outcome((end) => client.forwardOut('127.0.0.1', 0, '127.0.0.1', port, end)),
      await outcome((end) => client.forwardIn('127.0.0.1', 0, end)),
      await outcome((end) => client.shell(end)),
    ]).toEqual(Array.from({ length: 7 }, () => refused));
    const code = await new Promise<unknown>((resolve) => {
      client.exec('id', (error, channel) => {
        if (error !== undefined) resolve(error);
        else channel.on('exit', resolve).resume();
      });
    });
    expect(code).not.toBe(0);
    await letIn(authorizedKeysLine('audio', userKey, PENDING));
  });
});

describe('deploy/install-sshd.sh', () => {
  test('lets the key ask for the same as its line does, and has a unit that systemd has nothing to say against', async () => {
    const rules = await readFile(host.outside(RULES), 'utf8');
    const command = /^ *ForceCommand (.*)$/m.exec(rules)?.[1] ?? '';
    expect(authorizedKeysLine('audio', userKey, PENDING)).toContain(`command="${command}"`);
    const verify = await host.run('systemd-analyze', 'verify', '--recursive-errors=no', '--man=no', UNIT);
    expect(verify).toEqual({ code: 0, out: '' });
    expect(await readFile(host.systemctlLog, 'utf8')).toContain('reload ssh');
  });

  test('run again, it changes nothing', async () => {
    const [rules, unit] = await Promise.all(
      [RULES, UNIT].map((path) => readFile(host.outside(path), 'utf8')),
    );
    const { mode } = await stat(host.outside(PENDING));
    expect(await done(INSTALL)).toBe('');
    expect(await readFile(host.outside(RULES), 'utf8')).toBe(rules);
    expect(await readFile(host.outside(UNIT), 'utf8')).toBe(unit);
    expect((await stat(host.outside(PENDING))).mode).toBe(mode);
    expect(await readdir(host.outside('/etc/ssh/sshd_config.d'))).toEqual(['parelha.conf']);
  });

  test('follows QUEUE_DIR, and lets a Python node ask for what its scp does', async () => {
    await done('install', '-d', '-m', '0755', '/etc/parelha');
    const set = async (text: string): Promise<void> =>
      writeFile(host.outside('/etc/parelha/node.conf'), text);
    await set(`QUEUE_DIR="${HOME}/other"  # elsewhere\nPEER_RPC=off\n`);
    await done(INSTALL);
    const rules = await readFile(host.outside(RULES), 'utf8');
    expect(rules).toMatch(/-p open,\S+,stat,\S+ -d \/var\/lib\/parelha\/other\/pending\n/);
    const mounts = (await readdir(host.outside(UNITS))).filter((name) => name.endsWith('.mount'));
    expect(mounts).toEqual(['var-lib-parelha.jail-var-lib-parelha-other-pending.mount']);
    await set('QUEUE_DIR=/var/lib/parelha/with blank\n');
    expect(await done(INSTALL)).toContain('is not shut in');
    expect(await readFile(host.outside(RULES), 'utf8')).toBe(rules);
    await set('');
    await done(INSTALL);
  });

  test('takes its rules back where sshd does not accept them, and says where they do not count', async () => {
    const before = await readFile(host.outside(RULES), 'utf8');
    const config = host.outside('/etc/ssh/sshd_config');
    const original = await readFile(config, 'utf8');
    await writeFile(config, `Nonsense yes\n${original}`);
    expect(await done(INSTALL)).toContain('does not accept its own configuration');
    await writeFile(config, original.replace(/^Include .*$/m, ''));
    expect(await done(INSTALL)).toContain('sshd does not go by /etc/ssh/sshd_config.d/parelha.conf');
    await writeFile(config, original);
    expect(await readFile(host.outside(RULES), 'utf8')).toBe(before);
  });

  test('takes everything back, and leaves the queue', async () => {
    await writeFile(host.outside(`${PENDING}/kept.json`), '{}');
    await done(INSTALL, '--remove');
    expect(await readdir(host.outside('/etc/ssh/sshd_config.d'))).toEqual([]);
    expect((await readdir(host.outside(UNITS))).filter((name) => name.endsWith('.mount'))).toEqual([]);
    expect(await readdir(host.outside(PENDING))).toContain('kept.json');
  });
});
