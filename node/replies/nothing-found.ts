import type { NearbyExtension } from '../recordings/source.ts';
import { alarm, type Block, blockMail, cards, facts, heading, items, say, small } from './blocks.ts';
import { PRODUCT, sourceName } from './catalogue.ts';
import { isKnown, nearbyCards } from './nearby.ts';
import {
  coverageNotes,
  extensionsPhrase,
  fewExtensions,
  jobFooter,
  jobPairs,
  rangePhrase,
  warningGroups,
} from './parts.ts';
import type { NothingFoundView, ReplyMail } from './views.ts';

/** The search was done and there is nothing to deliver: what was searched, what is near it, and what to check. */
export function nothingFoundMail(view: NothingFoundView): ReplyMail {
  const { request, nearby } = view;
  const near: Block[] =
    nearby === null || nearby.extensions.length === 0
      ? []
      : [
          heading('O que há por perto'),
          ...(request.server !== null && view.narrowedByServer === true
            ? [say(`Contando só o servidor ${request.server}.`)]
            : []),
          cards(nearbyCards(nearby)),
        ];
  const { title, lead } = opening(view);
  return blockMail({
    subject: request.subject,
    area: PRODUCT,
    heading: title,
    preheader: `${title}: ${extensionsPhrase(request.extensions)}, ${rangePhrase(request)}.`,
    lead,
    blocks: [
      alarm('warning', warningGroups(view)),
      heading('O que procuramos'),
      facts(jobPairs(view)),
      ...near,
      heading('O que conferir'),
      items(thingsToCheck(view)),
      heading('Sobre esta busca'),
      small(coverageNotes(view)),
    ],
    footer: jobFooter(view.jobId, request.subject),
  });
}

function opening(view: NothingFoundView): { title: string; lead: string } {
  if (view.leftOut.length > 0) {
    return {
      title: 'Nenhuma gravação pôde ser entregue',
      lead: view.leftOut.every(({ fault }) => fault === 'archived')
        ? 'Encontramos gravações deste pedido, mas todas estão arquivadas e precisam ser restauradas antes.'
        : 'Encontramos gravações deste pedido, mas nenhuma tem áudio que possa ser entregue. Veja abaixo o motivo de cada uma.',
    };
  }
  const nearest = view.nearby?.extensions.some(({ before, after }) => before !== null || after !== null);
  return {
    title: 'Nenhuma gravação encontrada',
    lead: `A busca foi concluída, e não há gravações que correspondam ao pedido.${nearest === true ? ' Veja abaixo as mais próximas do período.' : ''}`,
  };
}

function thingsToCheck(view: NothingFoundView): string[] {
  const { request } = view;
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
  const unsure = unsureExtensions(view);
  return [
    ...(unsure.length === 0 ? [] : [numbersQuestion(unsure)]),
    'O período está certo, com dia, mês e ano? Tente um período maior.',
    ...(request.server === null || view.narrowedByServer !== true
      ? []
      : [`A chamada passou mesmo pelo servidor ${request.server}? Tente sem o campo SERVER.`]),
    ...(view.otherSources ?? []).map(
      (source) =>
        `A gravação pode estar em outro lugar: ${sourceName(source)}. Tente com audios_from=${source}.`,
    ),
  ];
}

/** Those of which nothing is known to have been recorded; all, where nobody looked. */
function unsureExtensions({ request, nearby }: NothingFoundView): readonly string[] {
  if (nearby === null) return request.extensions;
  const known = nearby.extensions.filter((near: NearbyExtension) => isKnown(near, nearby.days) === true);
  const names = new Set(known.map(({ extension }) => extension));
  return request.extensions.filter((extension) => !names.has(extension));
}

function numbersQuestion(extensions: readonly string[]): string {
  const words = fewExtensions(extensions);
  return extensions.length === 1
    ? `O número do ramal ${words} está certo, e ele é gravado? Nem todos são.`
    : `Os números dos ramais ${words} estão certos, e eles são gravados? Nem todos são.`;
}
