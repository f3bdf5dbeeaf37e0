import { count, guess, HOW_TO_FILL, plain, said, type Sentence } from './fault-parts.ts';
import { formatSize } from './format.ts';

const DATE_HELP = 'Escreva dia/mês/ano e, se quiser, a hora: 27/10/2025 08:00. Sem hora, vale o dia inteiro.';
const TIME_HELP = 'Escreva a hora como 08:00 ou 08:00:30. Sem hora, vale o dia inteiro.';

/** Faults of a subject as a whole, and of RAMAIS. */
export const REQUEST_FAULTS: Readonly<Record<string, Sentence>> = {
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
    fix: `Comece o assunto pelo comando, como no exemplo. Comandos aceitos: ${plain(values, 'known')}.`,
  }),
  'unknown-command': (values) => ({
    problem: `${said(values, 'word')} não é um comando.`,
    fix: guess(values, 'Comece o assunto pelo comando, como no exemplo.'),
  }),
  'two-commands': (values) => ({
    problem: `Há mais de um comando no assunto: ${plain(values, 'commands')}.`,
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
        ? `Isto não são ramais: ${plain(values)}.`
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
    problem: `O fim (${plain(values, 'end')}) vem antes do início (${plain(values, 'start')}).`,
    fix: 'Confira se as duas datas não estão trocadas.',
  }),
  'range-in-future': (values) => ({
    problem: `O período começa no futuro: ${plain(values, 'start')}. Agora são ${plain(values, 'now')}.`,
    fix: 'Peça um período que já começou. Confira também o ano.',
  }),
  'range-too-long': (values) => ({
    problem: `O período tem ${count(values, 'days')} dias; o limite é ${count(values, 'max')}.`,
    fix: 'Divida o período em mais de um e-mail.',
  }),
  'source-unknown': (values) => ({
    problem: `${said(values)} não é uma origem de áudios.`,
    fix: 'Use audios_from=audio ou audios_from=s3. Sem o campo, a origem é a de costume.',
  }),
  'source-not-served': (values) => ({
    problem: `Este sistema não atende a origem de áudios ${said(values)}.`,
    fix: `Origens atendidas: ${plain(values, 'known')}. Use audios_from= com uma delas, ou deixe SERVER de fora.`,
  }),
  'address-invalid': (values) => ({
    problem:
      plain(values) === '' ? 'Falta o endereço de e-mail.' : `${said(values)} não é um endereço de e-mail.`,
    fix: 'Informe um endereço completo, como pessoa@example.com.',
  }),
};
