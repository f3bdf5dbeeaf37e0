import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import ssh2, { type ConnectConfig, type SFTPWrapper } from 'ssh2';
import { afterAll, beforeAll, expect } from 'vitest';
import { messageOf } from '../../node/platform/errors.ts';
import { temporaryDirectory } from '../support/process.ts';
import { needs } from '../support/requirements.ts';
import { startSshd, type Sshd } from '../support/sshd.ts';
import { pairUp, type TwoSides, twoSides } from '../unit/pairing/pairing-support.ts';

const { describe, test } = needs('sshd');

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let sshd: Sshd;
let world: TwoSides;

/** audio2 has an sshd that reads what pairing puts into its user's authorized_keys; audio drops files there. */
beforeAll(async () => {
  directory = await temporaryDirectory();
  const home = join(directory.path, 'audio2', 'home');
  sshd = await startSshd({ authorizedKeysFile: join(home, '.ssh', 'authorized_keys') });
  const { user: sshUser, hostKeysDirectory: sshHostKeysDir, host, port } = sshd;
  world = await twoSides(directory.path, {
    audio: { ssh: { host, port } },
    audio2: { sshUser, sshHostKeysDir },
  });
  await mkdir(join(world.audio2.queueDir, 'pending'), { recursive: true });
  await pairUp(world);
});
afterAll(async () => {
  await sshd?.[Symbol.asyncDispose]();
  await directory?.[Symbol.asyncDispose]();
});

const pending = (): string => join(world.audio2.queueDir, 'pending');

/** A session as audio has it after pairing: its key, the user it was told, the host keys it trusts. */
async function session(): Promise<{ client: ssh2.Client } & Disposable> {
  const { keyring, certsDir } = world.audio;
  const trust = keyring.peer();
  const client = new ssh2.Client();
  const settings: ConnectConfig = {
    ...{ host: sshd.host, port: sshd.port, username: trust?.sshUser ?? '' },
    privateKey: await readFile(join(certsDir, 'ssh.key')),
    hostVerifier: (key: Buffer) =>
      trust?.sshHostKeys.some((line) => line.endsWith(` ${key.toString('base64')}`)) === true,
  };
  const ready = Promise.withResolvers<void>();
  client.on('ready', ready.resolve).on('error', ready.reject);
  client.connect(settings);
  await ready.promise;
  return { client, [Symbol.dispose]: () => client.end() };
}

/** What an act came to: `done`, or what the server said. */
async function outcome(act: () => Promise<unknown>): Promise<string> {
  try {
    await act();
    return 'done';
  } catch (error) {
    return messageOf(error);
  }
}

type Done<T> = (error?: Error | null, value?: T) => void;

/** What a call with a callback gives; an error that it throws at once is one too. */
function asked<T = unknown>(call: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, value) => (error == null ? resolve(value as T) : reject(error)));
  });
}

function sftpOf(client: ssh2.Client): Promise<SFTPWrapper> {
  return asked((done) => client.sftp(done));
}

