import { crc32, inflateRawSync } from 'node:zlib';

/** An entry of a ZIP, unpacked and its checksum compared. */
export interface ZipEntry {
  readonly name: string;
  readonly content: Buffer;
}

/** Signatures, sizes and offsets of APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12, 4.3.14 to 4.3.16. */
const END = { signature: 0x06054b50, bytes: 22, maxComment: 0xffff } as const;
const ZIP64_END = { signature: 0x06064b50, locator: 0x07064b50, locatorBytes: 20 } as const;
const CENTRAL = { signature: 0x02014b50, bytes: 46 } as const;
const LOCAL = { signature: 0x04034b50, bytes: 30 } as const;
const STORED = 0;
const DEFLATED = 8;
const IN_ZIP64 = 0xffffffff;

/**
 * Reads a whole ZIP through its central directory, as an unzip program does; small on purpose, for archives that fit
 * into memory. @throws Error where the archive is not sound
 */
export function readZip(zip: Buffer): ZipEntry[] {
  const { at, count } = centralDirectory(zip);
  const entries: ZipEntry[] = [];
  let offset = at;
  for (let index = 0; index < count; index++) {
    expectSignature(zip, offset, CENTRAL.signature, 'central directory');
    const nameLength = zip.readUInt16LE(offset + 28);
    const extraLength = zip.readUInt16LE(offset + 30);
    const commentLength = zip.readUInt16LE(offset + 32);
    const name = zip.toString('utf8', offset + CENTRAL.bytes, offset + CENTRAL.bytes + nameLength);
    entries.push({ name, content: unpack(zip, offset, name) });
    offset += CENTRAL.bytes + nameLength + extraLength + commentLength;
  }
  return entries;
}

/** Where the central directory begins and how many entries it has, from the record at the end of the file. */
function centralDirectory(zip: Buffer): { at: number; count: number } {
  const lowest = Math.max(0, zip.length - END.bytes - END.maxComment);
  let end = zip.length - END.bytes;
  while (end >= lowest && zip.readUInt32LE(end) !== END.signature) end--;
  if (end < lowest) throw new Error('no end of central directory: the ZIP is cut off');
  const locator = end - ZIP64_END.locatorBytes;
  if (locator >= 0 && zip.readUInt32LE(locator) === ZIP64_END.locator) {
    const record = Number(zip.readBigUInt64LE(locator + 8));
    expectSignature(zip, record, ZIP64_END.signature, 'ZIP64 end record');
    return { at: Number(zip.readBigUInt64LE(record + 48)), count: Number(zip.readBigUInt64LE(record + 32)) };
  }
  return { at: zip.readUInt32LE(end + 16), count: zip.readUInt16LE(end + 10) };
}

function unpack(zip: Buffer, central: number, name: string): Buffer {
  const method = zip.readUInt16LE(central + 10);
  const expectedCrc = zip.readUInt32LE(central + 16);
  const packedBytes = zip.readUInt32LE(central + 20);
  const bytes = zip.readUInt32LE(central + 24);
  const local = zip.readUInt32LE(central + 42);
  if ([packedBytes, bytes, local].includes(IN_ZIP64)) throw new Error(`${name}: too large for this reader`);
  expectSignature(zip, local, LOCAL.signature, name);
  const start = local + LOCAL.bytes + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
  const packed = zip.subarray(start, start + packedBytes);
  if (method !== STORED && method !== DEFLATED) throw new Error(`${name}: unknown method ${method}`);
  const content = method === STORED ? packed : inflateRawSync(packed, { maxOutputLength: bytes + 1 });
  if (content.length !== bytes)
    throw new Error(`${name}: ${content.length} bytes, the directory says ${bytes}`);
  if (crc32(content) !== expectedCrc) throw new Error(`${name}: its checksum is wrong`);
  return content;
}

function expectSignature(zip: Buffer, offset: number, signature: number, what: string): void {
  if (offset + 4 > zip.length || zip.readUInt32LE(offset) !== signature) {
    throw new Error(`${what}: not where the ZIP says it is`);
  }
}
