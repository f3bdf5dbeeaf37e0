import { describe, expect, test } from 'vitest';
import type { SourceName } from '../../../protocol/job.ts';
import { signLink } from '../../../node/links/signed-link.ts';
import { AppError } from '../../../node/platform/errors.ts';
import type { RecordingSource } from '../../../node/recordings/source.ts';
import { wav } from '../../support/audio.ts';
import { DELIVERED_JOB, deliveredItem, directItem } from '../../support/delivered.ts';
import { createMemorySource } from '../../support/memory-source.ts';
import { eventually } from '../../support/process.ts';
import { LINK_KEY, linkWorld } from './link-world.ts';

const { signal } = new AbortController();
const FIRST = deliveredItem(1);

describe('a link of the node', () => {
  test('opens the file of its recording, played or saved', async () => {
    await using made = await linkWorld();
    expect(await made.open(await made.links.toPlay(made.linked, FIRST))).toEqual({
      kind: 'file',
      disposition: 'inline',
    });
    expect(await made.open(await made.links.toSave(made.linked, FIRST))).toEqual({
      kind: 'file',
      disposition: 'attachment',
    });
    expect(await made.open(await made.links.toZip(made.linked, made.delivery.zips[0]!))).toMatchObject({
      disposition: 'attachment',
    });
    expect(await made.open(await made.links.toPage(made.linked, 2))).toEqual({ kind: 'page', part: 2 });
  });

  test('says why it does not open', async () => {
    await using made = await linkWorld();
    const url = (await made.links.toPlay(made.linked, FIRST)) ?? '';
    const why = async (link: string): Promise<unknown> => {
      const opened = await made.open(link);
      return opened.kind === 'problem' ? opened.problem : opened.kind;
    };
    const other = { node: 'audio', job: 'cd'.repeat(32), name: 'a.wav', disposition: 'inline' } as const;
    const elsewhere = { ...other, node: 'audio2', job: DELIVERED_JOB };
    const unnamed = { ...other, job: DELIVERED_JOB, name: 'b.wav' };
    expect(await why(url.replace('.wav', '.mp3'))).toBe('invalid');
    expect(await why(signLink(LINK_KEY, elsewhere, made.expiresAt))).toBe('invalid');
    expect(await why(signLink(LINK_KEY, other, made.expiresAt))).toBe('missing');
    expect(await why(signLink(LINK_KEY, unnamed, made.expiresAt))).toBe('missing');
    expect(await why(url)).toBe('file');
    await made.deliveries.revoke(DELIVERED_JOB, signal);
    expect(await why(url)).toBe('revoked');
    made.clock.advance({ hours: 2 });
    expect(await why(url)).toBe('expired');
  });

  test('opens nothing while its delivery is being made', async () => {
    await using made = await linkWorld();
    const url = await made.links.toPlay(made.linked, FIRST);
    const about = made.deliveries.summary(DELIVERED_JOB)!.about!;
    await made.deliveries.begin(DELIVERED_JOB, about, made.expiresAt, signal);
    expect(await made.open(url)).toEqual({ kind: 'problem', problem: 'missing' });
  });
});

