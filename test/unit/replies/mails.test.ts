import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkIpMail } from '../../../node/replies/checkip.ts';
import { digestMail } from '../../../node/replies/digest.ts';
import { helpMail } from '../../../node/replies/help.ts';
import { jobActionMail } from '../../../node/replies/job-action.ts';
import { macChangeMail } from '../../../node/replies/macchange.ts';
import { queueMail } from '../../../node/replies/queue.ts';
import { statusMail } from '../../../node/replies/status.ts';
import { whitelistMail } from '../../../node/replies/whitelist.ts';
import { accessRefusalMail, refusalMail } from '../../../node/replies/refusal.ts';
import { confirmationMail } from '../../../node/replies/confirmation.ts';
import { nothingFoundMail } from '../../../node/replies/nothing-found.ts';
import { noticeMail } from '../../../node/replies/notice.ts';
import { resultMail } from '../../../node/replies/result.ts';
import type { Measured, Nearby } from '../../../node/recordings/source.ts';
import { failedMail } from '../../../node/replies/trouble.ts';
import type { NoticeKind, ReplyMail } from '../../../node/replies/views.ts';
import {
  action,
  HELP,
  JOBS,
  OPERATOR,
  PEOPLE,
  QUEUE,
  requestSamples,
  STATUS,
  whitelist,
} from './request-samples.ts';
import { GMAIL_CLIP_BYTES, JOB, NEARBY, resultView, samples } from './samples.ts';
import {
  AWAY,
  CHANGED,
  checkIpView,
  FREE,
  MAC_TROUBLE,
  macView,
  PARTLY,
  RELEASED,
  serverSamples,
} from './server-samples.ts';

const GOLDEN = join(import.meta.dirname, '../../golden');

const recordings = samples();
const mails = Object.entries({ ...recordings, ...serverSamples(), ...requestSamples(recordings) });

describe.each(mails)('the mail %s', (name, mail) => {
  test('reads as it was approved, as HTML and as text', async () => {
    await expect(mail.html).toMatchFileSnapshot(join(GOLDEN, `${name}.html`));
    await expect(`Subject: ${mail.subject}\n\n${mail.text}`).toMatchFileSnapshot(join(GOLDEN, `${name}.txt`));
  });

  test('is Portuguese, has a preview line and needs nothing from outside', () => {
    expect(mail.html).toMatch(/^<!doctype html>\s*<html lang="pt-BR"/);
    expect(mail.html).toContain('display:none;max-height:0');
    expect(mail.html).not.toMatch(/<img|<script|<link|@import|url\(/i);
    expect(mail.html).toContain('background:#01847f');
  });

  test('is below the size that Gmail clips', () => {
    expect(Buffer.byteLength(mail.html)).toBeLessThan(GMAIL_CLIP_BYTES);
  });

  test('says in its text all that its HTML says', () => {
    const heading = /<h1[^>]*>\s*(.*?)\s*<\/h1>/s.exec(mail.html)?.[1] ?? '?';
    expect(mail.text.startsWith(`${heading}\n=`)).toBe(true);
    for (const [, href = '?'] of mail.html.matchAll(/ href="([^"]*)"/g)) {
      const url = href.replaceAll('&amp;', '&');
      const subject = URL.parse(url)?.searchParams.get('subject') ?? url;
      // What a link that prepares a mail would write can be copied as well.
      expect(mail.text).toContain(mail.text.includes(url) ? url : subject);
    }
    for (const line of mail.text.split('\n')) {
      // Neither a link nor a text to copy is broken.
      if (!/https?:|mailto:|^ {4}\S/.test(line)) expect(line.length).toBeLessThanOrEqual(80);
    }
  });

  test('shows nothing that looks like a token', () => {
    expect(mail.subject + mail.text + mail.html).not.toMatch(/\[\s*[0-9a-f]{8}\s*\]/i);
  });
});

test('a confirmation says where the request stands', () => {
  const at = (position: number | null): ReplyMail => confirmationMail({ ...JOB, position, measured: null });
  expect(at(1).text).toContain('Situação: já estamos procurando');
  expect(at(2).text).toContain('Situação: 2º na fila (1 pedido antes do seu)');
  for (const body of [at(null).text, at(null).html]) {
    expect(body).toContain('aguardando o outro servidor');
    expect(body).toContain('segue sozinho');
  }
});

