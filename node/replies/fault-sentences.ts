import type { Fault } from '../commands/command.ts';
import { COMMAND_FAULTS } from './command-faults.ts';
import type { FaultSentence, Sentence } from './fault-parts.ts';
import { PERMISSION_FAULTS } from './permission-faults.ts';
import { REQUEST_FAULTS } from './request-faults.ts';

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
  CHECKIP: 'Endereço IP',
  MODO: 'Modo',
  MACCHANGE: 'Ramal',
  MACATUAL: 'MAC atual',
  MACFUTURO: 'MAC futuro',
  WHITELIST: 'Lista de acesso',
  PAPEL: 'Papel',
  CANCELAR: 'Pedido',
  REENVIAR: 'Pedido',
  SYSTEM: 'Sistema',
};

const SENTENCES: Readonly<Record<string, Sentence>> = {
  ...REQUEST_FAULTS,
  ...COMMAND_FAULTS,
  ...PERMISSION_FAULTS,
};

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
