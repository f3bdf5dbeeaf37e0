import { promisify } from 'node:util';
import { crc32, deflateRaw } from 'node:zlib';
import type { PackedContent, PackingMethod } from './archiver.ts';

const deflate = promisify(deflateRaw);

/** Samples as they are, or nearly: these lose a quarter to a half when deflated. The others are compressed already. */
const COMPRESSIBLE: ReadonlySet<string> = new Set('wav sln sln16 ulaw alaw ul al csv'.split(' '));

/** How a file of this kind is to lie in the archive at ARCHIVE_LEVEL; 0 stores all. */
export function methodOf(format: string, level: number): PackingMethod {
  return level > 0 && COMPRESSIBLE.has(format.toLowerCase()) ? 'deflate' : 'store';
}

/** Packs a whole file. Deflating runs on the thread pool, several at once; what it would not make smaller is stored. */
export async function pack(
  chunks: readonly Buffer[],
  method: PackingMethod,
  level: number,
): Promise<PackedContent> {
  let crc = 0;
  let sizeBytes = 0;
  for (const chunk of chunks) {
    crc = crc32(chunk, crc);
    sizeBytes += chunk.length;
  }
  if (method === 'deflate') {
    const packed = await deflate(Buffer.concat(chunks), { level });
    if (packed.length < sizeBytes)
      return { method, chunks: [packed], packedBytes: packed.length, sizeBytes, crc32: crc };
  }
  return { method: 'store', chunks, packedBytes: sizeBytes, sizeBytes, crc32: crc };
}
