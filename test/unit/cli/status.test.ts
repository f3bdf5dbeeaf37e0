import { describe, expect, test, vi } from 'vitest';
import { runNodeCtl } from '../../../node/cli/program.ts';
import { openControlSocket } from '../../../node/listeners/control.ts';
import type { NodeStatus, PeerView } from '../../../node/listeners/control-contract.ts';
import { silentLog } from '../../../node/platform/log.ts';
import { fakeNodeControl, indexView, STATUS } from '../../support/node-control.ts';
import { temporaryDirectory } from '../../support/process.ts';

vi.stubEnv('TZ', 'UTC');

const PEER: PeerView = {
  id: 'audio2',
  rpc: true,
  status: {
    nodeId: 'audio2',
    version: '0.1.0',
    protocol: 1,
    role: 'slave',
    term: 3,
    since: '2025-11-10T12:00:01Z',
    now: '2025-11-11T18:05:00Z',
    uptimeSeconds: 3_700,
    mailbox: null,
    queue: {
      paused: true,
      lanes: [{ lane: 'recordings', pending: 2, processing: 0 }],
      completed: 7,
      failed: 0,
    },
    sources: ['s3'],
    warnings: ['its disk is nearly full'],
  },
  error: null,
  lastAnswerAt: '2025-11-11T18:05:00Z',
  latencyMs: 0.84,
  clockDifferenceMs: -120,
  ledgerBehind: 0,
};
const SILENT: PeerView = {
  ...PEER,
  status: null,
  error: 'connect ECONNREFUSED 203.0.113.2:7443 (peer.unreachable)',
  latencyMs: null,
  clockDifferenceMs: null,
  ledgerBehind: 12,
};

/** node-ctl in this process against a daemon that says this. */
async function run(status: Partial<NodeStatus>, args: readonly string[], looks = 1) {
  await using directory = await temporaryDirectory();
  const path = `${directory.path}/control.sock`;
  const control = fakeNodeControl({ status: () => ({ ...STATUS, ...status }) });
  const listener = await openControlSocket({ path, control, log: silentLog });
  const interruption = new AbortController();
  const seen = { code: null as number | null, out: '', err: '' };
  let sleeps = 0;
  await runNodeCtl(['--socket', path, 'status', ...args], {
    out: (written) => (seen.out += written),
    err: (written) => (seen.err += written),
    errIsTerminal: false,
    env: {},
    clock: {
      now: () => Temporal.Instant.from('2025-11-11T18:05:00Z'),
      monotonicMs: () => 0,
      sleep: () => {
        sleeps += 1;
        return sleeps < looks ? Promise.resolve() : Promise.reject(new Error('interrupted'));
      },
    },
    interrupted: interruption.signal,
    exit: (code) => (seen.code = code),
  });
  await listener.close();
  return seen;
}

