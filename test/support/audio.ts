/** Bytes a second of what {@link wav} makes. */
export const WAV_BYTES_PER_SECOND = 16_000;

/** A WAV (8 kHz, 16 bits) whose header fits its size: `sizeBytes` in all, its content following from `seed`. */
export function wav(sizeBytes: number, seed = 1): Buffer {
  const content = Buffer.alloc(sizeBytes);
  for (let index = 44; index < sizeBytes; index += 1)
    content[index] = (index * 31 + seed * 17 + (index >> 8)) & 0xff;
  const header = Buffer.alloc(44);
  header.write('RIFF', 0);
  header.writeUInt32LE(Math.max(0, sizeBytes - 8), 4);
  header.write('WAVEfmt ', 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(8_000, 24);
  header.writeUInt32LE(WAV_BYTES_PER_SECOND, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write('data', 36);
  header.writeUInt32LE(Math.max(0, sizeBytes - 44), 40);
  header.copy(content);
  return content;
}

/** A WAV as it looks while it is being written: its size is filled in at the end. */
export function unfinishedWav(sizeBytes: number): Buffer {
  const content = wav(sizeBytes);
  content.writeUInt32LE(0, 4);
  return content;
}

/** GSM as Asterisk writes it: frames of 33 bytes, 50 a second. Its sound is noise. */
export function gsm(frames: number): Buffer {
  const content = Buffer.alloc(frames * 33);
  for (let index = 0; index < content.length; index += 1) content[index] = (index * 7) & 0xff;
  for (let frame = 0; frame < frames; frame += 1) content[frame * 33] = 0xd0 | (frame & 0x0f);
  return content;
}

/** The name that a PBX gives a recording; `stamp` is `YYYYMMDD-HHMMSS`. */
export function recordingName(
  origin: string,
  destination: string,
  stamp: string,
  unique = '1761548400.7',
  format = 'wav',
): string {
  return `internal-${origin}-${destination}-${stamp}-${unique}.${format}`;
}
