import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { AppError } from '../../../node/platform/errors.ts';
import { createFail2ban } from '../../../node/servers/fail2ban.ts';
import { FIRST_NAME, LAST_NAME, parseEntries } from '../../../node/servers/ignore-file.ts';
import type { Ran } from '../../../node/servers/remote.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { createMemoryRemote } from '../../support/memory-remote.ts';
import { sipServer } from '../../support/sip-server.ts';

const IP = '203.0.113.9';
const JOB = 'ab12'.repeat(16);
const JAIL_D = '/etc/fail2ban/jail.d';
const [FIRST, LAST] = [join(JAIL_D, FIRST_NAME), join(JAIL_D, LAST_NAME)];
const { signal } = new AbortController();
const ok = (stdout = ''): Ran => ({ code: 0, stdout, stderr: '' });
const wrong = (stderr: string): Ran => ({ code: 255, stdout: '', stderr });

/** A server without the helper, with a fail2ban that ignores what it is told and what its file says. */
function setup({ sudo = false } = {}) {
  const remote = createMemoryRemote();
  const clock = fixedClock();
  const server = sipServer({ fail2ban: { sudo, jailDirectory: JAIL_D, logs: ['/var/log/fail2ban.log'] } });
  const host = remote.at(server.id);
  host.write(join(JAIL_D, 'defaults-debian.conf'), '[sshd]\nenabled = true\n');
  const state = {
    ignored: new Set<string>(),
    banned: new Set<string>(),
    isDown: false,
    proof: ok(),
    reloads: 0,
  };
  const fromFile = (): string[] => parseEntries(host.text(LAST)).map(({ ip }) => ip);
  const client = (words: readonly string[]): Ran => {
    if (state.isDown) return wrong('Failed to access socket path');
    const [first, second, third, fourth = ''] = words;
    if (first === 'status') return ok('Status\n|- Number of jail:\t1\n`- Jail list:\tsshd\n');
    if (first === 'banned') return ok(state.banned.has(second ?? '') ? "[['sshd']]\n" : '[[]]\n');
    if (first === 'unban') return ok(String(Number(state.banned.delete(second ?? ''))));
    if (first === '-t') return state.proof;
    if (first === 'reload') {
      state.reloads += 1;
      state.ignored = new Set(fromFile());
      return ok('OK\n');
    }
    if (third === 'addignoreip') state.ignored.add(fourth);
    if (third === 'banip') return ok(`${IP} \t2026-03-02 12:00:00 + 600 = 2026-03-02 12:10:00\n`);
    return ok([...state.ignored].map((ip) => `|- ${ip}\n`).join(''));
  };
  host.programs.set('fail2ban-client', ([, ...words]) => client(words));
  host.programs.set('sudo', ([, option, program, ...words]) => {
    if (option !== '-n') return wrong('a terminal is required');
    return program === 'fail2ban-client' ? client(words) : ok(`Ban ${IP}\n`);
  });
  host.programs.set('date', () => ok('+0000\n'));
  host.programs.set('tail', () => ok(`Ban ${IP}\n`));
  const bans = createFail2ban({ remote, clock });
  const release = (ip = IP) => {
    const note = { requester: 'maria@example.com', jobId: JOB, until: clock.now().add({ hours: 24 }) };
    return bans.release(server, ip, note, signal);
  };
  return { ...{ server, host, state, bans, clock, release }, kept: fromFile };
}

