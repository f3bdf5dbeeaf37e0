import { describe, expect, test } from 'vitest';
import { AppError, codeOf } from '../../../node/platform/errors.ts';
import { silentLog } from '../../../node/platform/log.ts';
import { createPhones } from '../../../node/servers/mac-change.ts';
import type { MacRequest } from '../../../node/servers/mac-phones.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { MAC_CONTENTS, macFilesIn } from '../../support/mac-files.ts';
import { createMemoryRemote, type MemoryServer, type Operation } from '../../support/memory-remote.ts';
import { sipServer } from '../../support/sip-server.ts';

const JOB = 'a'.repeat(64);
const OTHER = 'b'.repeat(64);
const FILES = '/etc/pabx';
const BACKUPS = '/var/backups/parelha';
const REPLACE: MacRequest = { extension: '3010', from: '010203040506', to: '020203040508' };
const REMOVE: MacRequest = { extension: '3010', from: '010203040506', to: null };
const ADD: MacRequest = { extension: '3012', from: null, to: '020000000088' };
const { signal } = new AbortController();

function world(nodeId = 'audio') {
  const remote = createMemoryRemote();
  const clock = fixedClock();
  const notified: (readonly string[])[] = [];
  const server = sipServer({
    id: 'gv2p',
    macFiles: macFilesIn(FILES),
    macBackupDir: BACKUPS,
    notify: ['reload-phones', 'x'],
  });
  const at = remote.at('gv2p');
  at.write('/var/backups/.keep', '');
  for (const [name, content] of Object.entries(MAC_CONTENTS)) {
    at.write(`${FILES}/${name}`, content, { mode: 0o640, uid: 33, gid: 44 });
  }
  at.programs.set('reload-phones', (argv) => {
    notified.push(argv);
    return { code: 0, stdout: '', stderr: '' };
  });
  const phones = createPhones({ remote, nodeId, clock, log: silentLog });
  return { remote, clock, notified, server, at, phones };
}

/** All that phones can be given, by path. */
function served(at: MemoryServer): Record<string, string> {
  return Object.fromEntries(
    at
      .below(FILES)
      .map((path) => [
        path,
        `${at.entries.get(path)?.kind} ${owned(at, path)} ${at.entries.get(path)?.content.toString('latin1')}`,
      ]),
  );
}

function owned(at: MemoryServer, path: string): string {
  const { mode, uid, gid } = at.entries.get(path)!;
  return `${mode.toString(8)} ${uid}:${gid}`;
}

const text = (at: MemoryServer, name: string): string =>
  at.entries.get(`${FILES}/${name}`)?.content.toString('latin1') ?? '';

