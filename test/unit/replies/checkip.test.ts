import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkIpMail } from '../../../node/replies/checkip.ts';
import type { CheckIpView } from '../../../node/replies/command-views.ts';
import type { ReplyMail } from '../../../node/replies/views.ts';
import type { ServerReport } from '../../../node/servers/bans.ts';
import { GMAIL_CLIP_BYTES } from './samples.ts';
import { AWAY, checkIpView, FREE, PARTLY, RELEASED } from './server-samples.ts';

const LATER = Temporal.Instant.from('2025-10-28T19:04:00Z');
const BANNED: ServerReport = { ...RELEASED, state: 'banned', ignored: 'no', ignoredUntil: null };

const mailOf = (servers: readonly ServerReport[], more: Partial<CheckIpView> = {}): ReplyMail =>
  checkIpMail(checkIpView(servers, more));
const flat = (mail: ReplyMail): string => mail.text.replaceAll(/\s+/g, ' ');
const headingOf = (servers: readonly ServerReport[], more: Partial<CheckIpView> = {}): string =>
  mailOf(servers, more).text.split('\n')[0] ?? '';
/** The line of each server in the text, in order. */
const rows = (mail: ReplyMail): string[] => mail.text.split('\n').filter((line) => line.includes(' — '));

test('there is a row for each server, in the order of the report', () => {
  expect(rows(mailOf([FREE, AWAY, RELEASED]))).toEqual([
    'gv2p — NÃO ESTAVA BANIDO',
    'Filial Campinas (voip1) — NÃO VERIFICADO',
    'Matriz (gv1p) — LIBERADO',
  ]);
});

test('what was done is said with its jails, since when and until when', () => {
  const said = flat(mailOf([RELEASED]));
  expect(said).toContain('• sshd, desde 28/10/2025 às 11:10, até 29/10/2025 às 11:10 • asterisk, desde');
  expect(said).toContain('ignorados até 27/11/2025 às 15:04');
  expect(said).toContain('Wrong password');
});

test('the clock of a server is shown as such, and a text that is none as it is', () => {
  const jails = [
    { jail: 'sshd', since: '2025-10-28 14:52:38', until: null },
    { jail: 'pbx', since: 'ontem', until: null },
  ];
  const said = flat(mailOf([{ ...RELEASED, jails }]));
  expect(said).toContain('sshd, desde 28/10/2025 às 14:52 (relógio do servidor)');
  expect(said).toContain('pbx, desde ontem');
});

describe('the heading tells success from success with a warning', () => {
  test.each([
    ['IP liberado', [RELEASED, FREE], {}],
    ['IP liberado, com ressalva', [RELEASED, AWAY], {}],
    ['IP liberado, com ressalva', [PARTLY], {}],
    ['IP não estava banido', [FREE], {}],
    ['Verificação incompleta', [FREE, AWAY], {}],
    ['IP não verificado', [AWAY], {}],
    ['IP banido', [BANNED, FREE], { lookOnly: true }],
    ['IP banido; verificação incompleta', [BANNED, AWAY], { lookOnly: true }],
    ['IP não está banido', [FREE], { lookOnly: true }],
    ['Verificação incompleta', [FREE, AWAY], { lookOnly: true }],
  ] as const)('%s', (heading, servers, more) => {
    expect(headingOf(servers, more)).toBe(heading);
  });

  test('an address that is banned again at once is not called released', () => {
    const problem = { code: 'fail2ban.still-banned', message: 'sshd' };
    const mail = mailOf([RELEASED, { ...PARTLY, problem }]);
    expect(mail.text).toMatch(/^O IP ainda pode estar banido\n/);
    expect(flat(mail)).toContain('voltou a ser banido logo depois');
  });
});

test('a server that could not be checked is never shown as one that does not ban the address', () => {
  const states = fc.constantFrom(RELEASED, FREE, PARTLY, AWAY);
  fc.assert(
    fc.property(fc.array(states, { minLength: 1, maxLength: 12 }), fc.boolean(), (reports, lookOnly) => {
      const servers = reports.map((report, index) => ({
        ...report,
        serverId: `s${index}`,
        serverName: `s${index}`,
      }));
      const mail = mailOf(servers, { lookOnly, retryUntil: LATER });
      const unchecked = servers.filter(({ state }) => state === 'unchecked');
      const free = servers.filter(({ state }) => state === 'free');
      expect(rows(mail).filter((row) => row.endsWith('NÃO VERIFICADO'))).toEqual(
        unchecked.map(({ serverId }) => `${serverId} — NÃO VERIFICADO`),
      );
      expect(rows(mail).filter((row) => /NÃO EST\S+ BANIDO$/.test(row))).toHaveLength(free.length);
      if (unchecked.length === 0) return;
      expect(mail.text).not.toMatch(/^IP (?:liberado|não est\S+ banido)\n/);
      expect(mail.text).not.toContain('em nenhum dos');
      expect(flat(mail)).toContain('Não sabemos se o endereço está banido');
    }),
  );
});

test('what is left to do on a server does not hide that its ban is gone, or may not be', () => {
  const left = (code: string): string => flat(mailOf([{ ...PARTLY, problem: { code, message: 'why' } }]));
  expect(left('fail2ban.not-kept')).toContain(
    'O bloqueio foi retirado. Pendência: o endereço está liberado agora',
  );
  expect(left('fail2ban.unban')).not.toContain('O bloqueio foi retirado');
  expect(left('fail2ban.unban')).toContain('O IP ainda pode estar banido');
  const problem = { code: 'fail2ban.full', message: 'why' };
  expect(flat(mailOf([{ ...PARTLY, jails: [], problem }]))).toContain('Nenhum bloqueio deste endereço');
});

test('who waits for a server is told until when it is tried, and afterwards that nobody tries any more', () => {
  expect(flat(mailOf([AWAY], { retryUntil: LATER }))).toContain('até 28/10/2025 às 16:04');
  expect(flat(mailOf([AWAY]))).toContain('Não vamos tentar de novo. Envie o pedido outra vez');
  const after = flat(mailOf([AWAY], { followUp: true }));
  expect(after).toContain('Sobre o que faltava verificar');
  expect(after).toContain('não vamos mais tentar');
});

test('who only looked is told that nothing was changed, and how to release', () => {
  const said = flat(mailOf([BANNED], { lookOnly: true }));
  expect(said).toContain('Nada foi alterado');
  expect(said).toContain('sem MODO=VER');
  expect(said).not.toContain('O bloqueio foi retirado');
});

test('the mail about forty servers with all their details is not clipped', () => {
  const servers = Array.from({ length: 40 }, (_, index) => ({ ...RELEASED, serverId: `gv${index}p` }));
  const mail = mailOf(servers);
  expect(rows(mail)).toHaveLength(40);
  expect(Buffer.byteLength(mail.html)).toBeLessThan(GMAIL_CLIP_BYTES);
});
