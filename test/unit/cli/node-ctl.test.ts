import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { runNodeCtl } from '../../../node/cli/program.ts';
import { type ControlListener, openControlSocket } from '../../../node/listeners/control.ts';
import type { JobView, NodeControl } from '../../../node/listeners/control-contract.ts';
import { systemClock } from '../../../node/platform/clock.ts';
import { AppError } from '../../../node/platform/errors.ts';
import { silentLog } from '../../../node/platform/log.ts';
import { doneJob, fakeNodeControl, FOUND, jobId, jobView, STATUS } from '../../support/node-control.ts';
import { eventually, temporaryDirectory } from '../../support/process.ts';

const WRAPPER = fileURLToPath(new URL('../../../deploy/node-ctl', import.meta.url));
const RANGE = ['--ramais', '1121,1122', '--inicio', '27/10/2025 08:00', '--fim', '28/10/2025 18:00'];
const ESCAPE = '\u001B';

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let listener: ControlListener | null = null;
let socket: string;

beforeAll(async () => {
  vi.stubEnv('TZ', 'UTC');
  directory = await temporaryDirectory();
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await directory[Symbol.asyncDispose]();
});
beforeEach(() => {
  socket = join(directory.path, 'control.sock');
});
afterEach(async () => {
  await listener?.close();
  listener = null;
});

async function listen(over: Partial<NodeControl> = {}, jobs: JobView[] = []) {
  const control = fakeNodeControl(over);
  control.jobViews = jobs;
  listener = await openControlSocket({ path: socket, control, log: silentLog });
  return control;
}

