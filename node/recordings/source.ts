import type { Readable } from 'node:stream';
import type { SourceName } from '../../protocol/job.ts';

/** Wall-clock text in RECORDINGS_TZ, `YYYY-MM-DDTHH:MM:SS`: the same form sorts and compares as text. */
export type WallTime = string;

export interface RecordingQuery {
  readonly extensions: readonly string[];
  /** First and last second searched, both included. */
  readonly start: WallTime;
  readonly end: WallTime;
  /** Narrows the search where the layout tells servers apart. */
  readonly server: string | null;
}

export interface Recording {
  /** Path below the source's root, with `/`: names the recording within its source. */
  readonly key: string;
  readonly origin: string;
  readonly destination: string;
  readonly startedAt: WallTime;
  readonly sizeBytes: number;
  /** File-name extension in lower case, without the dot: `wav`, `mp3`, `gsm`. */
  readonly format: string;
}

/**
 * Why a recording is not, or not wholly, delivered. `empty`, `unreadable` and `vanished` are left out;
 * `growing` and `broken` (a WAV whose RIFF size is not file size − 8) are delivered as they were found.
 */
export type RecordingFault = 'empty' | 'unreadable' | 'vanished' | 'growing' | 'broken';

export interface FindResult {
  /** By start time, then key. */
  readonly recordings: readonly Recording[];
  /** Whether `query.server` could be applied; null where none was asked for. */
  readonly narrowedByServer: boolean | null;
  /** Directories or pages that could not be read: the answer is then known to be incomplete. */
  readonly unreadable: readonly string[];
}

/**
 * A recording opened for reading: exactly `sizeBytes` bytes come out of `stream`, however the file grows. Where they
 * cannot, the stream fails with an AppError whose code starts with `recordings.` (`recordings.shrunk`,
 * `recordings.unreadable`). Whoever opens it destroys the stream when it is not read to its end.
 */
export interface OpenedRecording {
  readonly stream: Readable;
  readonly sizeBytes: number;
  /** `growing` or `broken` where it is delivered with a warning. */
  readonly fault: RecordingFault | null;
}

/** A place where recordings are searched. */
export interface RecordingSource {
  readonly name: SourceName;
  /** All recordings of the query. @throws AppError `recordings.unavailable` (retriable) where the root cannot be read */
  find(query: RecordingQuery, signal: AbortSignal): Promise<FindResult>;
  /** Opens one. A fault that leaves it out is the answer, not an error. */
  open(recording: Recording, signal: AbortSignal): Promise<OpenedRecording | RecordingFault>;
}
