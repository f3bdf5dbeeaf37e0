import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { systemClock } from '../../node/platform/clock.ts';
import type { Bans, ServerReport } from '../../node/servers/bans.ts';
import { createFail2ban } from '../../node/servers/fail2ban.ts';
import { FIRST_NAME, LAST_NAME, parseEntries } from '../../node/servers/ignore-file.ts';
import type { Server } from '../../node/servers/inventory.ts';
import { type Fail2ban, type Fail2banOptions, startFail2ban } from '../support/fail2ban.ts';
import { eventually } from '../support/process.ts';
import { needs } from '../support/requirements.ts';
import { startSshWorld } from '../support/ssh-world.ts';

const { describe, test } = needs('fail2ban', 'sshd');

const IP = '203.0.113.9';
const OTHER = '203.0.113.90';
const JOB = 'ab12'.repeat(16);
const { signal } = new AbortController();

interface World {
  readonly fail2ban: Fail2ban;
  readonly server: Server;
  readonly bans: Bans;
  /** Has an address released, for so many days. */
  release(ip?: string, days?: number): Promise<ServerReport>;
  ignoreFile(): Promise<string>;
}

/** A real sshd in front of a real fail2ban. */
async function setup(way: 'withHelper' | 'withShell', options: Fail2banOptions = {}): Promise<World> {
  const fail2ban = await startFail2ban(options);
  onTestFinished(() => fail2ban[Symbol.asyncDispose]());
  const ssh = await startSshWorld(fail2ban[way]);
  onTestFinished(() => ssh[Symbol.asyncDispose]());
  const { jailDirectory, ownLog, authLog } = fail2ban;
  const server = await ssh.server({ fail2ban: { sudo: false, jailDirectory, logs: [ownLog, authLog] } });
  const bans = createFail2ban({ remote: ssh.remote(), clock: systemClock });
  return {
    ...{ fail2ban, server, bans },
    release: (ip = IP, days = 30) => {
      const until = systemClock.now().add({ hours: 24 * days });
      return bans.release(server, ip, { requester: 'maria@example.com', jobId: JOB, until }, signal);
    },
    ignoreFile: () => readFile(join(jailDirectory, LAST_NAME), 'utf8'),
  };
}

