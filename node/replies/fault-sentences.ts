import type { Fault } from '../commands/command.ts';
import { formatCount, formatSize } from './format.ts';

/** What is wrong with a field, and what to do about it, in Portuguese. */
export interface FaultSentence {
  readonly problem: string;
  readonly fix: string;
}

type Values = Fault['values'];
type Sentence = (values: Values, field: string) => FaultSentence;

const FIELD_LABELS: Readonly<Record<string, string>> = {
  SUBJECT: 'Assunto',
  RAMAIS: 'Ramais',
  INICIO: 'Início',
  FIM: 'Fim',
  SERVER: 'Servidor',
  AUDIOS_FROM: 'Origem dos áudios',
  EMAIL: 'E-mail de resposta',
  FROM_EMAIL: 'Remetente',
  MAIL: 'E-mail',
};

const HOW_TO_FILL: Readonly<Record<string, string>> = {
  RAMAIS: 'Informe um ou mais ramais, separados por vírgula: RAMAIS=1121,1122.',
  INICIO: 'Informe quando o período começa: INICIO=27/10/2025 08:00.',
  FIM: 'Informe quando o período termina: FIM=28/10/2025 18:00.',
};

const DATE_HELP = 'Escreva dia/mês/ano e, se quiser, a hora: 27/10/2025 08:00. Sem hora, vale o dia inteiro.';
const TIME_HELP = 'Escreva a hora como 08:00 ou 08:00:30. Sem hora, vale o dia inteiro.';

/** The label of a field as a person calls it; the field itself where it has none. */
export function fieldLabel(field: string): string {
  return Object.hasOwn(FIELD_LABELS, field) ? (FIELD_LABELS[field] ?? field) : field;
}

/** The sentences for a fault. A code without its own gives a general one that names the code. */
export function faultSentence({ field, code, values }: Fault): FaultSentence {
  const sentence = Object.hasOwn(SENTENCES, code) ? SENTENCES[code] : undefined;
  if (sentence !== undefined) return sentence(values, field);
  return { problem: `O valor não foi aceito (${code}).`, fix: 'Confira o campo e envie de novo.' };
}

/** Whether a code has sentences of its own; tests hold every code of the grammars to it. */
export function hasFaultSentence(code: string): boolean {
  return Object.hasOwn(SENTENCES, code);
}

const said = (values: Values, key = 'value'): string => `“${values[key] ?? ''}”`;
const count = (values: Values, key: string): string => formatCount(Number(values[key] ?? 0));
const guess = (values: Values, otherwise: string): string =>
  values['suggestion'] === undefined ? otherwise : `Você quis dizer ${values['suggestion']}?`;

function serverHelp(values: Values): string {
  const known = String(values['known'] ?? '');
  const list = known === '' ? '' : `Servidores que conheço: ${known}.`;
  return `${guess(values, '')} ${list} Sem SERVER, a busca não é limitada a um servidor.`
    .trim()
    .replace('  ', ' ');
}

