import { formatSize, shortId } from './format.ts';
import { shownMoment } from './instants.ts';
import type { Pair } from './parts.ts';

/** Labels of what a notice is about, by the names under which the node keeps it. */
const LABELS: Readonly<Record<string, string>> = {
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
  person: 'Pessoa',
  by: 'Feito por',
  requester: 'Solicitante',
  before: 'Antes',
  after: 'Agora',
  server: 'Servidor',
  extension: 'Ramal',
  code: 'Código',
  until: 'Até',
  show: 'Para ver',
  release: 'Para liberar',
  detail: 'Detalhe',
  mails: 'E-mails em quarentena',
  clear: 'Para desbloquear',
  backup: 'Cópia de segurança',
  freeBytes: 'Espaço livre',
  headroomBytes: 'Mínimo',
  since: 'Desde',
  stateDir: 'Pasta',
  status: 'Para ver o que ocupa',
};

/** Names under which instants are kept. */
const MOMENTS: ReadonlySet<string> = new Set(['receivedAt', 'until', 'since']);
/** Names under which numbers of bytes are kept. */
const SIZES: ReadonlySet<string> = new Set(['freeBytes', 'headroomBytes']);

/** Reasons that the node keeps as a code, in words: why a sender could not be proved (RFC 8601, RFC 7489), why a file is refused. */
const REASONS: Readonly<Record<string, string>> = {
  'no-results': 'o servidor de e-mail não disse se conferiu o remetente',
  'no-dmarc': 'o servidor de e-mail não conferiu o DMARC do remetente',
  'results-malformed': 'não se entende o que o servidor de e-mail conferiu',
  'dmarc-fail': 'o e-mail não passou no DMARC do domínio do remetente',
  'domain-differs': 'o que foi conferido é de outro domínio, não do remetente',
  'from-ambiguous': 'o campo De não diz um só remetente',
  'header-ambiguous': 'o cabeçalho pode ser lido de mais de um jeito',
  unsigned: 'o e-mail não tem assinatura do domínio do remetente',
  'dkim-fail': 'a assinatura (DKIM) não confere: o e-mail pode ter sido alterado',
  'too-large': 'o e-mail é grande demais para ser conferido',
  dns: 'o DNS do domínio do remetente não respondeu',
  'not-allowed': 'o endereço não está na lista de acesso',
  'drop-unproved': 'diz vir do outro servidor da parelha, mas a assinatura não confere',
  'drop-asks-more': 'pede mais do que os seus próprios campos dizem',
  'drop-elsewhere': 'pede gravações de uma origem que este servidor não atende',
};

/** What a notice is about, label and value, from what the node keeps of it; unknown names stay as they are. */
export function noticeDetails(details: Readonly<Record<string, string>>, timeZone: string): Pair[] {
  return Object.entries(details).map(([name, value]) => [
    labelOf(name, value),
    valueOf(name, value, timeZone),
  ]);
}

/** A reason that is no code of ours is an error's message, in English. */
function labelOf(name: string, value: string): string {
  if (name === 'reason' && !Object.hasOwn(REASONS, value)) return 'Motivo técnico';
  return Object.hasOwn(LABELS, name) ? (LABELS[name] ?? name) : name;
}

function valueOf(name: string, value: string, timeZone: string): string {
  if (MOMENTS.has(name)) return shownMoment(value, timeZone);
  if (SIZES.has(name) && /^\d{1,15}$/.test(value)) return formatSize(Number(value));
  if (name === 'job') return shortId(value);
  if (name === 'from' && value === '*') return 'todos os remetentes';
  if (name === 'reason' && Object.hasOwn(REASONS, value)) return `${REASONS[value]} (${value})`;
  return value;
}
