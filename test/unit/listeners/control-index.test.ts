import { describe, expect, test } from 'vitest';
import type { SourceName } from '../../../protocol/job.ts';
import { createIndexControl, type IndexSettings } from '../../../node/listeners/control-index.ts';
import { AppError, codeOf } from '../../../node/platform/errors.ts';
import type { IndexVerdict, RecordingIndex } from '../../../node/recordings/recording-index.ts';
import { indexView } from '../../support/node-control.ts';

const VERDICT: IndexVerdict = {
  ...{ files: 10, folders: 2, missing: 1, stale: 0, unreadable: 0, elapsedMs: 5 },
};
const BOTH: IndexSettings = { sources: ['audio', 's3'], wanted: true, flatBucket: true };
const never = new AbortController().signal;

function fakeIndex(source: SourceName, over: Partial<RecordingIndex> = {}): RecordingIndex {
  return {
    source,
    start: () => undefined,
    status: () => indexView({ source }),
    rebuild: () => `building the index of ${source} anew`,
    verify: () => Promise.resolve(VERDICT),
    close: () => Promise.resolve(),
    ...over,
  };
}

function refusing(code: string): Partial<RecordingIndex> {
  return {
    rebuild: () => {
      throw new AppError(code, 'not now');
    },
    verify: () => Promise.reject(new AppError(code, 'not now')),
  };
}

describe('how a source is searched', () => {
  const sentenceOf = async (
    source: SourceName,
    index: RecordingIndex | null,
    settings: Partial<IndexSettings> = {},
  ) => {
    const control = createIndexControl(index === null ? [] : [index], {
      ...BOTH,
      sources: [source],
      ...settings,
    });
    const { sources } = await control.indexStatus({}, never);
    expect(sources).toHaveLength(1);
    return sources[0];
  };
  const notReady = (source: SourceName): RecordingIndex =>
    fakeIndex(source, { status: () => indexView({ source, state: 'building' }) });

  test('is by its index where that is ready', async () => {
    for (const source of ['audio', 's3'] as const)
      expect(await sentenceOf(source, fakeIndex(source))).toMatchObject({ source, by: 'index' });
  });

  test('is by walking the disk while its index is not ready, or where it has none', async () => {
    expect(await sentenceOf('audio', notReady('audio'))).toMatchObject({
      by: 'walking',
      sentence: expect.stringContaining('its index is not ready'),
    });
    expect(await sentenceOf('audio', null, { wanted: false })).toMatchObject({
      by: 'walking',
      sentence: expect.stringContaining('RECORDINGS_INDEX is off'),
    });
  });

  test('is by listing a bucket, of which a dated layout needs no index', async () => {
    expect(await sentenceOf('s3', null, { flatBucket: false })).toMatchObject({
      by: 'listing',
      sentence: expect.stringContaining('needs no index'),
    });
    expect(await sentenceOf('s3', null, { wanted: false })).toMatchObject({
      by: 'listing',
      sentence: expect.stringContaining('RECORDINGS_INDEX is off'),
    });
    expect(await sentenceOf('s3', notReady('s3'))).toMatchObject({ by: 'listing' });
  });
});

describe('rebuild and verify', () => {
  test('serve the index that is named, or all', async () => {
    const control = createIndexControl([fakeIndex('audio'), fakeIndex('s3')], BOTH);
    expect(await control.indexRebuild({ source: 's3' }, never)).toEqual({
      begun: [{ source: 's3', message: 'building the index of s3 anew' }],
      problems: [],
    });
    const { verdicts } = await control.indexVerify({ source: null }, never);
    expect(verdicts.map(({ source }) => source)).toEqual(['audio', 's3']);
    expect(verdicts[0]).toEqual({ source: 'audio', ...VERDICT });
  });

  test('one index that cannot be served now keeps the other from nothing, and is told of', async () => {
    const indexes = [fakeIndex('audio', refusing('index.busy')), fakeIndex('s3')];
    const control = createIndexControl(indexes, BOTH);
    const problem = { source: 'audio', code: 'index.busy', message: 'not now' };
    expect(await control.indexRebuild({ source: null }, never)).toMatchObject({
      begun: [{ source: 's3' }],
      problems: [problem],
    });
    expect(await control.indexVerify({ source: null }, never)).toMatchObject({
      verdicts: [{ source: 's3' }],
      problems: [problem],
    });
  });

  test('where nothing can be done, its error is the answer', async () => {
    const control = createIndexControl([fakeIndex('audio', refusing('index.not-ready'))], BOTH);
    for (const act of ['indexRebuild', 'indexVerify'] as const)
      await expect(control[act]({ source: null }, never)).rejects.toMatchObject({
        code: 'index.not-ready',
        message: 'audio: not now',
      });
  });

  test('a fault of ours passes through', async () => {
    const broken = fakeIndex('audio', { verify: () => Promise.reject(new TypeError('x')) });
    const control = createIndexControl([broken, fakeIndex('s3')], BOTH);
    await expect(control.indexVerify({ source: null }, never)).rejects.toThrow(TypeError);
  });

  test('the caller’s signal reaches the verification', async () => {
    const seen: AbortSignal[] = [];
    const index = fakeIndex('audio', {
      verify: (signal) => {
        seen.push(signal);
        return Promise.resolve(VERDICT);
      },
    });
    await createIndexControl([index], BOTH).indexVerify({ source: 'audio' }, never);
    expect(seen).toEqual([never]);
  });

  test.each([
    ['s3', { flatBucket: false }, 'needs none'],
    ['audio', { wanted: false }, 'RECORDINGS_INDEX=on'],
    ['audio', { sources: ['s3'] as const }, 'ask its peer'],
    [null, { sources: [] }, 'SOURCES=none'],
    [null, { wanted: false }, 'audio has no index: RECORDINGS_INDEX is off'],
  ] as const)('of %s without an index (%j) are refused with what to do', async (source, settings, said) => {
    const control = createIndexControl([], { ...BOTH, ...settings });
    for (const act of ['indexRebuild', 'indexVerify'] as const) {
      const error = await control[act]({ source }, never).catch((refused: unknown) => refused);
      expect(codeOf(error)).toBe('index.none');
      expect((error as AppError).message).toContain(said);
    }
  });
});
