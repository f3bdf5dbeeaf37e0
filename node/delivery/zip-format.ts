/* eslint-disable no-underscore-dangle -- names of compress-commons: what a format builds on */
import { once } from 'node:events';
import { pipeline } from 'node:stream/promises';
import { crc32, createDeflateRaw } from 'node:zlib';
import { ZipArchiveEntry, ZipArchiveOutputStream } from 'compress-commons';
import type { PackedContent, StreamedContent } from './archiver.ts';

/** Headers come in some 30 pieces of a few bytes an entry; they travel in blocks of this size. */
const BLOCK_BYTES = 64 * 1024;
/** Values that stand for "see the ZIP64 fields" (APPNOTE.TXT 4.4.1.4), and so can stand for nothing else. */
const IN_ZIP64 = 0xffff_ffff;
const IN_ZIP64_SHORT = 0xffff;
/** APPNOTE.TXT 4.4.5 and 4.4.3.2. */
const METHOD = { store: 0, deflate: 8 } as const;
const VERSION_OF = { store: 10, deflate: 20 } as const;
const FILE_MODE = 0o644;

/** What archiver hands on of an entry. */
export interface FormatEntry {
  readonly name: string;
  readonly date: Date;
  readonly content: PackedContent | StreamedContent;
}

/**
 * A ZIP as archiver's own format writes it, by the same package, but for what costs time there: checksums are made by
 * zlib rather than in JavaScript, small writes are gathered, and what is packed already is taken as it is.
 */
export class ZipFormat extends ZipArchiveOutputStream {
  readonly #level: number;
  #pieces: Buffer[] = [];
  #piecesBytes = 0;

  constructor(options: { readonly level: number; readonly highWaterMark: number }) {
    super({ highWaterMark: options.highWaterMark });
    this.#level = options.level;
  }

  /** Of archiver's format modules: adds an entry and calls back when more can be taken. */
  append(_source: unknown, entry: FormatEntry, callback: (error?: unknown) => void): void {
    this.#append(entry).then(() => callback(), callback);
  }

  /** Of archiver's format modules. */
  finalize(): void {
    this.finish();
  }

  async #append({ name, date, content }: FormatEntry): Promise<void> {
    const entry = new Entry(name);
    entry.setTime(date);
    entry.setMethod(METHOD[content.method]);
    entry.setUnixMode(FILE_MODE);
    this._archive.processing = true;
    this._normalizeEntry(entry);
    if ('chunks' in content) this.#addPacked(entry, content);
    else await this.#addStreamed(entry, content);
    this._afterAppend(entry);
    await this.#drained();
  }

  #addPacked(entry: ZipArchiveEntry, content: PackedContent): void {
    entry.getGeneralPurposeBit().useDataDescriptor(false);
    entry.setVersionNeededToExtract(VERSION_OF[content.method]);
    entry.setCrc(content.crc32);
    entry.setSize(content.sizeBytes);
    entry.setCompressedSize(content.packedBytes);
    this._writeLocalFileHeader(entry);
    for (const chunk of content.chunks) this.write(chunk);
  }

  async #addStreamed(entry: ZipArchiveEntry, { method, stream }: StreamedContent): Promise<void> {
    entry.getGeneralPurposeBit().useDataDescriptor(true);
    entry.setVersionNeededToExtract(VERSION_OF.deflate);
    this._writeLocalFileHeader(entry);
    let crc = 0;
    let sizeBytes = 0;
    async function* counted(): AsyncGenerator<Buffer> {
      for await (const chunk of stream) {
        crc = crc32(chunk, crc);
        sizeBytes += chunk.length;
        yield chunk;
      }
    }
    let packedBytes = 0;
    const write = async (chunks: AsyncIterable<Buffer>): Promise<void> => {
      for await (const chunk of chunks) {
        packedBytes += chunk.length;
        this.write(chunk);
        await this.#drained();
      }
    };
    const deflate = (): ReturnType<typeof createDeflateRaw> =>
      createDeflateRaw({ level: this.#level, chunkSize: BLOCK_BYTES });
    if (method === 'store') await write(counted());
    else await pipeline(counted(), deflate(), write);
    entry.setCrc(crc);
    entry.setSize(sizeBytes);
    entry.setCompressedSize(packedBytes);
  }

  async #drained(): Promise<void> {
    if (this.writableNeedDrain) await once(this, 'drain');
  }

  /** Keeps small pieces until there is a block of them. */
  override write(piece: Buffer | string): boolean {
    const bytes = typeof piece === 'string' ? Buffer.from(piece) : piece;
    if (bytes.length === 0) return true;
    this.#pieces.push(bytes);
    this.#piecesBytes += bytes.length;
    this.offset += bytes.length;
    return this.#piecesBytes < BLOCK_BYTES || this.#flush();
  }

  #flush(): boolean {
    const pieces = this.#pieces;
    this.#pieces = [];
    // What it is given now was counted when it came.
    this.offset -= this.#piecesBytes;
    this.#piecesBytes = 0;
    const last = pieces.at(-1);
    if (last === undefined) return true;
    if (last.length < BLOCK_BYTES) return super.write(Buffer.concat(pieces));
    // A file's content is not copied.
    if (pieces.length > 1) super.write(Buffer.concat(pieces.slice(0, -1)));
    return super.write(last);
  }

  override end(): this {
    this.#flush();
    super.end();
    return this;
  }

  /** As the package has it, but for counts and offsets that are exactly those which stand for ZIP64. */
  override isZip64(): boolean {
    const { centralLength, centralOffset } = this._archive;
    return this._entries.length >= IN_ZIP64_SHORT || centralLength >= IN_ZIP64 || centralOffset >= IN_ZIP64;
  }
}

/** As the package has it, but for sizes and offsets that are exactly the one which stands for ZIP64. */
class Entry extends ZipArchiveEntry {
  override isZip64(): boolean {
    return (
      this.getSize() >= IN_ZIP64 || this.getCompressedSize() >= IN_ZIP64 || this._offsets.file === IN_ZIP64
    );
  }
}
