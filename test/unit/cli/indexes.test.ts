import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { runNodeCtl } from '../../../node/cli/program.ts';
import { openControlSocket } from '../../../node/listeners/control.ts';
import type { NodeControl } from '../../../node/listeners/control-contract.ts';
import type { IndexOverview, IndexView, VerdictView } from '../../../node/listeners/control-index.ts';
import { type Clock, systemClock } from '../../../node/platform/clock.ts';
import { AppError } from '../../../node/platform/errors.ts';
import { silentLog } from '../../../node/platform/log.ts';
import { fakeNodeControl, indexView } from '../../support/node-control.ts';
import { eventually, temporaryDirectory } from '../../support/process.ts';

vi.stubEnv('TZ', 'UTC');

const BY_INDEX = { source: 'audio', by: 'index', sentence: 'searched by its index' } as const;
const BUILDING = indexView({
  state: 'building',
  message: 'building',
  progress: { files: 412_000, folders: 160, expectedFiles: 1_030_000, elapsedMs: 4_000 },
});
const NEW = indexView({ message: 'built', builtAt: '2025-11-11T18:06:00Z' });
const VERDICT: VerdictView = {
  ...{ source: 'audio', files: 1_024_912, folders: 417, missing: 0, stale: 0, unreadable: 0 },
  elapsedMs: 7_400,
};

function overview(...indexes: IndexView[]): IndexOverview {
  return { indexes, sources: indexes.map(({ source }) => ({ ...BY_INDEX, source })) };
}

/** Statuses one after the other, the last of them for ever. */
function staged(...views: IndexView[]): Partial<NodeControl> {
  return { indexStatus: async () => overview((views.length > 1 ? views.shift() : views[0]) ?? NEW) };
}

/** The machine's clock, on which waits take no time. */
function hurried(): Clock {
  let skippedMs = 0;
  return {
    now: () => Temporal.Instant.from('2025-11-11T18:05:00Z'),
    monotonicMs: () => systemClock.monotonicMs() + skippedMs,
    sleep: async (ms, signal) => {
      await systemClock.sleep(1, signal);
      skippedMs += ms;
    },
  };
}

interface Seen {
  code: number | null;
  out: string;
  err: string;
}

interface RunOptions {
  readonly terminal?: boolean;
  readonly interruption?: AbortController;
  /** Between calls of the fake and what was seen of them. */
  readonly meanwhile?: (seen: Seen) => Promise<void>;
}

/** node-ctl index against a node that does this. */
async function run(over: Partial<NodeControl>, args: readonly string[], options: RunOptions = {}) {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, 'control.sock');
  const control = fakeNodeControl(over);
  const listener = await openControlSocket({ path, control, log: silentLog });
  const seen: Seen = { code: null, out: '', err: '' };
  const running = runNodeCtl(['--socket', path, 'index', ...args], {
    out: (text) => (seen.out += text),
    err: (text) => (seen.err += text),
    errIsTerminal: options.terminal ?? false,
    env: {},
    clock: hurried(),
    interrupted: (options.interruption ?? new AbortController()).signal,
    exit: (code) => (seen.code = code),
  });
  await options.meanwhile?.(seen);
  await running;
  await listener.close();
  return { ...seen, calls: control.calls };
}

