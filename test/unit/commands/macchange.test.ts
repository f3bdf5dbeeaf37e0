import { describe, expect, test } from 'vitest';
import type { Waiting } from '../../../node/commands/command.ts';
import { createMacChange } from '../../../node/commands/macchange.ts';
import { createMacChangeGrammar } from '../../../node/commands/macchange-grammar.ts';
import { AppError } from '../../../node/platform/errors.ts';
import { silentLog } from '../../../node/platform/log.ts';
import type { NewJob } from '../../../node/queue/spool.ts';
import { createPhones } from '../../../node/servers/mac-change.ts';
import { attemptedJob, keptAnswers } from '../../support/attempted-job.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { newJob } from '../../support/jobs.ts';
import { MAC_CONTENTS, macFilesIn } from '../../support/mac-files.ts';
import { createMemoryAudit } from '../../support/memory-audit.ts';
import { createMemoryRemote } from '../../support/memory-remote.ts';
import { sipServer } from '../../support/sip-server.ts';

const FILES = '/etc/pabx';
const PARAMS = { extension: '3010', from: '010203040506', to: '000b82040599', server: 'gv2p' };
const gone = new AppError('server.unreachable', 'gone', { retriable: true });

/** A MACCHANGE that can be attempted again and again, against a server in memory. */
function setup() {
  const clock = fixedClock();
  const remote = createMemoryRemote();
  const at = remote.at('gv2p');
  at.write('/var/backups/.keep', '');
  for (const [name, content] of Object.entries(MAC_CONTENTS)) at.write(`${FILES}/${name}`, content);
  const server = sipServer({ id: 'gv2p', name: 'Matriz', macFiles: macFilesIn(FILES) });
  const base = newJob('a change');
  const request = { ...base.request, command: 'MACCHANGE', params: PARAMS };
  const { now, context, abort } = attemptedJob({ ...base, request }, clock);
  const mails: { kind: string; text: string }[] = [];
  const notices: NewJob[] = [];
  const audit = createMemoryAudit();
  const faults: { code: string }[] = [];
  const command = createMacChange({
    sending: null,
    grammar: createMacChangeGrammar([server]),
    phones: createPhones({ remote, nodeId: 'audio', clock, log: silentLog }),
    makers: { makerOf: async (mac) => (mac.startsWith('000b82') ? 'Grandstream' : null) },
    permission: { faultsOf: () => faults as never },
    answers: keptAnswers(mails),
    acceptor: {
      accept: async (notice) => {
        notices.push(notice);
        return { kind: 'accepted', job: null };
      },
    },
    ...{ audit, clock, timeZone: 'America/Sao_Paulo' },
  });
  const attempt = (params = PARAMS) => command.work(now(), params, context);
  const mustFinish = () => command.mustFinish?.(now());
  const steps = () => Object.keys(now().steps);
  return { attempt, at, mails, notices, audit, faults, clock, abort, steps, mustFinish };
}

