import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { conversation, SAMPLE_RATE_HZ } from '../../demo/voice.ts';

const MEGABYTE = 1024 * 1024;
const HEADER_BYTES = 44;
/** Different ones: what is archived again and again would be compressed no worse, but caches would help. */
const CONVERSATIONS = 6;
/** G.711: what a telephone line knows of a sample. */
const BIAS = 0x84;
const CLIP = 32_635;

/**
 * Recordings of extension 1121, a megabyte of 16-bit PCM each: voices that have been through the line's μ-law, as in
 * what an Asterisk records. Each begins elsewhere in one of a few conversations. Gives their names, in order of time.
 */
export async function makeVoiceFiles(directory: string, count: number): Promise<string[]> {
  await mkdir(directory, { recursive: true });
  const seconds = (MEGABYTE - HEADER_BYTES) / 2 / SAMPLE_RATE_HZ;
  const spoken = Array.from({ length: CONVERSATIONS }, (_, seed) => pcmOf(conversation(seconds, seed + 1)));
  const names: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const pcm = spoken[index % CONVERSATIONS] ?? Buffer.alloc(0);
    const at = ((index * 15_485_863) % (pcm.length / 2)) * 2;
    const name = nameOf(index);
    const content = Buffer.concat([waveHeader(pcm.length), pcm.subarray(at), pcm.subarray(0, at)]);
    await writeFile(join(directory, name), content);
    names.push(name);
  }
  return names;
}

/** Recordings of zeros, sparse: they cost no disk. For where it is the number or the size that counts. */
export async function makeSparseFiles(
  directory: string,
  count: number,
  sizeBytes: number,
): Promise<string[]> {
  await mkdir(directory, { recursive: true });
  const names: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const name = nameOf(index);
    await using file = await open(join(directory, name), 'w');
    await file.write(waveHeader(sizeBytes - HEADER_BYTES));
    await file.truncate(sizeBytes);
    names.push(name);
  }
  return names;
}

function nameOf(index: number): string {
  const at = Temporal.PlainDateTime.from('2025-10-27T08:00:00').add({ seconds: index * 7 });
  const stamp = at.toString().replaceAll(/[-:]/g, '').replace('T', '-');
  return `internal-1121-2000-${stamp}-1761548400.${index}.wav`;
}

function pcmOf(samples: Float32Array): Buffer {
  const pcm = Buffer.alloc(samples.length * 2);
  for (const [index, sample] of samples.entries()) {
    pcm.writeInt16LE(throughMuLaw(Math.round(sample * 32_767)), index * 2);
  }
  return pcm;
}

/** What of a 16-bit sample comes out of a μ-law line: a sign, a segment and four bits (ITU-T G.711). */
function throughMuLaw(sample: number): number {
  const magnitude = Math.min(Math.abs(sample), CLIP) + BIAS;
  const segment = Math.floor(Math.log2(magnitude)) - 7;
  const step = 2 ** (segment + 3);
  const heard = Math.floor(magnitude / step) * step + step / 2 - BIAS;
  return sample < 0 ? -heard : heard;
}

function waveHeader(dataBytes: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.write('RIFF', 0);
  header.writeUInt32LE(dataBytes + HEADER_BYTES - 8, 4);
  header.write('WAVEfmt ', 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(SAMPLE_RATE_HZ, 24);
  header.writeUInt32LE(SAMPLE_RATE_HZ * 2, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write('data', 36);
  header.writeUInt32LE(dataBytes, 40);
  return header;
}
