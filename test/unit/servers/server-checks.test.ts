import { beforeEach, expect, test } from 'vitest';
import { AppError } from '../../../node/platform/errors.ts';
import type { ServerReport } from '../../../node/servers/bans.ts';
import type { Server } from '../../../node/servers/inventory.ts';
import { checkServer } from '../../../node/servers/server-checks.ts';
import { createMemoryRemote, type MemoryRemote } from '../../support/memory-remote.ts';
import { sipServer } from '../../support/sip-server.ts';

const { signal } = new AbortController();
const SERVER = sipServer({
  macFiles: [
    {
      kind: 'section',
      path: '/etc/voip/a.def',
      record: '[{ramal}]',
      field: 'MAC:{mac}',
      empty: '',
      notation: { separator: '', case: 'lower' },
    },
    { kind: 'rename', path: '/srv/tftp/cfg{mac}.xml', notation: { separator: '', case: 'lower' } },
  ],
});
const HELPER_SAYS = 'parelha-remote 1\nend\n';

let remote: MemoryRemote;
let problem: ServerReport['problem'];
let looked: number;

beforeEach(() => {
  remote = createMemoryRemote();
  problem = null;
  looked = 0;
  const gv1p = remote.at('gv1p');
  gv1p.write('/etc/voip/a.def', '[3010]\nMAC:\n');
  gv1p.write('/srv/tftp/other.xml', '');
  gv1p.write('/var/backups/other', '');
  gv1p.programs.set('parelha-remote', () => ({ code: 0, stdout: HELPER_SAYS, stderr: '' }));
});

async function check(server: Server = SERVER) {
  const bans = {
    look: async (): Promise<ServerReport> => {
      looked += 1;
      expect(remote.at('gv1p').sessions.size).toBe(0); // who holds a session must not wait for another
      return {
        ...{ serverId: server.id, serverName: server.name, state: problem === null ? 'free' : 'unchecked' },
        ...{ jails: [], ignored: 'no', ignoredUntil: null, lines: [], problem, at: '2026-01-01T00:00:00Z' },
      };
    },
  };
  return checkServer({ remote, bans }, server, signal);
}

const short = (checks: Awaited<ReturnType<typeof check>>): string[] =>
  checks.map(({ name, ok }) => `${name}: ${String(ok)}`);

test('a server that has all is well, and nothing of it is changed', async () => {
  const before = remote.at('gv1p').below('/');
  const checks = await check();
  expect(checks.every((one) => one.ok === true)).toBe(true);
  expect(checks.map((one) => one.name)).toEqual([
    ...['reached', 'host key', 'login', 'helper', 'fail2ban', 'sftp', 'mac file', 'mac file', 'backups'],
  ]);
  expect(checks.at(-1)?.message).toContain('made in /var/backups at the first change');
  expect(remote.at('gv1p').below('/')).toEqual(before);
  expect(remote.at('gv1p').sessions.size).toBe(0);
});

test('a server is looked at only for what may be done on it', async () => {
  expect(short(await check({ ...SERVER, commands: [] }))).toEqual([
    'reached: true',
    'host key: true',
    'login: true',
  ]);
  expect(short(await check({ ...SERVER, commands: ['CHECKIP'] })).slice(3)).toEqual([
    'helper: true',
    'fail2ban: true',
  ]);
  expect(looked).toBe(1);
  const files = await check({ ...SERVER, commands: ['MACCHANGE'] });
  expect(short(files).slice(3)).toEqual(['sftp: true', 'mac file: true', 'mac file: true', 'backups: true']);
});

test.each([
  ['server.unreachable', ['reached: false', 'host key: null', 'login: null']],
  ['server.timeout', ['reached: false', 'host key: null', 'login: null']],
  ['server.host-key', ['reached: true', 'host key: false', 'login: null']],
  ['server.login', ['reached: true', 'host key: true', 'login: false']],
  ['server.key', ['reached: null', 'host key: null', 'login: false']],
])('%s stands for what failed, with what was well before it', async (code, expected) => {
  remote.at('gv1p').refusal = new AppError(code, 'the reason');
  const checks = await check();
  expect(short(checks)).toEqual(expected);
  expect(checks.find((one) => one.ok === false)?.message).toBe('the reason');
});

test('without the helper fail2ban is asked by itself, which is no fault', async () => {
  remote.at('gv1p').programs.delete('parelha-remote');
  const helper = (await check()).find((one) => one.name === 'helper');
  expect(helper).toMatchObject({ ok: true });
  expect(helper?.message).toContain('not installed');
});

test('without the helper CHECKIP needs files, and the directory that its ignore files go into', async () => {
  const gv1p = remote.at('gv1p');
  gv1p.programs.delete('parelha-remote');
  const server: Server = { ...SERVER, commands: ['CHECKIP'] };
  expect(short(await check(server)).slice(4)).toEqual([
    'fail2ban: true',
    'sftp: true',
    'ignore files: false',
  ]);
  gv1p.write(`${SERVER.fail2ban.jailDirectory}/defaults.conf`, '');
  expect(short(await check(server)).slice(4)).toEqual(['fail2ban: true', 'sftp: true', 'ignore files: true']);
  gv1p.hasSftp = false;
  expect(short(await check(server)).slice(4)).toEqual(['fail2ban: true', 'sftp: false']);
});

test('what is missing is told of, each thing by itself', async () => {
  problem = { code: 'fail2ban.down', message: 'fail2ban does not answer' };
  const gv1p = remote.at('gv1p');
  for (const path of gv1p.below('/etc')) gv1p.entries.delete(path);
  for (const path of gv1p.below('/var')) gv1p.entries.delete(path);
  gv1p.entries.delete('/var');
  const checks = await check();
  expect(short(checks).slice(4)).toEqual([
    ...['fail2ban: false', 'sftp: true', 'mac file: false', 'mac file: true', 'backups: false'],
  ]);
  gv1p.hasSftp = false;
  expect(short(await check()).slice(5)).toEqual(['sftp: false', 'mac file: null', 'mac file: null']);
});