const mac = (at: ReturnType<typeof setup>['at']) =>
  /\[3010\][^[]*MAC:(\S+)/.exec(at.text(`${FILES}/endpoints_sip.def`))?.[1];

describe('MACCHANGE', () => {
  test('changes the files, writes before and after into the audit log and answers', async () => {
    const { attempt, at, mails, audit } = setup();
    expect(await attempt()).toMatchObject({ kind: 'done', summary: expect.stringContaining('in 3 files') });
    expect(mac(at)).toBe('00:0B:82:04:05:99');
    expect(mails.map(({ kind }) => kind)).toEqual(['result']);
    expect(mails[0]?.text).toContain('00:0B:82:04:05:99');
    expect(audit.events).toMatchObject([
      {
        event: 'mac.changed',
        server: 'gv2p',
        extension: '3010',
        from: '010203040506',
        by: 'maria@example.com',
      },
    ]);
    const files = audit.events[0]?.['files'] as { before: string; after: string }[];
    expect(files.map(({ before, after }) => [before, after])[1]).toEqual([
      '01:02:03:04:05:06',
      '00:0B:82:04:05:99',
    ]);
  });

  test('answers a refusal with what the files have', async () => {
    const { attempt, mails, audit } = setup();
    expect(await attempt({ ...PARAMS, from: '000b82040500' })).toMatchObject({
      kind: 'done',
      summary: expect.stringContaining('mac-differs'),
    });
    expect(mails[0]?.text).toContain('01:02:03:04:05:06');
    expect(audit.events).toMatchObject([{ event: 'mac.refused', refusal: 'mac-differs' }]);
  });

  test('does nothing twice when it broke off after the change', async () => {
    const { attempt, at, mails, abort } = setup();
    abort.signal.addEventListener('abort', () => undefined);
    await attempt();
    const before = at.log.length;
    expect(await attempt()).toMatchObject({ kind: 'done' });
    expect([at.log.length, mails.length]).toEqual([before, 1]);
  });

  test('fails as a server that cannot be reached does, as long as nothing was touched', async () => {
    const { attempt, at, mails, notices } = setup();
    at.refusal = gone;
    await expect(attempt()).rejects.toMatchObject({ code: 'server.unreachable', retriable: true });
    expect([mails, notices]).toEqual([[], []]);
  });

  test('waits for a server that went away half-way, tells the requester and the admin once, and ends when it is back', async () => {
    const { attempt, at, mails, notices, clock } = setup();
    at.before = ({ kind, disconnect }) => {
      if (kind !== 'rename') return;
      at.refusal = gone;
      disconnect();
    };
    for (let hour = 0; hour < 5; hour++) {
      expect(await attempt()).toMatchObject({ kind: 'waiting', trouble: { code: 'mac.unsettled' } });
      clock.advance({ hours: 1 });
    }
    expect(mails.map(({ kind }) => kind)).toEqual(['delayed']);
    expect(notices).toHaveLength(1);
    expect(notices[0]).toMatchObject({
      request: { params: { kind: 'server-unsettled' } },
      details: { server: 'gv2p', extension: '3010' },
    });
    at.before = null;
    at.refusal = null;
    expect(await attempt()).toMatchObject({ kind: 'done' });
    expect(mails.map(({ kind }) => kind)).toEqual(['delayed', 'result']);
    expect(mac(at)).toBe('00:0B:82:04:05:99');
  });

  test('is looked at soon at first and every five minutes later', async () => {
    const { attempt, at, clock } = setup();
    at.after = ({ kind, disconnect }) => {
      if (kind !== 'replace') return;
      at.refusal = gone;
      disconnect();
    };
    const waitOf = async (): Promise<number> => {
      const { notBefore } = (await attempt()) as Waiting;
      return notBefore.since(clock.now()).total('seconds');
    };
    expect(await waitOf()).toBe(30);
    clock.advance({ hours: 1 });
    expect(await waitOf()).toBe(300);
  });

  test('is given up after three days, in words that promise nothing', async () => {
    const { attempt, at, clock } = setup();
    at.after = ({ kind, disconnect }) => {
      if (kind !== 'replace') return;
      at.refusal = gone;
      disconnect();
    };
    await attempt();
    clock.advance({ hours: 73 });
    await expect(attempt()).rejects.toMatchObject({ code: 'mac.unsettled', retriable: false });
  });

  test('is as any failure again once it was taken back', async () => {
    const { attempt, at } = setup();
    at.before = ({ kind }) => {
      if (kind === 'replace') throw new AppError('server.disk-full', 'full', { retriable: true });
    };
    await expect(attempt()).rejects.toMatchObject({ code: 'mac.failed', retriable: true });
    at.before = null;
    at.refusal = gone;
    await expect(attempt()).rejects.toMatchObject({ code: 'server.unreachable' });
  });

  test('waits while another change is under way, for an hour at most', async () => {
    const { attempt, at, clock } = setup();
    at.write('/var/backups/parelha/.lock/audio2.0123456789abcdef', '');
    expect(await attempt()).toMatchObject({ kind: 'waiting', trouble: { code: 'mac.locked' } });
    clock.advance({ minutes: 11 });
    expect(await attempt()).toMatchObject({ kind: 'done' });
    expect(mac(at)).toBe('00:0B:82:04:05:99');
  });

  test('is finished where it was begun, though its requester may not ask for it any more', async () => {
    const { attempt, at, faults } = setup();
    at.after = ({ kind, disconnect }) => {
      if (kind !== 'replace') return;
      at.refusal = gone;
      disconnect();
    };
    await attempt();
    faults.push({ code: 'not-allowed' });
    at.refusal = null;
    at.after = null;
    expect(await attempt()).toMatchObject({ kind: 'done' });
    expect(mac(at)).toBe('00:0B:82:04:05:99');
  });

  test('is not begun for whoever may not ask for it any more', async () => {
    const { attempt, at, faults } = setup();
    faults.push({ code: 'not-allowed' });
    await expect(attempt()).rejects.toMatchObject({ code: 'access.not-permitted' });
    expect(at.log).toEqual([]);
  });

  test.each(['job.cancelled', 'job.withdrawn', 'job.timeout'])(
    'answers all the same when a cancel comes too late (%s)',
    async (code) => {
      const { attempt, at, mails, abort } = setup();
      at.before = ({ kind }) => {
        if (kind === 'replace') abort.abort(new AppError(code, 'too late'));
      };
      expect(await attempt()).toMatchObject({ kind: 'done' });
      expect(mails.map(({ kind }) => kind)).toEqual(['result']);
    },
  );

  test('is not given up half-way because of a cancel: the server is waited for', async () => {
    const { attempt, at, abort } = setup();
    at.after = ({ kind, disconnect }) => {
      if (kind !== 'replace') return;
      abort.abort(new AppError('job.withdrawn', 'cancelled'));
      at.refusal = gone;
      disconnect();
    };
    expect(await attempt()).toMatchObject({ kind: 'waiting', trouble: { code: 'mac.unsettled' } });
  });

  test('can be cancelled until it has touched a file, and not after that', async () => {
    const { attempt, at, mustFinish } = setup();
    at.refusal = gone;
    await expect(attempt()).rejects.toMatchObject({ code: 'server.unreachable' });
    expect(mustFinish()).toBe(false);
    at.refusal = null;
    at.before = ({ kind }) => {
      if (kind === 'replace') throw new AppError('server.disk-full', 'full', { retriable: true });
    };
    await expect(attempt()).rejects.toMatchObject({ code: 'mac.failed' });
    expect(mustFinish()).toBe(false);
    at.before = ({ kind, disconnect }) => {
      if (kind !== 'replace') return;
      at.refusal = gone;
      disconnect();
    };
    expect(await attempt()).toMatchObject({ kind: 'waiting' });
    expect(mustFinish()).toBe(true);
    [at.before, at.refusal] = [null, null];
    await attempt();
    expect(mustFinish()).toBe(true);
  });
});
