import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createServerControl } from '../../../node/listeners/control-servers.ts';
import { systemClock } from '../../../node/platform/clock.ts';
import { codeOf } from '../../../node/platform/errors.ts';
import { openKnownServers } from '../../../node/servers/known-servers.ts';
import type { HostKey } from '../../../node/servers/remote.ts';
import { createMemoryRemote } from '../../support/memory-remote.ts';
import { temporaryDirectory } from '../../support/process.ts';
import { sipServer } from '../../support/sip-server.ts';

const { signal } = new AbortController();
const fingerprint = (letter: string): string => `SHA256:${letter.repeat(43)}`;

async function world(shown: readonly HostKey[]) {
  const directory = await temporaryDirectory();
  const known = await openKnownServers(join(directory.path, 'known.json'), systemClock);
  const audited: object[] = [];
  const servers = [
    sipServer({ hostKeys: [fingerprint('f')] }),
    sipServer({ id: 'gv2p', user: 'voip', enabled: false }),
  ];
  const control = createServerControl({
    ...{ servers, serversFile: '/etc/parelha/servers.json', user: 'parelha', known },
    remote: createMemoryRemote(),
    scan: { hostKeys: async () => shown },
    bans: { look: async () => Promise.reject(new Error('not asked')) },
    keys: { keyFile: '/certs/servers.key', publicLine: async () => 'ssh-ed25519 AAAA parelha:audio' },
    audit: { record: async (event) => void audited.push(event) },
  });
  return { control, known, audited, servers, [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose]() };
}

const ED = { type: 'ssh-ed25519', fingerprint: fingerprint('a') };
const EC = { type: 'ecdsa-sha2-nistp256', fingerprint: fingerprint('b') };

test('servers are listed with who logs in, and the host keys that they may show', async () => {
  await using it = await world([ED]);
  const { servers } = await it.control.servers({}, signal);
  expect(servers).toMatchObject([
    { id: 'gv1p', user: 'parelha', hostKeys: [fingerprint('f')], enabled: true },
    { id: 'gv2p', user: 'voip', hostKeys: [], enabled: false },
  ]);
});

test('host keys that a server shows are told from those that were known', async () => {
  await using it = await world([ED, EC]);
  await it.known.trust(it.servers[0]!, [ED]);
  expect(await it.control.serverHostKeys({ id: 'GV1P' }, signal)).toEqual({
    ...{ id: 'gv1p', host: 'gv1p.example.com', port: 22 },
    keys: [
      { ...ED, isKnown: true },
      { ...EC, isKnown: false },
    ],
    others: [fingerprint('f')],
  });
});

test('only what a server shows is trusted, and the audit log has it', async () => {
  await using it = await world([ED, EC]);
  const trust = (fingerprints: string[]) => it.control.serverTrust({ id: 'gv2p', fingerprints }, signal);
  expect(await trust([ED.fingerprint, fingerprint('x')]).catch(codeOf)).toBe('server.not-shown');
  expect(it.known.trusted(it.servers[1]!)).toEqual([]);
  expect(it.audited).toEqual([]);
  expect((await trust([EC.fingerprint])).message).toBe('gv2p is trusted by 1 host key');
  expect(it.known.trusted(it.servers[1]!)).toEqual([EC.fingerprint]);
  expect(it.audited).toMatchObject([{ event: 'server.trusted', server: 'gv2p', hostKeys: [EC.fingerprint] }]);
});

test('a server that is not in the file is told of by its name', async () => {
  await using it = await world([]);
  for (const call of [
    it.control.serverTest({ id: 'gv9' }, signal),
    it.control.serverHostKeys({ id: 'gv9' }, signal),
    it.control.serverTrust({ id: 'gv9', fingerprints: [ED.fingerprint] }, signal),
  ]) {
    expect(await call.catch(codeOf)).toBe('server.not-found');
  }
});
