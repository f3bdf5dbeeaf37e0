import type { ServerReport } from '../servers/bans.ts';
import { alarm, askedMail, cards, heading, items } from './blocks.ts';
import type { Card, Mark } from './cards.ts';
import { AREA } from './catalogue.ts';
import { adviceLines, opening, warningGroups } from './checkip-sentences.ts';
import type { CheckIpView } from './command-views.ts';
import { shownMoment } from './instants.ts';
import { serverProblem, serverTitle, technical } from './server-sentences.ts';
import { cutText } from './subject-line.ts';
import type { ReplyMail } from './views.ts';

const MAX_SERVERS_DETAILED = 60;
const MAX_JAILS_SHOWN = 10;
const MAX_LINES_SHOWN = 5;
const MAX_LINE_LENGTH = 200;
/** Problems that come up when the address is free already. */
const RELEASED_ALL_THE_SAME: ReadonlySet<string> = new Set([
  'fail2ban.not-ignored',
  'fail2ban.not-kept',
  'fail2ban.full',
  'fail2ban.config',
  'fail2ban.reload',
]);

/** CHECKIP: what was found and done on each server, in the order of the reports. */
export function checkIpMail(view: CheckIpView): ReplyMail {
  const warnings = warningGroups(view);
  const advice = adviceLines(view);
  return askedMail(view, {
    area: AREA.servers,
    ...opening(view),
    blocks: [
      alarm('warning', warnings),
      heading(view.servers.length === 1 ? 'No servidor' : 'Servidor por servidor'),
      cards(view.servers.map((server, index) => serverCard(server, view, index < MAX_SERVERS_DETAILED))),
      ...(advice.length === 0 ? [] : [heading('O que fazer agora'), items(advice)]),
    ],
  });
}

/** A server's row; without its details where there are so many that the mail would be cut. */
function serverCard(report: ServerReport, view: CheckIpView, detailed: boolean): Card {
  const title = serverTitle(report.serverName, report.serverId);
  const mark = markOf(report, view.lookOnly);
  if (report.state === 'unchecked') {
    const { code = '' } = report.problem ?? {};
    return {
      title,
      mark,
      lines: [`Não sabemos se o endereço está banido neste servidor. ${serverProblem(code)}`],
      small: detailed ? technical(report.problem) : [],
    };
  }
  const lines = [
    ...jailLines(report, view),
    isReleased(report) ? 'O bloqueio foi retirado.' : '',
    problemSentence(report),
    ignoredSentence(report, view),
  ];
  const shown = detailed ? report.lines.slice(-MAX_LINES_SHOWN) : [];
  return {
    title,
    mark,
    lines: [
      ...lines.filter((line) => line !== ''),
      ...(shown.length === 0 ? [] : ['Últimas linhas dos registros (logs) sobre o endereço:']),
    ],
    verbatim: shown.map((line) => cutText(line, MAX_LINE_LENGTH)),
    small: detailed ? technical(report.problem) : [],
  };
}

function markOf({ state, ignored }: ServerReport, lookOnly: boolean): Mark {
  switch (state) {
    case 'released':
      return { kind: 'good', label: 'Liberado' };
    case 'banned':
      return { kind: 'bad', label: 'Banido' };
    case 'partly':
      return { kind: 'warning', label: 'Feito só em parte' };
    case 'free':
      if (!lookOnly && ignored === 'before') return { kind: 'plain', label: 'Já estava ignorado' };
      return { kind: 'plain', label: lookOnly ? 'Não está banido' : 'Não estava banido' };
    default:
      return { kind: 'warning', label: 'Não verificado' };
  }
}

/** Which jails hold it or held it, each on a line of its own where there are several. */
function jailLines({ state, jails }: ServerReport, { lookOnly, timeZone }: CheckIpView): string[] {
  if (jails.length === 0) return state === 'banned' ? [] : ['Nenhum bloqueio deste endereço foi encontrado.'];
  const named = jails.slice(0, MAX_JAILS_SHOWN).map(({ jail, since, until }) => {
    const times = [
      ...(since === null ? [] : [`desde ${shownMoment(since, timeZone)}`]),
      ...(until === null ? [] : [`até ${shownMoment(until, timeZone)}`]),
    ];
    return [jail, ...times].join(', ');
  });
  const more = jails.length - named.length;
  const said = lookOnly ? 'Está banido' : 'Estava banido';
  const [only = ''] = named;
  if (jails.length === 1) return [`${said} pela regra ${only}.`];
  return [
    `${said} por ${jails.length} regras:`,
    ...named.map((one) => `• ${one}`),
    ...(more > 0 ? [`• e mais ${more}`] : []),
  ];
}

/** Whether the ban is known to be gone, whatever else is left to do. */
function isReleased({ state, jails, problem }: ServerReport): boolean {
  if (state === 'partly') return jails.length > 0 && RELEASED_ALL_THE_SAME.has(problem?.code ?? '');
  return state === 'released';
}

function problemSentence({ problem }: ServerReport): string {
  return problem === null ? '' : `Pendência: ${lowerFirst(serverProblem(problem.code))}`;
}

function lowerFirst(sentence: string): string {
  return sentence.charAt(0).toLowerCase() + sentence.slice(1);
}

function ignoredSentence({ state, ignored, ignoredUntil }: ServerReport, view: CheckIpView): string {
  const isKept = ignoredUntil !== null && state !== 'partly';
  const until = ignoredUntil === null ? '' : ` até ${shownMoment(ignoredUntil, view.timeZone)}`;
  switch (ignored) {
    case 'now':
      return `Entrou na lista de endereços ignorados${until}${isKept ? ': não será banido de novo nesse tempo' : ''}.`;
    case 'before':
      if (view.lookOnly) return `Está na lista de endereços ignorados${until}.`;
      // Asked for again, it stays there for longer.
      return `Já estava na lista de endereços ignorados${until === '' ? '' : `, e fica nela${until}`}.`;
    case 'unknown':
      return 'Não sabemos se está na lista de endereços ignorados.';
    default:
      return 'Não está na lista de endereços ignorados.';
  }
}
