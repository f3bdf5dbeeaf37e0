import type { Readable } from 'node:stream';
import { destroyOnAbort } from '../platform/destroy-on-abort.ts';
import { AppError } from '../platform/errors.ts';
import type { AudioFacts, OpenedRecording, RecordingFault, RecordingSource } from '../recordings/source.ts';
import type { PackedContent } from './archiver.ts';
import type { NamedRecording } from './entry-name.ts';
import { methodOf, pack } from './packing.ts';

/** Recordings that are open or in memory at a time, ahead of the one that is being archived. */
const AHEAD_FILES = 16;
/** What these are expected to have together; one alone may have more. */
const AHEAD_BYTES = 16 * 1024 * 1024;
/** A recording of more is streamed when its turn comes. */
export const WHOLE_MAX_BYTES = 4 * 1024 * 1024;
/** A recording that breaks off so often while it is read is left out. */
export const READ_ATTEMPTS = 2;

export interface ReadAheadOptions {
  readonly source: RecordingSource;
  readonly entries: readonly NamedRecording[];
  /** By key: recordings known to be unreadable. They are not opened. */
  readonly leftOut: ReadonlyMap<string, RecordingFault>;
  /** ARCHIVE_LEVEL. */
  readonly level: number;
  readonly signal: AbortSignal;
}

/** A recording whose turn has come: in memory, open, or left out. */
export type Fetched = { readonly entry: NamedRecording } & (
  | {
      readonly kind: 'whole';
      readonly content: PackedContent;
      readonly fault: RecordingFault | null;
      readonly audio: AudioFacts;
    }
  | { readonly kind: 'stream'; readonly opened: OpenedRecording }
  | { readonly kind: 'left-out'; readonly fault: RecordingFault }
);

/**
 * Gives the recordings in their order, a bounded number and amount of them read ahead, several at once. When it ends
 * or is ended, all that was opened and not given is closed; a stream that was given is for the taker to close.
 * @throws what the source throws, at the turn of the recording; the signal's reason
 */
export async function* readAhead(options: ReadAheadOptions): AsyncGenerator<Fetched> {
  const ended = new AbortController();
  const signal = AbortSignal.any([options.signal, ended.signal]);
  const queue = options.entries.values();
  const window: Ahead[] = [];
  let windowBytes = 0;
  const fill = (): void => {
    while (window.length === 0 || (window.length < AHEAD_FILES && windowBytes < AHEAD_BYTES)) {
      const { value: entry, done } = queue.next();
      if (done === true) return;
      const bytes = expectedBytes(entry);
      // One that is to be streamed is opened at its turn: a connection that waits for it would be cut.
      const fetched = bytes === null ? null : fetchOne({ ...options, signal }, entry);
      fetched?.catch(() => undefined); // it is for its turn
      window.push({ entry, fetched, bytes: bytes ?? 0 });
      windowBytes += bytes ?? 0;
    }
  };
  try {
    for (fill(); window[0] !== undefined; fill()) {
      const { entry, fetched, bytes } = window[0];
      yield await (fetched ?? fetchOne({ ...options, signal }, entry));
      window.shift();
      windowBytes -= bytes;
    }
  } finally {
    ended.abort();
    await Promise.all(window.slice(1).map(({ fetched }) => discard(fetched)));
  }
}

/** A place in the window. */
interface Ahead {
  readonly entry: NamedRecording;
  /** Null where it is begun at its turn. */
  readonly fetched: Promise<Fetched> | null;
  /** Of {@link AHEAD_BYTES}. */
  readonly bytes: number;
}

/** What a recording will take in memory; null where it will be streamed. A size of 0 says that it is not known. */
function expectedBytes({ recording: { sizeBytes } }: NamedRecording): number | null {
  if (sizeBytes === 0) return WHOLE_MAX_BYTES;
  return sizeBytes > WHOLE_MAX_BYTES ? null : sizeBytes;
}

async function fetchOne(options: ReadAheadOptions, entry: NamedRecording): Promise<Fetched> {
  const { source, leftOut, level, signal } = options;
  const { recording } = entry;
  const known = recording.archived === true ? 'archived' : leftOut.get(recording.key);
  if (known !== undefined) return { kind: 'left-out', entry, fault: known };
  for (let attempt = 1; attempt <= READ_ATTEMPTS; attempt += 1) {
    signal.throwIfAborted();
    const opened = await source.open(recording, signal);
    if (typeof opened === 'string') return { kind: 'left-out', entry, fault: opened };
    if (opened.sizeBytes > WHOLE_MAX_BYTES) return { kind: 'stream', entry, opened };
    try {
      const chunks = await readWhole(opened.stream, signal);
      const content = await pack(chunks, methodOf(recording.format, level), level);
      return { kind: 'whole', entry, content, fault: opened.fault, audio: opened.audio };
    } catch (error) {
      signal.throwIfAborted();
      if (!isReadFailure(error)) throw error;
    }
  }
  return { kind: 'left-out', entry, fault: 'unreadable' };
}

/** Whether an error says that a recording could not be read to its end, rather than that it could not be put away. */
export function isReadFailure(error: unknown): boolean {
  return error instanceof AppError && error.code.startsWith('recordings.');
}

async function readWhole(stream: Readable, signal: AbortSignal): Promise<Buffer[]> {
  using _ = destroyOnAbort(stream, signal);
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
    return chunks;
  } finally {
    await closed(stream);
  }
}

async function discard(fetching: Promise<Fetched> | null): Promise<void> {
  const fetched = await fetching?.catch(() => null); // it failed: nothing is open
  if (fetched?.kind === 'stream') await closed(fetched.opened.stream);
}

/** Destroys a stream and waits until what it held is given back. */
export async function closed(stream: Readable): Promise<void> {
  if (stream.closed) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  stream.once('close', resolve);
  stream.destroy();
  await promise;
}