describe('fail2ban without the helper', () => {
  test('is asked by fixed words, each by itself', async () => {
    const { host, state, release, kept } = setup();
    state.banned.add(IP);
    expect(await release()).toMatchObject({
      state: 'released',
      ignored: 'now',
      problem: null,
      lines: [`Ban ${IP}`],
    });
    expect(kept()).toEqual([IP]);
    const ran = host.log.filter((line) => line.startsWith('run fail2ban-client'));
    expect(ran.map((line) => line.slice('run fail2ban-client '.length))).toEqual([
      ...['status', `banned ${IP}`, 'get sshd ignoreip', 'get sshd banip --with-time'],
      ...[`set sshd addignoreip ${IP}`, `unban ${IP}`, '-t', 'reload'],
      ...['status', `banned ${IP}`, 'get sshd ignoreip'],
    ]);
  });

  test('by sudo where the server says so', async () => {
    const { host, state, release } = setup({ sudo: true });
    state.banned.add(IP);
    expect(await release()).toMatchObject({ state: 'released', problem: null, lines: [`Ban ${IP}`] });
    const programs = host.log.filter((line) => line.startsWith('run ')).map((line) => line.split(' ')[1]);
    expect(new Set(programs)).toEqual(new Set(['parelha-remote', 'sudo', 'date']));
  });

  test('a connection that is lost at any moment leaves files with which fail2ban starts, and the next attempt ends it', async () => {
    const counting = setup();
    await counting.release();
    const operations = counting.host.log.length;
    expect(operations).toBeGreaterThan(15);
    for (let cut = 1; cut <= operations; cut++) {
      const { host, state, release, kept } = setup();
      state.banned.add(IP);
      const whole = (): void => {
        if (host.entries.has(LAST)) expect([cut, host.entries.has(FIRST)]).toEqual([cut, true]);
      };
      host.after = ({ number, disconnect }) => {
        whole();
        if (number === cut) disconnect();
      };
      const report = await release();
      expect([cut, ['unchecked', 'released'].includes(report.state)]).toEqual([cut, true]);
      host.after = whole;
      expect([cut, await release()]).toMatchObject([
        cut,
        { ignored: expect.stringMatching(/now|before/), problem: null },
      ]);
      expect([cut, kept(), state.banned.size]).toEqual([cut, [IP], 0]);
    }
  });

  test('a file that another node changes in between is read again', async () => {
    const { host, release, kept } = setup();
    await release('203.0.113.1');
    const before = host.text(LAST);
    await release('203.0.113.2');
    const other = host.text(LAST);
    host.write(LAST, before);
    let changed = false;
    host.before = ({ kind, what }) => {
      if (changed || kind !== 'replace' || !what.endsWith(LAST)) return;
      changed = true;
      // Too late to be seen before ours takes its place: seen right after, as ours is overwritten.
      host.after = ({ kind: done, what: path }) => {
        if (done === 'replace' && path.endsWith(LAST)) {
          host.after = null;
          host.write(LAST, other);
        }
      };
    };
    expect((await release('203.0.113.3')).problem).toBeNull();
    expect(kept().toSorted()).toEqual(['203.0.113.1', '203.0.113.2', '203.0.113.3']);
  });

  test('where fail2ban would not start with the file, the old one is put back; where it would not with that either, it goes', async () => {
    const { host, state, release } = setup();
    await release('203.0.113.1');
    const before = host.text(LAST);
    let proofs = 0;
    Object.defineProperty(state, 'proof', {
      get: () => ((proofs += 1) === 1 ? wrong('Recursion limit') : ok()),
    });
    expect(await release()).toMatchObject({
      state: 'partly',
      ignored: 'now',
      problem: { code: 'fail2ban.not-kept' },
    });
    expect(host.text(LAST)).toBe(before);
    // As after an attempt that broke off before the proof.
    Object.defineProperty(state, 'proof', { get: () => wrong('Recursion limit') });
    expect(await release('203.0.113.1')).toMatchObject({
      state: 'partly',
      problem: { code: 'fail2ban.not-kept' },
    });
    expect(host.below(JAIL_D)).toEqual([join(JAIL_D, 'defaults-debian.conf')]);
  });

  test('where the files cannot be written it is released, and the report says that it is not kept', async () => {
    for (const code of ['server.denied', 'server.disk-full', 'server.no-sftp']) {
      const { host, state, release } = setup();
      state.banned.add(IP);
      host.before = ({ kind }) => {
        if (kind === 'create' || (code === 'server.no-sftp' && kind === 'files'))
          throw new AppError(code, 'no');
      };
      expect(await release()).toMatchObject({ state: 'partly', ignored: 'now', problem: { code } });
      expect(state.banned.size).toBe(0);
      expect(host.below(JAIL_D).filter((path) => path.includes('/.'))).toEqual([]);
    }
  });

  test('no answer is never "not banned"', async () => {
    const { host, state, server, bans } = setup();
    const look = () => bans.look(server, IP, signal);
    state.isDown = true;
    expect(await look()).toMatchObject({ state: 'unchecked', problem: { code: 'fail2ban.down' } });
    host.programs.set('fail2ban-client', () => ok('Invalid command\n'));
    expect(await look()).toMatchObject({ state: 'unchecked', problem: { code: 'fail2ban.answer' } });
    host.programs.delete('fail2ban-client');
    expect(await look()).toMatchObject({ state: 'unchecked', problem: { code: 'fail2ban.missing' } });
    host.refusal = new AppError('server.host-key', 'not known', { retriable: true });
    expect(await look()).toMatchObject({ state: 'unchecked', problem: { code: 'server.host-key' } });
  });

  test('entries have their time, and where none is left neither are the files', async () => {
    const { host, state, server, bans, clock, release } = setup();
    expect(await bans.expire(server, signal)).toBe('no ignore entries there');
    await release();
    expect(await bans.expire(server, signal)).toBe('0 ignore entries taken out, 1 left');
    expect(state.reloads).toBe(1);
    clock.advance({ hours: 25 });
    expect(await bans.expire(server, signal)).toBe('1 ignore entries taken out, 0 left');
    expect(state).toMatchObject({ reloads: 2, ignored: new Set() });
    expect(host.below(JAIL_D)).toEqual([join(JAIL_D, 'defaults-debian.conf')]);
    state.isDown = true;
    await release();
    host.refusal = new AppError('server.unreachable', 'away', { retriable: true });
    await expect(bans.expire(server, signal)).rejects.toMatchObject({ code: 'server.unreachable' });
  });
});