describe.each([
  ['by the helper', 'withHelper'],
  ['by fail2ban-client and SFTP', 'withShell'],
] as const)('fail2ban %s', (_what, way) => {
  test('an address banned in two jails is released in both, ignored in all, and stays so over a reload', async () => {
    const { fail2ban, server, bans, release, ignoreFile } = await setup(way, {
      jails: ['sshd', 'asterisk', 'apache-auth'],
    });
    await fail2ban.ban('sshd', IP, OTHER);
    await fail2ban.ban('asterisk', IP);

    const look = await bans.look(server, IP, signal);
    expect(look).toMatchObject({ state: 'banned', ignored: 'no', ignoredUntil: null, problem: null });
    expect(look.jails.map(({ jail }) => jail).toSorted()).toEqual(['asterisk', 'sshd']);
    const { since = null, until = null } = look.jails[0] ?? {};
    const bannedAt = Temporal.Instant.from(since ?? '').epochMilliseconds;
    expect(Math.abs(bannedAt - Date.now())).toBeLessThan(60_000);
    expect(Temporal.Instant.from(until ?? '').epochMilliseconds - bannedAt).toBe(600_000);
    expect(look.lines.join('\n')).toContain(`Ban ${IP}`);
    expect(look.lines.join('\n')).not.toContain(OTHER);
    expect(await fail2ban.holding(IP)).toHaveLength(2);

    const done = await release();
    expect(done).toMatchObject({ state: 'released', ignored: 'now', problem: null });
    expect(await fail2ban.holding(IP)).toEqual([]);
    expect(await fail2ban.holding(OTHER)).toEqual(['sshd']);
    expect((await fail2ban.actions()).filter((line) => line === `unban ${IP}`)).toHaveLength(2);
    const [entry] = parseEntries(await ignoreFile());
    expect(entry).toMatchObject({ ip: IP, job: JOB, by: 'maria@example.com', until: done.ignoredUntil });

    expect((await fail2ban.client('reload')).code).toBe(0);
    for (const jail of ['sshd', 'asterisk', 'apache-auth'])
      expect(await fail2ban.ignored(jail)).toEqual([IP]);
    expect(await fail2ban.holding(OTHER)).toEqual(['sshd']);
    await fail2ban.fail(IP, 5);
    await fail2ban.fail('203.0.113.77', 5);
    await eventually(
      'the other one to be banned',
      async () => (await fail2ban.holding('203.0.113.77')).length > 0,
    );
    expect(await fail2ban.holding(IP)).toEqual([]);
  });

  test('an address that is free is told so and ignored; asked for again, it was ignored before', async () => {
    const { fail2ban, release, ignoreFile } = await setup(way);
    expect(await release()).toMatchObject({ state: 'free', jails: [], ignored: 'now', problem: null });
    const reloads = async (): Promise<number> =>
      (await readFile(fail2ban.ownLog, 'utf8')).split('Reload finished').length - 1;
    const before = await reloads();
    expect(await release(IP, 10)).toMatchObject({ state: 'free', ignored: 'before', problem: null });
    expect(await reloads()).toBe(before);
    // The end that lasts longer counts.
    const [entry, ...more] = parseEntries(await ignoreFile());
    expect(more).toEqual([]);
    expect(
      Temporal.Instant.from(entry?.until ?? '')
        .since(systemClock.now())
        .total('hours'),
    ).toBeGreaterThan(29 * 24);
  });

  test('what the admin has ignored stays ignored, in [DEFAULT] and in jails of their own', async () => {
    const { fail2ban, release } = await setup(way, {
      jails: ['sshd', 'asterisk'],
      files: {
        'jail.local':
          '[DEFAULT]\nignoreip = 127.0.0.1/8 ::1\n  198.51.100.0/24 ; office\n\n[asterisk]\nignoreip = 192.0.2.7\n',
      },
    });
    expect((await release()).problem).toBeNull();
    await fail2ban.client('reload');
    const nets = ['127.0.0.0/8', '198.51.100.0/24', '::1'];
    const plain = (await fail2ban.ignored('sshd')).map((entry) =>
      entry.replace('127.0.0.1/8', '127.0.0.0/8'),
    );
    expect(plain.toSorted()).toEqual([...nets, IP].toSorted());
    expect((await fail2ban.ignored('asterisk')).toSorted()).toEqual(['192.0.2.7', IP].toSorted());
    // Said anew by the admin, it counts at once; and where nothing is said any more, fail2ban still starts.
    await writeFile(join(fail2ban.configDirectory, 'jail.local'), '[DEFAULT]\nignoreip = 192.0.2.8\n');
    expect((await fail2ban.client('reload')).code).toBe(0);
    expect((await fail2ban.ignored('sshd')).toSorted()).toEqual(['192.0.2.8', IP].toSorted());
    await rm(join(fail2ban.configDirectory, 'jail.local'));
    expect((await fail2ban.client('reload')).code).toBe(0);
    expect(await fail2ban.ignored('asterisk')).toEqual([IP]);
  });

  test('where fail2ban would not start with the ignore file it is taken back, and the report says so', async () => {
    const { fail2ban, release } = await setup(way, {
      jails: ['sshd', 'asterisk'],
      // What was there before, said by the admin too: fail2ban 1.0.2 runs in circles.
      files: {
        'jail.local':
          '[DEFAULT]\nignoreip = 192.0.2.8\n[asterisk]\nignoreip = %(known/ignoreip)s 192.0.2.7\n',
      },
    });
    await fail2ban.ban('sshd', IP);
    const report = await release();
    expect(report).toMatchObject({ state: 'partly', problem: { code: 'fail2ban.not-kept' } });
    expect(report.jails.map(({ jail }) => jail)).toEqual(['sshd']);
    expect(await fail2ban.holding(IP)).toEqual([]);
    expect(await readdir(fail2ban.jailDirectory)).toEqual(['defaults-debian.conf']);
    expect((await fail2ban.client('-t')).code).toBe(0);
  });

  test('an IPv6 address is found and released as fail2ban writes it', async () => {
    const { fail2ban, bans, server, release } = await setup(way);
    await fail2ban.ban('sshd', '2001:db8::9', '2001:db8::99');
    expect(await bans.look(server, '2001:db8::9', signal)).toMatchObject({ state: 'banned' });
    expect(await release('2001:db8::9')).toMatchObject({ state: 'released', ignored: 'now', problem: null });
    await fail2ban.client('reload');
    expect(await fail2ban.ignored('sshd')).toEqual(['2001:db8::9']);
    expect(await fail2ban.holding('2001:db8::99')).toEqual(['sshd']);
  });

  test('an address in a network that the admin ignores was ignored before', async () => {
    const { bans, server } = await setup(way, {
      files: { 'jail.local': '[DEFAULT]\nignoreip = 203.0.113.0/24\n' },
    });
    expect(await bans.look(server, IP, signal)).toMatchObject({ state: 'free', ignored: 'before' });
  });

  test('a ban by hand goes over what is ignored, and is released again', async () => {
    const { fail2ban, release } = await setup(way);
    await release();
    await fail2ban.ban('sshd', IP);
    expect(await release()).toMatchObject({ state: 'released', ignored: 'before', problem: null });
    expect(await fail2ban.holding(IP)).toEqual([]);
  });

  test('a fail2ban that is down leaves it unchecked, never "not banned"', async () => {
    const { fail2ban, bans, server, release } = await setup(way);
    await fail2ban.stop();
    const unchecked = { state: 'unchecked', ignored: 'unknown', problem: { code: 'fail2ban.down' } };
    expect(await bans.look(server, IP, signal)).toMatchObject(unchecked);
    expect(await release()).toMatchObject(unchecked);
    await fail2ban.start();
    expect(await release()).toMatchObject({ state: 'free', problem: null });
  });

  test('entries are taken out when their time is over, and files and ignoring with the last of them', async () => {
    const { fail2ban, bans, server, release, ignoreFile } = await setup(way);
    expect(await bans.expire(server, signal)).toMatch(
      /^no ignore entries|^0 ignore entries taken out, 0 left/,
    );
    await release(IP);
    await release(OTHER);
    await fail2ban.client('reload');
    const over = (await ignoreFile()).replace(
      new RegExp(`(ip=${IP.replaceAll('.', String.raw`\.`)} .*until=)\\S+`),
      '$12026-01-01T00:00:00Z',
    );
    await writeFile(join(fail2ban.jailDirectory, LAST_NAME), over);
    expect(await bans.expire(server, signal)).toBe('1 ignore entries taken out, 1 left');
    expect(await fail2ban.ignored('sshd')).toEqual([OTHER]);
    await writeFile(
      join(fail2ban.jailDirectory, LAST_NAME),
      (await ignoreFile()).replace(/until=\S+/, 'until=2026-01-01T00:00:00Z'),
    );
    expect(await bans.expire(server, signal)).toBe('1 ignore entries taken out, 0 left');
    expect(await fail2ban.ignored('sshd')).toEqual([]);
    expect(await readdir(fail2ban.jailDirectory)).toEqual(['defaults-debian.conf']);
  });

  test('jails that came later ignore what is ignored from the next round on', async () => {
    const { fail2ban, bans, server, release } = await setup(way);
    await release();
    await writeFile(
      join(fail2ban.jailDirectory, 'new.conf'),
      `[recidive]\nenabled = true\nbackend = polling\nfilter = dummy\nlogpath = ${fail2ban.authLog}\naction = note\n`,
    );
    await fail2ban.client('reload');
    expect(await fail2ban.ignored('recidive')).toEqual([]);
    expect(await bans.expire(server, signal)).toBe('0 ignore entries taken out, 1 left');
    expect(await fail2ban.ignored('recidive')).toEqual([IP]);
  });

  test('two at a time, both are kept', async () => {
    const { fail2ban, release, ignoreFile } = await setup(way, { jails: ['sshd', 'asterisk'] });
    const ips = ['203.0.113.1', '203.0.113.2', '203.0.113.3'];
    const reports = await Promise.all(ips.map((ip) => release(ip)));
    for (const [index, report] of reports.entries()) {
      if (way === 'withHelper') expect(report.problem).toBeNull();
      // Without the lock of the helper somebody may have to give way, and says so.
      else if (report.problem !== null) ips[index] = '';
    }
    const kept = parseEntries(await ignoreFile()).map(({ ip }) => ip);
    for (const ip of ips.filter((one) => one !== '')) expect(kept).toContain(ip);
    expect((await fail2ban.client('reload')).code).toBe(0);
  });
});

