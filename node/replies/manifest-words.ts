import type { RecordingFault } from '../recordings/source.ts';

/** The columns of `manifesto.csv`, which lies in each ZIP. */
export const MANIFEST_HEADINGS: readonly string[] = [
  'Arquivo',
  'Data',
  'Hora',
  'Origem',
  'Destino',
  'Duração',
  'Tamanho (bytes)',
  'Situação',
  'Arquivo original',
];

export const MANIFEST_INCLUDED = 'Incluída';

/** What became of a recording with a fault. */
export const MANIFEST_SITUATION: Readonly<Record<RecordingFault, string>> = {
  empty: 'Não incluída: o arquivo está vazio',
  unreadable: 'Não incluída: não foi possível ler o arquivo',
  vanished: 'Não incluída: o arquivo não existe mais',
  growing: 'Incluída com ressalva: a chamada ainda estava sendo gravada',
  archived: 'Não incluída: o arquivo está arquivado (armazenamento frio) e precisa ser restaurado antes',
  broken: 'Incluída com ressalva: o arquivo parece incompleto ou danificado',
};
