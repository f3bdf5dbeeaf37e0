import type { ServerReport } from '../servers/bans.ts';
import type { CheckIpView } from './command-views.ts';
import { formatInstant, listWords, plural } from './format.ts';
import type { Group } from './parts.ts';

const MAX_NAMED = 4;

/** The heading and the first sentences of CHECKIP: what became of the address on all servers taken together. */
export function opening(view: CheckIpView): { heading: string; lead: string } {
  const { ip, followUp } = view;
  const lead = `${followUp ? 'Sobre o que faltava verificar: o' : 'O'} endereço ${ip} ${sentences(view)}`;
  return { heading: headingOf(view), lead };
}

function headingOf({ servers, lookOnly }: CheckIpView): string {
  const has = (state: ServerReport['state']): boolean => servers.some((server) => server.state === state);
  const whole = !has('unchecked') && !has('partly');
  if (servers.every(({ state }) => state === 'unchecked')) return 'IP não verificado';
  if (lookOnly) {
    if (has('banned')) return whole ? 'IP banido' : 'IP banido; verificação incompleta';
    return whole ? 'IP não está banido' : 'Verificação incompleta';
  }
  if (servers.some(maybeBanned)) return 'O IP ainda pode estar banido';
  if (has('released') || has('partly')) return whole ? 'IP liberado' : 'IP liberado, com ressalva';
  return whole ? 'IP não estava banido' : 'Verificação incompleta';
}

/** Something was done, and it may be banned there all the same. */
function maybeBanned({ state, problem }: ServerReport): boolean {
  return state === 'partly' && ['fail2ban.still-banned', 'fail2ban.unban'].includes(problem?.code ?? '');
}

/** Goes on after "O endereço …". Each server stands in exactly one of them. */
function sentences({ servers, lookOnly }: CheckIpView): string {
  const of = (state: ServerReport['state']): readonly ServerReport[] =>
    servers.filter((server) => server.state === state);
  const parts: string[] = [];
  const add = (reports: readonly ServerReport[], said: (where: string) => string): void => {
    if (reports.length > 0) parts.push(said(where(reports, servers.length)));
  };
  const is = lookOnly ? 'está' : 'estava';
  add(of('released'), (at) => `estava banido e foi liberado ${at}`);
  add(of('banned'), (at) => `está banido ${at}`);
  add(of('partly'), (at) => `só foi tratado em parte ${at}`);
  const free = of('free');
  if (free.length > 1 && free.length === servers.length) {
    parts.push(`não ${is} banido em nenhum dos ${servers.length} servidores`);
  } else {
    add(free, (at) => `não ${is} banido ${at}`);
  }
  add(of('unchecked'), (at) => `não pôde ser verificado ${at}`);
  const changed = lookOnly ? ' Nada foi alterado: o pedido era só para ver.' : '';
  return `${listWords(parts)}.${changed}`;
}

/** `em gv1p e gv2p`, `nos 12 servidores`, `em 7 servidores`. */
function where(reports: readonly ServerReport[], of: number): string {
  if (reports.length <= MAX_NAMED) return `em ${listWords(reports.map(({ serverId }) => serverId))}`;
  return reports.length === of ? `nos ${of} servidores` : `em ${reports.length} servidores`;
}

/** What must be seen before the rows: what nobody knows, and what was done by half. */
export function warningGroups({ servers, retryUntil, timeZone, followUp }: CheckIpView): Group[] {
  const unchecked = servers.filter(({ state }) => state === 'unchecked');
  const partly = servers.filter(({ state }) => state === 'partly');
  const groups: Group[] = [];
  if (unchecked.length > 0) {
    const names = where(unchecked, servers.length);
    const next =
      retryUntil === null
        ? `${followUp ? 'Tentamos várias vezes, e não vamos mais tentar' : 'Não vamos tentar de novo'}. Envie o pedido outra vez mais tarde; o administrador também recebeu este aviso.`
        : `Vamos tentar de novo sozinhos até ${formatInstant(retryUntil, timeZone)} e contar o resultado em outro e-mail, nesta mesma conversa. Você não precisa fazer nada.`;
    groups.push({
      title: plural(
        unchecked.length,
        'servidor não pôde ser verificado',
        'servidores não puderam ser verificados',
      ),
      lines: [`Não sabemos se o endereço está banido ${names}.`, next],
    });
  }
  if (partly.length > 0) {
    groups.push({
      title: plural(partly.length, 'servidor com pendência', 'servidores com pendências'),
      lines: [
        `Veja abaixo o que faltou ${where(partly, servers.length)}. O administrador também recebeu este aviso.`,
      ],
    });
  }
  return groups;
}

/** What the requester may do next. */
export function adviceLines({ servers, lookOnly }: CheckIpView): string[] {
  const has = (state: ServerReport['state']): boolean => servers.some((server) => server.state === state);
  if (lookOnly) {
    return has('banned') ? ['Para liberar o endereço, envie o mesmo pedido sem MODO=VER.'] : [];
  }
  if (has('released')) {
    return [
      'Tente a conexão de novo a partir desse endereço.',
      'Se o telefone voltar a falhar, confira o usuário e a senha dele: senha errada é o motivo mais comum de bloqueio.',
    ];
  }
  if (servers.every(({ state }) => state === 'free')) {
    return [
      'Se o telefone não conecta, o motivo não é um bloqueio por tentativas nestes servidores.',
      'Confira se este é mesmo o endereço público da rede do cliente, e se o usuário e a senha do telefone estão certos.',
    ];
  }
  return [];
}
