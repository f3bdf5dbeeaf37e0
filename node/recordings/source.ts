import type { Readable } from 'node:stream';
import type { SourceName } from '../../protocol/job.ts';

/** The most recordings that a search gives, and a delivery can hold. */
export const MAX_RECORDINGS = 50_000;

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
  /** It lies in cold storage (Glacier) and cannot be read before somebody restores it. */
  readonly archived?: true | undefined;
}

/**
 * Why a recording is not, or not wholly, delivered. `empty`, `unreadable`, `vanished` and `archived` (in cold
 * storage) are left out; `growing` and `broken` (a WAV whose RIFF size is not file size − 8) are delivered as they were found.
 */
export type RecordingFault = 'empty' | 'unreadable' | 'vanished' | 'growing' | 'broken' | 'archived';

export interface FindResult {
  /** By start time, then key. */
  readonly recordings: readonly Recording[];
  /** Whether `query.server` could be applied; null where none was asked for. */
  readonly narrowedByServer: boolean | null;
  /** Directories or pages that could not be read: the answer is then known to be incomplete. */
  readonly unreadable: readonly string[];
}

/** What the beginning of a recording tells of its sound. */
export interface AudioFacts {
  /** Length of the sound; null where it cannot be told. */
  readonly seconds: number | null;
  /** Whether browsers play it as it is: GSM and GSM in WAV (wav49) they do not. */
  readonly playable: boolean;
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
  readonly audio: AudioFacts;
}

/** A recording that lies near a search, by its name alone. */
export type NearbyRecording = Pick<Recording, 'startedAt' | 'origin' | 'destination'>;

/** What there is of an extension besides what was searched. */
export interface NearbyExtension {
  readonly extension: string;
  /** The last one before the range, and the first one after it. */
  readonly before: NearbyRecording | null;
  readonly after: NearbyRecording | null;
}

export interface Nearby {
  /** In the order of the query. */
  readonly extensions: readonly NearbyExtension[];
  /** First and last day that was looked at, `YYYY-MM-DD`; null: all there are. */
  readonly days: { readonly first: string; readonly last: string } | null;
}

/** What a search would find, in numbers. */
export interface Measured {
  readonly count: number;
  readonly bytes: number;
}

/** Whether a browser plays or shows what a link opens, or saves it (RFC 6266 section 4.2). */
export type Disposition = 'inline' | 'attachment';

/** How a browser is to take what a link opens. */
export interface LinkPresentation {
  /** File name it is saved under. */
  readonly fileName: string;
  readonly contentType: string;
  readonly disposition: Disposition;
}

/** Links that open recordings where they lie: nothing has to be copied. */
export interface DirectLinks {
  /** Null for a recording that no browser can be led to. */
  link(recording: Recording, as: LinkPresentation, expiresAt: Temporal.Instant): Promise<string | null>;
  /** As `Publisher.linksUntil`. */
  linksUntil(wanted: Temporal.Instant): Promise<Temporal.Instant | null>;
}

/** A place where recordings are searched. */
export interface RecordingSource {
  readonly name: SourceName;
  /** Null where what is found must be published to be heard. */
  readonly direct: DirectLinks | null;
  /** All recordings of the query. @throws AppError `recordings.unavailable` (retriable) where the root cannot be read */
  find(query: RecordingQuery, signal: AbortSignal): Promise<FindResult>;
  /**
   * The numbers of a search before it is done, for the confirmation; null where telling them would take as long as
   * searching. Never a rejection but the signal's reason: what is wrong, the search itself will say.
   */
  measure(query: RecordingQuery, signal: AbortSignal): Promise<Measured | null>;
  /**
   * What is near a search that found nothing: of each extension its nearest recordings before and after the range,
   * under the query's server where that narrows. Null where it cannot be told within a bounded time. Never a rejection
   * but the signal's reason.
   */
  nearby(query: RecordingQuery, signal: AbortSignal): Promise<Nearby | null>;
  /** Opens one. A fault that leaves it out is the answer, not an error. */
  open(recording: Recording, signal: AbortSignal): Promise<OpenedRecording | RecordingFault>;
}
