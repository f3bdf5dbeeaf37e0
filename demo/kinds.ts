/** A kind of mail that people get. */
export interface Kind {
  readonly id: string;
  /** As the page of the demo heads them. */
  readonly group: Group;
  readonly title: string;
  /** For docs/MAILS.md: when it is sent, and to whom. */
  readonly when: string;
}

export const GROUPS = {
  recordings: { title: 'Gravações', english: 'Recordings' },
  trouble: { title: 'Recusas, atrasos e falhas', english: 'Refused, delayed, failed' },
  servers: { title: 'Servidores SIP', english: 'SIP servers' },
  questions: { title: 'Sobre os pedidos', english: 'About requests, and who may ask' },
  notices: { title: 'Avisos à administração', english: 'To the admin' },
} as const;
export type Group = keyof typeof GROUPS;

function kind<const Id extends string>(id: Id, group: Group, title: string, when: string): Kind & { id: Id } {
  return { id, group, title, when };
}

/** Every kind there is in the demo, in the order in which they are shown. */
export const KINDS = [
  kind('confirmation', 'recordings', 'Confirmação', 'At once, when a request for recordings is accepted.'),
  kind(
    'confirmation-awaited',
    'recordings',
    'Confirmação: aguarda o outro servidor',
    'The same, while the node that has the recordings does not answer.',
  ),
  kind('result', 'recordings', 'Resultado', 'When the recordings are there to be played and downloaded.'),
  kind(
    'result-warnings',
    'recordings',
    'Resultado com ressalvas',
    'The same, where some recordings are empty or a call goes on.',
  ),
  kind(
    'result-many',
    'recordings',
    'Resultado longo',
    'The same, with more recordings than a mail lists; the page has them all.',
  ),
  kind(
    'result-parts',
    'recordings',
    'Resultado em vários ZIPs',
    'The same, with more recordings than go into one ZIP.',
  ),
  kind(
    'nothing-found',
    'recordings',
    'Nada no período',
    'Where an extension has no recording in that time: it says what was near.',
  ),
  kind(
    'nothing-known',
    'recordings',
    'Ramal sem gravações',
    'Where nothing is known of an extension at all.',
  ),
  kind(
    'refusal',
    'trouble',
    'Assunto com erros',
    'Where a subject has faults: each under its field, and a corrected subject ready to send.',
  ),
  kind(
    'refusal-token',
    'trouble',
    'Código errado',
    'Where the token is wrong or missing, at most once a day.',
  ),
  kind('refusal-locked', 'trouble', 'Envio suspenso', 'Where too many wrong tokens came from somebody.'),
  kind(
    'refusal-permission',
    'trouble',
    'Sem permissão',
    'Where somebody asks for what their role does not allow.',
  ),
  kind('disk-low', 'trouble', 'Disco quase cheio', 'Where the node has too little room for new work.'),
  kind(
    'delayed',
    'trouble',
    'Atraso',
    'After a quarter of an hour, where the other node still cannot be reached.',
  ),
  kind('failed', 'trouble', 'Falha', 'Where a request ends in an error, after its last attempt.'),
  kind(
    'failed-mac',
    'trouble',
    'Falha de MACCHANGE',
    'Where a change of phone could not be made on its server.',
  ),
  kind(
    'checkip-released',
    'servers',
    'CHECKIP: liberado',
    'After CHECKIP: what was found on each server, and done.',
  ),
  kind(
    'checkip-partly',
    'servers',
    'CHECKIP: um servidor fora do ar',
    'The same, where a server could not be reached: it is tried again.',
  ),
  kind(
    'checkip-followup',
    'servers',
    'CHECKIP: complemento',
    'When that server is back, or has been tried for long enough.',
  ),
  kind(
    'checkip-look',
    'servers',
    'CHECKIP: só consulta',
    'After CHECKIP with MODO=VER, which changes nothing.',
  ),
  kind(
    'macchange-done',
    'servers',
    'MACCHANGE: feito',
    'After a change of phone: the old one, the new one, and what was changed.',
  ),
  kind(
    'macchange-differs',
    'servers',
    'MACCHANGE: MAC atual é outro',
    'Where the extension has another phone than the subject says: nothing is changed.',
  ),
  kind('status', 'questions', 'STATUS', 'In answer to STATUS by an admin; others are told less.'),
  kind('queue', 'questions', 'FILA', 'In answer to FILA: the requests that are open.'),
  kind('cancel', 'questions', 'CANCELAR', 'In answer to CANCELAR.'),
  kind('resend', 'questions', 'REENVIAR', 'In answer to REENVIAR; the result follows, with new links.'),
  kind('help', 'questions', 'AJUDA', 'In answer to AJUDA: what may be asked, with examples.'),
  kind('whitelist-added', 'questions', 'WHITELIST ADD', 'In answer to WHITELIST ADD, by an admin.'),
  kind('whitelist-list', 'questions', 'WHITELIST LIST', 'In answer to WHITELIST LIST.'),
  kind(
    'digest',
    'questions',
    'Respostas reunidas',
    'In place of several answers, where the mails of a day were used up.',
  ),
  kind(
    'notice-unproved',
    'notices',
    'Remetente não comprovado',
    'A mail in the name of somebody who may ask, of which nothing shows that it is theirs.',
  ),
  kind('notice-locked', 'notices', 'Tentativas com código errado', 'Somebody is locked out for a day.'),
  kind(
    'notice-whitelist',
    'notices',
    'Lista de pessoas alterada',
    'Who may ask was changed; every admin is told.',
  ),
  kind(
    'notice-conflict',
    'notices',
    'Mensagem com identificação repetida',
    'A mail came under the id of another one.',
  ),
  kind(
    'notice-drop',
    'notices',
    'Arquivo recusado',
    'A file in the queue directory that asks for somebody who may not.',
  ),
  kind(
    'notice-peer-away',
    'notices',
    'Outro servidor fora do ar',
    'Requests have waited for the other node for a quarter of an hour.',
  ),
  kind(
    'notice-forced',
    'notices',
    'Comando assumido à força',
    'A node was made master without the word of the other one.',
  ),
  kind(
    'notice-forced-out',
    'notices',
    'Nó substituído à força',
    'To the node that was master the other one, made master by force, is back in sight.',
  ),
  kind(
    'notice-in-doubt',
    'notices',
    'E-mail em dúvida',
    'A mail is read already, and the node that took over by force cannot know whether it was answered.',
  ),
  kind(
    'notice-set-aside',
    'notices',
    'E-mail ilegível',
    'A mail that cannot be made sense of is kept for somebody to look at.',
  ),
  kind(
    'notice-unsettled',
    'notices',
    'Troca de MAC por terminar',
    'The connection to a server broke off amid a change of phone; it is tried until that is settled.',
  ),
  kind('notice-disk-low', 'notices', 'Disco quase cheio', 'The disk has less room than is to be left free.'),
] as const satisfies readonly Kind[];

export type KindId = (typeof KINDS)[number]['id'];

/** Which mails of the demo are of which kind, by their numbers. */
export interface Album {
  put(kind: KindId, mail: { readonly number: number }): void;
  kindOf(mail: { readonly number: number }): KindId | null;
}

export function createAlbum(): Album {
  const kinds = new Map<number, KindId>();
  return {
    put: (id, { number }) => void kinds.set(number, id),
    kindOf: ({ number }) => kinds.get(number) ?? null,
  };
}
