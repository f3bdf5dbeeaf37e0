import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../../../node/platform/clock.ts';
import { codeOf } from '../../../node/platform/errors.ts';
import { openKnownServers } from '../../../node/servers/known-servers.ts';
import { temporaryDirectory } from '../../support/process.ts';
import { sipServer } from '../../support/sip-server.ts';

const key = (letter: string) => ({ type: 'ssh-ed25519', fingerprint: `SHA256:${letter.repeat(43)}` });
const fingerprint = (letter: string): string => key(letter).fingerprint;

test('what was trusted is known after a restart, beside what SERVERS_FILE says', async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, 'known_servers.json');
  const server = sipServer({ hostKeys: [fingerprint('a')] });
  const first = await openKnownServers(path, systemClock);
  expect(first.trusted(server)).toEqual([fingerprint('a')]);
  await Promise.all([
    first.trust(server, [key('b'), key('a')]),
    first.trust(sipServer({ id: 'gv2p' }), [key('z')]),
  ]);
  expect(first.trusted(server)).toEqual([fingerprint('a'), fingerprint('b')]);
  const again = await openKnownServers(path, systemClock);
  expect(again.trusted(server)).toEqual([fingerprint('a'), fingerprint('b')]);
  expect(again.trusted(sipServer({ id: 'gv2p' }))).toEqual([fingerprint('z')]);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test('trusting again replaces, and a server that moved is another one', async () => {
  await using directory = await temporaryDirectory();
  const known = await openKnownServers(join(directory.path, 'known_servers.json'), systemClock);
  const server = sipServer();
  await known.trust(server, [key('a')]);
  await known.trust(server, [key('b')]);
  expect(known.trusted(server)).toEqual([fingerprint('b')]);
  expect(known.trusted({ ...server, id: 'other', host: server.host.toUpperCase() })).toEqual([
    fingerprint('b'),
  ]);
  expect(known.trusted({ ...server, host: 'gv9.example.com' })).toEqual([]);
  expect(known.trusted({ ...server, port: 2222 })).toEqual([]);
});

test('a damaged file is told of, and stays as it is', async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, 'known_servers.json');
  for (const text of ['', '{', '{"version":2,"servers":{}}']) {
    await writeFile(path, text);
    expect(await openKnownServers(path, systemClock).then(() => 'opened', codeOf)).toBe(
      'server.known-damaged',
    );
    expect(await readFile(path, 'utf8')).toBe(text);
  }
});