describe('node-ctl index status', () => {
  test('tells of each source how it is searched, and all of its index', async () => {
    const indexStatus: NodeControl['indexStatus'] = async () => ({
      indexes: [indexView()],
      sources: [BY_INDEX, { source: 's3', by: 'listing', sentence: 'searched by listing' }],
    });
    const { code, out, err } = await run({ indexStatus }, ['status']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out.split('\n')).toEqual([
      'source    audio, searched by its index',
      'state     ready: agrees with the disk',
      'files     1,024,912 files in 417 folders, 37 of them watched',
      'database  107.0 MB',
      'built     2025-11-01 03:00:00 (10 d 15 h ago)',
      'swept     2025-11-11 18:04:20 (40 s ago)',
      'audited   2025-11-08 14:05:00 (3 d 4 h ago)',
      '',
      'source  s3, searched by listing',
      '',
    ]);
  });

  test('of one that is being built tells how far it is', async () => {
    const first = { ...BUILDING, builtAt: null, sweptAt: null, auditedAt: null, watched: 0 };
    const { out } = await run(staged(first), ['status']);
    expect(out).toContain(
      'progress  412,000 files, 160 folders, 103,000 files/s, 40 %, 6 s left\n' +
        'files     1,024,912 files in 417 folders\n',
    );
    expect(out).toContain('built     not yet\n');
  });

  test.each([
    ['that nobody can foresee', { expectedFiles: null, files: 1 }, '1 file, 160 folders, 0 files/s'],
    ['that has just begun', { elapsedMs: 400 }, '412,000 files, 160 folders, 40 %'],
    [
      'that finds more than the last time',
      { expectedFiles: 400_000 },
      '412,000 files, 160 folders, 103,000 files/s, 99 %',
    ],
    ['of a source that was empty', { expectedFiles: 0 }, '412,000 files, 160 folders, 103,000 files/s'],
  ])('foretells nothing of a build %s', async (_, change, expected) => {
    const progress = { files: 412_000, folders: 160, expectedFiles: 1_030_000, elapsedMs: 4_000, ...change };
    const { out } = await run(staged({ ...BUILDING, progress }), ['status']);
    expect(out).toContain(`progress  ${expected}\n`);
  });

  test('of a node that searches nothing says so; as JSON it is what the daemon said', async () => {
    const nothing = { indexStatus: async () => ({ indexes: [], sources: [] }) };
    expect((await run(nothing, ['status'])).out).toBe('this node searches no source (SOURCES=none)\n');
    expect(JSON.parse((await run(staged(NEW), ['status', '--json'])).out)).toEqual(overview(NEW));
  });
});

describe('node-ctl index rebuild', () => {
  const indexRebuild: NodeControl['indexRebuild'] = async ({ source }) => ({
    begun: [{ source: source ?? 'audio', message: 'building anew' }],
    problems: [],
  });

  test('says what began, and does not wait', async () => {
    const { code, out, calls } = await run({ indexRebuild }, ['rebuild', '--source', 's3']);
    expect({ code, out }).toEqual({ code: 0, out: 'building anew\n' });
    expect(calls).toEqual([{ method: 'indexRebuild', params: { source: 's3' } }]);
    expect((await run({ indexRebuild }, ['rebuild'])).calls[0]?.params).toEqual({ source: null });
  });

  test('with --wait draws how far it is over one line, and ends when it is done', async () => {
    const begun = { ...BUILDING, state: 'ready' as const };
    const over = { indexRebuild, ...staged(indexView(), begun, begun, NEW) };
    const { code, out, err } = await run(over, ['rebuild', '--wait'], { terminal: true });
    expect({ code, out }).toEqual({ code: 0, out: 'audio: built, 1,024,912 files in 417 folders\n' });
    const wipe = '\r\u001B[K';
    expect(err).toBe(`${wipe}audio: 412,000 files, 160 folders, 103,000 files/s, 40 %, 6 s left${wipe}`);
  });

  test('with --wait ends with 3 where nothing came of it, and says why', async () => {
    const failed = indexView({ message: 'the disk is full' });
    const over = { indexRebuild, ...staged(indexView(), BUILDING, failed) };
    expect(await run(over, ['rebuild', '--wait'])).toMatchObject({
      code: 3,
      out: 'audio: the disk is full\n',
    });
  });

  test('with --wait has patience while something else is ended first, and sees a build that no look has met', async () => {
    const busy = Array.from({ length: 20 }, () => indexView());
    const over = { indexRebuild, ...staged(...busy, NEW) };
    expect(await run(over, ['rebuild', '--wait'])).toMatchObject({
      code: 0,
      out: 'audio: built, 1,024,912 files in 417 folders\n',
    });
  });

  test('with --wait of an index that has failed waits for what comes of it now', async () => {
    const failed = indexView({ state: 'failed', message: 'the disk is full', builtAt: null });
    const over = { indexRebuild, ...staged(failed, failed, { ...BUILDING, builtAt: null }, NEW) };
    expect(await run(over, ['rebuild', '--wait'])).toMatchObject({
      code: 0,
      out: 'audio: built, 1,024,912 files in 417 folders\n',
    });
  });

  test('with --wait ends with 3 where it failed before anybody looked', async () => {
    const failed = indexView({ message: 'the disk is full' });
    expect(await run({ indexRebuild, ...staged(indexView(), failed) }, ['rebuild', '--wait'])).toMatchObject({
      code: 3,
      out: 'audio: the disk is full\n',
    });
  });

  test('with --wait that is interrupted says that the build goes on', async () => {
    const interruption = new AbortController();
    const over = { indexRebuild, ...staged(indexView(), BUILDING) };
    const meanwhile = (seen: Seen): Promise<void> =>
      eventually('progress to be drawn', () => seen.err.includes('412,000')).then(() => interruption.abort());
    const { code, err } = await run(over, ['rebuild', '--wait'], { terminal: true, interruption, meanwhile });
    expect(code).toBe(130);
    expect(err).toContain('\nThe build goes on; see it with: node-ctl index status\n');
  });

  test('is incomplete where one of several was left out, and says which', async () => {
    const problems = [{ source: 's3' as const, code: 'index.busy', message: 'is being built' }];
    const over = {
      indexRebuild: async () => ({ begun: [{ source: 'audio' as const, message: 'begun' }], problems }),
    };
    expect(await run(over, ['rebuild'])).toMatchObject({
      code: 4,
      out: 'begun\nwarning: s3: is being built (index.busy)\n',
    });
  });
});

