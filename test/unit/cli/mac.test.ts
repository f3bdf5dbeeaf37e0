import { expect, test } from 'vitest';
import { createMacControl } from '../../../node/listeners/control-mac.ts';
import { systemClock } from '../../../node/platform/clock.ts';
import { silentLog } from '../../../node/platform/log.ts';
import { createPhones } from '../../../node/servers/mac-change.ts';
import { MAC_CONTENTS, macFilesIn } from '../../support/mac-files.ts';
import { createMemoryAudit } from '../../support/memory-audit.ts';
import { createMemoryRemote } from '../../support/memory-remote.ts';
import { fakeNodeControl } from '../../support/node-control.ts';
import { nodeCtlAgainst } from '../../support/run-node-ctl.ts';
import { sipServer } from '../../support/sip-server.ts';

/** node-ctl against a node with a server in memory. */
function world() {
  const remote = createMemoryRemote();
  const at = remote.at('gv2p');
  at.write('/var/backups/.keep', '');
  for (const [name, content] of Object.entries(MAC_CONTENTS)) at.write(`/etc/pabx/${name}`, content);
  const server = sipServer({ id: 'gv2p', macFiles: macFilesIn('/etc/pabx') });
  const phones = createPhones({ remote, nodeId: 'audio', clock: systemClock, log: silentLog });
  const audit = createMemoryAudit();
  const servers = [server, sipServer({ id: 'gv3p', macFiles: [] })];
  const control = fakeNodeControl(createMacControl({ servers, phones, audit }));
  const nodeCtl = (...args: readonly string[]) => nodeCtlAgainst(control, args);
  return { nodeCtl, at, phones, server, audit };
}

test('mac show says what each file has, and its exit code whether they agree', async () => {
  const { nodeCtl, at } = world();
  const shown = await nodeCtl('mac', 'show', '3010', '--server', 'GV2P');
  expect(shown.code).toBe(0);
  expect(shown.out).toMatch(/__ENDPOINTS__\.DEF +010203040506/);
  at.write('/etc/pabx/endpoints_sip.def', '[3010]\nMAC:None\n');
  const differing = await nodeCtl('mac', 'show', '3010', '--server', 'gv2p');
  expect([differing.code, differing.out]).toEqual([4, expect.stringMatching(/endpoints_sip\.def +none/)]);
  expect((await nodeCtl('mac', 'show', '9999', '--server', 'gv2p')).out).toContain('extension-missing');
});

test('mac show refuses a server of which nothing says where MACs stand', async () => {
  const shown = await world().nodeCtl('mac', 'show', '3010', '--server', 'gv3p');
  expect([shown.code, shown.err]).toEqual([2, expect.stringContaining('no mac_files for gv3p')]);
});

test('mac restore takes a change back by its name or its directory, and says so in the audit log', async () => {
  const { nodeCtl, at, phones, server, audit } = world();
  const request = { extension: '3010', from: '010203040506', to: '000b82040599' };
  const { backup } = await phones.change(server, request, 'a'.repeat(64), new AbortController().signal);
  const name = backup?.split('/').at(-1) ?? '';
  const done = await nodeCtl('mac', 'restore', name, '--server', 'gv2p');
  expect(done.code).toBe(0);
  expect(done.out).toMatch(/000b82040599 +010203040506/);
  expect(at.entries.get('/etc/pabx/__ENDPOINTS__.DEF')?.content).toEqual(MAC_CONTENTS['__ENDPOINTS__.DEF']);
  expect(audit.events).toMatchObject([
    { event: 'mac.restored', restored: name, by: 'node-ctl', state: 'changed' },
  ]);
  const again = await nodeCtl('mac', 'restore', backup ?? '', '--server', 'gv2p');
  expect([again.code, again.out]).toEqual([0, 'it is so already on gv2p; nothing was changed\n']);
});

test.each([
  ['a server that is not there', ['show', '3010', '--server', 'gv9p'], 'no server gv9p'],
  ['no extension', ['show', '../x', '--server', 'gv2p'], '3 to 8 digits'],
  ['a backup that is not there', ['restore', '../../etc', '--server', 'gv2p'], 'mac.no-backup'],
  ['no server', ['show', '3010'], '--server'],
])('%s is refused with exit code 2', async (_, args, said) => {
  const { code, err } = await world().nodeCtl('mac', ...args);
  expect([code, err]).toEqual([2, expect.stringContaining(said)]);
});
