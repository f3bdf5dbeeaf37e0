import type { SourceName } from '../../protocol/job.ts';
import type { Measured, RecordingFault } from '../recordings/source.ts';
import { formatSize, plural } from './format.ts';
import type { AccessRefusalReason } from './views.ts';

/**
 * What the mails say, in Portuguese, beside the sentences for faults and failures (`fault-sentences.ts`,
 * `failure-sentences.ts`). Sentences that stand
 * in one mail alone stand in that mail's file.
 */
export const PRODUCT = 'Gravações de chamadas';
/** The same line over the mails that are about no recordings. */
export const AREA = {
  servers: 'Servidores de telefonia',
  requests: 'Pedidos por e-mail',
  system: 'Avisos do sistema',
} as const;
export const AUTOMATIC = 'Resposta automática a um pedido feito por e-mail.';
export const NO_SUBJECT = '(sem assunto)';
/** Stands for the token in a subject to copy: a real one is never shown. */
export const TOKEN_PLACEHOLDER = '[SEU_TOKEN]';

/** Over and under a corrected subject. */
export const CORRECTED = 'Assunto corrigido, para copiar';
export const CONFIRM_HINT = 'Confira se é isto que você quer antes de enviar.';
export const TOKEN_HINT = `Troque ${TOKEN_PLACEHOLDER} pelo seu token, entre colchetes.`;
export const PREPARE = 'Preparar e-mail corrigido';
export const OR_OPEN = 'Ou abra este link, que prepara o e-mail:';

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

/** The same beside a recording that is delivered; what is wrong stands with the warnings. */
export const DOUBTFUL = 'pode estar incompleta';

/** What it takes to hear recordings in cold storage, which hours may pass before. */
export function archivedAdvice(count: number): string {
  return count === 1
    ? 'Ela está em armazenamento frio: peça ao administrador que a restaure e, depois, envie o pedido de novo.'
    : 'Elas estão em armazenamento frio: peça ao administrador que as restaure e, depois, envie o pedido de novo.';
}

/** What comes after the time until which links open; that itself is told at the top. */
export function expirySentence(expires: string): string {
  return `Depois de ${expires}, as cópias feitas para este pedido são apagadas; se precisar, envie o pedido de novo.`;
}

/** Said where links are signed with credentials whose end nobody can tell. */
export const MAY_END_EARLIER =
  'Os links podem parar de funcionar antes desse horário, porque o acesso à nuvem que os assina é temporário. Baixe logo o que precisar; se um link não abrir mais, envie o pedido de novo.';

/** Why recordings are saved instead of played: `silent` of `all`. Null where all play. */
export function silentSentence(silent: number, all: number): string | null {
  if (silent === 0) return null;
  const why = 'um formato de telefonia que os navegadores não tocam: baixe';
  if (silent < all) return `Algumas gravações estão em ${why} o arquivo e abra no seu aparelho.`;
  return all === 1
    ? `A gravação está em ${why} o arquivo e abra no seu aparelho.`
    : `As gravações estão em ${why} os arquivos e abra no seu aparelho.`;
}

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
  'locked-out': {
    heading: 'Pedidos bloqueados por um tempo',
    said: 'Chegaram tokens errados demais, por isso os seus pedidos não são aceitos por um tempo. Nada foi feito.',
    fix: 'O bloqueio termina sozinho depois de um dia, e o administrador pode retirá-lo antes. Se não foi você quem usou os tokens errados, avise-o.',
  },
};
