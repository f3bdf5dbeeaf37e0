import { count, guess, HOW_TO_FILL, plain, said, type Sentence } from './fault-parts.ts';

type Values = Parameters<Sentence>[0];

const PUBLIC_ADDRESS =
  'Informe o endereço público da rede de onde a pessoa conecta; um site como “qual é o meu IP”, aberto lá, mostra qual é.';
const LABEL_OF_PHONE = 'Confira na etiqueta do telefone: são 12 algarismos de 0 a 9 e de A a F.';

/** Faults of servers, addresses and MACs, and of the commands about people and requests. */
export const COMMAND_FAULTS: Readonly<Record<string, Sentence>> = {
  'server-unknown': (values) => ({
    problem: `Não conheço o servidor ${said(values)}.`,
    fix: serverHelp(values),
  }),
  'server-disabled': (values) => ({
    problem: `O servidor ${said(values)} está desativado.`,
    fix: serverHelp(values),
  }),
  'ip-private': notPublic('é de uma rede interna (privada)'),
  'ip-loopback': notPublic('é do próprio computador (loopback)'),
  'ip-link-local': notPublic('só vale dentro de uma rede local (link-local)'),
  'ip-multicast': notPublic('é de multicast, que não é de um aparelho'),
  'ip-cgnat': notPublic('é interno de uma operadora (CGNAT)'),
  'ip-unspecified': notPublic('não é de ninguém'),
  'ip-reserved': notPublic('é reservado e não é usado na internet'),
  'ip-mapped': (values) => ({
    problem: `O endereço ${said(values)} é um IPv4 escrito como IPv6.`,
    fix: guess(values, 'Escreva o endereço como IPv4: 203.0.113.9.'),
  }),
  'ip-network': (values) => ({
    problem: `${said(values)} é uma rede inteira, e só um endereço de cada vez é aceito.`,
    fix: guess(values, 'Escreva um só endereço, sem a barra: 203.0.113.9.'),
  }),
  'ip-nonsense': (values) => ({
    problem: `${said(values)} não é um endereço IP.`,
    fix: guess(values, 'Escreva um só endereço IPv4 (203.0.113.9) ou IPv6 (2001:db8::9).'),
  }),
  'mode-unknown': (values) => ({
    problem: `${said(values)} não é um modo.`,
    fix: HOW_TO_FILL['MODO'] ?? '',
  }),
  'no-servers': () => ({
    problem: 'Nenhum servidor está preparado para este comando.',
    fix: 'O administrador precisa incluir os servidores na configuração.',
  }),
  'server-without-command': (values) => ({
    problem: `O servidor ${said(values)} não aceita o comando ${plain(values, 'command')}.`,
    fix:
      plain(values, 'known') === ''
        ? 'Nenhum servidor aceita este comando: fale com o administrador.'
        : `Servidores que aceitam: ${plain(values, 'known')}.`,
  }),
  'mac-form': (values) => ({
    problem: `${said(values)} não é um MAC.`,
    fix: `${LABEL_OF_PHONE} Com ou sem separadores: 000b82010203 ou 00:0b:82:01:02:03.`,
  }),
  'mac-multicast': (values) => ({
    problem: `O MAC ${said(values)} é de um grupo (multicast), e nenhum telefone tem um assim.`,
    fix: LABEL_OF_PHONE,
  }),
  'mac-zero': (_values, field) => ({
    problem: 'Um MAC só de zeros não é de nenhum telefone.',
    fix: `Para dizer que não há MAC, escreva ${field}= e mais nada.`,
  }),
  'mac-broadcast': () => ({
    problem: 'Um MAC só de letras F não é de nenhum telefone.',
    fix: LABEL_OF_PHONE,
  }),
  'macs-empty': () => ({
    problem: 'O MAC atual e o MAC futuro vieram vazios: não há o que alterar.',
    fix: `${HOW_TO_FILL['MACATUAL'] ?? ''} ${HOW_TO_FILL['MACFUTURO'] ?? ''}`,
  }),
  'macs-equal': () => ({
    problem: 'O MAC atual e o MAC futuro são o mesmo: não há o que alterar.',
    fix: `Confira o MAC novo. ${LABEL_OF_PHONE}`,
  }),
  'extension-single': (values) => ({
    problem: `O pedido tem ${count(values, 'count')} ramais, e este comando é para um de cada vez.`,
    fix: 'Envie um e-mail para cada ramal.',
  }),
  'whitelist-action': (values) => ({
    problem:
      plain(values) === ''
        ? 'Falta dizer o que fazer com a lista de acesso.'
        : `${said(values)} não é algo que se faça com a lista de acesso.`,
    fix: HOW_TO_FILL['WHITELIST'] ?? '',
  }),
  'role-unknown': (values) => ({
    problem: `${said(values)} não é um papel.`,
    fix: guess(values, HOW_TO_FILL['PAPEL'] ?? ''),
  }),
  'admin-limited': () => ({
    problem: 'Um administrador é uma só pessoa e não tem limites de ramais nem de servidores.',
    fix: 'Para limitar alguém, ou incluir um domínio inteiro, use PAPEL=operador ou PAPEL=consulta.',
  }),
  'first-admin': (values) => ({
    problem: `O administrador principal${values['address'] === undefined ? '' : ` (${values['address']})`} não pode ser alterado por e-mail.`,
    fix: 'Ele é definido na configuração do sistema (ADMIN_EMAIL).',
  }),
  'job-id-form': (values) => ({
    problem:
      plain(values) === '' ? 'Falta o número do pedido.' : `${said(values)} não é o número de um pedido.`,
    fix: 'O número está no fim dos e-mails sobre o pedido: “Pedido 3f9a62c07be1”. Bastam os 4 primeiros caracteres.',
  }),
  'disk-low': () => ({
    problem: 'Falta espaço em disco no sistema, e por enquanto ele não aceita pedidos novos.',
    fix: 'O administrador já foi avisado. Envie o mesmo pedido mais tarde.',
  }),
  'limits-too-many': (values, field) => ({
    problem: `A lista tem ${count(values, 'count')} ${field === 'SERVER' ? 'servidores' : 'ramais'}; o limite é ${count(values, 'max')}.`,
    fix: 'Deixe o campo de fora para não limitar, ou peça ao administrador do servidor que faça a mudança.',
  }),
};

function notPublic(what: string): Sentence {
  return (values) => ({ problem: `O endereço ${said(values)} ${what}.`, fix: PUBLIC_ADDRESS });
}

/** `needed`: the command is about one server, so leaving SERVER out is no way. */
function serverHelp(values: Values): string {
  const known = plain(values, 'known');
  return [
    guess(values, ''),
    known === '' ? '' : `Servidores que conheço: ${known}.`,
    values['needed'] === undefined ? 'Sem SERVER, o pedido vale para todos os servidores.' : '',
  ]
    .filter((sentence) => sentence !== '')
    .join(' ');
}
