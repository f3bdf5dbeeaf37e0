import { cutText } from './subject-line.ts';

/** A message about a host key has its fingerprint and the command that trusts it. */
const MAX_MESSAGE_LENGTH = 700;

/** Why a SIP server could not be asked or changed, for people; by the code's beginning where it has none of its own. */
const PROBLEMS: Readonly<Record<string, string>> = {
  'server.unreachable': 'O servidor não respondeu.',
  'server.timeout': 'O servidor demorou demais para responder.',
  'server.login': 'O servidor não aceitou o acesso do sistema.',
  'server.host-key': 'A identidade do servidor não pôde ser confirmada, por isso nada foi enviado a ele.',
  'server.key': 'O sistema não conseguiu usar a própria chave de acesso aos servidores.',
  'server.no-sftp': 'O servidor não permite o acesso aos arquivos.',
  'server.too-much-output': 'O servidor respondeu com dados demais.',
  'server.too-large': 'Um arquivo do servidor é maior do que o permitido.',
  'server.no-file': 'Um arquivo necessário não existe no servidor.',
  'server.exists': 'Já existe no servidor um arquivo no lugar em que um novo seria gravado.',
  'server.denied': 'O servidor negou o acesso a um arquivo.',
  'server.disk-full': 'O disco do servidor está cheio.',
  'server.file': 'O servidor não conseguiu ler ou gravar um arquivo.',
  'server.refused': 'O servidor não permite o comando de que o sistema precisa.',
  'server.not-found': 'O servidor do pedido não está mais preparado para este comando.',
  'server.none': 'Nenhum servidor está mais preparado para este comando.',
  'servers.too-many': 'Há servidores demais para um só pedido.',
  'fail2ban.missing': 'O fail2ban não está instalado no servidor.',
  'fail2ban.down': 'O fail2ban do servidor está parado ou não responde.',
  'fail2ban.lock': 'O sistema não conseguiu reservar o fail2ban do servidor para si.',
  'fail2ban.jail': 'O fail2ban não deixou ler uma das regras.',
  'fail2ban.answer': 'A resposta do fail2ban não foi entendida.',
  'fail2ban.incomplete': 'A resposta do fail2ban veio incompleta.',
  'fail2ban.busy': 'Outro pedido está em andamento neste servidor.',
  'fail2ban.still-banned':
    'O endereço voltou a ser banido logo depois de liberado; o administrador precisa ver o motivo no servidor.',
  'fail2ban.not-ignored': 'Alguma regra não aceitou ignorar o endereço, e ele pode ser banido de novo.',
  'fail2ban.ignore': 'O fail2ban não aceitou ignorar o endereço, e ele pode ser banido de novo.',
  'fail2ban.unban': 'O fail2ban não aceitou liberar o endereço.',
  'fail2ban.not-kept':
    'O endereço está liberado agora, mas pode voltar a ser banido se o fail2ban for reiniciado: com o endereço gravado, ele não iniciaria.',
  'fail2ban.full':
    'O endereço está liberado agora, mas pode voltar a ser banido se o fail2ban for reiniciado: a lista de endereços ignorados está cheia.',
  'fail2ban.config':
    'O endereço está liberado agora, mas pode voltar a ser banido se o fail2ban for reiniciado: há um erro na configuração do fail2ban.',
  'fail2ban.reload': 'A liberação foi gravada, mas o fail2ban não recarregou a configuração.',
  'mac.unsettled':
    'A conexão caiu no meio da troca de MAC, e os arquivos do servidor podem ter ficado pela metade.',
  'mac.locked': 'Outra troca está em andamento neste servidor.',
  'mac.failed': 'A troca não pôde ser feita, e todos os arquivos ficaram como estavam.',
  'mac.changed-meanwhile':
    'Os arquivos foram alterados por outra pessoa ou programa no mesmo instante; a troca não foi feita.',
  'mac.read-back': 'Um arquivo não ficou gravado como devia, e a troca foi desfeita.',
  'mac.not-declared': 'O sistema não sabe em que arquivos deste servidor estão os MACs.',
  'mac.backup-served':
    'A pasta das cópias de segurança está em um lugar que os telefones podem ler, por isso nada foi feito.',
  'mac.no-backup-directory':
    'A pasta das cópias de segurança não pôde ser usada no servidor, por isso nada foi feito.',
  'mac.owner-lost':
    'O sistema não consegue manter o dono e as permissões dos arquivos deste servidor, por isso nada foi feito.',
  'mac.no-backup': 'A cópia de segurança indicada não existe no servidor.',
  'mac.changed-since': 'Os arquivos mudaram depois da cópia de segurança.',
};

/** What went wrong on a server, in a sentence. */
export function serverProblem(code: string): string {
  const sentence = Object.hasOwn(PROBLEMS, code) ? PROBLEMS[code] : undefined;
  if (sentence !== undefined) return sentence;
  if (code.startsWith('fail2ban.')) return 'O fail2ban do servidor não respondeu como devia.';
  if (code.startsWith('server.')) return 'O acesso ao servidor falhou.';
  return 'Aconteceu um erro inesperado neste servidor.';
}

/** Whether a code is of a server or of what is done there, and so has a sentence here. */
export function isServerProblem(code: string): boolean {
  return Object.hasOwn(PROBLEMS, code) || /^(?:server|fail2ban|mac)\./.test(code);
}

/** `Matriz (gv1p)`, or the id alone where it is the name too. */
export function serverTitle(name: string, id: string): string {
  return name === id ? id : `${name} (${id})`;
}

/** What operators go by: the code, and the message where it has one. */
export function technical(problem: { readonly code: string; readonly message: string } | null): string[] {
  if (problem === null) return [];
  return [`Motivo técnico: ${cutText(`${problem.code}: ${problem.message}`, MAX_MESSAGE_LENGTH)}`];
}
