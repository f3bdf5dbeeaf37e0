import { describe, expect, test } from 'vitest';
import { MAX_HTML_BYTES, resultMail } from '../../../node/replies/result.ts';
import type { ReplyMail } from '../../../node/replies/views.ts';
import {
  GMAIL_CLIP_BYTES,
  mixedView,
  partsView,
  recordings,
  resultView,
  samples,
  worstView,
} from './samples.ts';

const flat = (text: string): string => text.replaceAll(/\s+/g, ' ');

describe('a result', () => {
  test('has one line with a button for each recording, and the ZIP after them', () => {
    const { html } = resultMail(resultView(7));
    expect(html.match(/>Tocar</g)).toHaveLength(7);
    expect(html).toMatch(
      /<th scope="row"[^>]*>27\/10\/2025 08:00:05<\/th>\n<td[^>]*>11987654321 → 1121<div[^>]*>21 s</,
    );
    expect(html.lastIndexOf('>Tocar<')).toBeLessThan(html.indexOf('Baixar o ZIP (12,3 MB)'));
    expect(html).toContain('29/10/2025 às 15:04');
  });

  test('lists the first hundred and says where the others are', () => {
    const mail = resultMail(resultView(340));
    expect(mail.html.match(/>Tocar</g)).toHaveLength(100);
    for (const body of [mail.html, mail.text])
      expect(flat(body)).toContain('Há mais 240 gravações, que estão na página com todas e no ZIP.');
  });

  test('lists fewer where links are very long, rather than be clipped', () => {
    const mail = resultMail(resultView(100, 1500));
    const rows = mail.html.match(/>Tocar</g)?.length ?? 0;
    expect(rows).toBeGreaterThan(35);
    expect(rows).toBeLessThan(100);
    expect(mail.html).toContain(`Há mais ${100 - rows} gravações`);
    expect(Buffer.byteLength(mail.html)).toBeLessThan(GMAIL_CLIP_BYTES);
    expect(MAX_HTML_BYTES).toBeLessThan(GMAIL_CLIP_BYTES);
  });

  test('puts warnings before everything else', () => {
    const { html, text } = samples()['result-warnings'] as ReplyMail;
    for (const body of [html, text]) {
      const places = [
        '1 pasta não pôde ser lida',
        '2 gravações encontradas ficaram de fora',
        '2 gravações entregues podem',
      ]
        .concat(['Ramais', 'Baixar todas'])
        .map((words) => body.indexOf(words));
      expect(places).not.toContain(-1);
      expect(places).toEqual(places.toSorted((one, other) => one - other));
    }
  });

  test('has the way to the page of several before their list, and of one after it', () => {
    const [several, one] = [resultMail(resultView(7)).html, resultMail(resultView(1)).html];
    expect(several.match(/Abrir a página/g)).toHaveLength(1);
    expect(several.indexOf('Abrir a página com as 7')).toBeLessThan(several.indexOf('>Tocar<'));
    expect(one.indexOf('Abrir a página')).toBeGreaterThan(one.indexOf('>Tocar<'));
  });

  test('says of all, of one or of some that a browser does not play them', () => {
    const told = (plays: readonly boolean[]): string => {
      const view = resultView(plays.length);
      const some = view.recordings.map((one, index) => ({ ...one, plays: plays[index] === true }));
      return flat(resultMail({ ...view, recordings: some }).text);
    };
    expect(told([false])).toContain('A gravação está em um formato');
    expect(told([false, false])).toContain('As gravações estão em um formato');
    expect(told([false, true])).toContain('Algumas gravações estão em um formato');
    expect(told([true, true])).not.toContain('em um formato');
  });

  test('says whether SERVER could narrow the search', () => {
    const said = (narrowedByServer: boolean | null): string =>
      resultMail({ ...resultView(1), narrowedByServer }).text;
    expect(said(true)).toContain('A busca foi limitada ao servidor gv2p.');
    expect(said(false).replaceAll(/\s+/g, ' ')).toContain('a busca não pôde ser limitada ao gv2p.');
    expect(said(null)).not.toContain('limitada');
  });

  test('has no button for a link that is none', () => {
    const view = resultView(1);
    const bad = view.recordings.map((one) => ({ ...one, url: 'javascript:alert(1)' }));
    const mail = resultMail({
      ...view,
      recordings: bad,
      zips: view.zips.map((zip) => ({ ...zip, url: 'javascript:alert(2)' })),
    });
    expect(mail.html + mail.text).not.toContain('javascript');
  });
});