describe('node-ctl status', () => {
  test('of a node alone says how it is', async () => {
    const { code, out, err } = await run({}, []);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toBe(
      [
        'node        audio',
        'version     0.1.0',
        'role        master',
        'term        3',
        'since       2025-11-10 12:00:00',
        'up          1 d 2 h',
        'mailbox     watching',
        'last mail   2025-11-11 18:01:22',
        'last error  -',
        'queue       3 pending, 1 processing, 120 completed, 2 failed',
        'sources     audio',
        'MODE       master (the first role; node-ctl promote and demote change it)',
        'publisher  web',
        'state      /var/lib/parelha',
        'peer       none: this node is alone',
        '',
        'LANE        PENDING  PROCESSING',
        'recordings        3           1',
        'servers           0           0',
        '',
      ].join('\n'),
    );
  });

  test('says what its state takes, and what room there is', async () => {
    const disk: NodeStatus['disk'] = {
      ...{ freeBytes: 412_300_000_000, headroomBytes: 1_073_741_824, isLow: false },
      parts: [
        { name: 'results', bytes: 900_000_000 },
        { name: 'index', bytes: 107_000_000 },
        ...['queue', 'audit', 'ledger', 'other', 'doubts'].map((name) => ({ name, bytes: 1_000_000 })),
      ],
      stateBytes: 1_012_000_000,
      measuredAt: '2025-11-11T18:01:00Z',
    };
    expect((await run({ disk }, [])).out.split('\n').slice(13, 15)).toEqual([
      'state      /var/lib/parelha: 1.0 GB (results 900.0 MB, index 107.0 MB, queue 1.0 MB, audit 1.0 MB, ledger 1.0 MB, other 2.0 MB; 4 min ago)',
      'disk       412.3 GB free; new work is refused below 1.1 GB',
    ]);
    const low = {
      ...disk,
      freeBytes: 900_000_000,
      isLow: true,
      measuredAt: null,
      stateBytes: null,
      parts: [],
    };
    expect((await run({ disk: low }, [])).out.split('\n').slice(13, 15)).toEqual([
      'state      /var/lib/parelha (not measured yet)',
      'disk       900.0 MB free, LOW: new work is refused, since 1.1 GB is to be free',
    ]);
    const unwatched = { ...disk, headroomBytes: 0 };
    expect((await run({ disk: unwatched }, [])).out).toContain('no headroom is kept');
    expect(JSON.parse((await run({ disk }, ['--json'])).out)).toMatchObject({ disk: { isLow: false } });
  });

  test('shows both nodes side by side', async () => {
    const { code, out } = await run({ peer: PEER }, []);
    expect(code).toBe(0);
    expect(out).toBe(
      [
        '            audio (this)                                      audio2',
        'version     0.1.0                                             0.1.0',
        'role        master                                            slave',
        'term        3                                                 3',
        'since       2025-11-10 12:00:00                               2025-11-10 12:00:01',
        'up          1 d 2 h                                           1 h 1 min',
        'mailbox     watching                                          not read',
        'last mail   2025-11-11 18:01:22                               -',
        'last error  -                                                 -',
        'queue       3 pending, 1 processing, 120 completed, 2 failed  PAUSED; 2 pending, 0 processing, 7 completed, 0 failed',
        'sources     audio                                             s3',
        '',
        'MODE       master (the first role; node-ctl promote and demote change it)',
        'publisher  web',
        'state      /var/lib/parelha',
        'peer       audio2 answers in 0.8 ms, its clock 0.12 s behind',
        '',
        'NODE    LANE        PENDING  PROCESSING',
        'audio   recordings        3           1',
        'audio   servers           0           0',
        'audio2  recordings        2           0',
        '',
        'warning: audio2: its disk is nearly full',
        '',
      ].join('\n'),
    );
  });

  test('of a peer that does not answer says why, and ends as incomplete', async () => {
    const { code, out } = await run({ peer: SILENT }, []);
    expect(code).toBe(4);
    expect(out).toContain(
      'audio2 does not answer: connect ECONNREFUSED 203.0.113.2:7443 (peer.unreachable); ' +
        'last answer 2025-11-11 18:05:00; 12 ledger entries not there yet',
    );
    expect(out).toMatch(/^role {8}master +-$/m);
  });

  test('is complete where the peer has no RPC to be asked by', async () => {
    const { code, out } = await run({ peer: { ...SILENT, rpc: false, error: null } }, []);
    expect(code).toBe(0);
    expect(out).toContain('peer       audio2, by files alone (PEER_RPC=off)');
  });

  test('warns of clocks that lie far apart, and says what is going on about the mastership', async () => {
    const leadership = ['waiting for audio2 to say whether it is master'];
    const { out } = await run({ leadership, peer: { ...PEER, clockDifferenceMs: 21_000 } }, []);
    expect(out).toContain('warning: waiting for audio2');
    expect(out).toContain('warning: the clocks of the two nodes are 21 s apart');
  });

  test('shows warnings, harmless to the terminal', async () => {
    const { out } = await run({ ingest: null, sources: [], warnings: ['disk\u001B[31m nearly full'] }, []);
    expect(out).toContain('mailbox     not read');
    expect(out).toContain('sources     none');
    expect(out).toContain('warning: disk\\u{1b}[31m nearly full');
  });

  test('tells of each index on a line: its state, its files, and when all was last looked at', async () => {
    const building = indexView({
      source: 's3',
      state: 'building',
      progress: { files: 412_000, folders: 160, expectedFiles: 1_030_000, elapsedMs: 4_000 },
    });
    const { code, out } = await run({ indexes: [indexView(), building] }, []);
    expect(code).toBe(0);
    expect(out).toContain(
      [
        'state      /var/lib/parelha',
        'index      audio: ready, 1,024,912 files in 417 folders; looked through 40 s ago, verified 3 d 4 h ago',
        'index      s3: building, 412,000 files, 160 folders, 103,000 files/s, 40 %, 6 s left',
        'peer       none: this node is alone',
      ].join('\n'),
    );
  });

  test('of an index that failed says why, harmless to the terminal', async () => {
    const indexes = [indexView({ state: 'failed', message: 'the disk is full\u001B[31m' })];
    const { code, out } = await run({ indexes }, []);
    expect(code).toBe(0);
    expect(out).toContain('index      audio: failed, the disk is full\\u{1b}[31m');
  });

  test('of an index that is built anew says that it serves, and how far the new one is', async () => {
    const progress = { files: 10, folders: 1, expectedFiles: null, elapsedMs: 20 };
    const { out } = await run({ indexes: [indexView({ progress, sweptAt: null, auditedAt: null })] }, []);
    expect(out).toContain(
      'audio: ready, 1,024,912 files in 417 folders; being built anew: 10 files, 1 folder\n',
    );
  });

  test('as JSON is what the daemon said', async () => {
    expect(JSON.parse((await run({ peer: PEER }, ['--json'])).out)).toEqual({ ...STATUS, peer: PEER });
  });

  test('with --watch draws itself again until it is interrupted, and then ends well', async () => {
    const { code, out } = await run({ peer: SILENT }, ['--watch'], 3);
    expect(code).toBe(0);
    expect(out.split('\u001B[2J\u001B[H')).toHaveLength(4);
  });

  test('refuses a pace that is none', async () => {
    expect((await run({}, ['--watch', '0'])).code).toBe(2);
  });
});
