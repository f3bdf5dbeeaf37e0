import type { AudioFacts, RecordingFault } from '../recordings/source.ts';
import { MANIFEST_HEADINGS, MANIFEST_INCLUDED, MANIFEST_SITUATION } from '../replies/manifest-words.ts';
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
  /** Null where it was left out. */
  readonly audio: AudioFacts | null;
}

/**
 * What the ZIP holds and what was left out, and why: read by the requester, so in Portuguese. UTF-8, in blocks: as one
 * text with its cells it would be the largest thing in memory.
 */
export function manifestCsv(lines: readonly ManifestLine[]): Buffer[] {
  const blocks: Buffer[] = [];
  let text = BYTE_ORDER_MARK + rowOf(MANIFEST_HEADINGS);
  for (const line of lines) {
    text += rowOf(cellsOf(line));
    if (text.length < BLOCK_LENGTH) continue;
    blocks.push(Buffer.from(text));
    text = '';
  }
  return [...blocks, Buffer.from(text)];
}

function cellsOf({ recording, fileName, sizeBytes, fault, audio }: ManifestLine): readonly string[] {
  const [date = '', time = ''] = recording.startedAt.split('T');
  return [
    sizeBytes === null ? '' : fileName,
    date.split('-').toReversed().join('/'),
    time,
    recording.origin,
    recording.destination,
    durationOf(audio?.seconds ?? null),
    sizeBytes === null ? '' : String(sizeBytes),
    fault === null ? MANIFEST_INCLUDED : MANIFEST_SITUATION[fault],
    recording.key,
  ];
}

/** `H:MM:SS`, which spreadsheets take for a time and can add up; empty where nobody knows. */
function durationOf(exactly: number | null): string {
  if (exactly === null) return '';
  const seconds = Math.round(exactly);
  const two = (part: number): string => String(part % 60).padStart(2, '0');
  return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60))}:${two(seconds)}`;
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
