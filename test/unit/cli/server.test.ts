import { Command } from 'commander';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { addServer } from '../../../node/cli/server.ts';
import { openControlSocket } from '../../../node/listeners/control.ts';
import type { ServerView } from '../../../node/listeners/control-servers.ts';
import { systemClock } from '../../../node/platform/clock.ts';
import { AppError } from '../../../node/platform/errors.ts';
import { silentLog } from '../../../node/platform/log.ts';
import { fakeNodeControl } from '../../support/node-control.ts';
import { temporaryDirectory } from '../../support/process.ts';

const FINGERPRINT = `SHA256:${'a'.repeat(43)}`;
const OLD = `SHA256:${'o'.repeat(43)}`;
const VIEW: ServerView = {
  ...{
    id: 'gv1p',
    name: 'GV1 \u001b[31m',
    host: 'gv1p.example.com',
    port: 22,
    user: 'parelha',
    enabled: true,
  },
  ...{ audiosFrom: 'audio', commands: ['CHECKIP', 'MACCHANGE'], hostKeys: [FINGERPRINT], macFiles: [] },
};
const SERVERS: ServerView[] = [
  VIEW,
  { ...VIEW, id: 'gv2p', port: 2222, hostKeys: [], audiosFrom: null },
  { ...VIEW, id: 'voip1', enabled: false },
];

/** node-ctl against a node with these servers; `answer` is what is typed where it asks. */
async function nodeCtl(args: readonly string[], answer = '', others: string[] = []) {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, 'control.sock');
  const seen = {
    code: null as number | null,
    out: '',
    err: '',
    trusted: [] as unknown[],
    tested: [] as string[],
  };
  const control = fakeNodeControl({
    servers: async () => ({ servers: SERVERS, serversFile: '/etc/parelha/servers.json' }),
    serverTest: async ({ id }) => {
      seen.tested.push(id);
      if (id === 'nope') throw new AppError('server.not-found', 'no server nope');
      if (id !== 'gv2p') return { id, checks: [{ name: 'reached', ok: true, message: 'yes' }] };
      const untried = { name: 'login', ok: null, message: 'not looked at' };
      return { id, checks: [{ name: 'reached', ok: false, message: 'refused \u001b[31m' }, untried] };
    },
    serverHostKeys: async ({ id }) => ({
      ...{ id, host: 'gv1p.example.com', port: 22, others },
      keys: [{ type: 'ssh-ed25519', fingerprint: FINGERPRINT, isKnown: false }],
    }),
    serverTrust: async (params) => {
      seen.trusted.push(params);
      return { id: params.id, message: `${params.id} is trusted by 1 host key` };
    },
    serverKey: async () => ({ publicLine: 'ssh-ed25519 AAAA parelha:audio', keyFile: '/x' }),
  });
  const listener = await openControlSocket({ path, control, log: silentLog });
  const io = {
    out: (text: string) => (seen.out += text),
    err: (text: string) => (seen.err += text),
    errIsTerminal: false,
    env: {},
    clock: systemClock,
    interrupted: new AbortController().signal,
    exit: (code: number) => (seen.code = code),
  };
  const program = new Command('node-ctl').option('--socket <path>').option('--json').exitOverride();
  addServer(program, io, async () => answer);
  await program.parseAsync(['--socket', path, ...args], { from: 'user' });
  await listener.close();
  return seen;
}

test('server list shows all, and what to do about a host key that is not known', async () => {
  const { code, out } = await nodeCtl(['server', 'list']);
  expect(code).toBe(0);
  expect(out).toMatch(/gv1p +parelha@gv1p\.example\.com +yes +CHECKIP,MACCHANGE +audio +known/);
  expect(out).toMatch(/gv2p +parelha@gv1p\.example\.com:2222 +yes .* - +unknown/);
  expect(out).toContain('node-ctl server trust gv2p');
  expect(out).not.toContain('\u001b');
});

test('server test looks at all that are enabled, and ends with 3 where something is not well', async () => {
  const { code, out, tested } = await nodeCtl(['server', 'test']);
  expect(tested.toSorted()).toEqual(['gv1p', 'gv2p']);
  expect(code).toBe(3);
  expect(out).toMatch(
    /gv1p\n {2}ok {4}reached {2}yes\n\ngv2p\n {2}FAIL {2}reached {2}refused .*\n {2}- {5}login {4}not/,
  );
  expect(out).not.toContain('\u001b');
});

test('server test of one that is well ends with 0, of one that is unknown with 2', async () => {
  expect(await nodeCtl(['server', 'test', 'gv1p'])).toMatchObject({ code: 0, tested: ['gv1p'] });
  expect(await nodeCtl(['server', 'test', 'voip1'])).toMatchObject({ code: 0, tested: ['voip1'] });
  const unknown = await nodeCtl(['server', 'test', 'nope']);
  expect(unknown.code).toBe(2);
  expect(unknown.err).toContain('no server nope');
});

test('server trust shows the fingerprint, and stores it only after a yes', async () => {
  for (const answer of ['', 'y', 'no', 'yes please']) {
    const { code, err, trusted } = await nodeCtl(['server', 'trust', 'gv1p'], answer);
    expect(code).toBe(2);
    expect(err).toContain(`${FINGERPRINT}  ssh-ed25519`);
    expect(err).toContain('nothing was stored');
    expect(trusted).toEqual([]);
  }
  const { code, out, trusted } = await nodeCtl(['server', 'trust', 'gv1p'], ' Yes\n');
  expect(code).toBe(0);
  expect(out).toContain('gv1p is trusted by 1 host key');
  expect(trusted).toEqual([{ id: 'gv1p', fingerprints: [FINGERPRINT] }]);
});

test('server trust warns where another key was known until now', async () => {
  const { err } = await nodeCtl(['server', 'trust', 'gv1p'], 'no', [OLD]);
  expect(err).toContain('speaking to another host');
  expect(err).toContain(OLD);
});

test('server trust with a fingerprint asks nothing', async () => {
  const { code, err, trusted } = await nodeCtl(['server', 'trust', 'gv1p', '--fingerprint', `${OLD}=`]);
  expect([code, err, trusted]).toEqual([0, '', [{ id: 'gv1p', fingerprints: [OLD] }]]);
});

test('server key prints the line and nothing else', async () => {
  expect(await nodeCtl(['server', 'key'])).toMatchObject({
    code: 0,
    out: 'ssh-ed25519 AAAA parelha:audio\n',
    err: '',
  });
});
