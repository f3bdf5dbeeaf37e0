import type { Fault } from '../commands/command.ts';
import { formatCount } from './format.ts';

/** What is wrong with a field, and what to do about it, in Portuguese. */
export interface FaultSentence {
  readonly problem: string;
  readonly fix: string;
}

type Values = Fault['values'];

/** Makes the sentences of a fault from what it speaks of. */
export type Sentence = (values: Values, field: string) => FaultSentence;

/** A value in quotes. */
export function said(values: Values, key = 'value'): string {
  return `“${values[key] ?? ''}”`;
}

/** A value that is a list, or a text without quotes. */
export function plain(values: Values, key = 'value'): string {
  return String(values[key] ?? '');
}

/** A number. */
export function count(values: Values, key: string): string {
  return formatCount(Number(values[key] ?? 0));
}

/** `Você quis dizer …?`, where there is a guess. */
export function guess(values: Values, otherwise: string): string {
  return values['suggestion'] === undefined ? otherwise : `Você quis dizer ${values['suggestion']}?`;
}

/** How a field is filled in. */
export const HOW_TO_FILL: Readonly<Record<string, string>> = {
  RAMAIS: 'Informe um ou mais ramais, separados por vírgula: RAMAIS=1121,1122.',
  INICIO: 'Informe quando o período começa: INICIO=27/10/2025 08:00.',
  FIM: 'Informe quando o período termina: FIM=28/10/2025 18:00.',
  CHECKIP: 'Informe o endereço IP público de quem não consegue conectar: CHECKIP=203.0.113.9.',
  MACCHANGE: 'Informe um ramal: MACCHANGE=3010.',
  MACATUAL:
    'Informe o MAC que o ramal tem agora: MACATUAL=000b82010203. Se ele não tem nenhum, escreva MACATUAL= e mais nada.',
  MACFUTURO:
    'Informe o MAC que o ramal deve ter: MACFUTURO=000b82010299. Para retirar o MAC, escreva MACFUTURO= e mais nada.',
  SERVER: 'Informe o servidor: SERVER=gv1p.',
  MODO: 'Para só olhar, sem alterar nada, escreva MODO=VER. Para liberar, deixe o campo de fora.',
  WHITELIST:
    'Escreva WHITELIST LIST, WHITELIST ADD pessoa@example.com ou WHITELIST REMOVE pessoa@example.com.',
  PAPEL: 'Escreva PAPEL=consulta, PAPEL=operador ou PAPEL=admin.',
  CANCELAR: 'Informe o número do pedido, que está no fim dos e-mails sobre ele: CANCELAR=3f9a62c07be1.',
  REENVIAR: 'Informe o número do pedido, que está no fim dos e-mails sobre ele: REENVIAR=3f9a62c07be1.',
};
