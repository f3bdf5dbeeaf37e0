import { readFile, readdir, readlink, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { recordingName, wav } from '../support/audio.ts';
import { eventually, freePort, type Child } from '../support/process.ts';
import { privateHost, type PrivateHost } from '../support/private-host.ts';
import { needs } from '../support/requirements.ts';

const { describe, test } = needs('systemd-analyze', 'private-mounts');

const ROOT = join(import.meta.dirname, '../..');
const INSTALL = join(ROOT, 'deploy/install.sh');
const CONFIG = '/etc/parelha/node.conf';
const UNIT = '/etc/systemd/system/parelha.service';
/** As config/audio.conf.example has it. */
const RECORDINGS = '/var/spool/asterisk/monitor';
const RECORDING = recordingName('1121', '3010', '20251027-090000');
/** npm fetches what its cache does not have, the runtime among it. */
const INSTALL_TIMEOUT_MS = 300_000;

describe('deploy/install.sh', () => {
  let host: PrivateHost;
  let installed: { code: number; out: string };

  beforeAll(async () => {
    host = await privateHost();
    await host.run('groupadd', '--force', '--system', 'asterisk');
    await host.run('install', '-d', '-m', '0755', dirname(RECORDINGS));
    await host.run('install', '-d', '-m', '0750', '-g', 'asterisk', RECORDINGS);
    await writeFile(host.outside(join(RECORDINGS, RECORDING)), wav(40_000));
    const before = await contents(host);
    const dry = await host.run(INSTALL, 'audio', '--dry-run');
    expect(dry, dry.out).toMatchObject({ code: 0 });
    expect(dry.out).toMatch(/would run: useradd .*\n/);
    expect(await contents(host)).toEqual(before);

    installed = await host.run(INSTALL, 'audio');
    expect(installed, installed.out).toMatchObject({ code: 0 });
    await configure(host);
  }, INSTALL_TIMEOUT_MS);
  afterAll(() => host?.[Symbol.asyncDispose]());

  test('tells what is left to be done', () => {
    expect(installed.out).toMatch(/1\. fill in \/etc\/parelha\/node\.conf\n.*systemctl enable --now parelha/);
    expect(installed.out).toMatch(/node-ctl pair invite .* node-ctl pair accept LINE/);
  });

  test('leaves nothing to be written to by the node but its state', async () => {
    const uid = Number((await host.run('id', '-u', 'parelha')).out);
    const gid = Number((await host.run('id', '-g', 'parelha')).out);
    expect(await modeOf(host, '/var/lib/parelha')).toEqual({ mode: 0o700, uid, gid });
    expect(await modeOf(host, '/etc/parelha')).toEqual({ mode: 0o750, uid: 0, gid });
    expect(await modeOf(host, CONFIG)).toEqual({ mode: 0o640, uid: 0, gid });
    const open = await host.run(
      'find',
      '/opt/parelha',
      '(',
      '-not',
      '-user',
      'root',
      '-o',
      '-perm',
      '/022',
      ')',
      '-not',
      '-type',
      'l',
    );
    expect(open).toEqual({ code: 0, out: '' });
    const packages = await readdir(host.outside('/opt/parelha/node_modules'));
    expect(packages).toContain('imapflow');
    expect(packages).not.toContain('vitest');
  });

  test('has a unit that systemd has nothing to say against', async () => {
    const verify = (unit: string) =>
      host.run('systemd-analyze', 'verify', '--recursive-errors=no', '--man=no', unit);
    expect(await verify(UNIT)).toEqual({ code: 0, out: '' });

    const faulty = (await readFile(host.outside(UNIT), 'utf8')).replace('RestartSec=5', 'RestartSecs=5');
    await writeFile(host.outside('/run/faulty.service'), faulty);
    expect((await verify('/run/faulty.service')).out).toMatch(/RestartSecs/);
  });

  test('a node begun as the unit says works, and ends when it is told to', async () => {
    const service = await readService(host);
    expect(service).toMatchObject({ User: 'parelha', SupplementaryGroups: 'asterisk' });
    await using node = await startService(host, service);

    const status = await host.run('/usr/local/bin/node-ctl', 'status', '--json');
    expect([0, 4], status.out).toContain(status.code); // 4: its peer is not there
    expect(JSON.parse(status.out)).toMatchObject({
      nodeId: 'audio',
      stateDir: '/var/lib/parelha',
      sources: ['audio'],
    });
    const search = ['--ramais', '1121', '--inicio', '27/10/2025', '--fim', '28/10/2025'];
    const found = await host.run('/usr/local/bin/node-ctl', 'recordings', 'search', ...search);
    expect(found, found.out).toMatchObject({ code: 0 });
    expect(found.out).toContain(RECORDING);

    node.process.kill('SIGTERM');
    await eventually(
      'the node to end',
      () => node.process.exitCode !== null,
      Number(service['TimeoutStopSec']) * 1000,
    );
    expect(node.process.exitCode, node.output()).toBe(0);
  });

  test(
    'run again, it brings new code and keeps the configuration and what is in the state directory',
    async () => {
      await writeFile(host.outside('/var/lib/parelha/kept'), 'kept');
      await writeFile(host.outside('/opt/parelha/left-by-the-old-version'), '');
      const configuration = await readFile(host.outside(CONFIG), 'utf8');
      const again = await host.run(INSTALL, 'audio2', '--restart');

      expect(again, again.out).toMatchObject({ code: 0 });
      expect(again.out).toMatch(/node\.conf stays as it is/);
      expect(await readFile(host.outside(CONFIG), 'utf8')).toBe(configuration);
      expect(await readFile(host.outside('/var/lib/parelha/kept'), 'utf8')).toBe('kept');
      expect(await readdir(host.outside('/opt/parelha'))).not.toContain('left-by-the-old-version');
      expect(await readdir(host.outside('/opt/parelha.old'))).toContain('left-by-the-old-version');
      expect(await readlink(host.outside('/usr/local/bin/node-ctl'))).toBe('/opt/parelha/deploy/node-ctl');
      expect((await readFile(host.systemctlLog, 'utf8')).trim().split('\n').slice(-2)).toEqual([
        'daemon-reload',
        'try-restart parelha',
      ]);
    },
    INSTALL_TIMEOUT_MS,
  );

  test(
    'an upgrade that would not start with the configuration of before changes nothing, or says so',
    async () => {
      const whole = await readFile(host.outside(CONFIG), 'utf8');
      await writeFile(host.outside(CONFIG), whole.replace(/^SENDER_AUTH=.*\n/m, ''));
      await writeFile(host.outside('/opt/parelha/runs-now'), '');
      const restarts = async (): Promise<number> =>
        (await readFile(host.systemctlLog, 'utf8')).split('try-restart').length;
      const before = await restarts();

      const refused = await host.run(INSTALL, 'audio', '--restart');
      expect(refused).toMatchObject({ code: 1 });
      expect(refused.out).toMatch(
        /SENDER_AUTH: is required; example: .*\n.*nothing was changed: mend the file/,
      );
      expect(await readdir(host.outside('/opt/parelha'))).toContain('runs-now');
      expect(await restarts()).toBe(before);

      const told = await host.run(INSTALL, 'audio');
      expect(told).toMatchObject({ code: 0 });
      expect(told.out).toMatch(/WARNING: it would not start again with this \/etc\/parelha\/node\.conf/);
      await writeFile(host.outside(CONFIG), whole);
    },
    INSTALL_TIMEOUT_MS,
  );

  test('refuses what it cannot do, and says all that is missing at once', async () => {
    expect(await host.run(INSTALL)).toMatchObject({ code: 2 });
    expect(await host.run(INSTALL, 'audio', '--prefix', '/')).toMatchObject({ code: 2 });
    const foreign = await host.run(INSTALL, 'audio', '--prefix', '/etc');
    expect(foreign).toMatchObject({
      code: 3,
      out: expect.stringMatching(/\/etc holds something else/) as unknown,
    });

    const few = '/run/few';
    await host.run('mkdir', few);
    for (const name of ['sh', 'dirname', 'id', 'uname', 'grep', 'cat', 'ls']) {
      await host.run('ln', '-s', `/usr/bin/${name}`, few);
    }
    const bare = await host.run('env', `PATH=${few}`, 'sh', INSTALL, 'audio', '--prefix', '/opt/bare');
    expect(bare).toMatchObject({ code: 3 });
    expect(bare.out).toMatch(/there is no systemctl\n(.*\n)*.*npm is missing: apt-get install/);
    expect(await readdir(host.outside('/opt'))).not.toContain('bare');
  });
});

/** Fills the configuration in as README_DEPLOY.md says, on ports that are free here. */
async function configure(host: PrivateHost): Promise<void> {
  const changes: Record<string, string> = {
    EMAIL_PASSWORD: 'filled-in',
    SMTP_PASSWORD: 'filled-in',
    RPC_LISTEN: `127.0.0.1:${await freePort()}`,
    WEB_LISTEN: `127.0.0.1:${await freePort()}`,
  };
  let text = await readFile(host.outside(CONFIG), 'utf8');
  for (const [key, value] of Object.entries(changes)) {
    expect(text).toMatch(new RegExp(`^${key}=`, 'm'));
    text = text.replace(new RegExp(`^${key}=.*$`, 'm'), `${key}=${value}`);
  }
  await writeFile(host.outside(CONFIG), text);
}

/** The [Service] of the unit, with its drop-ins. */
async function readService(host: PrivateHost): Promise<Record<string, string>> {
  const dropIns = await readdir(host.outside(`${UNIT}.d`)).catch(() => []);
  const files = [UNIT, ...dropIns.map((name) => `${UNIT}.d/${name}`)];
  const texts = await Promise.all(files.map((file) => readFile(host.outside(file), 'utf8')));
  const lines = texts.flatMap((text) => [...text.matchAll(/^([A-Za-z]+)=(.*)$/gm)]);
  return Object.fromEntries(lines.map(([, key = '', value = '']) => [key, value]));
}

/** Begins the service as systemd would: its own ExecStart, as its own user, in its own directory. */
async function startService(host: PrivateHost, service: Record<string, string>): Promise<Child> {
  const { User = '', SupplementaryGroups = '', UMask = '', ExecStart = '' } = service;
  const shell = `umask ${UMask}; cd /var/lib/parelha; exec "$@"`;
  const as = [`--reuid=${User}`, `--regid=${User}`, `--groups=${User},${SupplementaryGroups}`];
  const node = host.start('setpriv', [...as, 'sh', '-c', shell, 'sh', ...ExecStart.split(' ')]);
  await eventually('the node to work', () => {
    if (node.process.exitCode !== null) throw new Error(node.output());
    return /\bworking node=/.test(node.output());
  });
  return node;
}

async function modeOf(host: PrivateHost, path: string): Promise<{ mode: number; uid: number; gid: number }> {
  const { mode, uid, gid } = await stat(host.outside(path));
  return { mode: mode & 0o7777, uid, gid };
}

/** All that an installation could change. */
async function contents(host: PrivateHost): Promise<string[]> {
  const listing = await host.run(
    'find',
    '/etc',
    '/opt',
    '/usr/local/bin',
    '/var/lib',
    '-printf',
    '%p %m %s %T@\n',
  );
  return listing.out.split('\n').toSorted();
}