describe('fail2ban by the helper', () => {
  test('is given plain words alone, whoever asks', async () => {
    const { host, server, bans, clock } = setup();
    const said: string[][] = [];
    host.programs.set('parelha-remote', (argv) => {
      said.push([...argv]);
      return ok(`zone +0000\njail sshd\nacted\nkept changed\nafter\njail sshd\nignore sshd ${IP}\nend\n`);
    });
    const note = { requester: `o'neil$(id)@example.com`, jobId: JOB, until: clock.now() };
    expect(await bans.release(server, IP, note, signal)).toMatchObject({ state: 'free', ignored: 'now' });
    expect(said).toEqual([
      ['parelha-remote', 'release', IP, '2026-03-02T12:00:00Z', JOB, 'o_neil__id_@example.com'],
    ]);
  });

  test('what it cannot do is unchecked with its reason, and what breaks off too', async () => {
    const { host, server, bans } = setup();
    host.programs.set('parelha-remote', () => ({ ...ok('problem busy another request\nend\n'), code: 1 }));
    expect(await bans.look(server, IP, signal)).toMatchObject({
      state: 'unchecked',
      problem: { code: 'fail2ban.busy' },
    });
    host.programs.set('parelha-remote', () => ok('zone +0000\njail sshd\n'));
    expect(await bans.look(server, IP, signal)).toMatchObject({
      ...{ state: 'unchecked', problem: { code: 'fail2ban.incomplete' } },
    });
    host.programs.set('parelha-remote', () => ({
      code: 1,
      stdout: 'problem not-kept no\nend\n',
      stderr: '',
    }));
    await expect(bans.expire(server, signal)).rejects.toMatchObject({ code: 'fail2ban.expire' });
  });
});
