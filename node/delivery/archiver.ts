import type { Writable } from 'node:stream';
import type { WallTime } from '../recordings/source.ts';

/** How an entry's bytes lie in the archive. */
export type PackingMethod = 'store' | 'deflate';

export interface EntryHead {
  readonly name: string;
  /** ZIP times have no zone either. */
  readonly date: WallTime;
}

/** A whole file as it is to lie in the archive: whatever its bytes cost has been paid. */
export interface PackedContent {
  readonly method: PackingMethod;
  /** Deflated already, where that is the method. */
  readonly chunks: readonly Buffer[];
  readonly packedBytes: number;
  /** Of what was packed. */
  readonly sizeBytes: number;
  readonly crc32: number;
}

/** A file too large to be held in memory, not packed yet. */
export interface StreamedContent {
  readonly method: PackingMethod;
  readonly stream: AsyncIterable<Buffer>;
}

/**
 * An archive being written to a stream. One entry at a time; each call resolves when the stream can take more, and
 * rejects where the stream broke off or what is being added did.
 */
export interface Archiver {
  add(head: EntryHead, content: PackedContent | StreamedContent): Promise<void>;
  /** Writes the directory; resolves when all has been handed to the stream, which then ends. */
  finish(): Promise<void>;
}

/**
 * Opens an archive over a stream, which the archive ends or destroys. The signal destroys it too. `level` (1 to 9) is
 * for the streams among what is added.
 */
export type OpenArchiver = (output: Writable, options: ArchiverOptions) => Archiver;

export interface ArchiverOptions {
  readonly level: number;
  readonly signal: AbortSignal;
}
