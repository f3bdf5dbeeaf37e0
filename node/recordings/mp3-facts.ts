/** Kilobits a second by their index in a frame's header (ISO 11172-3, 13818-3); 0: not told. */
const BITRATES_1 = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
const BITRATES_2 = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
const RATES = [44_100, 48_000, 32_000];

const HEADER_BYTES = 4;
const LAYER_3 = 0b01;
const MONO = 0b11;
/** `VBRI` stands there whatever the frame (Fraunhofer). */
const VBRI_OFFSET = 36;
/** No frame is shorter, so a file that says it has more of them than fit says nothing. */
const MIN_FRAME_BYTES = 24;
const ID3_HEADER_BYTES = 10;

const [XING, INFO, VBRI, ID3] = [0x58696e67, 0x496e666f, 0x56425249, 0x494433];

interface Frame {
  /** 1, 2 or 2.5. */
  readonly version: number;
  readonly rate: number;
  readonly kilobits: number;
  readonly samples: number;
  readonly sizeBytes: number;
  readonly mono: boolean;
}

/**
 * Length of an MP3: by the number of frames that its first one tells (`Xing`, `Info`, `VBRI`), else by its bitrate
 * where all frames of its beginning have the same. Null where nothing of that is there, or not in its beginning.
 */
export function mp3Seconds(view: DataView, sizeBytes: number): number | null {
  const start = firstFrame(view, afterId3(view));
  const first = start === null ? null : frameAt(view, start);
  if (start === null || first === null) return null;
  const soundBytes = Math.max(0, sizeBytes - start);
  const told = framesTold(view, start, first);
  const frames = told?.frames ?? 0; // whoever was broken off, or could not go back, tells of none
  if (frames > 0) {
    return frames * MIN_FRAME_BYTES > soundBytes ? null : (frames * first.samples) / first.rate;
  }
  if (told?.isVariable === true) return null;
  return hasOneBitrate(view, start, first.kilobits) ? (soundBytes * 8) / (first.kilobits * 1000) : null;
}

/** Past the tag at its head, whose size has 7 bits a byte (ID3v2, 3.1). */
function afterId3(view: DataView): number {
  if (view.byteLength < ID3_HEADER_BYTES || view.getUint32(0) >>> 8 !== ID3) return 0;
  let size = 0;
  for (let at = 6; at < ID3_HEADER_BYTES; at += 1) size = size * 128 + (view.getUint8(at) & 0x7f);
  return ID3_HEADER_BYTES + size;
}

/** Where a frame begins that another one like it follows, or with which the beginning ends. */
function firstFrame(view: DataView, from: number): number | null {
  for (let at = from; at + HEADER_BYTES <= view.byteLength; at += 1) {
    const frame = frameAt(view, at);
    if (frame === null) continue;
    const next = at + frame.sizeBytes;
    if (next + HEADER_BYTES > view.byteLength) return at;
    const following = frameAt(view, next);
    if (following?.version === frame.version && following.rate === frame.rate) return at;
  }
  return null;
}

/** Null for what is no header of a layer III frame. */
function frameAt(view: DataView, at: number): Frame | null {
  if (at + HEADER_BYTES > view.byteLength) return null;
  const bits = view.getUint32(at);
  if (bits >>> 21 !== 0x7ff || ((bits >>> 17) & 3) !== LAYER_3) return null;
  const version = [2.5, null, 2, 1][(bits >>> 19) & 3] ?? null;
  const kilobits = (version === 1 ? BITRATES_1 : BITRATES_2)[(bits >>> 12) & 15] ?? 0;
  const fullRate = RATES[(bits >>> 10) & 3];
  if (version === null || kilobits === 0 || fullRate === undefined) return null;
  const rate = version === 1 ? fullRate : version === 2 ? fullRate / 2 : fullRate / 4;
  const samples = version === 1 ? 1152 : 576;
  const sizeBytes = Math.floor((samples * kilobits * 125) / rate) + ((bits >>> 9) & 1);
  return { version, rate, kilobits, samples, sizeBytes, mono: ((bits >>> 6) & 3) === MONO };
}

/** What a first frame without sound says of those that follow it: how many, and whether their bitrate varies. */
interface Told {
  readonly isVariable: boolean;
  /** Null where it does not tell. */
  readonly frames: number | null;
}

/** Null where the first frame is one like any other. */
function framesTold(view: DataView, start: number, { version, mono }: Frame): Told | null {
  const sideBytes = version === 1 ? (mono ? 17 : 32) : mono ? 9 : 17;
  const xing = start + HEADER_BYTES + sideBytes;
  if (xing + 12 <= view.byteLength) {
    const tag = view.getUint32(xing);
    // Bit 0 of what follows: the number of frames is told.
    if (tag === XING || tag === INFO) {
      const isTold = (view.getUint32(xing + 4) & 1) === 1;
      return { isVariable: tag === XING, frames: isTold ? view.getUint32(xing + 8) : null };
    }
  }
  const vbri = start + VBRI_OFFSET;
  if (vbri + 18 <= view.byteLength && view.getUint32(vbri) === VBRI)
    return { isVariable: true, frames: view.getUint32(vbri + 14) };
  return null;
}

/** Of all frames that begin in the beginning. */
function hasOneBitrate(view: DataView, start: number, kilobits: number): boolean {
  for (let at = start, frame = frameAt(view, at); frame !== null; frame = frameAt(view, at)) {
    if (frame.kilobits !== kilobits) return false;
    at += frame.sizeBytes;
  }
  return true;
}
