import { describe, expect, test } from 'vitest';
import type { SourceName } from '../../../protocol/job.ts';
import type { RecordingSource } from '../../../node/recordings/source.ts';
import { createMemorySource } from '../../support/memory-source.ts';
import { createPresignedLinks } from '../../../node/links/presigned-links.ts';
import { publishPages } from '../../../node/links/publish-pages.ts';
import { aboutDelivery, DELIVERED_JOB, deliveredItem, directItem } from '../../support/delivered.ts';
import { linkWorld } from './link-world.ts';

const { signal } = new AbortController();
const many = (length: number) => Array.from({ length }, (_, n) => deliveredItem(n));

function count(html: string, piece: string): number {
  return html.split(piece).length - 1;
}

describe('the page of a delivery', () => {
  test('has a player and a download for each recording, and the ZIP, by links beside it that open', async () => {
    await using made = await linkWorld();
    const page = await made.openPage(DELIVERED_JOB, 1);
    const html = page?.html ?? '';
    expect(count(html, '<audio')).toBe(2);
    const links = [...html.matchAll(/(?:src|href)="(\.\/[^"]+)"/g)].map(([, link]) => link ?? '');
    expect(links).toHaveLength(5);
    const base = await made.links.toPage(made.linked, 1);
    for (const link of links) {
      const opened = await made.open(new URL(link.replaceAll('&amp;', '&'), base).href);
      expect(opened.kind).toBe('file');
    }
    expect(page?.mediaOrigins).toEqual([]);
  });

  test('has 500 recordings a part, with links to the parts beside it', async () => {
    await using made = await linkWorld({ items: many(501) });
    const [first, second] = [await made.openPage(DELIVERED_JOB, 1), await made.openPage(DELIVERED_JOB, 2)];
    expect([count(first!.html, '<audio'), count(second!.html, '<audio')]).toEqual([500, 1]);
    expect(first!.html).toMatch(/href="\.\/gravacoes-2\.html\?e=/);
    expect(second!.html).toMatch(/href="\.\/gravacoes\.html\?e=/);
    expect(await made.openPage(DELIVERED_JOB, 3)).toBeNull();
  });

  test('tells of what was left out, and counts it neither as a recording nor as sound', async () => {
    const silent = deliveredItem(3, { key: null, fault: 'empty', seconds: null });
    await using made = await linkWorld({ items: [...many(2), silent] });
    const { html } = (await made.openPage(DELIVERED_JOB, 1))!;
    expect(count(html, '<audio')).toBe(2);
    expect(html).toMatch(/: 2 s de áudio/);
    expect(html).toMatch(/arquivo vazio/);
  });

  test('plays what was converted, and saves the original; what nobody can play has no player', async () => {
    const gsm = { playable: false, fileName: 'a.gsm' };
    const converted = deliveredItem(1, { ...gsm, playKey: `${DELIVERED_JOB}/a.tocar.wav` });
    const silent = deliveredItem(2, { ...gsm, fileName: 'b.gsm' });
    await using made = await linkWorld({ items: [converted, silent] });
    const { html } = (await made.openPage(DELIVERED_JOB, 1))!;
    expect(html).toMatch(/<audio[^>]*src="\.\/a\.tocar\.wav\?/);
    expect(html).toMatch(/href="\.\/a\.gsm\?/);
    expect(html).toMatch(/href="\.\/b\.gsm\?/);
    expect(count(html, '<audio')).toBe(1);
  });

  test('names where its players are led to', async () => {
    await using made = await linkWorld({ kind: 's3' });
    expect((await made.openPage(DELIVERED_JOB, 1))?.mediaOrigins).toEqual(['http://published.example.test']);
  });

  test('names where its players are led to also where nothing leads to its first recording', async () => {
    const items = [directItem(1), directItem(2)];
    const source = createMemorySource(
      {},
      {
        name: 's3',
        direct: {
          link: async ({ key }) =>
            key === items[0]!.recording.key ? null : `https://source.example.com/${key}`,
          linksUntil: async (until) => until,
        },
      },
    );
    const sources = new Map<SourceName, RecordingSource>([['s3', source]]);
    await using made = await linkWorld({ items, about: { source: 's3' }, sources });
    expect((await made.openPage(DELIVERED_JOB, 1))?.mediaOrigins).toEqual(['https://source.example.com']);
  });

  test('is not there for a job without one, nor for one that was revoked', async () => {
    await using made = await linkWorld();
    expect(await made.openPage('cd'.repeat(32), 1)).toBeNull();
    await made.deliveries.revoke(DELIVERED_JOB, signal);
    expect(await made.openPage(DELIVERED_JOB, 1)).toBeNull();
  });
});

describe('a page that is published', () => {
  test('lies beside what it opens, in parts, with links that the bucket answers; again, it replaces itself', async () => {
    await using made = await linkWorld({ kind: 's3', items: many(501) });
    const links = createPresignedLinks(made.publisher.presign!);
    for (let round = 0; round < 2; round += 1) {
      await publishPages(links, made.linked, made.delivery, aboutDelivery(), made.publisher, signal);
    }
    const pages = [...made.publisher.objects.values()].filter(({ object }) => object.key.endsWith('.html'));
    expect(pages.map(({ object }) => object.fileName)).toEqual(['gravacoes.html', 'gravacoes-2.html']);
    const html = pages[1]!.content.toString();
    const urls = [...html.matchAll(/(?:src|href)="(http[^"]+)"/g)].map(([, url]) =>
      url!.replaceAll('&amp;', '&'),
    );
    // A player, a download, the ZIP, and the part before it, above and below.
    expect(urls).toHaveLength(5);
    expect(urls.map((url) => made.publisher.open(url).status)).toEqual([200, 200, 200, 200, 200]);
  });

  test('leads to recordings where they lie', async () => {
    const item = directItem(1);
    await using made = await linkWorld({ kind: 's3', items: [item] });
    const direct = {
      link: async () => 'https://source.example.com/a.wav',
      linksUntil: async () => null,
    };
    const links = createPresignedLinks(made.publisher.presign!);
    await publishPages(
      links,
      { ...made.linked, direct },
      made.delivery,
      aboutDelivery(),
      made.publisher,
      signal,
    );
    const html = made.publisher.objects.get(`${DELIVERED_JOB}/gravacoes.html`)!.content.toString();
    expect(html).toContain('src="https://source.example.com/a.wav"');
    expect(html).toMatch(/podem? parar antes/);
  });
});
