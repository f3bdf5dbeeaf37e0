import { askedMail, type Block, cards, facts, heading, say } from './blocks.ts';
import type { Card } from './cards.ts';
import type { PersonView, WhitelistView } from './command-views.ts';
import { plural } from './format.ts';
import type { Pair } from './parts.ts';
import { addedText, limitText, personPairs, ROLE } from './roles.ts';
import type { ReplyMail } from './views.ts';

/** With all that can be said of each, the mail stays below what Gmail clips. */
const MAX_PEOPLE_SHOWN = 140;
/** Extensions and servers of one person, in a list of many. */
const MAX_OF_EACH = 10;
const ALL_TOLD = 'A mudança já está valendo, e todos os administradores foram avisados.';

/** WHITELIST: who may ask, or what became of a change. */
export function whitelistMail(view: WhitelistView): ReplyMail {
  return view.what === 'list'
    ? listMail(view)
    : askedMail(view, { ...changeOpening(view), blocks: changeBlocks(view) });
}

function listMail(view: WhitelistView): ReplyMail {
  const { people, timeZone } = view;
  const shown = people.slice(0, MAX_PEOPLE_SHOWN);
  const more = people.length - shown.length;
  return askedMail(view, {
    heading: 'Quem pode fazer pedidos',
    lead:
      people.length === 0
        ? 'Ninguém está na lista de acesso.'
        : `${plural(people.length, 'endereço está', 'endereços estão')} na lista de acesso.`,
    blocks: [
      ...(shown.length === 0 ? [] : [cards(shown.map((person) => personCard(person, timeZone)))]),
      ...(more > 0 ? [say(`… e mais ${more}. A lista completa aparece com: node-ctl people list`)] : []),
    ],
  });
}

function personCard(person: PersonView, timeZone: string): Card {
  const { address, role, extensions, servers } = person;
  return {
    title: address,
    mark: { kind: role === 'admin' ? 'good' : 'plain', label: ROLE[role] },
    lines: [
      ...(address.startsWith('@') ? ['Todos os endereços deste domínio'] : []),
      ...(extensions === null ? [] : [`Só os ramais: ${limitText(extensions, MAX_OF_EACH)}`]),
      ...(servers === null ? [] : [`Só os servidores: ${limitText(servers, MAX_OF_EACH)}`]),
    ],
    small: [`Incluído ${addedText(person, timeZone)}`],
  };
}

function changeOpening({ what, person, before }: WhitelistView): { heading: string; lead: string } {
  const who = person?.address ?? before?.address ?? '';
  switch (what) {
    case 'added':
      return { heading: 'Acesso incluído', lead: `${who} já pode fazer pedidos.` };
    case 'changed':
      return { heading: 'Acesso alterado', lead: `O acesso de ${who} foi alterado.` };
    case 'removed':
      return { heading: 'Acesso retirado', lead: `${who} não pode mais fazer pedidos.` };
    default:
      return {
        heading: 'Já estava assim',
        lead:
          before === null
            ? `${who} não estava na lista de acesso: nada precisou ser alterado.`
            : `O acesso de ${who} já era este: nada precisou ser alterado.`,
      };
  }
}

function changeBlocks({ what, person, before, timeZone }: WhitelistView): Block[] {
  if (what === 'unchanged') return before === null ? [] : [facts(personPairs(before, timeZone))];
  const shown =
    what === 'removed' || person === null
      ? before === null
        ? []
        : [heading('O acesso que tinha'), facts(personPairs(before, timeZone))]
      : [facts(before === null ? personPairs(person, timeZone) : differences(before, person))];
  return [...shown, say(ALL_TOLD)];
}

/** `operador → consulta` where something is another than before. */
function differences(before: PersonView, after: PersonView): Pair[] {
  const row = (label: string, was: string, is: string): Pair => [label, was === is ? is : `${was} → ${is}`];
  return [
    ['Pessoa', after.address],
    row('Papel', ROLE[before.role], ROLE[after.role]),
    row('Ramais', limitText(before.extensions), limitText(after.extensions)),
    row('Servidores', limitText(before.servers), limitText(after.servers)),
  ];
}
