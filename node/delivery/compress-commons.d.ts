/** What we use of compress-commons 7 (lib/archivers/zip), on which archiver builds; it comes without types. */
declare module 'compress-commons' {
  import type { Transform } from 'node:stream';

  export class ZipArchiveEntry {
    constructor(name: string);
    readonly _offsets: { readonly file: number };
    setTime(time: Date, forceLocalTime?: boolean): void;
    /** 0: stored, 8: deflated. */
    setMethod(method: number): void;
    setUnixMode(mode: number): void;
    setSize(bytes: number): void;
    setCompressedSize(bytes: number): void;
    getSize(): number;
    getCompressedSize(): number;
    setCrc(crc32: number): void;
    setVersionNeededToExtract(version: number): void;
    getGeneralPurposeBit(): { useDataDescriptor(use: boolean): void };
    isZip64(): boolean;
  }

  export interface ZipArchiveOutputStreamOptions {
    readonly highWaterMark?: number;
  }

  export class ZipArchiveOutputStream extends Transform {
    constructor(options?: ZipArchiveOutputStreamOptions);
    /** Bytes written so far: where the next header begins. */
    offset: number;
    readonly _entries: readonly ZipArchiveEntry[];
    readonly _archive: {
      readonly centralLength: number;
      readonly centralOffset: number;
      processing: boolean;
    };
    /** Sets what an entry must have before its header is written. */
    _normalizeEntry(entry: ZipArchiveEntry): void;
    _writeLocalFileHeader(entry: ZipArchiveEntry): void;
    /** Keeps the entry for the directory, after its data descriptor where it has one. */
    _afterAppend(entry: ZipArchiveEntry): void;
    isZip64(): boolean;
    /** Writes the directory and ends the stream. */
    finish(): void;
  }
}
