import { sourceName } from './catalogue.ts';
import { bullets, notes, pairs, section } from './components.ts';
import { page } from './page.ts';
import {
  boxes,
  coverageNotes,
  extensionsPhrase,
  footerText,
  groupsText,
  jobFooter,
  rangePhrase,
  requestPairs,
  warningGroups,
} from './parts.ts';
import { replySubject } from './subject-line.ts';
import { TextMail } from './text.ts';
import type { NothingFoundView, ReplyMail } from './views.ts';

/** The search was done and there is nothing to deliver: what was searched, and what to check. */
export function nothingFoundMail(view: NothingFoundView): ReplyMail {
  const { heading, lead } = opening(view);
  const warnings = warningGroups(view);
  const checks = thingsToCheck(view);
  const footer = jobFooter(view.jobId, view.request.subject);

  const text = new TextMail().title(heading, '=').paragraph(lead);
  groupsText(text, warnings);
  text.title('O que procuramos').pairs(requestPairs(view.request, view.timeZone)).title('O que conferir');
  for (const check of checks) text.item(check);
  text.title('Sobre esta busca');
  for (const note of coverageNotes(view)) text.item(note);
  footerText(text, footer);

  return {
    subject: replySubject(view.request.subject),
    text: text.toString(),
    html: page({
      title: heading,
      preheader: `${heading}: ${extensionsPhrase(view.request.extensions)}, ${rangePhrase(view.request)}.`,
      heading,
      lead,
      body: [
        boxes('warning', warnings),
        section('O que procuramos'),
        pairs(requestPairs(view.request, view.timeZone)),
        section('O que conferir'),
        bullets(checks),
        section('Sobre esta busca'),
        notes(coverageNotes(view)),
      ],
      footer,
    }),
  };
}

function opening(view: NothingFoundView): { heading: string; lead: string } {
  if (view.leftOut.length > 0) {
    return {
      heading: 'Nenhuma gravação pôde ser entregue',
      lead: view.leftOut.every(({ fault }) => fault === 'archived')
        ? 'Encontramos gravações deste pedido, mas todas estão arquivadas e precisam ser restauradas antes.'
        : 'Encontramos gravações deste pedido, mas nenhuma tem áudio que possa ser entregue. Veja abaixo o motivo de cada uma.',
    };
  }
  return {
    heading: 'Nenhuma gravação encontrada',
    lead: 'A busca foi concluída, e não há gravações que correspondam ao pedido.',
  };
}

function thingsToCheck(view: NothingFoundView): string[] {
  if (view.leftOut.length > 0) {
    const whole = view.leftOut.filter(({ fault }) => fault !== 'archived');
    return [
      ...(whole.length === view.leftOut.length
        ? []
        : ['Restaurar uma gravação arquivada pode levar horas: combine o prazo com o administrador.']),
      ...(whole.length === 0
        ? []
        : [
            'Se a chamada ainda estava em andamento, peça de novo depois que ela terminar.',
            'Arquivos vazios costumam ser de chamadas que não foram atendidas.',
            'Se o áudio deveria existir, fale com o administrador e informe o número deste pedido.',
          ]),
    ];
  }
  const one = view.request.extensions.length === 1;
  return [
    one ? 'O número do ramal está certo?' : 'Os números dos ramais estão certos?',
    'O período está certo, com dia, mês e ano? Tente um período maior.',
    ...(view.request.server === null || view.narrowedByServer !== true
      ? []
      : [`A chamada passou mesmo pelo servidor ${view.request.server}? Tente sem o campo SERVER.`]),
    ...(view.otherSources ?? []).map(
      (source) =>
        `A gravação pode estar em outro lugar: ${sourceName(source)}. Tente com audios_from=${source}.`,
    ),
    one ? 'O ramal é gravado? Nem todos são.' : 'Os ramais são gravados? Nem todos são.',
  ];
}
