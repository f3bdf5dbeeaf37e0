import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { codeOf } from '../../../node/platform/errors.ts';
import { makeSshKey, publicKeyOf } from '../../../node/platform/openssh-keys.ts';
import { createServerKeys } from '../../../node/servers/server-keys.ts';
import { temporaryDirectory } from '../../support/process.ts';
import { sipServer } from '../../support/sip-server.ts';

async function world() {
  const directory = await temporaryDirectory();
  const keyFile = join(directory.path, 'certs', 'servers.key');
  const serversFile = join(directory.path, 'servers.json');
  const keys = createServerKeys({ nodeId: 'audio', user: 'parelha', keyFile, serversFile });
  return {
    keys,
    keyFile,
    path: directory.path,
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
}

test('the key is made when it is first needed, once, for its user alone', async () => {
  await using it = await world();
  const [a, b, line] = await Promise.all([
    it.keys.loginOf(sipServer()),
    it.keys.loginOf(sipServer({ user: 'voip' })),
    it.keys.publicLine(),
  ]);
  expect([a.user, b.user]).toEqual(['parelha', 'voip']);
  expect(a.privateKey).toBe(b.privateKey);
  expect((await stat(it.keyFile)).mode & 0o777).toBe(0o600);
  expect(line).toBe(`${await publicKeyOf(a.privateKey)} parelha:audio`);
});

test('a server can have a key of its own, beside SERVERS_FILE; it is never made', async () => {
  await using it = await world();
  const server = sipServer({ keyFile: 'gv1p.key' });
  expect(await it.keys.loginOf(server).catch(codeOf)).toBe('server.key');
  const key = await makeSshKey('x');
  await writeFile(join(it.path, 'gv1p.key'), key, { mode: 0o600 });
  expect((await it.keys.loginOf(server)).privateKey).toBe(key);
  await expect(readFile(it.keyFile)).rejects.toThrow('ENOENT');
});

test('a key that others can read, or that is none, is not used', async () => {
  await using it = await world();
  await it.keys.publicLine();
  await chmod(it.keyFile, 0o640);
  await expect(it.keys.loginOf(sipServer())).rejects.toThrow('chmod 600');
  await writeFile(it.keyFile, 'hunter2');
  await chmod(it.keyFile, 0o600);
  const error = await it.keys.publicLine().catch((failure: Error) => failure);
  expect(codeOf(error)).toBe('server.key');
  expect(String(error)).not.toContain('hunter2');
});
