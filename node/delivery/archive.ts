import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ZipArchive } from 'archiver';
import { AppError } from '../platform/errors.ts';
import type { OpenedRecording, Recording, RecordingFault, RecordingSource } from '../recordings/source.ts';
import { manifestCsv, type ManifestLine } from './csv.ts';
import type { NamedRecording } from './entry-name.ts';

/** The last entry: what the ZIP holds, what was left out, and why. */
export const MANIFEST_NAME = 'manifesto.csv';

/** Held between the archiver and whoever reads; with the files' own chunks, all that is ever in memory. */
const BUFFER_BYTES = 256 * 1024;

export interface ArchiveOptions {
  readonly source: RecordingSource;
  /** Entries in this order. */
  readonly entries: readonly NamedRecording[];
  /** By key: recordings known to be unreadable. They are listed and not opened. */
  readonly leftOut: ReadonlyMap<string, RecordingFault>;
  readonly signal: AbortSignal;
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

interface OpenEntry {
  readonly entry: NamedRecording;
  readonly opened: OpenedRecording;
}

/**
 * Streams recordings into one ZIP: one after another, stored as they are, nothing of a file kept in memory. The
 * same recordings give the same bytes: entry times are the recordings' own. A recording that cannot be opened is
 * listed in the manifest; one whose reading breaks off, once its entry has begun, breaks the archive off, since a
 * ZIP cannot take an entry back.
 */
export async function archiveRecordings(options: ArchiveOptions): Promise<Archive> {
  const lines: ManifestLine[] = [];
  const queue = options.entries.values();
  const next = async (): Promise<OpenEntry | null> => {
    for (const entry of queue) {
      const known = options.leftOut.get(entry.recording.key);
      const opened = known ?? (await options.source.open(entry.recording, options.signal));
      if (typeof opened !== 'string') return { entry, opened };
      lines.push({ ...entry, sizeBytes: null, fault: opened });
    }
    return null;
  };
  const first = await next();
  if (first === null) return { stream: null, outcome: Promise.resolve({ lines, failed: null }) };

  const stream = new PassThrough({ highWaterMark: BUFFER_BYTES });
  // Whoever reads may not be listening yet when it breaks off; the error stays on the stream for them.
  stream.on('error', () => undefined);
  return { stream, outcome: fill(stream, first, next, lines, options.signal) };
}

async function fill(
  stream: PassThrough,
  first: OpenEntry,
  next: () => Promise<OpenEntry | null>,
  lines: ManifestLine[],
  signal: AbortSignal,
): Promise<ArchiveOutcome> {
  const archive = new ZipArchive({ store: true, highWaterMark: BUFFER_BYTES });
  archive.on('error', () => undefined); // it comes as the rejection of what follows, too
  const piped = pipeline(archive, stream, { signal });
  // It may break off while the next file is being opened; it is looked at before the archive ends.
  piped.catch(() => undefined);
  let failed: Recording | null = null;
  let one: OpenEntry | null = first;
  try {
    for (; one !== null; one = await next()) {
      const { entry, opened } = one;
      lines.push({ ...entry, sizeBytes: opened.sizeBytes, fault: opened.fault });
      await append(archive, one, piped);
    }
    const last = lines.at(-1)?.recording.startedAt ?? '';
    archive.append(manifestCsv(lines), { name: MANIFEST_NAME, date: entryDate(last) });
    await Promise.race([archive.finalize(), piped]);
    await piped;
  } catch (error) {
    if (one !== null && isReadFailure(error)) failed = one.entry.recording;
    stream.destroy(error as Error);
    await piped.catch(() => undefined);
  }
  return { lines, failed };
}

/** Resolves when the entry is written; its file is closed in any case. */
async function append(
  archive: ZipArchive,
  { entry, opened }: OpenEntry,
  piped: Promise<void>,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const file = opened.stream;
  file.on('error', reject);
  archive.once('entry', () => resolve());
  archive.once('error', reject);
  archive.append(file, { name: entry.fileName, date: entryDate(entry.recording.startedAt) });
  try {
    await Promise.race([promise, piped.then(() => promise)]);
  } finally {
    archive.off('error', reject);
    await closed(file);
  }
}

/** Destroys a stream and waits until what it held is given back. */
async function closed(stream: Readable): Promise<void> {
  if (stream.closed) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  stream.once('close', resolve);
  stream.destroy();
  await promise;
}

/** ZIP times have no zone; the archiver writes the UTC fields, so wall time goes in as if it were UTC. */
function entryDate(wallTime: string): Date {
  return new Date(`${wallTime}Z`);
}

/** Whether an error says that a recording could not be read to its end, rather than that it could not be put away. */
export function isReadFailure(error: unknown): boolean {
  return error instanceof AppError && error.code.startsWith('recordings.');
}
