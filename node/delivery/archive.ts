import { PassThrough, type Readable } from 'node:stream';
import type { Recording } from '../recordings/source.ts';
import type { Archiver } from './archiver.ts';
import { manifestCsv, type ManifestLine } from './csv.ts';
import { methodOf, pack } from './packing.ts';
import { closed, type Fetched, isReadFailure, readAhead, type ReadAheadOptions } from './read-ahead.ts';
import { openZip } from './zip-archiver.ts';

/** Held between the archiver and whoever reads. */
const BUFFER_BYTES = 256 * 1024;
/** ZIP knows no earlier date. */
const NO_DATE = '1980-01-01T00:00:00';

export interface ArchiveOptions extends ReadAheadOptions {
  /** Of the last entry: what the ZIP holds, what was left out, and why. */
  readonly manifestName: string;
  /** Makes a ZIP with nothing but the manifest where nothing can be put into it. */
  readonly evenEmpty: boolean;
  /** Told of what has been put into it: recordings that are done with, and bytes of recordings. */
  readonly progress: (recordings: number, bytes: number) => void;
}

/** How an archive ended. Never a rejection: a failure comes out of the stream. */
export interface ArchiveOutcome {
  readonly lines: readonly ManifestLine[];
  /** The recording whose reading broke off and the archive with it. */
  readonly failed: Recording | null;
}

export interface Archive {
  /** The ZIP; null where there is nothing to put into one. Destroying it ends all reading. */
  readonly stream: Readable | null;
  /** Settles when the stream has ended or broken off, and every file is closed. */
  readonly outcome: Promise<ArchiveOutcome>;
}

/** A recording that can be put into the archive. */
type Included = Exclude<Fetched, { readonly kind: 'left-out' }>;

/** The recordings in their order, as far as they can be put into the archive. */
interface Reading {
  next(): Promise<Included | null>;
  /** Resolves when all that was opened ahead is closed. */
  end(): Promise<unknown>;
}

/**
 * Streams recordings into one ZIP, in order, read ahead within bounds. The same recordings give the same bytes: entry
 * times are the recordings' own. A recording that cannot be read is listed in the manifest; a large one whose
 * reading breaks off, once its entry has begun, breaks the archive off, since a ZIP cannot take an entry back.
 * @throws what the source throws before there is a stream; afterwards that comes out of the stream
 */
export async function archiveRecordings(options: ArchiveOptions): Promise<Archive> {
  const ended = new AbortController();
  const signal = AbortSignal.any([options.signal, ended.signal]);
  const ahead = readAhead({ ...options, signal });
  const lines: ManifestLine[] = [];
  const next = async (): Promise<Included | null> => {
    for (let turn = await ahead.next(); turn.done !== true; turn = await ahead.next()) {
      const fetched = turn.value;
      if (fetched.kind !== 'left-out') return fetched;
      lines.push({ ...fetched.entry, sizeBytes: null, fault: fetched.fault, audio: null });
      options.progress(1, 0);
    }
    return null;
  };
  const first = await next();
  if (first === null && !options.evenEmpty) {
    return { stream: null, outcome: Promise.resolve({ lines, failed: null }) };
  }
  const stream = new PassThrough({ highWaterMark: BUFFER_BYTES });
  // Whoever reads may not be listening yet when it breaks off; the error stays on the stream for them.
  stream.on('error', () => undefined);
  stream.once('close', () => ended.abort(new Error('nobody reads the ZIP any more')));
  const reading: Reading = { next, end: () => ahead.return(null) };
  return { stream, outcome: make(options, stream, first, reading, lines) };
}

async function make(
  options: ArchiveOptions,
  stream: PassThrough,
  first: Included | null,
  reading: Reading,
  lines: ManifestLine[],
): Promise<ArchiveOutcome> {
  const { level, manifestName, signal } = options;
  const archiver = openZip(stream, { level, signal });
  let failed: Recording | null = null;
  try {
    for (let one = first; one !== null; one = await reading.next()) {
      const { recording } = one.entry;
      try {
        lines.push(await append(archiver, one, options));
      } catch (error) {
        if (isReadFailure(error)) failed = recording;
        throw error;
      }
    }
    const date = lines.at(-1)?.recording.startedAt ?? NO_DATE;
    const csv = await pack(manifestCsv(lines), methodOf('csv', level), level);
    await archiver.add({ name: manifestName, date }, csv);
    await archiver.finish();
  } catch (error) {
    stream.destroy(error as Error);
  }
  await reading.end();
  return { lines, failed };
}

/** Resolves when the entry is written; its file is closed in any case. */
async function append(archiver: Archiver, one: Included, options: ArchiveOptions): Promise<ManifestLine> {
  const { recording, fileName } = one.entry;
  const head = { name: fileName, date: recording.startedAt };
  if (one.kind === 'whole') {
    const { content, fault, audio } = one;
    await archiver.add(head, content);
    options.progress(1, content.sizeBytes);
    return { ...one.entry, sizeBytes: content.sizeBytes, fault, audio };
  }
  const { stream, sizeBytes, fault, audio } = one.opened;
  async function* told(): AsyncGenerator<Buffer> {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      yield chunk;
      options.progress(0, chunk.length);
    }
  }
  try {
    await archiver.add(head, { method: methodOf(recording.format, options.level), stream: told() });
    options.progress(1, 0);
    return { ...one.entry, sizeBytes, fault, audio };
  } finally {
    await closed(stream);
  }
}
