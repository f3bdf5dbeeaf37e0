import type { MacFileReport, MacReport } from '../servers/mac-phones.ts';
import { alarm, askedMail, type Block, cards, copy, facts, heading, press, say, small } from './blocks.ts';
import type { Card } from './cards.ts';
import { AREA, CONFIRM_HINT, CORRECTED, LABEL, OR_OPEN, PREPARE, TOKEN_HINT } from './catalogue.ts';
import type { MacChangeView } from './command-views.ts';
import { correctedRequest, refusalLines, warningGroups } from './macchange-sentences.ts';
import { shownMac } from './macs.ts';
import type { Pair } from './parts.ts';
import { serverTitle, technical } from './server-sentences.ts';
import { mailtoLink, subjectToSend } from './subject-line.ts';
import type { ReplyMail } from './views.ts';

const MAX_FILES_SHOWN = 40;

/** MACCHANGE: what the files said and say, what was refused and why, where the copies of before lie. */
export function macChangeMail(view: MacChangeView): ReplyMail {
  const { report } = view;
  const warnings = warningGroups(view);
  return askedMail(view, {
    area: AREA.servers,
    ...opening(view),
    blocks: [
      ...(report.state === 'refused'
        ? [alarm('error', [{ title: 'Por que o pedido não foi feito', lines: refusalLines(view) }])]
        : []),
      alarm('warning', warnings),
      facts(requestPairs(view)),
      ...fileBlocks(report),
      ...correctedBlocks(view),
      ...backupBlocks(view),
      ...(report.state === 'refused' ? [small(technical(report.refusal))] : []),
    ],
  });
}

function opening({ request, serverName, serverId, report }: MacChangeView): {
  heading: string;
  lead: string;
} {
  const at = `no servidor ${serverTitle(serverName, serverId)}`;
  const { extension, from, to } = request;
  if (report.state === 'refused') {
    return {
      heading: 'Nada foi alterado',
      lead: `O MAC do ramal ${extension} não foi alterado ${at}: todos os arquivos estão como estavam.`,
    };
  }
  if (report.state === 'already') {
    return {
      heading: 'Já estava assim',
      lead:
        to === null
          ? `O ramal ${extension} já está sem MAC ${at}. Nada precisou ser alterado.`
          : `O ramal ${extension} já está com o MAC ${shownMac(to)} ${at}. Nada precisou ser alterado.`,
    };
  }
  if (to === null) {
    return {
      heading: 'MAC retirado',
      lead: `O ramal ${extension} está sem MAC ${at}; antes tinha ${shownMac(from)}.`,
    };
  }
  return from === null
    ? { heading: 'MAC cadastrado', lead: `O ramal ${extension} agora tem o MAC ${shownMac(to)} ${at}.` }
    : {
        heading: 'MAC trocado',
        lead: `O ramal ${extension} agora tem o MAC ${shownMac(to)} ${at}; antes tinha ${shownMac(from)}.`,
      };
}

function requestPairs({ request, serverName, serverId, makers, requester, report }: MacChangeView): Pair[] {
  const done = report.state === 'changed';
  const withMaker = (mac: string | null, maker: string | null | undefined): string =>
    maker == null ? shownMac(mac) : `${shownMac(mac)} (${maker})`;
  return [
    ['Ramal', request.extension],
    [LABEL.server, serverTitle(serverName, serverId)],
    [done ? 'MAC antes' : 'MACATUAL pedido', withMaker(request.from, makers.from)],
    [done ? 'MAC agora' : 'MACFUTURO pedido', withMaker(request.to, makers.to)],
    ...(requester === null ? [] : [[LABEL.requester, requester] as const]),
  ];
}

function fileBlocks(report: MacReport): Block[] {
  const { state, files } = report;
  if (files.length === 0) return [];
  const more = files.length - MAX_FILES_SHOWN;
  return [
    heading(state === 'changed' ? 'Antes e depois, arquivo por arquivo' : 'O que está nos arquivos'),
    cards(files.slice(0, MAX_FILES_SHOWN).map((file) => fileCard(file, report))),
    ...(more > 0 ? [small([`… e mais ${more} arquivos.`])] : []),
  ];
}

function fileCard({ path, before, after }: MacFileReport, { state, refusal }: MacReport): Card {
  // A file without the record, or with several, has none to show either.
  const none = refusal === null || refusal.code === 'mac-differs' ? 'sem MAC' : 'nenhum MAC encontrado';
  const [was, is] = [before ?? none, after ?? none];
  const lines = state === 'changed' && was !== is ? [`Antes: ${was}`, `Depois: ${is}`] : [`Tem: ${was}`];
  return { title: path, mark: null, lines };
}

/** What would be accepted, where all files agree on what the extension has. */
function correctedBlocks(view: MacChangeView): Block[] {
  const corrected = correctedRequest(view);
  if (corrected === null) return [];
  const { sending } = view;
  if (sending === null) {
    return [
      heading(CORRECTED),
      copy(corrected),
      say('Confira se é isto que você quer. Se o seu acesso usa token, ponha-o no começo, entre colchetes.'),
    ];
  }
  const send = subjectToSend(corrected, sending.tokenRequired);
  return [
    heading(CORRECTED),
    copy(send),
    say(sending.tokenRequired ? `${CONFIRM_HINT} ${TOKEN_HINT}` : CONFIRM_HINT),
    press(mailtoLink(sending.mailbox, send), PREPARE, OR_OPEN),
  ];
}

function backupBlocks({ report: { backup }, serverId }: MacChangeView): Block[] {
  if (backup === null) return [];
  return [
    heading('Cópia de segurança'),
    // A path in a sentence would be wider than a phone.
    say('Os arquivos como eram estão no servidor, em:'),
    copy(backup),
    say('O administrador pode voltar atrás com:'),
    copy(`node-ctl mac restore ${backup.slice(backup.lastIndexOf('/') + 1)} --server ${serverId}`),
  ];
}