describe('a result in several ZIPs', () => {
  test('has a button for each part, with what it holds, under the size that Gmail clips', () => {
    const mail = resultMail(partsView([5000, 5000, 2480]));
    const text = flat(mail.text);
    const said = text.slice(text.indexOf('Há mais'));
    expect(mail.html.match(/Baixar a parte \d de 3 \(/g)).toHaveLength(3);
    expect(said).toContain(
      'Parte 1 de 3 (2,4 GB): 5.000 gravações, de 27/10/2025 08:00 a 27/10/2025 20:29 http',
    );
    expect(said).toContain('em 3 ZIPs (6,0 GB ao todo)');
    expect(mail.html.match(/>Tocar</g)?.length).toBeGreaterThan(40);
    expect(said).toContain('Há mais 12.380 gravações, que estão na página com todas e nos ZIPs');
    expect(Buffer.byteLength(mail.html)).toBeLessThan(GMAIL_CLIP_BYTES);
  });

  test('says where each part begins and ends, unless a recording is in none', () => {
    const view = partsView([2, 1]);
    expect(flat(resultMail(view).text)).toContain(
      'Parte 1 de 2 (1,0 MB): 2 gravações, de 27/10/2025 08:00 http',
    );
    const [first, ...rest] = view.zips;
    const fewer = { ...view, zips: [{ ...first!, count: 1 }, ...rest] };
    expect(flat(resultMail(fewer).text)).toContain('Parte 1 de 2 (1,0 MB): 1 gravação http');
  });

  test('tells a part without recordings for what it is', () => {
    const text = flat(resultMail(partsView([2, 0, 1])).text);
    expect(text).toContain('Parte 2 de 3 (0 bytes): só a lista do que ficou de fora http');
  });

  test('says in which lists the rest of a long list of warnings is', () => {
    const leftOut = recordings(30).map((one) => ({ ...one, fault: 'empty' as const }));
    const text = flat(resultMail({ ...partsView([2, 1]), leftOut }).text);
    expect(text).toContain('… e mais 20; a lista completa está nos arquivos manifesto, dentro dos ZIPs.');
  });

  test('has all parts of a long result, and says so where a mail cannot hold them', () => {
    const { html } = resultMail(partsView(Array.from({ length: 25 }, () => 1)));
    expect(html.match(/>Baixar a parte/g)).toHaveLength(25);
    expect(Buffer.byteLength(html)).toBeLessThan(GMAIL_CLIP_BYTES);
    const endless = resultMail(partsView(Array.from({ length: 300 }, () => 1)));
    for (const body of [endless.html, endless.text])
      expect(flat(body)).toMatch(/2\d\d ZIPs não couberam neste e-mail\. Na página com todas/);
    expect(Buffer.byteLength(endless.html)).toBeLessThan(GMAIL_CLIP_BYTES);
  });
});

describe('the longest result there is: 500 recordings, presigned links, the longest names, all warnings', () => {
  const mail = resultMail(worstView());

  test('is below the size that Gmail clips, still lists recordings, and leads to all', () => {
    expect(Buffer.byteLength(mail.html)).toBeLessThan(GMAIL_CLIP_BYTES);
    expect(mail.html.match(/>Tocar</g)?.length).toBeGreaterThan(10);
    expect(mail.html.indexOf('Abrir a página com as 500')).toBeLessThan(mail.html.indexOf('>Gravações<'));
    expect(Buffer.byteLength(mail.text)).toBeLessThan(300_000);
  });

  test('shows no name that would fill a screen', () => {
    expect(mail.html.replaceAll(/href="[^"]*"/g, '') + mail.text.replaceAll(/http\S+/g, '')).not.toMatch(
      /5{25}/,
    );
  });
});

describe('the sound of a result', () => {
  test('is told in all, and for each recording', () => {
    const view = resultView(2);
    const told = (seconds: readonly (number | null)[]): string =>
      flat(
        resultMail({
          ...view,
          recordings: view.recordings.map((one, index) => ({ ...one, seconds: seconds[index] ?? null })),
        }).text,
      );
    expect(told([65, 3600])).toContain('No total: 1 h 01 min de áudio.');
    expect(told([65, 3600])).toContain('| 1 min 05 s |');
    expect(told([65, null])).toContain(
      'No total: 1 min 05 s de áudio, mais 1 gravação de duração desconhecida.',
    );
    expect(told([null, null])).toContain('A duração delas não é conhecida.');
  });

  test('is saved instead of played where no browser plays it, and that is said once', () => {
    const mail = resultMail(mixedView(7));
    expect(mail.html.match(/>Tocar</g)).toHaveLength(5);
    expect(mail.html.match(/>Baixar</g)).toHaveLength(2);
    for (const body of [mail.html, mail.text])
      expect(flat(body).match(/que os navegadores não tocam/g)).toHaveLength(1);
    expect(resultMail(resultView(7)).text).not.toContain('não tocam');
  });
});

test('a result without a page says where its recordings are without it', () => {
  const mail = resultMail({ ...resultView(101), pageUrl: null });
  for (const body of [mail.html, mail.text]) {
    expect(body).not.toContain('Abrir a página');
    expect(flat(body)).toContain('Há mais 1 gravação, que está no ZIP.');
  }
});

test('a recording without a link is in the ZIP', () => {
  const view = resultView(2);
  const [one, other] = view.recordings;
  const mail = resultMail({ ...view, recordings: [one!, { ...other!, url: null }] });
  expect(mail.html.match(/>Tocar</g)).toHaveLength(1);
  expect(mail.html).toContain('>no ZIP</td>');
  expect(mail.text).toMatch(/\| no ZIP\n/);
});

test('links that may die before their time are said to', () => {
  const certain = resultMail(resultView(2));
  const doubtful = resultMail({ ...resultView(2), mayEndEarlier: true });
  for (const body of ['html', 'text'] as const) {
    expect(certain[body]).not.toContain('podem parar');
    expect(doubtful[body].match(/podem\s+parar/g)).toHaveLength(2);
  }
});

test('recordings in cold storage stand in a group of their own, with what to do', () => {
  const { text } = samples()['result-archived'] as ReplyMail;
  const group = text.slice(
    text.indexOf('23 gravações estão arquivadas'),
    text.indexOf('1 gravação encontrada'),
  );
  expect(group.replaceAll(/\s+/g, ' ')).toContain('peça ao administrador que as restaure');
  expect(group.match(/→/g)).toHaveLength(10);
  expect(group).toContain('… e mais 13');
  const none = (samples()['nothing-archived'] as ReplyMail).text.replaceAll(/\s+/g, ' ');
  expect(none).toContain('peça ao administrador que a restaure');
  expect(none).not.toContain('Arquivos vazios');
});
