import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { linkProblemPage } from '../../../node/replies/link-problem.ts';
import { resultPage } from '../../../node/replies/result-page.ts';
import type { ResultPageView } from '../../../node/replies/views.ts';
import { pageUrl } from '../../../node/replies/web-page.ts';
import { pageSamples, pageView, partView, PROBLEMS } from './page-samples.ts';

const GOLDEN = join(import.meta.dirname, '../../golden');

describe.each(Object.entries(pageSamples()))('the page %s', (name, page) => {
  test('reads as it was approved', async () => {
    await expect(page).toMatchFileSnapshot(join(GOLDEN, `${name}.html`));
  });

  test('is Portuguese, fits a phone, is not indexed, and needs no script and nothing from outside', () => {
    expect(page).toMatch(/^<!doctype html>\s*<html lang="pt-BR"/);
    expect(page).toContain('width=device-width');
    expect(page).toContain('noindex');
    expect(page).not.toMatch(/<script|<img|@import|url\(| on[a-z]+=|<iframe|<form/i);
    expect(page.match(/<link [^>]*>/g)).toEqual(['<link rel="icon" href="data:," />']);
    expect(page.match(/<h1>/g)).toHaveLength(1);
  });
});

describe('the page of a result', () => {
  const page = resultPage(pageView(9));

  test('has a player that loads nothing by itself for each that plays, and the original to save', () => {
    expect(page.match(/<audio [^>]*preload="none"/g)).toHaveLength(7);
    expect(page.match(/>Baixar<\/a/g)).toHaveLength(9);
    expect(page).toContain('src="./20251027125249_3010_1121.tocar.wav?e=1761764640&amp;s=');
    expect(page).toContain('href="./20251027125249_3010_1121.wav?e=1761764640&amp;s=');
    expect(page).toContain('não toca no navegador: baixe para ouvir');
    expect(page).toContain('convertidas para tocar aqui');
  });

  test('says whose recordings, from when to when, how much sound, and until when it opens', () => {
    expect(page).toContain(
      'Gravações dos ramais 1121 e 1122, de 27/10/2025 08:00 a 28/10/2025 18:00: 22 min 19 s de áudio, mais 3 gravações de duração desconhecida.',
    );
    expect(page).toContain('abrem até <strong>29/10/2025 às 15:04</strong>');
    expect(page).toContain('<h3 id="dia-1">27/10/2025, segunda</h3>');
  });

  test('of one part has no pager; a part of several leads to those beside it', () => {
    expect(page).not.toContain('<nav');
    const part = resultPage(partView(4));
    expect(part.match(/<nav /g)).toHaveLength(2);
    expect(part).toContain(
      'href="https://gravacoes.example.com/gravacoes-3.html?X-Amz-Signature=f">Próximas →',
    );
    expect(part).toContain('página 2 de 3 (4 de 1.240 gravações)');
    expect(part.match(/Baixar o ZIP \d de 2 \(/g)).toHaveLength(2);
  });

  test('of many recordings leads to each day of them', () => {
    const long = resultPage(pageView(60));
    expect(long).toContain('aria-label="Dias da lista, com o número de gravações"');
    const days = [...long.matchAll(/href="#(dia-\d+)"/g)].map(([, id]) => id);
    expect(days.length).toBeGreaterThan(2);
    expect([...long.matchAll(/<h3 id="(dia-\d+)"/g)].map(([, id]) => id)).toEqual(days);
    expect(long).toContain('href="#inicio"');
  });

  test('tells of a recording that only the ZIP has', () => {
    const view = pageView(2);
    const recordings = view.recordings.map((one) => ({ ...one, playUrl: null, downloadUrl: null }));
    const alone = resultPage({ ...view, recordings });
    expect(alone).not.toContain('<audio');
    expect(alone.match(/só no ZIP/g)).toHaveLength(2);
  });

  test('stays small with 500 recordings under presigned links', () => {
    const view = partView(500);
    const long = `https://b.example.com/x.wav?X-Amz-Security-Token=${'T'.repeat(1400)}`;
    const recordings = view.recordings.map((one) => ({ ...one, playUrl: long, downloadUrl: long }));
    expect(Buffer.byteLength(resultPage({ ...view, recordings }))).toBeLessThan(2_500_000);
  });

  test('shows hostile text as text, whatever it is', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const hostile = `<script>alert(1)</script>"onx='${text}`;
        const view = pageView(1);
        const soiled: ResultPageView = {
          ...view,
          request: { ...view.request, extensions: [hostile], server: hostile, requester: hostile },
          recordings: view.recordings.map((one) => ({
            ...one,
            ...{ startedAt: hostile, origin: hostile, destination: hostile, fileName: hostile },
            ...{ playUrl: hostile, downloadUrl: `javascript:${hostile}` },
          })),
          zips: view.zips.map((zip) => ({ ...zip, fileName: hostile, url: 'data:text/html,x' })),
        };
        const soil = resultPage(soiled);
        expect(soil).not.toMatch(/<script|javascript:|data:text|<audio|<a /);
        expect(soil).toContain('&lt;script&gt;');
      }),
      { numRuns: 50 },
    );
  });
});

describe('a page for a link that does not work', () => {
  test('has the status that tells programs the same', () => {
    expect(PROBLEMS.map((name) => linkProblemPage(name).status)).toEqual([410, 410, 403, 404, 503]);
  });

  test('says what to do', () => {
    expect(linkProblemPage('expired').html).toContain('envie o pedido de novo por e-mail');
    expect(linkProblemPage('revoked').html).toContain('fale com o administrador');
    expect(linkProblemPage('failed').html).toContain('O link continua valendo');
    expect(linkProblemPage('failed').html).toContain('href="">Tentar de novo');
    for (const name of PROBLEMS) expect(linkProblemPage(name).html).toContain('O que fazer agora');
  });
});

test('a link on a page lies beside it or in the web', () => {
  expect(pageUrl('./a.wav?e=1&s=x-_')).toBe('./a.wav?e=1&s=x-_');
  expect(pageUrl('https://example.com/a?b=c')).toBe('https://example.com/a?b=c');
  for (const bad of [
    '../a.wav',
    './a/b.wav',
    '//example.com/',
    'mailto:a@example.com',
    './a.wav"x',
    'javascript:x',
  ])
    expect(pageUrl(bad)).toBeNull();
});