test('both ways write the same files', async () => {
  const texts = [];
  for (const way of ['withHelper', 'withShell'] as const) {
    const { fail2ban, release, ignoreFile } = await setup(way, { jails: ['sshd', 'asterisk'] });
    await release('203.0.113.1');
    await release('2001:db8::1');
    const first = await readFile(join(fail2ban.jailDirectory, FIRST_NAME), 'utf8');
    const plain = (await ignoreFile()).replaceAll(/(since|until)=\S+/g, '$1=');
    texts.push([first, plain.split('\n').toSorted()]);
  }
  expect(texts[0]).toEqual(texts[1]);
});

describe('the traps of fail2ban 1.0.2', () => {
  test('it takes nonsense to ignore and to release with exit status 0', async () => {
    const { fail2ban } = await setup('withShell');
    expect(await fail2ban.client('set', 'sshd', 'addignoreip', 'nonsense')).toMatchObject({ code: 0 });
    expect(await fail2ban.ignored('sshd')).toEqual(['nonsense']);
    expect(await fail2ban.client('unban', 'nonsense')).toEqual({ code: 0, stdout: '0\n' });
    expect(await fail2ban.client('unban', IP)).toEqual({ code: 0, stdout: '0\n' });
  });

  test('to ignore an address does not release it, and is forgotten at a reload', async () => {
    const { fail2ban } = await setup('withShell');
    await fail2ban.ban('sshd', IP);
    await fail2ban.client('set', 'sshd', 'addignoreip', IP);
    expect(await fail2ban.holding(IP)).toEqual(['sshd']);
    await fail2ban.client('reload');
    expect(await fail2ban.ignored('sshd')).toEqual([]);
  });

  test('`banned` prints a list of Python', async () => {
    const { fail2ban } = await setup('withShell', { jails: ['sshd', 'asterisk'] });
    expect((await fail2ban.client('banned', IP)).stdout).toBe('[[]]\n');
    await fail2ban.ban('asterisk', IP);
    expect((await fail2ban.client('banned', IP)).stdout).toBe("[['asterisk']]\n");
  });
});