test('a confirmation tells what the search will find, and promises nothing', () => {
  const told = (measured: Measured | null): string =>
    confirmationMail({ ...JOB, position: 1, measured }).text.replaceAll(/\s+/g, ' ');
  expect(told({ count: 132, bytes: 155_189_248 })).toContain('Encontramos 132 gravações (148,0 MB).');
  expect(told({ count: 1, bytes: 1_258_291 })).toContain('Encontramos 1 gravação (1,2 MB).');
  expect(told({ count: 5, bytes: 0 })).toContain('Encontramos 5 gravações.');
  expect(told({ count: 0, bytes: 0 })).toContain('Até agora não encontramos nenhuma gravação');
  expect(told(null)).not.toMatch(/ncontramos/);
});

test('a refusal tells each fault under its field and links a mail with the corrected subject', () => {
  const { html, text } = samples()['refusal'] as ReplyMail;
  expect(text).toMatch(/Início \(INICIO\):\n- A data “31\/02\/2025” não existe/);
  expect(text).toContain('    RE: RAMAS=1121;12 INICIO=31/02/2025 FIM=01/03/25 SEVER=gv9');
  const href = /href="(mailto:[^"]*)"/.exec(html)?.[1] ?? '';
  expect(new URL(href).searchParams.get('subject')).toBe(
    'RAMAIS=1121 INICIO=28/02/2025 00:00 FIM=01/03/2025 23:59',
  );
});

test('a refusal without a corrected subject or a mailbox offers none', () => {
  const fault = { field: 'MAIL', code: 'mail-too-large', values: { limitBytes: 1_048_576 } };
  const view = { subject: 'x', faults: [fault], corrected: null, mailbox: null, tokenRequired: true };
  const mail = refusalMail(view);
  expect(mail.text).toContain('O e-mail passa do limite de 1,0 MB');
  expect(mail.text + mail.html).not.toMatch(/mailto:|corrigido/);
});

test('each way of being turned away at the door says how to get in', () => {
  for (const reason of ['token-missing', 'token-invalid', 'sender-unknown', 'locked-out'] as const) {
    const mail = accessRefusalMail({ subject: 'x', reason, adminEmail: 'admin@example.com' });
    expect(mail.text).toContain('fale com o administrador: admin@example.com.');
  }
});

test('a failure is told in plain words by its code', () => {
  const told = (code: string): string =>
    failedMail({ request: JOB.request, subject: 'x', jobId: JOB.jobId, code, attempts: 1 }).text;
  expect(told('job.timeout')).toContain('passou do tempo máximo');
  expect(told('publish.unavailable')).toContain('local de entrega');
  expect(told('ENOSPC')).toContain('espaço em disco');
  expect(told('peer.away')).toContain('não está respondendo');
  expect(told('recordings.refused')).toContain('recusou o acesso');
  expect(told('publish.no-space')).toContain('não cabem no espaço livre');
  expect(told('node.disk-low')).toContain('pouco espaço em disco');
  expect(told('delivery.revoked')).toContain('cancelados pelo administrador');
  expect(told('delivery.unavailable')).toContain('local de entrega');
  expect(told('publish.refused')).toContain('O local de entrega recusou');
  expect(told('job.conflict')).toContain('não aceitou o pedido');
  expect(told('<what>')).toContain('erro inesperado');
});

test('a failure of a command that is about no recordings speaks of none', () => {
  const told = (code: string): string =>
    failedMail({ request: null, subject: 'CHECKIP=203.0.113.9', jobId: JOB.jobId, code, attempts: 2 }).text;
  expect(told('server.timeout')).toContain('demorou demais para responder');
  expect(told('server.host-key')).toContain('Enviar de novo agora não resolve');
  expect(told('mac.failed')).toContain('todos os arquivos ficaram como estavam');
  expect(told('access.not-permitted')).toContain('não o permite mais');
  const codes = [
    'server.x',
    'mac.unsettled',
    'fail2ban.down',
    'access.first-admin',
    'access.too-many',
    'access.x',
  ];
  for (const code of [
    ...codes,
    'job.timeout',
    'job.cancelled',
    'ENOSPC',
    'peer.away',
    'mail.rejected',
    'x',
  ]) {
    expect(told(code)).not.toMatch(/grava[çd]|per[ií]odo|ramais/i);
  }
});