describe('the key that pairing installs', () => {
  test('puts a file: temporary name, written, synced, renamed over an older one', async () => {
    using connected = await session();
    const sftp = await sftpOf(connected.client);
    for (const content of ['first', 'second']) {
      const temporary = `${pending()}/.drop-1`;
      const handle = await asked<Buffer>((done) => sftp.open(temporary, 'wx', 0o600, done));
      const bytes = Buffer.from(content);
      await asked((done) => sftp.write(handle, bytes, 0, bytes.length, 0, done));
      await asked((done) => sftp.ext_openssh_fsync(handle, done));
      await asked((done) => sftp.close(handle, done));
      await asked((done) => sftp.ext_openssh_rename(temporary, `${pending()}/job.json`, done));
      expect(await readFile(join(pending(), 'job.json'), 'utf8')).toBe(content);
    }
    expect((await stat(join(pending(), 'job.json'))).mode & 0o777).toBe(0o600);
    expect(await readdir(pending())).toEqual(['job.json']);
  });

  test('starts in pending/, and removes a temporary file that was given up', async () => {
    using connected = await session();
    const sftp = await sftpOf(connected.client);
    const handle = await asked<Buffer>((done) => sftp.open('.drop-2', 'wx', done));
    await asked((done) => sftp.close(handle, done));
    expect(await readdir(pending())).toContain('.drop-2');
    await asked((done) => sftp.unlink('.drop-2', done));
    expect(await readdir(pending())).not.toContain('.drop-2');
  });

  test('reads nothing, lists nothing, looks at nothing and makes nothing else', async () => {
    using connected = await session();
    const sftp = await sftpOf(connected.client);
    const path = join(pending(), 'job.json');
    const other = join(pending(), 'other');
    await writeFile(path, 'secret');
    const acts: Record<string, (done: Done<unknown>) => void> = {
      read: (done) => sftp.readFile(path, done),
      readPasswords: (done) => sftp.readFile('/etc/passwd', done),
      list: (done) => sftp.readdir(pending(), done),
      listRoot: (done) => sftp.readdir('/', done),
      stat: (done) => sftp.stat(path, done),
      lstat: (done) => sftp.lstat(path, done),
      realpath: (done) => sftp.realpath('.', done),
      readlink: (done) => sftp.readlink(path, done),
      chmod: (done) => sftp.chmod(path, 0o777, done),
      mkdir: (done) => sftp.mkdir(other, done),
      rmdir: (done) => sftp.rmdir(pending(), done),
      rename: (done) => sftp.rename(path, other, done),
      symlink: (done) => sftp.symlink('/etc/passwd', other, done),
    };
    for (const [name, act] of Object.entries(acts)) {
      const said = await outcome(() => asked(act));
      expect([name, said]).toEqual([name, expect.stringMatching(/^Permission denied/)]);
    }
    // Extensions that are not allowed are not even announced.
    const linking = outcome(() => asked((done) => sftp.ext_openssh_hardlink(path, other, done)));
    expect(await linking).toContain('not support');
    expect(await readdir(pending())).toEqual(['job.json']);
  });

  test('runs no command, opens no shell and forwards no port', async () => {
    using connected = await session();
    const { client } = connected;
    const evidence = join(directory.path, 'evidence');
    const code = await asked<number>((done) =>
      client.exec(`touch ${evidence}`, (error, channel) => {
        if (error !== undefined) done(error);
        else channel.on('exit', (exitCode: number) => done(null, exitCode)).resume();
      }),
    );
    expect(code).not.toBe(0);
    await expect(stat(evidence)).rejects.toThrow('ENOENT');
    expect(await outcome(() => asked((done) => client.shell(done)))).toContain('pseudo-terminal');
    const out = outcome(() =>
      asked((done) => client.forwardOut('127.0.0.1', 0, '127.0.0.1', sshd.port, done)),
    );
    expect(await out).toContain('open failed');
    const into = outcome(() => asked((done) => client.forwardIn('127.0.0.1', 0, done)));
    expect(await into).toContain('Unable to bind');
  });

  test('lets nobody in any more once the peer is removed', async () => {
    await world.audio2.pairing.remove();
    expect(await outcome(session)).toContain('authentication');
    await pairUp(world);
    expect(await outcome(async () => (await session())[Symbol.dispose]())).toBe('done');
  });
});

test('the host keys that pairing exchanged are those the server shows, and others are refused', async () => {
  expect(world.audio.keyring.peer()?.sshHostKeys.toSorted()).toEqual((await sshd.hostKeys()).toSorted());
  await sshd.changeHostKeys();
  expect(await outcome(session)).toContain('verification failed');
  await pairUp(world); // which tells the new ones
  expect(await outcome(async () => (await session())[Symbol.dispose]())).toBe('done');
});
