import { chmod, lstat, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { authorizedKeysLine, createAuthorizedKeys } from '../../../node/pairing/authorized-keys.ts';
import { temporaryDirectory } from '../../support/process.ts';

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIN4aJp7';
const OTHER = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOther';
const PENDING = '/var/lib/parelha/queue/pending';

let home: Awaited<ReturnType<typeof temporaryDirectory>>;
let file: string;
beforeEach(async () => {
  home = await temporaryDirectory();
  file = join(home.path, '.ssh', 'authorized_keys');
});
afterEach(() => home[Symbol.asyncDispose]());

test('a first key makes the directory and the file, for their owner alone', async () => {
  const keys = createAuthorizedKeys(home.path);
  expect(await keys.state('audio', KEY, PENDING)).toBe('missing');
  await keys.install('audio', KEY, PENDING);
  expect(await readFile(file, 'utf8')).toBe(`${authorizedKeysLine('audio', KEY, PENDING)}\n`);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect((await stat(join(home.path, '.ssh'))).mode & 0o777).toBe(0o700);
  expect(await keys.state('audio', KEY, PENDING)).toBe('installed');
  expect(await keys.state('audio', OTHER, PENDING)).toBe('different');
  expect(await keys.state('audio', KEY, '/elsewhere')).toBe('different');
});

test('all other lines stay as they are, byte for byte, and a new key takes the place of the old one', async () => {
  await mkdir(join(home.path, '.ssh'));
  const before = Buffer.concat([
    Buffer.from('# José\n\nssh-rsa AAAA jos'),
    Buffer.from([0xe9]),
    Buffer.from('\n'),
  ]);
  const after = Buffer.from(`ssh-rsa AAAA parelha:audio9\nssh-rsa BBBB no end`);
  await writeFile(file, Buffer.concat([before, after]));
  const keys = createAuthorizedKeys(home.path);
  await keys.install('audio', KEY, PENDING);
  await keys.install('audio2', KEY, PENDING);
  await keys.install('audio', OTHER, PENDING);
  const lines = [authorizedKeysLine('audio', OTHER, PENDING), authorizedKeysLine('audio2', KEY, PENDING)];
  expect(await readFile(file)).toEqual(
    Buffer.concat([before, after, Buffer.from(`\n${lines.join('\n')}\n`)]),
  );
  await keys.remove('audio');
  await keys.remove('audio2');
  expect(await readFile(file)).toEqual(Buffer.concat([before, after, Buffer.from('\n')]));
  expect(await readdir(join(home.path, '.ssh'))).toEqual(['authorized_keys']);
});

test('two lines of one peer become one', async () => {
  await mkdir(join(home.path, '.ssh'));
  await writeFile(file, `${KEY} parelha:audio\nssh-rsa BBBB x\n${OTHER} parelha:audio\n`);
  const keys = createAuthorizedKeys(home.path);
  await keys.install('audio', KEY, PENDING);
  expect(await readFile(file, 'utf8')).toBe(`${authorizedKeysLine('audio', KEY, PENDING)}\nssh-rsa BBBB x\n`);
});

test('a file that does not change is not written', async () => {
  const keys = createAuthorizedKeys(home.path);
  await keys.remove('audio');
  await expect(stat(file)).rejects.toThrow('ENOENT');
  await keys.install('audio', KEY, PENDING);
  const { ino } = await stat(file);
  await keys.install('audio', KEY, PENDING);
  await keys.remove('audio2');
  expect((await stat(file)).ino).toBe(ino);
});

test('a symbolic link is followed and stays one', async () => {
  await mkdir(join(home.path, '.ssh'));
  const real = join(home.path, 'keys');
  await writeFile(real, 'ssh-rsa BBBB x\n');
  await chmod(real, 0o644);
  await symlink(real, file);
  await createAuthorizedKeys(home.path).install('audio', KEY, PENDING);
  expect((await lstat(file)).isSymbolicLink()).toBe(true);
  expect(await readFile(real, 'utf8')).toBe(`ssh-rsa BBBB x\n${authorizedKeysLine('audio', KEY, PENDING)}\n`);
  expect((await stat(real)).mode & 0o777).toBe(0o600);
});

test('keys installed at the same time are all there', async () => {
  const keys = createAuthorizedKeys(home.path);
  await Promise.all(['a', 'b', 'c', 'd'].map((id) => keys.install(id, KEY, PENDING)));
  expect((await readFile(file, 'utf8')).trim().split('\n')).toHaveLength(4);
});

test('a directory that sshd would misread is refused, and a percent sign is no token', () => {
  for (const directory of ['/que ue', '/q"', "/q'", '/q\\', '/q\nx', 'queue', '']) {
    expect(() => authorizedKeysLine('audio', KEY, directory)).toThrow('QUEUE_DIR');
  }
  expect(authorizedKeysLine('audio', KEY, '/100%d')).toContain(' -d /100%%d"');
});
