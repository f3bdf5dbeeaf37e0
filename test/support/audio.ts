/** A WAV whose header fits its size: `sizeBytes` in all (at least 45), its content following from `seed`. */
export function wav(sizeBytes: number, seed = 1): Buffer {
  const content = Buffer.alloc(sizeBytes);
  for (let index = 44; index < sizeBytes; index += 1)
    content[index] = (index * 31 + seed * 17 + (index >> 8)) & 0xff;
  content.write('RIFF', 0);
  content.writeUInt32LE(sizeBytes - 8, 4);
  content.write('WAVEfmt ', 8);
  return content;
}

/** A WAV as it looks while it is being written: its size is filled in at the end. */
export function unfinishedWav(sizeBytes: number): Buffer {
  const content = wav(sizeBytes);
  content.writeUInt32LE(0, 4);
  return content;
}

/** The name that a PBX gives a recording; `stamp` is `YYYYMMDD-HHMMSS`. */
export function recordingName(
  origin: string,
  destination: string,
  stamp: string,
  unique = '1761548400.7',
): string {
  return `internal-${origin}-${destination}-${stamp}-${unique}.wav`;
}