describe('a change', () => {
  test('replaces a MAC in all files and nothing else, keeps owner and mode, and notifies last', async () => {
    const { phones, server, at, notified } = world();
    const report = await phones.change(server, REPLACE, JOB, signal);
    expect(text(at, '__ENDPOINTS__.DEF')).toBe(
      MAC_CONTENTS['__ENDPOINTS__.DEF'].toString('latin1').replace("'010203040506'", "'020203040508'"),
    );
    expect(text(at, 'endpoints_sip.def')).toBe(
      MAC_CONTENTS['endpoints_sip.def'].toString().replace('01:02:03:04:05:06', '02:02:03:04:05:08'),
    );
    expect(text(at, 'tftp/cfg020203040508.xml')).toBe('<phone>3010</phone>\n');
    expect(at.below(FILES)).toEqual([
      '/etc/pabx/__ENDPOINTS__.DEF',
      '/etc/pabx/endpoints_sip.def',
      '/etc/pabx/tftp',
      '/etc/pabx/tftp/cfg020203040508.xml',
    ]);
    for (const path of at.below(FILES).filter((each) => !each.endsWith('tftp')))
      expect(owned(at, path)).toBe('640 33:44');
    expect(notified).toEqual([['reload-phones', 'x']]);
    expect(at.log.findLastIndex((what) => what.startsWith('run'))).toBeGreaterThan(
      at.log.findLastIndex((what) => what.startsWith('replace') || what.includes('tftp')),
    );
    expect(report).toMatchObject({ state: 'changed', duplicates: [], refusal: null, warnings: [] });
    expect(report.files.map(({ before, after }) => [before, after])).toEqual([
      ['010203040506', '020203040508'],
      ['01:02:03:04:05:06', '02:02:03:04:05:08'],
      ['010203040506', '020203040508'],
    ]);
    for (const { path, backup } of report.files) {
      expect(backup).toMatch(new RegExp(`^${BACKUPS}/[^/]+/`));
      expect(at.entries.get(backup!)?.content).toEqual(
        MAC_CONTENTS[path.slice(FILES.length + 1) as 'endpoints_sip.def'],
      );
      expect(backup).toContain(`${report.backup}/`);
      expect(owned(at, backup!)).toBe('600 0:0');
    }
    expect(at.below(`${BACKUPS}/.lock`)).toEqual([]);
  });

  test('removes a MAC, and the provisioning file of the phone with it', async () => {
    const { phones, server, at } = world();
    const report = await phones.change(server, REMOVE, JOB, signal);
    expect(text(at, '__ENDPOINTS__.DEF')).toContain(`'Jos\u00e9', 'serialnumber': ''}`);
    expect(text(at, 'endpoints_sip.def')).toContain('  MAC:None\n[3011]');
    expect(at.below(`${FILES}/tftp`)).toEqual([]);
    expect(report.files.at(-1)).toMatchObject({ before: '010203040506', after: null });
  });

  test('adds a MAC where there is none, and warns of the provisioning file that is missing', async () => {
    const { phones, server, at } = world();
    const report = await phones.change(server, ADD, JOB, signal);
    expect(text(at, '__ENDPOINTS__.DEF')).toMatch(/'3012': \{'serialnumber': '020000000088'\}$/);
    expect(text(at, 'endpoints_sip.def')).toMatch(/\[3012\]\nMAC:02:00:00:00:00:88\n$/);
    expect(report.warnings).toEqual([
      { code: 'provisioning-missing', message: `${FILES}/tftp/cfg020000000088.xml is not there` },
    ]);
  });

  test('names the other extensions that have the new MAC, and is made all the same', async () => {
    const { phones, server } = world();
    const report = await phones.change(server, { ...REPLACE, to: '020000000011' }, JOB, signal);
    expect(report.state).toBe('changed');
    expect(report.duplicates).toEqual([
      { path: `${FILES}/__ENDPOINTS__.DEF`, extension: '3011' },
      { path: `${FILES}/endpoints_sip.def`, extension: '3011' },
    ]);
  });

  test('is already so when it is asked for again by another job, and changes nothing', async () => {
    const { phones, server, at, notified } = world();
    await phones.change(server, REPLACE, JOB, signal);
    const before = served(at);
    expect(await phones.change(server, REPLACE, OTHER, signal)).toMatchObject({
      state: 'already',
      backup: null,
    });
    expect(served(at)).toEqual(before);
    expect(notified).toHaveLength(1);
  });

  test('gives the same report when its job asks again', async () => {
    const { phones, server } = world();
    const report = await phones.change(server, REPLACE, JOB, signal);
    expect(await phones.change(server, REPLACE, JOB, signal)).toEqual(report);
  });

  test('tells of a server that runs no program for it, since the files are changed', async () => {
    const { phones, server, at } = world();
    at.before = ({ kind }) => {
      if (kind === 'run') throw new AppError('server.refused', 'a forced command');
    };
    const report = await phones.change(server, REPLACE, JOB, signal);
    expect(report).toMatchObject({ state: 'changed', warnings: [{ code: 'notify-failed' }] });
  });

  test('of two nodes at once goes on in one alone, and in the other later', async () => {
    const { phones, server, remote, clock, at } = world();
    const other = createPhones({ remote, nodeId: 'audio2', clock, log: silentLog });
    const remove = { extension: '3011', from: '020000000011', to: null };
    for (let round = 0; round < 5; round++) {
      const asked = [
        phones.change(server, REPLACE, JOB, signal),
        other.change(server, remove, OTHER, signal),
      ];
      const ended = await Promise.all(asked.map((each) => each.then(({ state }) => state as string, codeOf)));
      expect(['changed', 'mac.locked']).toEqual(expect.arrayContaining(ended));
    }
    await phones.change(server, REPLACE, JOB, signal);
    await other.change(server, remove, OTHER, signal);
    expect(text(at, 'endpoints_sip.def')).toContain('MAC:02:02:03:04:05:08\n[3011](base)\nMAC:None');
    expect(text(at, '__ENDPOINTS__.DEF')).toMatch(/'020203040508'[^]*'3011': \{'serialnumber': ''/);
  });

  test('tells of a notification that failed, since the files are changed', async () => {
    const { phones, server, at } = world();
    at.programs.set('reload-phones', () => ({ code: 3, stdout: '', stderr: 'no such thing\n' }));
    const report = await phones.change(server, REPLACE, JOB, signal);
    expect(report.warnings).toEqual([
      { code: 'notify-failed', message: 'reload-phones ended with 3: no such thing' },
    ]);
  });
});

describe('a change is refused, with nothing touched, where', () => {
  test.each<[string, Partial<MacRequest>, (at: MemoryServer) => void, string]>([
    ['the extension has another MAC', { from: '010203040509' }, () => undefined, 'mac-differs'],
    ['it has one and should have none', { from: null }, () => undefined, 'mac-differs'],
    [
      'one file says something else',
      {},
      (at) => at.write(`${FILES}/endpoints_sip.def`, '[3010]\nMAC:None\n'),
      'mac-differs',
    ],
    [
      'what stands there is no MAC',
      { from: null },
      (at) => at.write(`${FILES}/endpoints_sip.def`, '[3010]\nMAC:x1\n'),
      'mac-differs',
    ],
    ['the extension is in no file', { extension: '3999' }, () => undefined, 'extension-missing'],
    [
      'a record has no field',
      {},
      (at) => at.write(`${FILES}/endpoints_sip.def`, '[3010]\nx=1\n'),
      'field-missing',
    ],
    [
      'a record stands twice',
      {},
      (at) => at.write(`${FILES}/endpoints_sip.def`, '[3010]\nMAC:None\nMAC:None\n'),
      'record-ambiguous',
    ],
    ['a file is missing', {}, (at) => void at.entries.delete(`${FILES}/endpoints_sip.def`), 'file-missing'],
    [
      'a file is a link',
      {},
      (at) => at.write(`${FILES}/endpoints_sip.def`, '/etc/x', { kind: 'link' }),
      'file-kind',
    ],
    [
      'the new phone has a provisioning file',
      {},
      (at) => at.write(`${FILES}/tftp/cfg020203040508.xml`, 'x'),
      'provisioning-exists',
    ],
    ['the owner cannot be kept', {}, (at) => void (at.uid = 1000), 'owner-lost'],
  ])('%s', async (_, over, arrange, code) => {
    const { phones, server, at, notified } = world();
    at.entries.set('/var/backups', { ...at.entries.get('/var/backups')!, uid: 1000 });
    arrange(at);
    const before = served(at);
    const report = await phones.change(server, { ...REPLACE, ...over }, JOB, signal);
    expect(report).toMatchObject({ state: 'refused', refusal: { code }, backup: null });
    expect(served(at)).toEqual(before);
    expect(at.below(BACKUPS)).toEqual([`${BACKUPS}/.lock`]);
    expect(notified).toEqual([]);
  });

  test('backups would be given out to phones', async () => {
    const { phones, server } = world();
    const inside = { ...server, macBackupDir: `${FILES}/tftp/old` };
    await expect(phones.change(inside, REPLACE, JOB, signal)).rejects.toMatchObject({
      code: 'mac.backup-served',
    });
  });
});

/** Makes one change with a fault at the nth operation, then another call of the same job without one. */
async function faultAt(
  request: MacRequest,
  n: number,
  fault: (operation: Operation, at: MemoryServer) => void,
  when: 'before' | 'after',
) {
  const it = world();
  const old = served(it.at);
  it.at[when] = (operation) => {
    if (operation.number === n) fault(operation, it.at);
  };
  const first = await it.phones
    .change(it.server, request, JOB, signal)
    .then((report) => report.state, codeOf);
  it.at.before = null;
  it.at.after = null;
  return { ...it, old, first };
}

/** How it looks when it went well. */
async function changed(request: MacRequest) {
  const it = world();
  await it.phones.change(it.server, request, JOB, signal);
  return { operations: it.at.log.length, files: served(it.at) };
}

describe.each([
  ['replace', REPLACE],
  ['remove', REMOVE],
  ['add', ADD],
])('all files or none: %s', (_, request) => {
  test.each(['before', 'after'] as const)('when the connection is lost %s any operation', async (when) => {
    const whole = await changed(request);
    for (let n = 1; n <= whole.operations; n++) {
      const it = await faultAt(request, n, (operation) => operation.disconnect(), when);
      const now = served(it.at);
      if (it.first === 'changed') expect(now, `operation ${n}`).toEqual(whole.files);
      else if (it.first === 'mac.failed') expect(now, `operation ${n}`).toEqual(it.old);
      else expect(it.first, `operation ${n}`).toBe('server.unreachable');
      expect(await it.phones.change(it.server, request, JOB, signal), `operation ${n}`).toMatchObject({
        state: 'changed',
      });
      expect(served(it.at), `operation ${n}`).toEqual(whole.files);
      expect(it.at.below(`${BACKUPS}/.lock`), `operation ${n}`).toEqual([]);
      expect(it.notified.length, `operation ${n}`).toBeGreaterThan(0);
    }
  });

  test('when the server goes away at any operation and another job comes first', async () => {
    const whole = await changed(request);
    for (let n = 1; n <= whole.operations; n++) {
      const it = await faultAt(
        request,
        n,
        (operation, at) => {
          operation.disconnect();
          at.refusal = new AppError('server.unreachable', 'gone', { retriable: true });
        },
        'after',
      );
      it.at.refusal = null;
      expect(['changed', 'server.unreachable', 'mac.unsettled'], `operation ${n}`).toContain(it.first);
      const other = { extension: '3011', from: '020000000011', to: null };
      expect(await it.phones.change(it.server, other, OTHER, signal)).toMatchObject({ state: 'changed' });
      const [mac] = (await it.phones.show(it.server, request.extension, signal)).files.map(
        ({ macs }) => macs[0],
      );
      // Whatever came of it, the other's call has left nothing half-way.
      expect([request.from, request.to], `operation ${n}`).toContain(mac);
      expect(
        it.at.below(FILES).filter((path) => path.includes('.parelha')),
        `operation ${n}`,
      ).toEqual([]);
      const report = await it.phones.change(it.server, request, JOB, signal);
      expect(report.state, `operation ${n}`).toBe('changed');
    }
  });

  test('when the disk is full from any operation on', async () => {
    const whole = await changed(request);
    const full = new AppError('server.disk-full', 'full', { retriable: true });
    for (let n = 1; n <= whole.operations; n++) {
      const it = world();
      const old = served(it.at);
      it.at.before = (operation) => {
        if (operation.number >= n && ['create', 'makeDirectory'].includes(operation.kind)) throw full;
      };
      const first = await it.phones
        .change(it.server, request, JOB, signal)
        .then(({ state }) => state, codeOf);
      it.at.before = null;
      if (first === 'changed') expect(served(it.at)).toEqual(whole.files);
      else expect(served(it.at), `operation ${n}: ${first}`).toEqual(old);
      expect(await it.phones.change(it.server, request, OTHER, signal)).toMatchObject({
        state: first === 'changed' ? 'already' : 'changed',
      });
    }
  });

  test('when any one operation fails', async () => {
    const whole = await changed(request);
    for (let n = 1; n <= whole.operations; n++) {
      const it = await faultAt(
        request,
        n,
        () => {
          throw new AppError('server.file', 'no', { retriable: false });
        },
        'before',
      );
      const now = served(it.at);
      const clean = it.at.below(FILES).every((path) => !path.includes('.parelha'));
      if (clean && it.first !== 'changed') expect(now, `operation ${n}: ${it.first}`).toEqual(it.old);
      expect(await it.phones.change(it.server, request, JOB, signal), `operation ${n}`).toMatchObject({
        state: 'changed',
      });
      expect(served(it.at), `operation ${n}`).toEqual(whole.files);
    }
  });
});

describe('somebody else', () => {
  test('who changes a file between reading and renaming keeps his change, and all is as before otherwise', async () => {
    const it = world();
    const theirs = Buffer.concat([MAC_CONTENTS['endpoints_sip.def'], Buffer.from('[3050]\nMAC:None\n')]);
    it.at.after = ({ what }) => {
      if (what.startsWith('create') && what.includes('-old-endpoints'))
        it.at.write(`${FILES}/endpoints_sip.def`, theirs);
    };
    const failed = it.phones.change(it.server, REPLACE, JOB, signal);
    await expect(failed).rejects.toMatchObject({ code: 'mac.changed-meanwhile', retriable: true });
    it.at.after = null;
    expect(text(it.at, '__ENDPOINTS__.DEF')).toBe(MAC_CONTENTS['__ENDPOINTS__.DEF'].toString('latin1'));
    expect(text(it.at, 'endpoints_sip.def')).toBe(theirs.toString());
    expect(await it.phones.change(it.server, REPLACE, JOB, signal)).toMatchObject({ state: 'changed' });
    expect(text(it.at, 'endpoints_sip.def')).toContain('[3050]');
  });

  test('who writes to a file after it was changed keeps that when the change is taken back', async () => {
    const it = world();
    it.at.before = ({ kind, what }) => {
      if (kind === 'replace' && what.includes('-new-endpoints')) {
        it.at.write(`${FILES}/__ENDPOINTS__.DEF`, `${text(it.at, '__ENDPOINTS__.DEF')}\n# mine`);
        throw new AppError('server.file', 'no');
      }
    };
    await expect(it.phones.change(it.server, REPLACE, JOB, signal)).rejects.toMatchObject({
      code: 'mac.failed',
    });
    expect(text(it.at, '__ENDPOINTS__.DEF')).toContain("'serialnumber': '010203040506'");
    expect(text(it.at, '__ENDPOINTS__.DEF')).toMatch(/# mine$/);
  });

  test('who holds the lock is waited for, and is taken over when it has not moved for ten minutes', async () => {
    const it = world();
    it.at.before = ({ kind, disconnect }) => {
      if (kind !== 'rename') return;
      it.at.refusal = new AppError('server.unreachable', 'gone', { retriable: true });
      disconnect();
    };
    await expect(it.phones.change(it.server, REPLACE, JOB, signal)).rejects.toMatchObject({
      code: 'mac.unsettled',
    });
    it.at.before = null;
    it.at.refusal = null;
    const other = createPhones({ remote: it.remote, nodeId: 'audio2', clock: it.clock, log: silentLog });
    const remove = { extension: '3011', from: '020000000011', to: null };
    const locked = { code: 'mac.locked', retriable: true };
    await expect(other.change(it.server, remove, OTHER, signal)).rejects.toMatchObject(locked);
    it.clock.advance({ minutes: 9 });
    await expect(other.change(it.server, remove, OTHER, signal)).rejects.toMatchObject(locked);
    it.clock.advance({ minutes: 2 });
    expect(await other.change(it.server, remove, OTHER, signal)).toMatchObject({ state: 'changed' });
    const { files } = await other.show(it.server, '3010', signal);
    expect(new Set(files.map(({ macs }) => macs[0])).size).toBe(1);
  });
});

test('once it was decided to take a change back, that stands, whoever comes next', async () => {
  const it = world();
  it.at.before = ({ kind, what, disconnect }) => {
    if (what.endsWith('state.changed')) throw new AppError('server.file', 'no');
    if (kind !== 'replace' || !what.includes('-old-')) return;
    it.at.refusal = new AppError('server.unreachable', 'gone', { retriable: true });
    disconnect();
  };
  await expect(it.phones.change(it.server, REPLACE, JOB, signal)).rejects.toMatchObject({
    code: 'mac.unsettled',
  });
  it.at.before = null;
  it.at.refusal = null;
  await it.phones.change(it.server, ADD, OTHER, signal);
  const { files } = await it.phones.show(it.server, '3010', signal);
  expect(files.map(({ macs }) => macs[0])).toEqual([REPLACE.from, REPLACE.from, REPLACE.from]);
});

test('a cancel within the change lets it come to its end', async () => {
  const it = world();
  const abort = new AbortController();
  it.at.before = ({ kind }) => {
    if (kind === 'replace') abort.abort(new AppError('job.cancelled', 'cancelled'));
  };
  expect(await it.phones.change(it.server, REPLACE, JOB, abort.signal)).toMatchObject({ state: 'changed' });
});

test('hooks tell when files may be half-way and when that is over', async () => {
  const it = world();
  const told: string[] = [];
  const hooks = {
    touching: async () => void told.push('touching'),
    settled: async () => void told.push('settled'),
  };
  it.at.before = ({ kind }) => {
    if (kind === 'replace' && told.length === 1) throw new AppError('server.file', 'no');
  };
  await expect(it.phones.change(it.server, REPLACE, JOB, signal, hooks)).rejects.toMatchObject({
    code: 'mac.failed',
  });
  expect(told).toEqual(['touching', 'settled']);
});

test('a change clears away the oldest backups beyond the bound, and its own can be restored', async () => {
  const it = world();
  const phones = createPhones({
    ...{ remote: it.remote, nodeId: 'audio', clock: it.clock, log: silentLog },
    backups: { maxKept: 2, alwaysKept: 1 },
  });
  const old = text(it.at, '__ENDPOINTS__.DEF');
  const made: (string | null)[] = [];
  for (const [index, request] of [ADD, REMOVE, { ...REMOVE, from: null, to: '020203040508' }].entries()) {
    it.clock.advance({ minutes: 1 });
    made.push((await phones.change(it.server, request, `${index}`.repeat(64), signal)).backup);
  }
  expect(it.at.entries.has(made[0]!)).toBe(false);
  expect([made[1]!, made[2]!].every((backup) => it.at.entries.has(backup))).toBe(true);
  await phones.restore(it.server, made[2]!, signal);
  expect(text(it.at, '__ENDPOINTS__.DEF')).not.toBe(old);
  expect(text(it.at, '__ENDPOINTS__.DEF')).not.toContain('020203040508');
});

describe('restore', () => {
  test.each([
    ['replace', REPLACE],
    ['remove', REMOVE],
    ['add', ADD],
  ])('puts back what a %s changed, to the byte', async (_, request) => {
    const it = world();
    const old = served(it.at);
    const { backup } = await it.phones.change(it.server, request, JOB, signal);
    const report = await it.phones.restore(it.server, backup!, signal);
    expect(report.state).toBe('changed');
    expect(served(it.at)).toEqual(old);
  });

  test('leaves alone what others have changed since in the same files', async () => {
    const it = world();
    const { backup } = await it.phones.change(it.server, REPLACE, JOB, signal);
    await it.phones.change(it.server, ADD, OTHER, signal);
    await it.phones.restore(it.server, backup!, signal);
    expect(text(it.at, '__ENDPOINTS__.DEF')).toContain("'010203040506'");
    expect(text(it.at, '__ENDPOINTS__.DEF')).toContain("'020000000088'");
  });

  test('refuses where the extension has another MAC since, and a backup that is not there', async () => {
    const it = world();
    const { backup } = await it.phones.change(it.server, REPLACE, JOB, signal);
    await it.phones.change(it.server, { ...REPLACE, from: REPLACE.to, to: '020000000077' }, OTHER, signal);
    await expect(it.phones.restore(it.server, backup!, signal)).rejects.toMatchObject({
      code: 'mac.changed-since',
    });
    for (const name of ['20260302T120000Z-3010-aaaaaaaaaaaa-00000000', '../../etc', '']) {
      await expect(it.phones.restore(it.server, name, signal)).rejects.toMatchObject({
        code: 'mac.no-backup',
      });
    }
  });
});

test('show says what each file has, and what is wrong with it', async () => {
  const it = world();
  expect(await it.phones.show(it.server, '3010', signal)).toEqual({
    extension: '3010',
    files: [
      { path: `${FILES}/__ENDPOINTS__.DEF`, macs: ['010203040506'], problem: null },
      { path: `${FILES}/endpoints_sip.def`, macs: ['010203040506'], problem: null },
      { path: `${FILES}/tftp/cfg010203040506.xml`, macs: ['010203040506'], problem: null },
    ],
  });
  expect((await it.phones.show(it.server, '3012', signal)).files.map(({ macs }) => macs)).toEqual([
    [null],
    [null],
  ]);
  expect((await it.phones.show(it.server, '3999', signal)).files[0]).toMatchObject({
    macs: [],
    problem: 'extension-missing',
  });
});
