import { expect, describe, test } from 'vitest';
import { createCheckIp } from '../../../node/commands/checkip.ts';
import { createCheckIpGrammar } from '../../../node/commands/checkip-grammar.ts';
import type { Fault } from '../../../node/commands/command.ts';
import { AppError } from '../../../node/platform/errors.ts';
import type { Bans, ServerReport } from '../../../node/servers/bans.ts';
import { attemptedJob, keptAnswers } from '../../support/attempted-job.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { newJob } from '../../support/jobs.ts';
import { createMemoryAudit } from '../../support/memory-audit.ts';
import { sipServer } from '../../support/sip-server.ts';

const IP = '203.0.113.9';
const SERVERS = ['gv1p', 'gv2p', 'voip1'].map((id) => sipServer({ id }));
const RETRY_MS = 30 * 60_000;

const BLANK: Omit<ServerReport, 'serverId' | 'serverName'> = {
  ...{ state: 'free', jails: [], ignored: 'no', ignoredUntil: null, lines: [], problem: null },
  at: '2026-03-02T12:00:00Z',
};
const AWAY: Partial<ServerReport> = {
  ...{ state: 'unchecked', ignored: 'unknown' },
  problem: { code: 'server.unreachable', message: 'no answer' },
};
const HELD: Partial<ServerReport> = { state: 'banned', jails: [{ jail: 'sshd', since: null, until: null }] };

/** A job CHECKIP that can be attempted again and again, with servers that do as they are told. */
function setup(params: { server?: string | null; lookOnly?: boolean } = {}, retryMs = RETRY_MS) {
  const clock = fixedClock();
  const looks: Record<string, Partial<ServerReport>> = {};
  const releases: Record<string, Partial<ServerReport>> = {};
  const done: string[] = [];
  const mails: { kind: string; text: string }[] = [];
  const events = { onAudit: (): void => undefined, onRelease: (): void => undefined };
  const rules = { faults: [] as Fault[] };
  const audit = createMemoryAudit([], () => events.onAudit());
  const reportOf = (id: string, over: Partial<ServerReport> = {}): ServerReport => ({
    ...{ serverId: id, serverName: id.toUpperCase() },
    ...BLANK,
    ...over,
  });
  const bans: Bans = {
    look: async ({ id }) => {
      done.push(`look ${id}`);
      return reportOf(id, looks[id]);
    },
    release: async ({ id }, _ip, note) => {
      done.push(`release ${id} until ${note.until.toString()} for ${note.requester}`);
      events.onRelease();
      return reportOf(id, { ignored: 'now', ignoredUntil: note.until.toString(), ...releases[id] });
    },
    expire: async () => '',
  };
  const base = newJob('a check');
  const request = {
    ...base.request,
    command: 'CHECKIP',
    subject: `CHECKIP=${IP}`,
    requester: 'maria@example.com',
  };
  const { now, change, context, abort: controller } = attemptedJob({ ...base, request }, clock);
  const gone = new Set<string>();
  const grammar = createCheckIpGrammar(SERVERS);
  const command = createCheckIp({
    grammar: {
      ...grammar,
      serversOf: (asked) => grammar.serversOf(asked).filter(({ id }) => !gone.has(id)),
    },
    bans,
    expiry: {
      note: async (server, ip, until) => {
        done.push(`note ${server.id} ${ip} ${until.toString()}`);
      },
    },
    permission: { faultsOf: () => rules.faults },
    answers: keptAnswers(mails),
    ...{ audit, clock, timeZone: 'America/Sao_Paulo', ignoreDays: 30, retryMs },
  });
  const mustFinish = () => command.mustFinish?.(now());
  const disable = (id: string) => gone.add(id);
  const work = () => command.work(now(), { ip: IP, server: null, lookOnly: false, ...params }, context);
  return {
    clock,
    looks,
    releases,
    done,
    mails,
    events,
    audit,
    controller,
    rules,
    change,
    disable,
    mustFinish,
    work,
  };
}