describe('a link to what lies in a bucket', () => {
  test('leads to a presigned link of an hour, that says how it is shown', async () => {
    await using made = await linkWorld({ kind: 's3' });
    const opened = await made.open(await made.links.toSave(made.linked, FIRST));
    if (opened.kind !== 'elsewhere') throw new Error(opened.kind);
    expect(opened).toMatchObject({
      sizeBytes: 1000,
      as: { fileName: FIRST.fileName, disposition: 'attachment' },
    });
    expect(made.publisher.open(opened.url)).toMatchObject({ status: 200, object: { key: FIRST.key } });
    made.clock.advance({ minutes: 59 });
    expect(made.publisher.open(opened.url).status).toBe(200);
    made.clock.advance({ minutes: 1 });
    expect(made.publisher.open(opened.url).status).toBe(410);
  });

  test('leads no further than its own end, but for a minute', async () => {
    await using made = await linkWorld({ kind: 's3' });
    const url = await made.links.toPlay(made.linked, FIRST);
    const ends = async (): Promise<string | null> => {
      const opened = await made.open(url);
      return opened.kind === 'elsewhere' ? new URL(opened.url).searchParams.get('e') : null;
    };
    made.clock.advance({ minutes: 90 });
    expect(await ends()).toBe(made.expiresAt.toString());
    made.clock.advance({ minutes: 29, seconds: 50 });
    expect(await ends()).toBe(made.expiresAt.add({ seconds: 50 }).toString());
  });

  test('finds nothing where its object is gone', async () => {
    await using made = await linkWorld({ kind: 's3' });
    made.publisher.objects.delete(FIRST.key!);
    expect(await made.open(await made.links.toPlay(made.linked, FIRST))).toEqual({
      kind: 'problem',
      problem: 'missing',
    });
  });

  test('opens what was converted for playing', async () => {
    const item = deliveredItem(1, {
      fileName: 'a.gsm',
      playable: false,
      playKey: `${DELIVERED_JOB}/a.tocar.wav`,
    });
    await using made = await linkWorld({ kind: 's3', items: [item] });
    expect(await made.open(await made.links.toPlay(made.linked, item))).toMatchObject({
      sizeBytes: 2000,
      as: { fileName: 'a.tocar.wav', contentType: 'audio/wav' },
    });
  });

  test('fails with its error where nothing signs links, or the bucket does not answer', async () => {
    await using made = await linkWorld({ kind: 's3' });
    const url = await made.links.toPlay(made.linked, FIRST);
    const away = async (): Promise<never> => {
      throw new AppError('publish.unavailable', 'no credentials', { retriable: true });
    };
    made.publisher.size = away;
    await expect(made.open(url)).rejects.toMatchObject({ code: 'publish.unavailable' });
  });
});

describe('a link to a recording that lies in the bucket of its source', () => {
  const item = directItem(1);
  const source = createMemorySource(
    { [item.recording.key]: wav(500) },
    {
      name: 's3',
      direct: {
        link: async ({ key }, { disposition }, until) =>
          `https://source.example.com/${key}?as=${disposition}&e=${until.toString()}`,
        linksUntil: async (until) => until,
      },
    },
  );
  const sources = new Map<SourceName, RecordingSource>([['s3', source]]);

  test.each(['web', 's3'] as const)('leads there, wherever results are published (%s)', async (kind) => {
    await using made = await linkWorld({ kind, items: [item], about: { source: 's3' }, sources });
    const end = made.clock.now().add({ minutes: 60 }).toString();
    const opened = await made.open(await made.links.toSave(made.linked, item));
    expect(opened).toMatchObject({
      kind: 'elsewhere',
      url: `https://source.example.com/${item.recording.key}?as=attachment&e=${end}`,
      sizeBytes: 500,
    });
    await eventually('its stream to be closed', () => source.openStreams.now === 0);
  });

  test('finds nothing where it has gone there, or the source has', async () => {
    await using made = await linkWorld({ items: [item], about: { source: 's3' }, sources });
    const url = await made.links.toPlay(made.linked, item);
    source.files.clear();
    expect(await made.open(url)).toEqual({ kind: 'problem', problem: 'missing' });
    await using without = await linkWorld({ items: [item], about: { source: 's3' } });
    expect(await without.open(url)).toEqual({ kind: 'problem', problem: 'missing' });
  });
});

test('what was published by web before a bucket was configured opens as before: file, page, and what lies in its source', async () => {
  const direct = directItem(2);
  const files = { [direct.recording.key]: wav(500) };
  const link = async ({ key }: { key: string }) => `https://source.example.com/${key}`;
  const source = createMemorySource(files, {
    name: 's3',
    direct: { link, linksUntil: async (until) => until },
  });
  const sources = new Map<SourceName, RecordingSource>([['s3', source]]);
  await using made = await linkWorld({ items: [FIRST, direct], about: { source: 's3' }, sources });
  const later = await made.withBucket();
  const opened = async (url: string | null) => made.open(url, later.openLink);
  expect(await opened(await made.links.toPlay(made.linked, FIRST))).toMatchObject({ kind: 'file' });
  expect(await opened(await made.links.toZip(made.linked, made.delivery.zips[0]!))).toMatchObject({
    kind: 'file',
  });
  expect(await opened(await made.links.toPlay(made.linked, direct))).toMatchObject({ kind: 'elsewhere' });
  expect(await opened(await made.links.toPage(made.linked, 1))).toEqual({ kind: 'page', part: 1 });
  const page = await later.openPage(DELIVERED_JOB, 1);
  expect(page?.html.split('<audio')).toHaveLength(3);
  expect(page?.mediaOrigins).toEqual(['https://source.example.com']);
  later.close();
});