describe('node-ctl index verify', () => {
  const verdict = (change: Partial<VerdictView> = {}): Partial<NodeControl> => ({
    indexVerify: async () => ({ verdicts: [{ ...VERDICT, ...change }], problems: [] }),
  });

  test('of an index that is true says so', async () => {
    expect(await run(verdict(), ['verify', '--source', 'audio'])).toMatchObject({
      code: 0,
      out: 'audio: the index agrees with what lies there (1,024,912 files in 417 folders compared in 7 s)\n',
      calls: [{ method: 'indexVerify', params: { source: 'audio' } }],
    });
  });

  test('that found differences and put them right ends with 0, and says it plainly', async () => {
    const { code, out } = await run(verdict({ missing: 1, stale: 1_200 }), ['verify']);
    expect(code).toBe(0);
    expect(out).toContain(
      'audio: differences found and put right: 1 file the index did not have, 1,200 it had that are gone',
    );
  });

  test('is incomplete where something could not be read', async () => {
    const { code, out } = await run(verdict({ unreadable: 2 }), ['verify']);
    expect(code).toBe(4);
    expect(out).toContain('warning: audio: 2 folders could not be read');
    const json = await run(verdict({ unreadable: 2 }), ['verify', '--json']);
    expect(JSON.parse(json.out)).toEqual({ verdicts: [{ ...VERDICT, unreadable: 2 }], problems: [] });
  });

  test('shows that it works as long as it takes', async () => {
    const done = Promise.withResolvers<undefined>();
    const indexVerify: NodeControl['indexVerify'] = async () => {
      await done.promise;
      return { verdicts: [VERDICT], problems: [] };
    };
    const meanwhile = (seen: Seen): Promise<void> =>
      eventually('progress to be drawn', () =>
        /verifying for [^0][^:]*: audio, 1,024,912 files in 417 folders/.test(seen.err),
      ).then(() => done.resolve(undefined));
    const over = { indexVerify, ...staged(indexView()) };
    const { code, err } = await run(over, ['verify'], { terminal: true, meanwhile });
    expect(code).toBe(0);
    expect(err.endsWith('\r\u001B[K')).toBe(true);
  });

  test('that is interrupted hangs up, so that the daemon stops it', async () => {
    const interruption = new AbortController();
    const stopped = Promise.withResolvers<undefined>();
    const indexVerify: NodeControl['indexVerify'] = async (_params, signal) => {
      signal.addEventListener('abort', () => stopped.resolve(undefined));
      interruption.abort();
      await stopped.promise;
      throw new AppError('index.not-ready', 'nobody reads this');
    };
    const { code, out, err } = await run({ indexVerify, ...staged(indexView()) }, ['verify'], {
      interruption,
    });
    expect({ code, out }).toEqual({ code: 130, out: '' });
    expect(err).toContain('Stopped. What was put right stays so');
    await stopped.promise;
  });

  test.each([
    ['index.none', 2],
    ['index.busy', 2],
    ['index.not-ready', 2],
    ['index.broken', 3],
  ])('that meets %s ends with %i', async (code, expected) => {
    const indexVerify = () => Promise.reject(new AppError(code, 'what to do'));
    const seen = await run({ indexVerify }, ['verify']);
    expect(seen).toMatchObject({ code: expected, err: `node-ctl: what to do (${code})\n` });
  });

  test('knows two sources', async () => {
    expect((await run({}, ['verify', '--source', 'disk'])).err).toContain('Allowed choices are audio, s3');
  });
});