describe('CHECKIP at work', () => {
  test('looks, notes what will have to be taken out again, releases; one mail with a row for each server', async () => {
    const { looks, done, mails, work, audit } = setup();
    looks['gv1p'] = HELD;
    const ending = await work();
    expect(ending).toEqual({
      kind: 'done',
      summary: `${IP}: released on gv1p, free on gv2p, voip1`,
    });
    expect(done.filter((line) => line.includes('gv1p'))).toEqual([
      'look gv1p',
      `note gv1p ${IP} 2026-04-01T12:00:00Z`,
      'release gv1p until 2026-04-01T12:00:00Z for maria@example.com',
    ]);
    expect(mails.map(({ kind }) => kind)).toEqual(['result']);
    for (const id of ['gv1p', 'gv2p', 'voip1']) expect(mails[0]?.text).toContain(id);
    expect(audit.events.filter(({ event }) => event === 'ban.released')).toHaveLength(3);
    expect(audit.events).toContainEqual(
      expect.objectContaining({
        event: 'ban.released',
        server: 'gv1p',
        ip: IP,
        state: 'released',
        jails: ['sshd'],
      }),
    );
  });

  test('a release that was cut off and found done the next time is told as what it was', async () => {
    const { looks, releases, events, mails, done, work } = setup({ server: 'gv1p' });
    looks['gv1p'] = HELD;
    events.onRelease = () => {
      throw new AppError('job.stopped', 'a crash', { retriable: true });
    };
    await expect(work()).rejects.toMatchObject({ code: 'job.stopped' });
    events.onRelease = () => undefined;
    releases['gv1p'] = { state: 'free', ignored: 'before' };
    expect(await work()).toMatchObject({ summary: `${IP}: released on gv1p` });
    expect(done.filter((line) => line.startsWith('look'))).toHaveLength(1);
    expect(mails).toHaveLength(1);
    expect(mails[0]?.text).toContain('sshd');
  });

  test('what is done is not done again, however often the job is taken up', async () => {
    const { done, mails, work } = setup();
    await work();
    const before = [...done];
    await work();
    expect(done).toEqual(before);
    expect(mails).toHaveLength(1);
  });

  test('MODO=VER changes nothing', async () => {
    const { looks, done, work } = setup({ lookOnly: true });
    looks['gv2p'] = HELD;
    expect(await work()).toMatchObject({ summary: `${IP}: banned on gv2p, free on gv1p, voip1` });
    expect(done).toEqual(['look gv1p', 'look gv2p', 'look voip1']);
  });

  test('a server that could not be checked is tried again, and a second mail tells of it alone', async () => {
    const { looks, done, mails, clock, work } = setup();
    looks['voip1'] = AWAY;
    expect(await work()).toMatchObject({
      kind: 'waiting',
      notBefore: clock.now().add({ seconds: 5 }),
      trouble: { code: 'server.unreachable' },
    });
    expect(mails.map(({ kind }) => kind)).toEqual(['result']);
    expect(mails[0]?.text).not.toMatch(/voip1[^.]*não estava banido/i);
    clock.advance({ minutes: 1 });
    expect(await work()).toMatchObject({ kind: 'waiting' });
    delete looks['voip1'];
    clock.advance({ minutes: 1 });
    expect(await work()).toMatchObject({ kind: 'done', summary: `${IP}: free on gv1p, gv2p, voip1` });
    expect(mails.map(({ kind }) => kind)).toEqual(['result', 'followup']);
    expect(mails[1]?.text).toContain('voip1');
    expect(mails[1]?.text).not.toContain('gv1p');
    expect(done.filter((line) => line === 'look voip1')).toHaveLength(3);
    expect(done.filter((line) => line === 'look gv1p')).toHaveLength(1);
  });

  test('a server that was taken out of SERVERS_FILE meanwhile is told of in the second mail: nobody knows', async () => {
    const { looks, mails, clock, disable, work } = setup();
    looks['voip1'] = AWAY;
    await work();
    disable('voip1');
    clock.advance({ minutes: 1 });
    expect(await work()).toMatchObject({ summary: `${IP}: free on gv1p, gv2p, unchecked on voip1` });
    expect(mails.map(({ kind }) => kind)).toEqual(['result', 'followup']);
    expect(mails[1]?.text).toContain('voip1');
  });

  test('the longer it is away, the longer until it is looked for again, up to a minute', async () => {
    const { looks, clock, change, work } = setup();
    looks['voip1'] = AWAY;
    const waits: number[] = [];
    for (let interruptions = 0; interruptions < 6; interruptions++) {
      change({ interruptions });
      const ending = await work();
      if (ending.kind !== 'waiting') throw new Error('not waiting');
      waits.push(ending.notBefore.since(clock.now()).total('seconds'));
    }
    expect(waits).toEqual([5, 10, 20, 40, 60, 60]);
  });

  test('after CHECKIP_RETRY_MINUTES nobody tries any more, and the second mail says that nobody knows', async () => {
    const { looks, mails, clock, work } = setup();
    looks['voip1'] = AWAY;
    await work();
    clock.advance({ minutes: 29, seconds: 57 });
    expect(await work()).toMatchObject({ kind: 'waiting', notBefore: clock.now().add({ seconds: 3 }) });
    clock.advance({ seconds: 3 });
    expect(await work()).toMatchObject({
      kind: 'done',
      summary: `${IP}: free on gv1p, gv2p, unchecked on voip1`,
    });
    expect(mails.map(({ kind }) => kind)).toEqual(['result', 'followup']);
  });

  test('with CHECKIP_RETRY_MINUTES=0 the first mail is the last', async () => {
    const { looks, mails, work } = setup({}, 0);
    looks['voip1'] = AWAY;
    expect(await work()).toMatchObject({ kind: 'done' });
    expect(mails).toHaveLength(1);
  });

  test('released and not kept is told, and not tried again', async () => {
    const { looks, releases, work } = setup({ server: 'gv1p' });
    looks['gv1p'] = HELD;
    releases['gv1p'] = { state: 'partly', problem: { code: 'fail2ban.not-kept', message: 'no' } };
    expect(await work()).toEqual({ kind: 'done', summary: `${IP}: partly on gv1p` });
  });

  test('where the audit log cannot be written the release is open, and the next attempt closes it', async () => {
    const { events, mails, work, audit } = setup({ server: 'gv1p' });
    events.onAudit = () => {
      throw new AppError('audit.unwritable', 'disk full', { retriable: true });
    };
    await expect(work()).rejects.toMatchObject({ code: 'audit.unwritable' });
    expect(mails).toEqual([]);
    events.onAudit = () => undefined;
    await work();
    expect(audit.events.map(({ event }) => event)).toEqual(['ban.looked', 'ban.released']);
  });

  test('a stop in the middle is no word on any server', async () => {
    const { controller, mails, work } = setup();
    controller.abort(new AppError('job.stopped', 'the node is stopping', { retriable: true }));
    await expect(work()).rejects.toMatchObject({ code: 'job.stopped' });
    expect(mails).toEqual([]);
  });

  test('nothing is begun for whoever may not ask any more, and what was done is told all the same', async () => {
    const { rules, looks, done, mails, clock, work } = setup();
    rules.faults = [{ field: 'SUBJECT', code: 'not-allowed', values: {} }];
    await expect(work()).rejects.toMatchObject({ code: 'access.not-permitted' });
    expect(done).toEqual([]);
    rules.faults = [];
    looks['voip1'] = AWAY;
    await work();
    rules.faults = [{ field: 'SUBJECT', code: 'not-allowed', values: {} }];
    clock.advance({ minutes: 1 });
    await expect(work()).rejects.toMatchObject({ code: 'access.not-permitted' });
    expect(mails).toHaveLength(1);
  });

  test('can be cancelled before it has released anything and after that was told, not in between', async () => {
    const { looks, events, mustFinish, work } = setup();
    expect(mustFinish()).toBe(false);
    looks['voip1'] = AWAY;
    events.onRelease = () => {
      expect(mustFinish()).toBe(true);
      throw new AppError('job.stopped', 'a crash', { retriable: true });
    };
    await expect(work()).rejects.toMatchObject({ code: 'job.stopped' });
    expect(mustFinish()).toBe(true);
    events.onRelease = () => undefined;
    expect(await work()).toMatchObject({ kind: 'waiting' });
    expect(mustFinish()).toBe(false);
  });

  test('a server that was disabled meanwhile is a failure, not "banned nowhere"', async () => {
    const { work } = setup({ server: 'antigo' });
    await expect(work()).rejects.toMatchObject({ code: 'server.none' });
  });
});
