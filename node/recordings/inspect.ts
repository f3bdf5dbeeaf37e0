import type { FileHandle } from 'node:fs/promises';
import { BEGINNING_BYTES } from './audio-facts.ts';
import type { RecordingFault } from './source.ts';

/** A WAV header alone has 44 bytes: a file of that size or less holds no sound. */
const EMPTY_BYTES = 44;
/** A file whose header does not fit its size is taken to be still growing while it was written to so lately. */
const GROWING_MINUTES = 5;
const HEADER_BYTES = 12;

/** What is wrong with a file of this content, or null. Decided on size, header and time of the last write alone. */
export function faultOf(
  format: string,
  sizeBytes: number,
  header: Uint8Array,
  modifiedAt: Temporal.Instant,
  now: Temporal.Instant,
): RecordingFault | null {
  if (sizeBytes <= EMPTY_BYTES) return 'empty';
  if (format !== 'wav' || isWholeRiff(header, sizeBytes)) return null;
  const settled = modifiedAt.add({ minutes: GROWING_MINUTES });
  return Temporal.Instant.compare(now, settled) < 0 ? 'growing' : 'broken';
}

/** RIFF: `RIFF`, the size of what follows (32 bits, little-endian), `WAVE`; the writer fills the size in at the end. */
function isWholeRiff(header: Uint8Array, sizeBytes: number): boolean {
  if (header.length < HEADER_BYTES) return false;
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  const tag = (offset: number): string => Buffer.from(header.subarray(offset, offset + 4)).toString('latin1');
  return tag(0) === 'RIFF' && tag(8) === 'WAVE' && view.getUint32(4, true) === sizeBytes - 8;
}

/** Reads what {@link faultOf} and `audioFactsOf` want to see of a file. */
export async function readBeginning(file: FileHandle): Promise<Uint8Array> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(BEGINNING_BYTES), 0, BEGINNING_BYTES, 0);
  return buffer.subarray(0, bytesRead);
}