test('a notice of any kind has a heading, and what it is about', () => {
  const kinds: NoticeKind[] = [
    'mail-in-doubt',
    'mail-set-aside',
    'mail-unproved',
    'job-conflict',
    'drop-refused',
  ];
  for (const kind of [
    ...kinds,
    'drop-set-aside',
    'locked-out',
    'whitelist-changed',
    'server-unsettled',
    'disk-low',
    'peer-away',
    'other',
  ] as const) {
    const at = Temporal.Instant.from('2025-10-28T18:04:00Z');
    const details = [['Assunto', 'olá']] as const;
    const mail = noticeMail({
      kind,
      nodeId: 'audio',
      at,
      timeZone: 'UTC',
      details,
      faults: [],
      note: 'Veja isto.',
    });
    expect(mail.subject).toMatch(/^\[Parelha audio\] \S/);
    expect(mail.text).toContain('Assunto: olá');
    expect(mail.text).toContain('Veja isto.');
  }
});

describe('hostile text in any field of any view', () => {
  const HOSTILE = `<script>alert(1)</script>"onmouseover='x'\r\nBcc: v@example.com\u202Egpj\u0000\u2028</td>&amp;`;
  const soil = <T>(value: T): T => {
    if (typeof value === 'string') return HOSTILE as T;
    if (Array.isArray(value)) return value.map(soil) as T;
    if (value === null || typeof value !== 'object' || value instanceof Temporal.Instant) return value;
    const kept = [
      ...['timeZone', 'source', 'fault', 'kind', 'reason', 'state', 'ignored', 'role', 'what'],
      ...['action', 'result', 'ended', 'lane'],
    ];
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [key, kept.includes(key) ? inner : soil(inner)]),
    ) as T;
  };
  const faults = [
    { field: 'X', code: 'server-unknown', values: { value: 'x', known: 'x', suggestion: 'x' } },
    { field: 'X', code: 'date-impossible', values: { value: 'x' } },
    { field: 'RAMAIS', code: 'nothing-known', values: {} },
  ];
  const at = Temporal.Instant.from('2025-10-28T18:04:00Z');
  const view = resultView(3);
  const leftOut = [{ startedAt: 'x', origin: 'x', destination: 'x', fault: 'empty' as const }];
  const soiled: Record<string, ReplyMail> = {
    result: resultMail(soil({ ...view, leftOut })),
    parts: resultMail(soil({ ...view, zips: [...view.zips, ...view.zips] })),
    confirmation: confirmationMail(soil({ ...JOB, position: 2, measured: { count: 3, bytes: 4 } })),
    nothing: nothingFoundMail(
      soil({ ...JOB, leftOut, unreadable: 1, narrowedByServer: false, nearby: NEARBY }),
    ),
    refusal: refusalMail(soil({ subject: 'x', faults, corrected: 'x', mailbox: 'x', tokenRequired: true })),
    access: accessRefusalMail(soil({ subject: 'x', reason: 'token-invalid' as const, adminEmail: 'x' })),
    checkip: checkIpMail(soil(checkIpView([RELEASED, FREE, AWAY, PARTLY]))),
    macchange: macChangeMail(soil(macView({ ...CHANGED, ...MAC_TROUBLE }))),
    'macchange refused': macChangeMail(soil(macView({ ...CHANGED, ...MAC_TROUBLE, state: 'refused' }))),
    queue: queueMail(soil({ ...QUEUE, jobs: JOBS, everybody: true })),
    status: statusMail(soil({ ...STATUS, operator: { ...OPERATOR } })),
    help: helpMail(soil({ ...HELP, extensions: ['x'], servers: ['x'] })),
    list: whitelistMail(soil(whitelist('list', { people: PEOPLE }))),
    changed: whitelistMail(
      soil(whitelist('changed', { person: PEOPLE[2] ?? null, before: PEOPLE[3] ?? null })),
    ),
    cancel: jobActionMail(soil(action('cancel', 'none', JOBS[0] ?? null))),
    digest: digestMail(soil({ items: [{ subject: 'x', at, text: 'x' }], timeZone: 'UTC' })),
    failed: failedMail(soil({ request: JOB.request, subject: 'x', jobId: 'x', code: 'x', attempts: 2 })),
    notice: noticeMail(
      soil({
        kind: 'other' as const,
        nodeId: 'x',
        at,
        timeZone: 'UTC',
        details: [['x', 'x']] as const,
        faults,
        note: 'x',
      }),
    ),
  };

  test.each(Object.entries(soiled))('is shown as text in %s', (_name, mail) => {
    expect(mail.html).not.toMatch(/<script>alert|"onmouseover|<\/td>&amp;amp;\s*</);
    expect(mail.html).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
    // eslint-disable-next-line no-control-regex
    expect(mail.subject).not.toMatch(/[\u0000-\u001F\u2028\u202E]/);
    // eslint-disable-next-line no-control-regex
    expect(mail.html + mail.text).not.toMatch(/[\u0000-\u0009\u000B-\u001F\u2028\u202E]/);
    for (const line of mail.text.split('\n')) expect(Buffer.byteLength(line)).toBeLessThanOrEqual(998);
  });

  test('opens and closes as many elements as a friendly one', () => {
    const count = (html: string, tag: string): number => html.split(tag).length - 1;
    for (const { html } of Object.values(soiled)) {
      for (const name of ['table', 'tr', 'td', 'div', 'th']) {
        const [opened, closed] = [
          html.match(new RegExp(`<${name}[\\s>]`, 'g'))?.length ?? 0,
          count(html, `</${name}>`),
        ];
        expect(`${name} ${closed}`).toBe(`${name} ${opened}`);
      }
    }
  });
});

