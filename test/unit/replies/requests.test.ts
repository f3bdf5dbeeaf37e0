import { expect, test } from 'vitest';
import type { PersonView } from '../../../node/replies/command-views.ts';
import { helpMail } from '../../../node/replies/help.ts';
import { jobActionMail } from '../../../node/replies/job-action.ts';
import { noticeDetails } from '../../../node/replies/notice-details.ts';
import { queueMail } from '../../../node/replies/queue.ts';
import { statusMail } from '../../../node/replies/status.ts';
import type { ReplyMail } from '../../../node/replies/views.ts';
import { whitelistMail } from '../../../node/replies/whitelist.ts';
import { action, HELP, JOBS, OPERATOR, PEOPLE, QUEUE, STATUS, whitelist } from './request-samples.ts';
import { GMAIL_CLIP_BYTES } from './samples.ts';

const flat = ({ text }: ReplyMail): string => text.replaceAll(/\s+/g, ' ');

test('a queue says each place, and shows the requesters to admins alone', () => {
  const own = flat(queueMail({ ...QUEUE, jobs: JOBS }));
  expect(own).toContain('— EM ANDAMENTO Pedido 3f9a62c07be1');
  expect(own).toContain('— 3º NA FILA');
  expect(own).toContain('CANCELAR=90be1d4458c0');
  expect(own).not.toContain('outra@example.com');
  expect(flat(queueMail({ ...QUEUE, jobs: JOBS, everybody: true }))).toContain('outra@example.com');
});

test('long lists of requests and people are cut and not clipped', () => {
  const jobs = Array.from({ length: 150 }, () => JOBS[1]).filter((job) => job !== undefined);
  const queue = queueMail({ ...QUEUE, jobs, total: 4000, everybody: true });
  expect(flat(queue)).toContain('… e mais 3.900 pedidos.');
  const client = PEOPLE[2] as PersonView;
  const people = Array.from({ length: 500 }, () => ({ ...client, extensions: Array(40).fill('11223344') }));
  const list = whitelistMail(whitelist('list', { people }));
  expect(flat(list)).toContain('500 endereços estão na lista de acesso.');
  expect(flat(list)).toContain('… e mais 360.');
  for (const { html } of [queue, list]) expect(Buffer.byteLength(html)).toBeLessThan(GMAIL_CLIP_BYTES);
});

test('a status is all well only where nothing is wrong', () => {
  expect(statusMail(STATUS).text).toMatch(/^Tudo funcionando\n/);
  expect(statusMail({ ...STATUS, peer: null }).text).toMatch(/^Tudo funcionando\n/);
  for (const wrong of [
    { paused: true },
    { peer: { id: 'audio2', reachable: false } },
    { sources: [{ name: 's3', reachable: false }] },
  ]) {
    expect(statusMail({ ...STATUS, ...wrong }).text).toMatch(/^Funcionando, com ressalvas\n/);
  }
});

test('a status names nodes, versions and warnings to admins alone', () => {
  expect(statusMail(STATUS).text).not.toMatch(/audio2|SENDER_AUTH|vers/);
  const told = flat(statusMail({ ...STATUS, operator: OPERATOR }));
  expect(told).toContain('SENDER_AUTH is off');
  expect(told).toContain('audio2, responde');
});

test('a status without requests says so', () => {
  const lanes = STATUS.lanes.map(({ lane }) => ({ lane, pending: 0, processing: 0 }));
  expect(statusMail({ ...STATUS, lanes }).text).toContain('Não há nenhum pedido esperando.');
});

test('each example of the help prepares its mail, with a place for the token where one is needed', () => {
  const { html } = helpMail({ ...HELP, tokenRequired: true });
  const subjects = [...html.matchAll(/href="(mailto:[^"]*)"/g)].map(([, href = '']) =>
    new URL(href.replaceAll('&amp;', '&')).searchParams.get('subject'),
  );
  expect(subjects).toEqual(
    HELP.commands.flatMap(({ examples }) => examples.map((example) => `[SEU_TOKEN] ${example}`)),
  );
});

test('who may ask for nothing gets no empty list of commands', () => {
  expect(helpMail({ ...HELP, commands: [] }).text).not.toContain('Comandos');
});

test('a change of access shows what was and what is, and that all admins know', () => {
  const [, , client, technician] = PEOPLE;
  const changed = flat(
    whitelistMail(whitelist('changed', { before: technician ?? null, person: client ?? null })),
  );
  expect(changed).toContain('Papel: operador → consulta');
  expect(changed).toContain('Servidores: todos → gv2p');
  expect(changed).toContain('todos os administradores foram avisados');
});

test('a change that changes nothing tells nobody', () => {
  const [, , client] = PEOPLE;
  const was = whitelist('unchanged', { before: client ?? null, person: client ?? null });
  expect(flat(whitelistMail(was))).toContain('O acesso de cliente@example.org já era este');
  const never = flat(whitelistMail({ ...was, before: null }));
  expect(never).toContain('não estava na lista de acesso');
  expect(never).not.toContain('avisados');
});

test('each end of CANCELAR and REENVIAR has its own words', () => {
  const ends = ['done', 'none', 'several', 'over', 'open', 'not-resendable', 'unreachable'] as const;
  const headings = (['cancel', 'resend'] as const).map((what) =>
    ends.map((end) => jobActionMail(action(what, end, null)).text.split('\n')[0]),
  );
  for (const own of headings) expect(new Set(own).size).toBe(ends.length);
  const unheard = flat(jobActionMail(action('cancel', 'unreachable', null)));
  expect(unheard).toContain('Nada foi feito');
});

test('a request that was cancelled is shown as such, whatever it was when it was looked up', () => {
  const mail = jobActionMail(action('cancel', 'done', JOBS[0] ?? null));
  expect(mail.text).toContain('— CANCELADO');
  expect(mail.text).not.toContain('EM ANDAMENTO');
});

test('what a notice is about is told in words', () => {
  const told = noticeDetails(
    { from: '*', until: '2025-10-29T18:01:12Z', reason: 'unsigned', new: 'x', constructor: 'y' },
    'America/Sao_Paulo',
  );
  expect(told).toEqual([
    ['Remetente', 'todos os remetentes'],
    ['Até', '29/10/2025 às 15:01'],
    ['Motivo', 'o e-mail não tem assinatura do domínio do remetente (unsigned)'],
    ['new', 'x'],
    ['constructor', 'y'],
  ]);
  expect(noticeDetails({ job: 'a'.repeat(64), reason: 'connect ECONNREFUSED' }, 'UTC')).toEqual([
    ['Pedido', 'a'.repeat(12)],
    ['Motivo técnico', 'connect ECONNREFUSED'],
  ]);
});
