import { describe, expect, test } from 'vitest';
import { messageOf } from '../../../node/platform/errors.ts';
import { configText, loadFrom } from '../../support/config.ts';

const BUCKET = { SOURCES: 's3', RECORDINGS_DIR: null, S3_BUCKET: 'gravacoes' };

/** What a configuration with these keys is refused with; null where it is not. */
async function refusal(keys: Readonly<Record<string, string | null>>): Promise<string | null> {
  return loadFrom(configText({ ...BUCKET, ...keys })).then(() => null, messageOf);
}

describe('S3_RECORDINGS_LAYOUT', () => {
  test.each([
    [null, { kind: 'flat' }],
    ['Flat', { kind: 'flat' }],
    ['{yyyy}/{mm}/{dd}/', { kind: 'dated', directories: ['{yyyy}', '{mm}', '{dd}'] }],
    ['{server}/{YYYY}-{MM}', { kind: 'dated', directories: ['{server}', '{yyyy}-{mm}'] }],
  ])('%s is read as %j', async (text, layout) => {
    const { config } = await loadFrom(configText({ ...BUCKET, S3_RECORDINGS_LAYOUT: text }));
    expect(config.recordings.bucket?.layout).toEqual(layout);
  });

  test('that cannot be is refused with what is wrong and an example, and is not repeated', async () => {
    const told = await refusal({ S3_RECORDINGS_LAYOUT: 'segredo/{dia}/' });
    expect(told).toMatch(/S3_RECORDINGS_LAYOUT: has braces other than \{yyyy\}/);
    expect(told).toContain('example: S3_RECORDINGS_LAYOUT={yyyy}/{mm}/{dd}/');
    expect(told).not.toContain('segredo');
  });
});

describe('S3_RECORDINGS_PREFIX', () => {
  test.each([
    ['monitor', 'monitor'],
    ['monitor/', 'monitor'],
    ['Gravações (2025) + cia/a&b', 'Gravações (2025) + cia/a&b'],
  ])('%s is read as %s', async (text, prefix) => {
    const { config } = await loadFrom(configText({ ...BUCKET, S3_RECORDINGS_PREFIX: text }));
    expect(config.recordings.bucket?.prefix).toBe(prefix);
  });

  test.each(['/monitor', 'x'.repeat(501)])('%s is refused', async (text) => {
    expect(await refusal({ S3_RECORDINGS_PREFIX: text })).toMatch(
      /S3_RECORDINGS_PREFIX: must be at most 500/,
    );
  });

  test.each([
    [{ S3_RECORDINGS_PREFIX: 'parelha' }, true],
    [{ S3_RECORDINGS_PREFIX: 'parelha/audio' }, true],
    [{ S3_RECORDINGS_PREFIX: 'parelha', S3_RECORDINGS_BUCKET: 'gravacoes' }, true],
    [{ S3_RECORDINGS_PREFIX: 'parelha', S3_RECORDINGS_BUCKET: 'outras' }, false],
    [{ S3_RECORDINGS_PREFIX: 'parelhas' }, false],
    [{ S3_RECORDINGS_PREFIX: 'parelha', S3_PUBLISH_PREFIX: 'parelha/x' }, false],
    [{ S3_RECORDINGS_LAYOUT: 'parelha/{yyyy}/' }, true],
    [{ S3_RECORDINGS_PREFIX: 'a', S3_RECORDINGS_LAYOUT: 'b/c/{yyyy}/', S3_PUBLISH_PREFIX: 'a/b' }, true],
    [{ S3_RECORDINGS_LAYOUT: 'parelha{yyyy}/' }, false],
    [{ S3_RECORDINGS_LAYOUT: '{any}/parelha/{yyyy}/' }, false],
    [{ S3_RECORDINGS_PREFIX: 'parelha', SOURCES: 'none' }, false],
    [{}, false],
  ])('of %j is refused where results are published: %s', async (keys, refused) => {
    const told = await refusal(keys);
    if (refused)
      expect(told).toMatch(/S3_RECORDINGS_PREFIX: with S3_RECORDINGS_LAYOUT lies in S3_PUBLISH_PREFIX/);
    else expect(told).toBeNull();
  });
});
