import type { SourceName } from '../../protocol/job.ts';
import type { Measured, RecordingFault } from '../recordings/source.ts';
import { formatSize, plural } from './format.ts';
import type { AccessRefusalReason, NoticeKind } from './views.ts';

/**
 * What the mails say, in Portuguese, beside the sentences for faults and failures (`fault-sentences.ts`,
 * `failure-sentences.ts`). Sentences that stand
 * in one mail alone stand in that mail's file.
 */
export const PRODUCT = 'Gravações de chamadas';
export const AUTOMATIC = 'Resposta automática do sistema de gravações.';
export const NO_SUBJECT = '(sem assunto)';
/** Stands for the token in a subject to copy: a real one is never shown. */
export const TOKEN_PLACEHOLDER = '[SEU_TOKEN]';

export const LABEL = {
  extensions: 'Ramais',
  range: 'Período',
  from: 'De',
  until: 'Até',
  server: 'Servidor',
  source: 'Busca em',
  requester: 'Solicitante',
  subject: 'Assunto recebido',
  position: 'Situação',
  request: 'Pedido',
  recordings: 'Gravações',
  attempts: 'Tentativas',
  node: 'Nó',
  when: 'Quando',
} as const;

export const ANY_SERVER = 'todos';

/** Where a search looked, as people call it. */
export function sourceName(source: SourceName): string {
  return { audio: 'servidor de gravações (disco)', s3: 'armazenamento na nuvem (S3)' }[source];
}

/** In which clock times are meant. */
export function zoneName(timeZone: string): string {
  return timeZone === 'America/Sao_Paulo' ? 'horário de Brasília' : `horário de ${timeZone}`;
}

/**
 * Where a job stands in its lane; null where the other server is to work it, and has not said. `found`: what it
 * will find has been told beside it.
 */
export function positionSentence(position: number | null, found: boolean): string {
  if (position === null) return 'aguardando o outro servidor';
  if (position <= 1) return found ? 'já estamos preparando o resultado' : 'já estamos procurando';
  return `${position}º na fila (${plural(position - 1, 'pedido', 'pedidos')} antes do seu)`;
}

/** What the search will find, told before it is done; it promises nothing. */
export function measuredSentence({ count, bytes }: Measured): string {
  if (count === 0) {
    return 'Até agora não encontramos nenhuma gravação; a busca completa ainda será feita.';
  }
  const size = bytes === 0 ? '' : ` (${formatSize(bytes)})`;
  return `Encontramos ${plural(count, 'gravação', 'gravações')}${size}.`;
}

/** What happened to a recording, after "A gravação …" or beside it. */
export const RECORDING_FAULT: Readonly<Record<RecordingFault, string>> = {
  empty: 'arquivo vazio',
  unreadable: 'arquivo que não pôde ser lido',
  vanished: 'arquivo que sumiu durante a busca',
  growing: 'chamada ainda em gravação; pode faltar o final',
  broken: 'arquivo com defeito; pode não tocar até o fim',
  archived: 'arquivada (armazenamento frio)',
};

/** What it takes to hear recordings in cold storage, which hours may pass before. */
export function archivedAdvice(count: number): string {
  return count === 1
    ? 'Ela está em armazenamento frio: peça ao administrador que a restaure e, depois, envie o pedido de novo.'
    : 'Elas estão em armazenamento frio: peça ao administrador que as restaure e, depois, envie o pedido de novo.';
}

/** How long links open, said beside them. */
export function expirySentence(expires: string): string {
  return `Os links valem até ${expires}. Depois disso, as cópias feitas para este pedido são apagadas; se precisar, envie o pedido de novo.`;
}

/** Said where links are signed with credentials whose end nobody can tell. */
export const MAY_END_EARLIER =
  'Os links podem parar de funcionar antes desse horário, porque o acesso à nuvem que os assina é temporário. Baixe logo o que precisar; se um link não abrir mais, envie o pedido de novo.';

/** What a search does not find, whatever is asked for. */
export const QUEUE_CALLS =
  'Chamadas de fila e de grupo de toque não trazem no nome o ramal que atendeu, por isso não entram na busca.';

/** Whether SERVER could be applied; nothing where none was asked for. */
export function serverSentence(server: string | null, narrowed: boolean | null): string | null {
  if (server === null || narrowed === null) return null;
  return narrowed
    ? `A busca foi limitada ao servidor ${server}.`
    : `As gravações não são separadas por servidor neste lugar: a busca não pôde ser limitada ao ${server}.`;
}

/** That the answer is known to be incomplete. */
export function unreadableSentence(count: number): string {
  const places = count === 1 ? '1 pasta não pôde ser lida' : `${count} pastas não puderam ser lidas`;
  return `${places}: pode haver gravações que não aparecem aqui. O administrador também recebeu este aviso.`;
}

export const ACCESS_REFUSAL: Readonly<
  Record<AccessRefusalReason, { heading: string; said: string; fix: string }>
