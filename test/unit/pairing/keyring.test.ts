import { X509Certificate } from 'node:crypto';
import { chmod, copyFile, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openKeyring } from '../../../node/pairing/keyring.ts';
import { canonicalPublicKey, makeSshKey, publicKeyOf } from '../../../node/platform/openssh-keys.ts';
import { AppError, messageOf } from '../../../node/platform/errors.ts';
import { silentLog } from '../../../node/platform/log.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { temporaryDirectory } from '../../support/process.ts';
import { hears, pairUp, peerConfig, twoSides } from './pairing-support.ts';

const HOST_KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIN4aJp7+yKkt1rc5/w0sMQfngtOoYmD2JjexpFDLcXNw';

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let certs: string;

beforeEach(async () => {
  directory = await temporaryDirectory();
  certs = join(directory.path, 'certs');
});
afterEach(() => directory[Symbol.asyncDispose]());

const clock = fixedClock('2026-03-02T12:00:00Z');
const open = (peer = peerConfig('audio2', certs)) =>
  openKeyring({ directory: certs, nodeId: 'audio', peer, clock, log: silentLog });
const refusal = async (): Promise<AppError> => {
  const error: unknown = await open().catch((thrown: unknown) => thrown);
  if (!(error instanceof AppError)) throw new Error(`not refused: ${messageOf(error)}`);
  return error;
};

