import { mp3Seconds } from './mp3-facts.ts';
import type { AudioFacts } from './source.ts';
import { wavFacts } from './wav-facts.ts';

/** As much of a file's beginning as tells of its sound; more of it changes nothing. */
export const BEGINNING_BYTES = 4096;

/** GSM 06.10: frames of 33 bytes and 20 ms, each beginning with the nibble 0xD (RFC 3551, 4.5.8.1). */
const GSM_FRAME_BYTES = 33;
const GSM_FRAME_SECONDS = 0.02;
const GSM_MAGIC = 0xd;

/** What Asterisk writes without a header, in bytes a second. */
const RAW_BYTES_PER_SECOND: ReadonlyMap<string, number> = new Map(
  Object.entries({
    ulaw: 8_000,
    ul: 8_000,
    alaw: 8_000,
    al: 8_000,
    g722: 8_000,
    g729: 1_000,
    sln: 16_000,
    sln16: 32_000,
  }),
);

/** What browsers play whatever is in it. */
const PLAYABLE: ReadonlySet<string> = new Set('mp3 ogg opus flac m4a'.split(' '));

/**
 * What the beginning of a recording tells of its sound. By its content where that says what it is, else by its format (the
 * extension of its name, in lower case). `beginning` is the first {@link BEGINNING_BYTES} bytes or what there is
 * of them, `sizeBytes` the whole. Where a header promises more than the file has, what it has counts. Never throws.
 */
export function audioFactsOf(format: string, sizeBytes: number, beginning: Uint8Array): AudioFacts {
  const head = beginning.subarray(0, BEGINNING_BYTES);
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const { seconds, playable } = factsOf(format, sizeBytes, view);
  return { seconds: seconds === null ? null : toMilliseconds(seconds), playable };
}

function factsOf(format: string, sizeBytes: number, view: DataView): AudioFacts {
  const tag = tagAt(view, 0);
  if (tag === 'RIFF') return wavFacts(view, sizeBytes);
  if (tag === 'fLaC') return { seconds: flacSeconds(view), playable: true };
  if (format === 'mp3') return { seconds: mp3Seconds(view, sizeBytes), playable: true };
  if (format === 'gsm') return { seconds: gsmSeconds(view, sizeBytes), playable: false };
  const rate = RAW_BYTES_PER_SECOND.get(format);
  if (rate !== undefined) return { seconds: sizeBytes / rate, playable: false };
  return { seconds: null, playable: PLAYABLE.has(format) };
}

/** Four characters of a header; fewer where it ends before. */
export function tagAt(view: DataView, offset: number): string {
  let tag = '';
  for (let at = offset; at < Math.min(offset + 4, view.byteLength); at += 1)
    tag += String.fromCharCode(view.getUint8(at));
  return tag;
}

function gsmSeconds(view: DataView, sizeBytes: number): number | null {
  if (view.byteLength === 0 || view.getUint8(0) >> 4 !== GSM_MAGIC) return null;
  return Math.floor(sizeBytes / GSM_FRAME_BYTES) * GSM_FRAME_SECONDS;
}

/** STREAMINFO, which comes first (RFC 9639, 8.2): 20 bits of rate, and 36 bits of samples, 0 where nobody knows. */
function flacSeconds(view: DataView): number | null {
  if (view.byteLength < 26 || (view.getUint8(4) & 0x7f) !== 0) return null;
  const rate = view.getUint32(18) >>> 12;
  const samples = (view.getUint8(21) & 0x0f) * 2 ** 32 + view.getUint32(22);
  return rate === 0 || samples === 0 ? null : samples / rate;
}

function toMilliseconds(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