> = {
  'token-missing': {
    heading: 'Falta o seu token',
    said: 'O assunto precisa começar com o seu token entre colchetes, e ele não veio.',
    fix: 'Escreva o token no início do assunto, entre colchetes, antes do comando.',
  },
  'token-invalid': {
    heading: 'Token não aceito',
    said: 'O token que veio no assunto não é válido: pode ter sido digitado errado, vencido ou desativado.',
    fix: 'Confira os 8 caracteres do token e envie de novo.',
  },
  'sender-unknown': {
    heading: 'Endereço sem acesso',
    said: 'Este endereço de e-mail não está na lista de quem pode fazer pedidos.',
    fix: 'Se você tem outro endereço cadastrado, envie o pedido a partir dele.',
  },
};

/** What the admin is told of: a heading, what it means, and what is to be done. */
export const NOTICE: Readonly<Record<NoticeKind, { heading: string; meaning: string; advice: string }>> = {
  'mail-in-doubt': {
    heading: 'E-mail em dúvida',
    meaning:
      'A caixa de entrada mudou de numeração ou foi assumida sem confirmação do outro servidor, e não há como saber se um e-mail já marcado como lido foi atendido. Ele só será processado se você decidir.',
    advice:
      'Veja nos e-mails enviados se houve resposta. Se não houve, execute neste servidor o comando “Para atender”; se houve, o comando “Para dispensar”.',
  },
  'mail-set-aside': {
    heading: 'E-mail posto de lado',
    meaning: 'Um e-mail não pôde ser interpretado e foi guardado à parte. Quem enviou não recebeu resposta.',
    advice: 'Veja o e-mail na caixa de entrada e responda à pessoa, se for o caso.',
  },
  'mail-unproved': {
    heading: 'Remetente não comprovado',
    meaning:
      'Um e-mail pediu algo em nome de alguém, mas o remetente não pôde ser comprovado. Nada foi feito.',
    advice: 'Se o pedido é legítimo, confira como o domínio do remetente assina seus e-mails.',
  },
  'job-conflict': {
    heading: 'Pedido em conflito',
    meaning:
      'Chegou um pedido com a identificação de outro e conteúdo diferente. O primeiro vale; o segundo foi recusado.',
    advice: 'Confira de onde vieram os dois; isto não acontece com e-mails comuns.',
  },
  'drop-refused': {
    heading: 'Arquivo de pedido recusado',
    meaning: 'Um arquivo deixado em pending/ é um pedido, mas não passou pelas regras. Nada foi feito.',
    advice: 'Corrija o que está indicado e deixe o arquivo de novo.',
  },
  'drop-set-aside': {
    heading: 'Arquivo posto de lado',
    meaning: 'Um arquivo deixado em pending/ não é um pedido completo e foi movido para fora da fila.',
    advice: 'Confira quem o deixou lá; a fila segue normalmente.',
  },
  'locked-out': {
    heading: 'Remetente bloqueado',
    meaning: 'Houve tokens errados demais; novos pedidos ficam bloqueados por um tempo.',
    advice: 'Se não reconhece as tentativas, troque os tokens.',
  },
  'disk-low': {
    heading: 'Pouco espaço em disco',
    meaning: 'O espaço livre está abaixo do mínimo. Pedidos novos não são aceitos; os já aceitos terminam.',
    advice: 'Libere espaço no disco do nó.',
  },
  forced: {
    heading: 'Troca de nó forçada',
    meaning:
      'Este nó passou a ler a caixa de entrada sem a palavra do outro (promote --force). O que o outro nó já tinha aceitado fica com ele até voltar, e um pedido que ele não conseguiu contar a este pode ser atendido duas vezes.',
    advice: 'Quando o outro nó voltar, confira os dois com: node-ctl status e node-ctl doubt list.',
  },
  'forced-out': {
    heading: 'Nó substituído à força',
    meaning:
      'Este nó lia a caixa de entrada e soube que o outro assumiu o lugar dele à força. Ele parou de ler na mesma hora; os pedidos que já tinha aceitado serão concluídos.',
    advice: 'Confira se algum pedido desse intervalo foi respondido duas vezes.',
  },
  'peer-away': {
    heading: 'O outro servidor não responde',
    meaning:
      'Há pedidos esperando há mais de 15 minutos pelo outro servidor da parelha: nem a chamada direta (RPC) nem a entrega de arquivo (SCP) funcionam.',
    advice:
      'Confira se o outro servidor está ligado e se a rede entre os dois funciona. Os pedidos estão guardados e seguem sozinhos quando ele voltar.',
  },
  other: { heading: 'Aviso', meaning: '', advice: '' },
};

/** Labels of what a notice is about, by the names under which the node keeps it. */
export const NOTICE_DETAILS: Readonly<Record<string, string>> = {
  subject: 'Assunto',
  from: 'Remetente',
  file: 'Arquivo',
  reason: 'Motivo',
  receivedAt: 'Recebido em',
  job: 'Pedido',
  doubt: 'Dúvida',
  doubts: 'E-mails em dúvida',
  take: 'Para atender',
  dismiss: 'Para dispensar',
  list: 'Para ver todos',
  peer: 'Outro servidor',
  waiting: 'Pedidos esperando',
  term: 'Mandato',
};
