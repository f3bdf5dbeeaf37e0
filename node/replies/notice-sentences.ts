import type { NoticeKind } from './views.ts';

interface NoticeWords {
  readonly heading: string;
  readonly meaning: string;
  readonly advice: string;
  /** Labels of the details that the subject names. */
  readonly about: readonly string[];
}

/** What the admin is told of: a heading, what it means, and what is to be done. */
export const NOTICE: Readonly<Record<NoticeKind, NoticeWords>> = {
  'mail-in-doubt': {
    heading: 'E-mail em dúvida',
    meaning:
      'A caixa de entrada mudou de numeração ou foi assumida sem confirmação do outro servidor, e não há como saber se um e-mail já marcado como lido foi atendido. Ele só será processado se você decidir.',
    advice:
      'Veja nos e-mails enviados se houve resposta. Se não houve, execute neste servidor o comando “Para atender”; se houve, o comando “Para dispensar”.',
    about: ['Remetente'],
  },
  'mail-set-aside': {
    heading: 'E-mail posto de lado',
    meaning: 'Um e-mail não pôde ser interpretado e foi guardado à parte. Quem enviou não recebeu resposta.',
    advice: 'Veja o e-mail na caixa de entrada e responda à pessoa, se for o caso.',
    about: ['Remetente'],
  },
  'mail-unproved': {
    heading: 'E-mail em quarentena',
    meaning:
      'Um e-mail fez um pedido em nome de alguém, e não foi possível comprovar que foi essa pessoa quem o enviou. Nada foi feito, e ninguém recebeu resposta.',
    advice:
      'Se você sabe que o pedido é verdadeiro, libere-o com o comando abaixo. Se não sabe, não faça nada: o e-mail fica guardado e não é atendido.',
    about: ['Remetente'],
  },
  'job-conflict': {
    heading: 'Pedido em conflito',
    meaning:
      'Chegou um pedido com a identificação de outro e conteúdo diferente. O primeiro vale; o segundo foi recusado.',
    advice: 'Confira de onde vieram os dois; isto não acontece com e-mails comuns.',
    about: ['Pedido'],
  },
  'drop-refused': {
    heading: 'Arquivo de pedido recusado',
    meaning: 'Um arquivo deixado em pending/ é um pedido, mas não passou pelas regras. Nada foi feito.',
    advice: 'Corrija o que está indicado e deixe o arquivo de novo.',
    about: ['Arquivo'],
  },
  'drop-set-aside': {
    heading: 'Arquivo posto de lado',
    meaning: 'Um arquivo deixado em pending/ não pôde ser aceito como pedido e foi movido para fora da fila.',
    advice: 'Confira quem o deixou lá; a fila segue normalmente.',
    about: ['Arquivo'],
  },
  'locked-out': {
    heading: 'Pedidos bloqueados por tokens errados',
    meaning:
      'Chegaram tokens errados demais. Os pedidos do remetente abaixo não são aceitos até o fim do bloqueio, nem com o token certo.',
    advice:
      'Se foi engano, desbloqueie com o comando abaixo. Se ninguém reconhece as tentativas, alguém pode estar tentando adivinhar um token: troque os tokens em uso.',
    about: ['Remetente'],
  },
  'whitelist-changed': {
    heading: 'Lista de acesso alterada',
    meaning: 'A lista de quem pode fazer pedidos foi alterada, e a mudança já está valendo.',
    advice: 'Se você não esperava esta mudança, fale com quem a fez e desfaça com WHITELIST.',
    about: ['Pessoa'],
  },
  'server-unsettled': {
    heading: 'Troca de MAC por terminar em um servidor',
    meaning:
      'A conexão com um servidor caiu no meio de uma troca de MAC, e os arquivos dele podem ter ficado pela metade. O sistema tenta de novo até conseguir pôr tudo em ordem; até lá, o pedido espera.',
    advice:
      'Confira se o servidor está ligado e acessível por SSH, e não altere os arquivos à mão enquanto isso.',
    about: ['Servidor', 'Ramal'],
  },
  'disk-low': {
    heading: 'Pouco espaço em disco',
    meaning:
      'O espaço livre do nó está abaixo do mínimo (DISK_HEADROOM_BYTES). Pedidos novos de gravações são recusados, com um aviso a quem pede; se o espaço cair a um quarto do mínimo, também os outros comandos. O que já foi aceito termina.',
    advice:
      'Libere espaço no disco do nó. Os pedidos voltam a ser aceitos sozinhos quando houver folga; quem foi recusado precisa enviar de novo.',
    about: [],
  },
  forced: {
    heading: 'Troca de nó forçada',
    meaning:
      'Este nó passou a ler a caixa de entrada sem a palavra do outro, por ordem de um operador. O que o outro nó já tinha aceitado fica com ele até voltar, e um pedido que ele não conseguiu contar a este pode ser atendido duas vezes.',
    advice: 'Quando o outro nó voltar, confira os dois com: node-ctl status e node-ctl doubt list.',
    about: [],
  },
  'forced-out': {
    heading: 'Nó substituído à força',
    meaning:
      'Este nó lia a caixa de entrada e soube que o outro assumiu o lugar dele à força. Ele parou de ler na mesma hora; os pedidos que já tinha aceitado serão concluídos.',
    advice: 'Confira se algum pedido desse intervalo foi respondido duas vezes.',
    about: [],
  },
  'peer-away': {
    heading: 'O outro servidor não responde',
    meaning:
      'Há pedidos esperando há mais de 15 minutos pelo outro servidor da parelha: nem a chamada direta (RPC) nem a entrega de arquivo (SCP) funcionam.',
    advice:
      'Confira se o outro servidor está ligado e se a rede entre os dois funciona. Os pedidos estão guardados e seguem sozinhos quando ele voltar.',
    about: ['Outro servidor'],
  },
  other: { heading: 'Aviso', meaning: '', advice: '', about: [] },
};
