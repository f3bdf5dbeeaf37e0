import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { type MailServers, startMailServers } from '../support/exim.ts';
import { type NodeUnderTest, prepareNode } from '../support/node.ts';
import { needs } from '../support/requirements.ts';
import { type SshWorld, startSshWorld } from '../support/ssh-world.ts';

const { describe, test } = needs('dovecot', 'exim', 'sshd');

const stack = new AsyncDisposableStack();
let world: SshWorld;
let node: NodeUnderTest;

beforeAll(async () => {
  world = stack.use(await startSshWorld());
  const servers: MailServers = stack.use(await startMailServers());
  const { host, port, user } = world.sshd;
  const definitions = join(world.directory, 'a.def');
  await writeFile(definitions, '[3010]\nMAC:\n');
  const files = [{ kind: 'section', path: definitions, field: 'MAC:{mac}' }];
  const server = { id: 'gv1p', host, port, user, commands: ['MACCHANGE'], mac_files: files };
  const serversFile = join(world.directory, 'servers.json');
  await writeFile(
    serversFile,
    JSON.stringify({ sip_servers: [{ ...server, mac_backup_dir: '/var/tmp/old' }] }),
  );
  node = stack.use(await prepareNode({ servers, settings: { SERVERS_FILE: serversFile } }));
  await node.start();
});

afterAll(() => stack.disposeAsync());

describe('a server that is new', () => {
  test('is let in and trusted step by step, as its document says, and stays so', async () => {
    expect((await node.ctl('server', 'list')).out).toMatch(/gv1p .* MACCHANGE .* unknown/);

    const unknown = await node.ctl('server', 'test', 'gv1p');
    expect(unknown.code).toBe(3);
    expect(unknown.out).toMatch(/ok +reached/);
    expect(unknown.out).toMatch(/FAIL +host key .*node-ctl server trust gv1p/);

    const no = await node.ctlTyping('no', 'server', 'trust', 'gv1p');
    expect(no.code).toBe(2);
    const [fingerprint = ''] = await world.fingerprints();
    expect(no.out).toContain(fingerprint);
    const wrong = `SHA256:${'x'.repeat(43)}`;
    expect((await node.ctl('server', 'trust', 'gv1p', '--fingerprint', wrong)).code).toBe(2);
    expect((await node.ctlTyping('yes', 'server', 'trust', 'gv1p')).code).toBe(0);

    expect((await node.ctl('server', 'test', 'gv1p')).out).toMatch(/FAIL +login/);
    const key = await node.ctl('server', 'key');
    expect(key.out).toMatch(/^ssh-ed25519 \S+ parelha:\S+\n$/);
    await writeFile(world.sshd.authorizedKeysFile, key.out);
    const well = await node.ctl('server', 'test');
    expect(well.out).not.toContain('FAIL');
    expect(well.code).toBe(0);

    node.child().process.kill('SIGTERM');
    await node.child().end();
    await node.start();
    expect(await node.ctl('server', 'test')).toMatchObject({ code: 0 });
    expect((await stat(join(node.stateDir, 'known_servers.json'))).mode & 0o777).toBe(0o600);
  });

  test('that shows other keys one day is refused, and the difference is shown', async () => {
    await writeFile(world.sshd.authorizedKeysFile, (await node.ctl('server', 'key')).out);
    await node.ctlTyping('yes', 'server', 'trust', 'gv1p');
    const before = await world.fingerprints();
    await world.sshd.changeHostKeys();
    expect((await node.ctl('server', 'test')).out).toMatch(/FAIL +host key .*another host key/);
    const shown = await node.ctlTyping('yes', 'server', 'trust', 'gv1p');
    for (const fingerprint of [...before, ...(await world.fingerprints())])
      expect(shown.out).toContain(fingerprint);
    expect(await node.ctl('server', 'test')).toMatchObject({ code: 0 });
  });
});
