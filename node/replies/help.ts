import { type Block, askedMail, cards, facts, heading, say } from './blocks.ts';
import type { Card } from './cards.ts';
import { TOKEN_PLACEHOLDER } from './catalogue.ts';
import type { HelpView } from './command-views.ts';
import type { Pair } from './parts.ts';
import { limitText, ROLE } from './roles.ts';
import { mailtoLink, subjectToSend } from './subject-line.ts';
import type { ReplyMail } from './views.ts';

/** What each command is for. */
const COMMANDS: Readonly<Record<string, string>> = {
  RAMAIS: 'Gravações das chamadas de um ou mais ramais, em um período.',
  CHECKIP: 'Ver se um endereço IP está banido nos servidores e liberá-lo. Com MODO=VER, só olha.',
  MACCHANGE:
    'Trocar o MAC do telefone de um ramal. MACATUAL= vazio cadastra o primeiro; MACFUTURO= vazio retira o que há.',
  WHITELIST: 'Ver, incluir e retirar quem pode fazer pedidos.',
  STATUS: 'Saber se o atendimento está funcionando.',
  FILA: 'Ver os pedidos que ainda esperam e o lugar de cada um.',
  CANCELAR: 'Desistir de um pedido que ainda não terminou.',
  REENVIAR: 'Receber de novo as gravações de um pedido, com links novos.',
  AJUDA: 'Receber este e-mail.',
};

/** AJUDA: what this person may ask for, with examples to send. */
export function helpMail(view: HelpView): ReplyMail {
  const { commands, tokenRequired, mailbox } = view;
  const token = `Troque ${TOKEN_PLACEHOLDER} pelo seu token, entre colchetes.`;
  const blocks: Block[] = [
    facts(accessPairs(view)),
    heading('Comandos e exemplos'),
    say(
      `Toque em um exemplo, ou copie-o para o assunto, e ajuste o que for preciso.${tokenRequired ? ` ${token}` : ''}`,
    ),
    cards(commands.map((command) => commandCard(command, view))),
  ];
  return askedMail(view, {
    heading: 'O que você pode pedir',
    lead: `Envie o pedido para ${mailbox}, todo no assunto do e-mail; o corpo não é lido.`,
    blocks: commands.length === 0 ? blocks.slice(0, 1) : blocks,
  });
}

function accessPairs({ role, extensions, servers }: HelpView): Pair[] {
  return [
    ['Seu acesso', ROLE[role]],
    ['Ramais', limitText(extensions)],
    ['Servidores', limitText(servers)],
  ];
}

function commandCard({ keyword, examples }: HelpView['commands'][number], view: HelpView): Card {
  const send = examples.map((example) => subjectToSend(example, view.tokenRequired));
  return {
    title: keyword,
    mark: null,
    lines: Object.hasOwn(COMMANDS, keyword) ? [COMMANDS[keyword] ?? ''] : [],
    links: send.map((subject) => ({ label: subject, url: mailtoLink(view.mailbox, subject) })),
  };
}