test('a notice says by its subject what it is about, so that it is found and stands in a conversation of its own', () => {
  const subject = (name: string): string => (recordings[name] as ReplyMail).subject;
  expect(subject('notice-unproved')).toBe('[Parelha audio] E-mail em quarentena: Ana <ana@example.com>');
  expect(subject('notice-unsettled')).toBe(
    '[Parelha audio] Troca de MAC por terminar em um servidor: gv2p, 3010',
  );
  expect(subject('notice-disk-low')).toBe('[Parelha audio] Pouco espaço em disco');
});

test('a refusal for want of room says that the request is right, and has it ready to be sent again', () => {
  const { html, text } = samples()['refusal-disk-low'] as ReplyMail;
  expect(text).toContain('O seu pedido está certo');
  expect(text).not.toMatch(/corrigir|corrigido/);
  expect(text.match(/RAMAIS=1121,1122/g)).toHaveLength(1);
  expect(html).toContain('href="mailto:gravacoes@example.com?subject=%5BSEU_TOKEN%5D%20RAMAIS');
});

describe('what was near a search that found nothing', () => {
  const near = (more: Partial<Nearby>, server: string | null = null): string =>
    nothingFoundMail({
      ...JOB,
      request: { ...JOB.request, server },
      ...{ leftOut: [], unreadable: 0, narrowedByServer: server === null ? null : true },
      nearby: { ...NEARBY, ...more },
    }).text.replaceAll(/\s+/g, ' ');

  test('is the last recording before and the first after, of each extension', () => {
    expect(near({})).toContain('Última antes do período: 24/10/2025 17:41:02, 1121 → 2133334444.');
    expect(near({})).toContain('Primeira depois do período: 29/10/2025 09:10:44, 11987654321 → 1121.');
  });

  test('tells an extension without any recording from one without any in the days looked at', () => {
    expect(near({})).toContain('Ramal 1122 — DESCONHECIDO Não há nenhuma gravação deste ramal');
    const days = near({ days: { first: '2025-10-20', last: '2025-11-04' } });
    expect(days).toContain('Ramal 1122 Nenhuma gravação entre 20/10/2025 e 04/11/2025.');
    expect(days).not.toContain('DESCONHECIDO');
  });

  test('leaves only the extensions in question to be checked', () => {
    expect(near({})).toContain('O número do ramal 1122 está certo');
    const [known] = NEARBY.extensions;
    const both = [known!, { ...known!, extension: '1122' }];
    expect(near({ extensions: both })).not.toContain('está certo, e ele');
  });

  test('says where only one server was looked at', () => {
    expect(near({}, 'gv2p')).toContain('Contando só o servidor gv2p.');
    expect(near({})).not.toContain('Contando só');
  });

  test('is bounded', () => {
    const extensions = Array.from({ length: 400 }, (_, index) => ({
      ...NEARBY.extensions[0]!,
      extension: String(10_000 + index),
    }));
    expect(near({ extensions })).toContain('… e mais 370 ramais');
  });
});
