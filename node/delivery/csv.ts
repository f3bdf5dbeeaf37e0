import type { RecordingFault } from '../recordings/source.ts';
import type { NamedRecording } from './entry-name.ts';

/** Excel takes a file for UTF-8 only with this mark, and splits at `;` where the decimal sign is a comma. */
const BYTE_ORDER_MARK = '\uFEFF';
const SEPARATOR = ';';
const LINE_END = '\r\n';
const BLOCK_LENGTH = 64 * 1024;

/** A line of `manifesto.csv`. */
export interface ManifestLine extends NamedRecording {
  /** Bytes in the ZIP; null where it was left out. */
  readonly sizeBytes: number | null;
  readonly fault: RecordingFault | null;
}

const SITUATION: Readonly<Record<RecordingFault, string>> = {
  empty: 'Não incluída: o arquivo está vazio',
  unreadable: 'Não incluída: não foi possível ler o arquivo',
  vanished: 'Não incluída: o arquivo não existe mais',
  growing: 'Incluída com ressalva: a chamada ainda estava sendo gravada',
  archived: 'Não incluída: o arquivo está arquivado (armazenamento frio) e precisa ser restaurado antes',
  broken: 'Incluída com ressalva: o arquivo parece incompleto ou danificado',
};

const HEADINGS = [
  'Arquivo',
  'Data',
  'Hora',
  'Origem',
  'Destino',
  'Tamanho (bytes)',
  'Situação',
  'Arquivo original',
];

/**
 * What the ZIP holds and what was left out, and why: read by the requester, so in Portuguese. UTF-8, in blocks: as one
 * text with its cells it would be the largest thing in memory.
 */
export function manifestCsv(lines: readonly ManifestLine[]): Buffer[] {
  const blocks: Buffer[] = [];
  let text = BYTE_ORDER_MARK + rowOf(HEADINGS);
  for (const line of lines) {
    text += rowOf(cellsOf(line));
    if (text.length < BLOCK_LENGTH) continue;
    blocks.push(Buffer.from(text));
    text = '';
  }
  return [...blocks, Buffer.from(text)];
}

function cellsOf({ recording, fileName, sizeBytes, fault }: ManifestLine): readonly string[] {
  const [date = '', time = ''] = recording.startedAt.split('T');
  return [
    sizeBytes === null ? '' : fileName,
    date.split('-').toReversed().join('/'),
    time,
    recording.origin,
    recording.destination,
    sizeBytes === null ? '' : String(sizeBytes),
    fault === null ? 'Incluída' : SITUATION[fault],
    recording.key,
  ];
}

function rowOf(cells: readonly string[]): string {
  return cells.map(cell).join(SEPARATOR) + LINE_END;
}

/**
 * A cell that a spreadsheet shows and never works out: one that begins like a formula gets an apostrophe before it
 * (OWASP, CSV injection), and every cell stands in quotes.
 */
export function cell(text: string): string {
  const safe = /^[\s=+\-@|%]/.test(text) ? `'${text}` : text;
  return `"${safe.replaceAll('"', '""')}"`;
}
