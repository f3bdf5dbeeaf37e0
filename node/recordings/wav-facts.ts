import type { AudioFacts } from './source.ts';

/** Codecs by their number in the format chunk (RFC 2361; Microsoft's mmreg.h). */
const PCM = 0x0001;
const FLOAT = 0x0003;
const A_LAW = 0x0006;
const MU_LAW = 0x0007;
/** wav49: GSM 06.10 in blocks of 65 bytes with 320 samples. */
const GSM = 0x0031;
/** The codec's number is the beginning of an identifier further on. */
const EXTENSIBLE = 0xfffe;
const EXTENSIBLE_BYTES = 26;

const GSM_BLOCK_BYTES = 65;
const GSM_BLOCK_SAMPLES = 320;
/** Browsers play these, and no others for certain. */
const PLAYABLE: ReadonlySet<number> = new Set([PCM, FLOAT, A_LAW, MU_LAW]);

const FIRST_CHUNK = 12;
const CHUNK_HEADER_BYTES = 8;
const FORMAT_BYTES = 16;
/** Nobody records below or above; what says so is no header. */
const MIN_RATE = 1_000;
const MAX_RATE = 768_000;
const MAX_CHANNELS = 64;
/** Of a compressed codec that we know nothing more of. */
const MIN_BYTES_PER_SECOND = 50;

interface Format {
  readonly codec: number;
  readonly channels: number;
  readonly rate: number;
  readonly bytesPerSecond: number;
  readonly bits: number;
}

/**
 * Of a RIFF file, whose chunks are looked through as far as its beginning goes. A length of 0, or one beyond the file's
 * end, is that of a recording that was not finished: then all that is there counts.
 */
export function wavFacts(view: DataView, sizeBytes: number): AudioFacts {
  let format: Format | null = null;
  let offset = FIRST_CHUNK;
  // Each chunk takes its header at least, so this ends with the beginning.
  while (offset + CHUNK_HEADER_BYTES <= view.byteLength) {
    const id = view.getUint32(offset);
    const length = view.getUint32(offset + 4, true);
    const content = offset + CHUNK_HEADER_BYTES;
    if (id === FMT) format ??= formatAt(view, content, length);
    if (id === DATA) {
      const left = Math.max(0, sizeBytes - content);
      return factsOf(format, length === 0 ? left : Math.min(length, left));
    }
    offset = content + length + (length % 2);
  }
  return factsOf(format, null);
}

/** `fmt ` and `data`. */
const FMT = 0x666d7420;
const DATA = 0x64617461;

function formatAt(view: DataView, at: number, length: number): Format | null {
  if (length < FORMAT_BYTES || at + FORMAT_BYTES > view.byteLength) return null;
  const said = view.getUint16(at, true);
  const isExtended =
    said === EXTENSIBLE && length >= EXTENSIBLE_BYTES && at + EXTENSIBLE_BYTES <= view.byteLength;
  const format = {
    codec: isExtended ? view.getUint16(at + 24, true) : said,
    channels: view.getUint16(at + 2, true),
    rate: view.getUint32(at + 4, true),
    bytesPerSecond: view.getUint32(at + 8, true),
    bits: view.getUint16(at + 14, true),
  };
  const isPossible =
    format.rate >= MIN_RATE &&
    format.rate <= MAX_RATE &&
    format.channels > 0 &&
    format.channels <= MAX_CHANNELS;
  return isPossible ? format : null;
}

function factsOf(format: Format | null, dataBytes: number | null): AudioFacts {
  if (format === null) return { seconds: null, playable: false };
  return {
    seconds: dataBytes === null ? null : secondsOf(format, dataBytes),
    playable: PLAYABLE.has(format.codec),
  };
}

function secondsOf(
  { codec, channels, rate, bytesPerSecond, bits }: Format,
  dataBytes: number,
): number | null {
  if (codec === GSM) return (Math.floor(dataBytes / GSM_BLOCK_BYTES) * GSM_BLOCK_SAMPLES) / rate;
  if (PLAYABLE.has(codec)) {
    // Worked out: what the header says of it is wrong more often than what it is made of.
    const sampleBytes = Math.ceil(bits / 8);
    return sampleBytes === 0 ? null : dataBytes / (rate * channels * sampleBytes);
  }
  return bytesPerSecond < MIN_BYTES_PER_SECOND ? null : dataBytes / bytesPerSecond;
}