const SENTENCES: Readonly<Record<string, Sentence>> = {
  'subject-empty': () => ({
    problem: 'O assunto veio vazio.',
    fix: 'O pedido vai no assunto do e-mail; o corpo não é lido.',
  }),
  'subject-too-long': (values) => ({
    problem: `O assunto tem ${count(values, 'length')} caracteres; o limite é ${count(values, 'max')}.`,
    fix: 'Divida o pedido em mais de um e-mail.',
  }),
  'mail-too-large': (values) => ({
    problem: `O e-mail passa do limite de ${formatSize(Number(values['limitBytes'] ?? 0))}, por isso não foi lido.`,
    fix: 'O pedido vai todo no assunto: envie de novo, sem anexos.',
  }),
  'no-command': (values) => ({
    problem: 'Não encontrei um comando no assunto.',
    fix: `Comece o assunto pelo comando, como no exemplo. Comandos aceitos: ${values['known'] ?? 'RAMAIS'}.`,
  }),
  'unknown-command': (values) => ({
    problem: `${said(values, 'word')} não é um comando.`,
    fix: guess(values, 'Comece o assunto pelo comando, como no exemplo.'),
  }),
  'two-commands': (values) => ({
    problem: `Há mais de um comando no assunto: ${values['commands'] ?? ''}.`,
    fix: 'Envie um e-mail para cada comando.',
  }),
  'field-missing': (_values, field) => ({
    problem: 'Este campo faltou.',
    fix: HOW_TO_FILL[field] ?? `Acrescente ${field}= ao assunto.`,
  }),
  'field-empty': (_values, field) => ({
    problem: 'Este campo veio sem valor.',
    fix: HOW_TO_FILL[field] ?? `Escreva um valor depois de ${field}=.`,
  }),
  'field-repeated': () => ({
    problem: 'Este campo aparece mais de uma vez.',
    fix: 'Deixe o campo uma vez só e confira o valor.',
  }),
  'field-unknown': (values, field) => ({
    problem: `O campo “${field}” não existe neste comando.`,
    fix: guess(values, 'Retire o campo do assunto.'),
  }),
  'extension-form': (values) => ({
    problem:
      Number(values['count']) > 1
        ? `Isto não são ramais: ${values['value'] ?? ''}.`
        : `${said(values)} não é um ramal.`,
    fix: 'Um ramal tem de 3 a 8 dígitos, só números. Separe os ramais com vírgula.',
  }),
  'extension-span': (values) => ({
    problem: `${said(values)} parece uma faixa de ramais, e faixas não são aceitas.`,
    fix: 'Escreva os ramais um a um, separados por vírgula.',
  }),
  'extensions-too-many': (values) => ({
    problem: `O pedido tem ${count(values, 'count')} ramais; o limite é ${count(values, 'max')}.`,
    fix: 'Divida os ramais em mais de um e-mail.',
  }),
  'date-unreadable': (values) => ({ problem: `Não entendi a data ${said(values)}.`, fix: DATE_HELP }),
  'date-impossible': (values) => ({
    problem: `A data ${said(values)} não existe no calendário.`,
    fix: guess(values, DATE_HELP),
  }),
  'year-missing': (values) => ({
    problem: `Falta o ano na data ${said(values)}.`,
    fix: guess(values, DATE_HELP),
  }),
  'year-two-digits': (values) => ({
    problem: `O ano em ${said(values)} precisa de quatro dígitos.`,
    fix: guess(values, DATE_HELP),
  }),
  'year-implausible': (values) => ({
    problem: `O ano em ${said(values)} não pode estar certo.`,
    fix: DATE_HELP,
  }),
  'time-unreadable': (values) => ({ problem: `Não entendi a hora em ${said(values)}.`, fix: TIME_HELP }),
  'time-impossible': (values) => ({ problem: `A hora em ${said(values)} não existe.`, fix: TIME_HELP }),
  'time-24': (values) => ({
    problem: `A hora 24:00, em ${said(values)}, não é aceita.`,
    fix: 'Para o fim do dia, escreva 23:59. Para o começo do dia seguinte, escreva a data dele com 00:00.',
  }),
  'end-before-start': (values) => ({
    problem: `O fim (${values['end'] ?? ''}) vem antes do início (${values['start'] ?? ''}).`,
    fix: 'Confira se as duas datas não estão trocadas.',
  }),
  'range-in-future': (values) => ({
    problem: `O período começa no futuro: ${values['start'] ?? ''}. Agora são ${values['now'] ?? ''}.`,
    fix: 'Peça um período que já começou. Confira também o ano.',
  }),
  'range-too-long': (values) => ({
    problem: `O período tem ${count(values, 'days')} dias; o limite é ${count(values, 'max')}.`,
    fix: 'Divida o período em mais de um e-mail.',
  }),
  'server-unknown': (values) => ({
    problem: `Não conheço o servidor ${said(values)}.`,
    fix: serverHelp(values),
  }),
  'server-disabled': (values) => ({
    problem: `O servidor ${said(values)} está desativado.`,
    fix: serverHelp(values),
  }),
  'source-unknown': (values) => ({
    problem: `${said(values)} não é uma origem de áudios.`,
    fix: 'Use audios_from=audio ou audios_from=s3. Sem o campo, a origem é a de costume.',
  }),
  'source-not-served': (values) => ({
    problem: `Este sistema não atende a origem de áudios ${said(values)}.`,
    fix: `Origens atendidas: ${values['known'] ?? ''}. Use audios_from= com uma delas, ou deixe SERVER de fora.`,
  }),
  'address-invalid': (values) => ({
    problem: `${said(values)} não é um endereço de e-mail.`,
    fix: 'Informe um endereço completo, como pessoa@example.com.',
  }),
};