describe('a new keyring', () => {
  test('makes a certificate, a token key and an SSH key, readable by its owner alone', async () => {
    const keyring = await open();
    expect((await readdir(certs)).toSorted()).toEqual(['node.pem', 'ssh.key']);
    expect((await stat(certs)).mode & 0o777).toBe(0o700);
    for (const name of await readdir(certs)) expect((await stat(join(certs, name))).mode & 0o777).toBe(0o600);
    const { certificate, fingerprint, tokenKey, madeAt } = keyring.own();
    const parsed = new X509Certificate(certificate);
    expect(parsed.subject).toBe('CN=audio');
    expect(parsed.validFromDate.toISOString()).toBe('2026-03-01T12:00:00.000Z');
    expect(parsed.validToDate.toISOString()).toBe('2046-03-01T12:00:00.000Z');
    expect(parsed.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' });
    expect(parsed.fingerprint256.replaceAll(':', '').toLowerCase()).toBe(fingerprint);
    expect(madeAt.toString()).toBe('2026-03-02T12:00:00Z');
    expect(tokenKey.privateKey.asymmetricKeyType).toBe('ed25519');
    expect(tokenKey.kid).toMatch(/^[\w-]{43}$/);
    expect(keyring.peer()).toBeNull();
  });

  test('is the same when it is opened again', async () => {
    const first = await open();
    const files = await Promise.all(
      ['node.pem', 'ssh.key'].map((name) => readFile(join(certs, name), 'utf8')),
    );
    const second = await open();
    expect(second.own().fingerprint).toBe(first.own().fingerprint);
    expect(second.own().tokenKey.kid).toBe(first.own().tokenKey.kid);
    expect(second.sshUserKey).toBe(first.sshUserKey);
    expect(
      await Promise.all(['node.pem', 'ssh.key'].map((name) => readFile(join(certs, name), 'utf8'))),
    ).toEqual(files);
  });

  test('is not made in a directory that others can write to', async () => {
    await mkdir(certs);
    await chmod(certs, 0o770);
    expect(await refusal()).toMatchObject({
      code: 'key.unusable',
      message: `others can write to CERTS_DIR; run: chmod 700 ${certs}`,
    });
    await chmod(certs, 0o750);
    await open();
  });
});

describe('a keyring is not opened', () => {
  test.each(['node.pem', 'ssh.key'])('while others can read %s', async (name) => {
    await open();
    await chmod(join(certs, name), 0o640);
    expect(await refusal()).toMatchObject({
      code: 'key.unusable',
      message: `others can read the key ${join(certs, name)}; run: chmod 600 ${join(certs, name)}`,
    });
  });

  test('with a certificate of another key, or a file cut short, and these stay as they are', async () => {
    const first = await open();
    const pem = await readFile(join(certs, 'node.pem'), 'utf8');
    await rm(join(certs, 'node.pem'));
    const second = await open();
    const swapped = pem.replace(first.own().certificate.trim(), second.own().certificate.trim());
    for (const text of [swapped, pem.slice(0, 400), '', pem.replace('PRIVATE KEY', 'PUBLIC KEY')]) {
      await writeFile(join(certs, 'node.pem'), text);
      expect(await refusal()).toMatchObject({ code: 'key.unusable' });
      expect(await readFile(join(certs, 'node.pem'), 'utf8')).toBe(text);
    }
    expect((await refusal()).message).toContain(join(certs, 'node.pem'));
  });

  test('with a damaged SSH key', async () => {
    await open();
    await writeFile(join(certs, 'ssh.key'), '-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n');
    expect(await refusal()).toMatchObject({ code: 'key.unusable' });
  });

  test('without the SSH key that PEER_SSH_KEY names elsewhere: none is made there', async () => {
    const elsewhere = join(directory.path, 'id_ed25519');
    const opening = open(peerConfig('audio2', certs, { keyFile: elsewhere }));
    await expect(opening).rejects.toMatchObject({ code: 'key.unusable' });
    await expect(stat(elsewhere)).rejects.toThrow('ENOENT');
  });

  test('with another peer.json than was written there', async () => {
    await open();
    await writeFile(join(certs, 'peer.json'), '{"version":1', { mode: 0o600 });
    expect(await refusal()).toMatchObject({ code: 'pair.damaged' });
    await writeFile(join(certs, 'peer.json'), '{"version":1,"id":"audio2"}');
    expect(await refusal()).toMatchObject({ code: 'pair.damaged' });
    expect(await readFile(join(certs, 'peer.json'), 'utf8')).toBe('{"version":1,"id":"audio2"}');
  });

  test('without its keys where it is paired: new ones would make it a stranger', async () => {
    const world = await twoSides(directory.path);
    await pairUp(world);
    await rm(join(world.audio.certsDir, 'node.pem'));
    await expect(world.audio.restart()).rejects.toMatchObject({ code: 'key.unusable' });
    expect(await readdir(world.audio.certsDir)).not.toContain('node.pem');
  });
});

describe('what is trusted', () => {
  test('is nobody where PEER_ID is another than the node that it is paired with', async () => {
    const world = await twoSides(directory.path);
    await pairUp(world);
    const { certsDir } = world.audio;
    const other = await openKeyring({
      ...{ directory: certsDir, nodeId: 'audio', clock, log: silentLog },
      peer: peerConfig('audio9', certsDir),
    });
    expect(other.peer()).toBeNull();
    expect(other.record()?.id).toBe('audio2');
  });

  test('takes user and directory of the configuration over those of the peer', async () => {
    const world = await twoSides(directory.path, {
      audio: { ssh: { user: 'drops', queueDir: '/elsewhere' } },
    });
    await pairUp(world);
    expect(world.audio.keyring.peer()).toMatchObject({ sshUser: 'drops', queueDir: '/elsewhere' });
    expect(await hears(world.audio, world)).toBe(true);
  });

  test('of a Python peer is what known_hosts and the configuration say, as the file is now', async () => {
    const ssh = { user: 'audio', queueDir: '/opt/fila', host: 'python.example.test', port: 2222 };
    const keyring = await open({ ...peerConfig('audio2', certs, ssh), rpc: null });
    expect(keyring.peer()).toMatchObject({ peerId: 'audio2', sshUser: 'audio', queueDir: '/opt/fila' });
    expect(keyring.peer()?.sshHostKeys).toEqual([]);
    await writeFile(join(certs, 'known_hosts'), `[python.example.test]:2222 ${HOST_KEY}\n`);
    expect(keyring.peer()?.sshHostKeys).toEqual([HOST_KEY]);
  });

  test('has the host keys that were exchanged and those of known_hosts, without revoked ones', async () => {
    const hostKeys = join(directory.path, 'ssh');
    await mkdir(hostKeys);
    await writeFile(join(hostKeys, 'ssh_host_ed25519_key.pub'), `${HOST_KEY} root@audio2\n`);
    await writeFile(join(hostKeys, 'ssh_host_ed25519_key'), 'never looked at');
    const world = await twoSides(directory.path, { audio2: { sshHostKeysDir: hostKeys } });
    await pairUp(world);
    const { keyring, certsDir } = world.audio;
    expect(keyring.peer()?.sshHostKeys).toEqual([HOST_KEY]);
    const knownHosts = join(certsDir, 'known_hosts');
    expect(await readFile(knownHosts, 'utf8')).toBe(`audio2.example.test ${HOST_KEY} parelha:audio2\n`);
    const other = (await publicKeyOf(await makeSshKey('test'))) ?? '';
    await writeFile(knownHosts, `audio2.example.test ${other}\n@revoked audio2.example.test ${HOST_KEY}\n`);
    expect(keyring.peer()?.sshHostKeys).toEqual([other]);
    await rm(knownHosts);
    expect(keyring.peer()?.sshHostKeys).toEqual([HOST_KEY]);
    await copyFile(join(hostKeys, 'ssh_host_ed25519_key.pub'), knownHosts);
    await world.audio.pairing.remove();
    expect(keyring.peer()).toBeNull();
  });

  test('is told to its listeners at each change', async () => {
    const world = await twoSides(directory.path);
    let changes = 0;
    world.audio.keyring.onChange(() => (changes += 1));
    await pairUp(world);
    expect(changes).toBe(1);
    await world.audio.pairing.remove();
    expect(changes).toBe(2);
  });
});

test('every SSH key that is made can be read again', async () => {
  // One in 256 that ssh2 makes is cut short (mscdex/ssh2#1513).
  for (let made = 0; made < 1000; made += 1) {
    const publicKey = await publicKeyOf(await makeSshKey('parelha:audio'));
    expect(await canonicalPublicKey(publicKey)).toBe(publicKey);
  }
});