interface Run {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** node-ctl as a process of its own, through the wrapper. */
function start(args: readonly string[], env: Readonly<Record<string, string>> = {}, wrapper = WRAPPER) {
  const child = spawn(wrapper, args, {
    env: { PATH: process.env['PATH'] ?? '', TZ: 'UTC', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { child, ended: ended.then(([out, err]): Run => ({ code: child.exitCode, out, err })) };
}

/** node-ctl in this process, which is faster. */
async function runWith(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  errIsTerminal = false,
): Promise<Run> {
  const seen = { code: null as number | null, out: '', err: '' };
  await runNodeCtl(args, {
    out: (written) => (seen.out += written),
    err: (written) => (seen.err += written),
    errIsTerminal,
    env,
    clock: systemClock,
    interrupted: new AbortController().signal,
    exit: (code) => (seen.code = code),
  });
  return seen;
}

/** Runs node-ctl against the socket of the test. */
function run(...args: string[]): Promise<Run> {
  return runWith(['--socket', socket, ...args]);
}

describe('node-ctl queue', () => {
  const failed = jobView({
    id: jobId('77aa'),
    state: 'failed',
    position: null,
    attempts: 3,
    requester: null,
    subject: `${ESCAPE}]0;owned\u0007 ${'x'.repeat(300)}`,
    lastError: { code: 'publish.unavailable', message: 'bucket\nis gone', at: '2025-11-11T18:03:00Z' },
    outcome: { kind: 'failed', at: '2025-11-11T18:03:00Z', summary: 'given up after 3 attempts' },
  });

  test('list shows jobs in columns, harmless to the terminal', async () => {
    await listen({}, [jobView({ progress: '3 of 10' }), failed]);
    const { code, out } = await run('queue', 'list');
    expect(code).toBe(0);
    const [title, first, second] = out.split('\n');
    expect(title).toBe(
      'ID        STATE    LANE        POS  TRIES  ACCEPTED             REQUESTER           SUBJECT',
    );
    expect(first).toBe(
      '3f9a1c02  pending  recordings    1      0  2025-11-11 18:01:22  pessoa@example.com  RAMAIS=1121 INICIO=27/10/2025 FIM=28/10/2025',
    );
    expect(second).toMatch(
      /^77aa0000 {2}failed {3}recordings {4}- {6}3 .* - .*\\u\{1b\}\]0;owned\\u\{7\} x+…$/,
    );
    expect(out).not.toContain(ESCAPE);
    expect(out.length).toBeLessThan(500);
  });

  test('list shows below a job that is being worked how far it is', async () => {
    const progress = `published 120 of 500 recordings, ZIP 84 of 500 MB (part 1 of 2)${ESCAPE}[2J`;
    await listen({}, [jobView({ state: 'processing', progress }), failed]);
    const { out } = await run('queue', 'list');
    const [, first, second, third] = out.split('\n');
    expect(first).toMatch(/^3f9a1c02 {2}processing {2}recordings/);
    expect(second).toBe(
      '          published 120 of 500 recordings, ZIP 84 of 500 MB (part 1 of 2)\\u{1b}[2J',
    );
    expect(third).toMatch(/^77aa0000 {2}failed/);
    expect((await run('queue', 'show', '3f9a')).out).toContain(
      'progress   published 120 of 500 recordings, ZIP 84 of 500 MB (part 1 of 2)',
    );
  });

  test('list keeps to a state and a limit, and says how many more there are', async () => {
    const control = await listen({}, [failed, jobView({ ...failed, id: jobId('88bb') })]);
    const { out } = await run('queue', 'list', '--state', 'failed', '--limit', '1');
    expect(control.calls[0]?.params).toEqual({ state: 'failed', limit: 1 });
    expect(out).toContain('1 more; see --limit and --state');
    const json = JSON.parse((await run('queue', 'list', '--json')).out) as { jobs: unknown[]; total: number };
    expect(json.total).toBe(2);
  });

  test('list of nothing says so', async () => {
    await listen();
    expect((await run('queue', 'list')).out).toBe('no jobs\n');
  });

  test('show tells all of a job, named by the beginning of its id', async () => {
    await listen({}, [doneJob(), failed]);
    const done = await run('queue', 'show', '3F9A');
    expect(done.out).toContain('command    RAMAIS { "ramais": [ "1121" ] }');
    expect(done.out).toMatch(/^zip {3}2025-11-11 18:01:30 {2}2025-11-11 18:01:59$/m);
    expect(done.out).toContain('1121-3010.wav (320.0 kB)\n  https://gravacoes.example.com/a?s=1\n');
    expect(done.out).toContain('The links open until 2025-11-12 18:02:00.');
    const { out } = await run('queue', 'show', '77aa');
    expect(out).toContain('last error  2025-11-11 18:03:00 publish.unavailable: bucket\\u{a}is gone');
  });

  test('show says of a job without links that they were taken back', async () => {
    const revoked = { links: [], linksExpireAt: null, linksRevokedAt: '2025-11-11T19:00:00Z' };
    await listen({}, [doneJob(revoked)]);
    const { out } = await run('queue', 'show', '3f9a');
    expect(out).toContain('Its links were revoked 2025-11-11 19:00:00: none of them opens.');
  });

  test('retry and cancel say what was done', async () => {
    await listen({}, [failed]);
    expect(await run('queue', 'retry', '77aa')).toMatchObject({
      code: 0,
      out: 'job 77aa0000 is tried again\n',
    });
    const cancelled = await run('queue', 'cancel', '77aa', '--json');
    expect(JSON.parse(cancelled.out)).toEqual({ id: failed.id, message: 'job 77aa is cancelled' });
  });

  test.each([
    [['show', 'beef'], 'no job begins with beef (job.not-found)'],
    [['show', '77aa'], '2 jobs begin with 77aa'],
    [['retry', '3f9a'], 'a completed job is not tried again (job.wrong-state)'],
    [['show', 'xyz!'], 'It must be 4 to 64 hexadecimal digits'],
    [['list', '--limit', '0'], 'It must be a whole number from 1 to 500'],
    [['list', '--state', 'lost'], 'Allowed choices are pending, processing, completed, failed'],
  ])('%j is refused with exit code 2', async (args, message) => {
    await listen({}, [doneJob(), failed, { ...failed, id: jobId('77aabb') }]);
    const { code, out, err } = await run('queue', ...args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(message);
  });
});

test('node-ctl pause and resume say what they did', async () => {
  await listen();
  expect(await run('pause', 'ingest')).toMatchObject({ code: 0, out: 'ingest is paused\n' });
  expect(await run('resume', 'queue')).toMatchObject({ code: 0, out: 'queue goes on\n' });
  expect(await run('pause', 'everything')).toMatchObject({ code: 2 });
});

describe('node-ctl recordings search', () => {
  test('lists what was found, with exit code 0', async () => {
    const control = await listen();
    const { code, out } = await run(
      'recordings',
      'search',
      ...RANGE,
      '--server',
      'gv2p',
      '--audios-from',
      's3',
    );
    expect(code).toBe(0);
    expect(control.calls[0]?.params).toEqual({
      ramais: '1121,1122',
      inicio: '27/10/2025 08:00',
      fim: '28/10/2025 18:00',
      server: 'gv2p',
      audiosFrom: 's3',
      limit: 500,
    });
    expect(out).toMatch(/^2025-10-27 09:00:00 {2}1121 {4}3010 {9}320\.0 kB {2}2025\/10\/27\/internal-1121/m);
    expect(out).toContain('1 recording, 320.0 kB (audio, 2025-10-27 08:00:00 to 2025-10-28 18:00:59');
  });

  test('that finds nothing ends with 1, which is no error', async () => {
    const nothing = {
      ...FOUND,
      recordings: [],
      total: 0,
      totalBytes: 0,
      narrowedByServer: false,
      unreadable: ['a'],
    };
    await listen({ search: () => nothing });
    const { code, out, err } = await run('recordings', 'search', ...RANGE);
    expect({ code, err }).toEqual({ code: 1, err: '' });
    expect(out).toContain('no recordings, 0 B');
    expect(out).toContain('all were searched');
    expect(out).toContain('incomplete: a');
  });

  test('marks what lies in cold storage', async () => {
    const recordings = FOUND.recordings.map((one) => ({ ...one, archived: true as const }));
    await listen({ search: () => ({ ...FOUND, recordings }) });
    expect((await run('recordings', 'search', ...RANGE)).out).toMatch(/-1\.wav \(in cold storage\)$/m);
  });

  test('with wrong parameters ends with 2 and tells every fault', async () => {
    await listen({
      search: () => Promise.reject(new AppError('request.invalid', 'RAMAIS: too short\nFIM: before INICIO')),
    });
    const { code, err } = await run('recordings', 'search', ...RANGE);
    expect(code).toBe(2);
    expect(err).toBe('node-ctl: RAMAIS: too short\nFIM: before INICIO (request.invalid)\n');
    const json = await run('recordings', 'search', ...RANGE, '--json');
    expect(JSON.parse(json.err)).toMatchObject({ code: 'request.invalid' });
    expect(await run('recordings', 'search', '--ramais', '1121')).toMatchObject({ code: 2 });
  });

  test('that fails ends with 3', async () => {
    await listen({ search: () => Promise.reject(new AppError('recordings.unavailable', 'disk gone')) });
    expect(await run('recordings', 'search', ...RANGE)).toMatchObject({ code: 3 });
  });
});

describe('node-ctl recordings export', () => {
  /** A job that is as `stages` say, one at each look, and stays as the last says. */
  function staged(...stages: JobView[]): Partial<NodeControl> {
    return { job: () => (stages.length > 1 ? stages.shift() : stages[0]) ?? jobView() };
  }

  test('waits for the job and prints its links', async () => {
    const control = await listen(
      staged(jobView(), jobView({ state: 'processing', progress: '1 of 2' }), doneJob()),
    );
    const { code, out, err } = await run('recordings', 'export', ...RANGE);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain(
      '1 recording delivered\n1121-3010.wav (320.0 kB)\n  https://gravacoes.example.com/a?s=1',
    );
    expect(control.calls[0]).toMatchObject({ method: 'export', params: { email: null } });
  });

  test('draws its progress over one line of a terminal, and wipes it', async () => {
    await listen(
      staged(jobView(), jobView({ state: 'processing', progress: `1 of 2${ESCAPE}[2J` }), doneJob()),
    );
    const { err } = await runWith(['--socket', socket, 'recordings', 'export', ...RANGE], {}, true);
    const wipe = `\r${ESCAPE}[K`;
    expect(err).toBe(`${wipe}pending, position 1${wipe}1 of 2\\u{1b}[2J${wipe}`);
  });

  test('with --email says to whom it went, and prints no links', async () => {
    const control = await listen(staged(doneJob()));
    const { code, out } = await run('recordings', 'export', ...RANGE, '--email', 'pessoa@example.com');
    expect({ code, out }).toEqual({ code: 0, out: '1 recording delivered\nSent to pessoa@example.com.\n' });
    expect(control.calls[0]?.params).toMatchObject({ email: 'pessoa@example.com' });
  });

  test.each([
    ['nothing-found', 'completed', 1],
    ['failed', 'failed', 3],
    ['cancelled', 'failed', 3],
  ] as const)('of a job that ended as %s ends with its code', async (kind, state, expected) => {
    const outcome = { kind, at: '2025-11-11T18:02:00Z', summary: `it was ${kind}` };
    await listen(staged(doneJob({ state, outcome })));
    const { code, out } = await run('recordings', 'export', ...RANGE);
    expect({ code, out }).toEqual({ code: expected, out: `it was ${kind}\n` });
  });

  test('with --no-wait prints the id at once', async () => {
    const control = await listen();
    const { code, out } = await run('recordings', 'export', ...RANGE, '--no-wait', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ jobId: jobId('3f9a1c02') });
    expect(control.calls).toHaveLength(1);
  });

  test('goes on over a restart of the daemon', async () => {
    const control = await listen(staged(jobView({ state: 'processing' })));
    const { ended } = start(['--socket', socket, 'recordings', 'export', ...RANGE]);
    await eventually('the job to be asked about', () => control.calls.some((call) => call.method === 'job'));
    await listener?.close();
    await listen(staged(doneJob()));
    expect(await ended).toMatchObject({ code: 0 });
  });

  test('that is interrupted says how to see the job, which goes on', async () => {
    const control = await listen(staged(jobView()));
    const { child, ended } = start(['--socket', socket, 'recordings', 'export', ...RANGE]);
    await eventually('the job to be asked about', () => control.calls.some((call) => call.method === 'job'));
    child.kill('SIGINT');
    const { code, err } = await ended;
    expect(code).toBe(130);
    expect(err).toBe('The job goes on; see it with: node-ctl queue show 3f9a1c020000\n');
  });
});

describe('node-ctl without a daemon', () => {
  test('says that it is not running where there is no socket', async () => {
    const { code, out, err } = await run('status');
    expect({ code, out }).toEqual({ code: 3, out: '' });
    expect(err).toContain(`the daemon is not running: there is no control socket at ${socket}`);
    expect(err).toContain('systemctl start parelha');
  });

  test('says that it ended where the socket is dead', async () => {
    socket = join(directory.path, 'dead.sock');
    const script = `require('net').createServer().listen(${JSON.stringify(socket)}, () => process.kill(process.pid, 'SIGKILL'))`;
    await once(spawn(process.execPath, ['-e', script]), 'close');
    const { code, err } = await run('queue', 'list');
    expect(code).toBe(3);
    expect(err).toContain('nobody listens on');
    expect(err).toContain('journalctl -u parelha');
  });

  test('says so as JSON with --json', async () => {
    const { code, err } = await run('status', '--json');
    expect(code).toBe(3);
    expect(JSON.parse(err)).toMatchObject({ code: 'control.not-running' });
  });

  test('does not trust what is not a daemon of ours', async () => {
    socket = join(directory.path, 'other.sock');
    const other = createServer((connection) => {
      connection.on('error', () => undefined);
      connection.end('HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\n{"nodeId": 1}');
    }).listen(socket);
    await once(other, 'listening');
    const { code, err } = await run('status');
    other.close();
    expect(code).toBe(3);
    expect(err).toContain('(control.bad-answer)');
  });
});

describe('node-ctl finds the daemon', () => {
  test('by a configuration file, whatever else is wrong with that', async () => {
    await listen();
    const config = join(directory.path, 'node.conf');
    await writeFile(config, 'EMAIL_PASSWORD="open\nNO_KEY=1\nnonsense\nCONTROL_SOCKET=control.sock # here\n');
    expect(await runWith(['--config', config, 'status'])).toMatchObject({ code: 0 });
    expect(await runWith(['status'], { PARELHA_CONFIG: config })).toMatchObject({ code: 0 });
  });

  test('by STATE_DIR, in a file or in the environment', async () => {
    await listen();
    const config = join(directory.path, 'state.conf');
    await writeFile(config, 'STATE_DIR=.\n');
    expect(await runWith(['status', '--config', config])).toMatchObject({ code: 0 });
    expect(await runWith(['status'], { STATE_DIR: directory.path })).toMatchObject({ code: 0 });
  });

  test('and refuses a configuration file that is not there', async () => {
    const { code, err } = await runWith(['--config', '/none.conf', 'status']);
    expect(code).toBe(2);
    expect(err).toContain('/none.conf cannot be read: no such file');
  });
});

describe('node-ctl --help', () => {
  test.each([
    [[]],
    [['status']],
    [['queue']],
    [['queue', 'list']],
    [['queue', 'show']],
    [['queue', 'retry']],
    [['queue', 'cancel']],
    [['pause']],
    [['resume']],
    [['recordings']],
    [['recordings', 'search']],
    [['recordings', 'export']],
    [['index']],
    [['index', 'status']],
    [['index', 'rebuild']],
    [['index', 'verify']],
  ])('of %j has examples', async (args) => {
    const { code, out } = await runWith([...args, '--help']);
    expect(code).toBe(0);
    expect(out).toContain('Examples:\n  $ node-ctl');
    if (args.length === 0 || args[0] === 'recordings') expect(out).toContain('Exit codes:');
    if (args.length > 1) expect(out).toContain('--json');
  });

  test('loads neither undici nor zod', async () => {
    const loaded = join(directory.path, 'loaded');
    const hook = join(directory.path, 'hook.mjs');
    await writeFile(
      hook,
      `import { registerHooks } from 'node:module'; import { appendFileSync } from 'node:fs';
       registerHooks({ load(url, context, next) { appendFileSync(${JSON.stringify(loaded)}, url + '\\n'); return next(url, context); } });`,
    );
    await start(['queue', '--help'], { NODE_OPTIONS: `--import=${pathToFileURL(hook).href}` }).ended;
    const modules = await readFile(loaded, 'utf8');
    expect(modules).toContain('/node/cli/main.ts');
    expect(modules).toContain('/commander/');
    expect(modules).not.toMatch(/\/(undici|zod)\//);
  });

  test('is what no command at all gets, with exit code 2', async () => {
    const { code, err } = await runWith([]);
    expect(code).toBe(2);
    expect(err).toContain('Usage: node-ctl');
  });

  test('gives the version', async () => {
    expect(await runWith(['--version'])).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    });
  });
});

describe('the wrapper', () => {
  test('passes on output and exit codes', async () => {
    await listen({ status: () => STATUS, search: () => ({ ...FOUND, recordings: [], total: 0 }) });
    const daemon = ['--socket', socket];
    const [done, nothing, refused, failed] = await Promise.all([
      start([...daemon, 'status', '--json']).ended,
      start([...daemon, 'recordings', 'search', ...RANGE]).ended,
      start([...daemon, 'queue', 'show', 'beef']).ended,
      start(['--socket', `${socket}.none`, 'status']).ended,
    ]);
    expect(JSON.parse(done.out)).toEqual(STATUS);
    expect([done.code, nothing.code, refused.code, failed.code]).toEqual([0, 1, 2, 3]);
    expect([done.err, nothing.err, refused.out, failed.out]).toEqual(['', '', '', '']);
  });

  test('ends quietly when the reader of its output goes away', async () => {
    const many = Array.from({ length: 500 }, (_, index) => jobView({ id: jobId(`ab${1000 + index}`) }));
    await listen({}, many);
    const child = spawn(WRAPPER, ['--socket', socket, 'queue', 'list', '--limit', '500'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    child.stdout.destroy();
    await once(child, 'close');
    expect(child.exitCode).toBe(0);
  });

  test('finds its runtime through links, from any directory', async () => {
    const bin = join(directory.path, 'bin dir');
    await mkdir(bin);
    await symlink(WRAPPER, join(bin, 'real'));
    await symlink('real', join(bin, 'node-ctl'));
    const { code, out } = await start(['--version'], { PATH: '/usr/bin:/bin' }, join(bin, 'node-ctl')).ended;
    expect(code).toBe(0);
    expect(out).toMatch(/^\d/);
  });
});
