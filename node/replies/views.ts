import type { SourceName } from '../../protocol/job.ts';
import type { Fault } from '../commands/command.ts';
import type { Measured, Nearby, RecordingFault, WallTime } from '../recordings/source.ts';

/** A mail of ours without its addresses. */
export interface ReplyMail {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

/** A RAMAIS request as it was understood. */
export interface RequestView {
  /** As received, without its token. */
  readonly subject: string;
  readonly extensions: readonly string[];
  readonly start: WallTime;
  readonly end: WallTime;
  readonly server: string | null;
  readonly requester: string | null;
}

/** What every answer about a job says. */
export interface JobView {
  readonly request: RequestView;
  /** The whole id; people see its beginning. */
  readonly jobId: string;
  readonly source: SourceName;
  /** RECORDINGS_TZ: in which wall times are meant and instants are shown. */
  readonly timeZone: string;
}

export interface ConfirmationView extends JobView {
  /** Position in the lane of the node that works it, 1 being worked on; null while the other server has not said so. */
  readonly position: number | null;
  /** What the search will find; null where that was not known in time. */
  readonly measured: Measured | null;
}

export interface RecordingView {
  readonly startedAt: WallTime;
  readonly origin: string;
  readonly destination: string;
  readonly sizeBytes: number;
  /** Name of its entry in the ZIP. */
  readonly fileName: string;
  /** Opens the recording, or what was made of it for playing; null for those that the mail does not list. */
  readonly url: string | null;
  /** Length of the sound; null where nobody can tell. */
  readonly seconds: number | null;
  /** Whether what `url` opens plays in a browser; otherwise it is saved. */
  readonly plays: boolean;
  /** `growing` or `broken` where it is delivered with a warning. */
  readonly fault: RecordingFault | null;
}

/** A recording that was found and could not be delivered. */
export interface LeftOutView {
  readonly startedAt: WallTime;
  readonly origin: string;
  readonly destination: string;
  readonly fault: RecordingFault;
}

/** What a search could not do. */
export interface CoverageView {
  /** Whether SERVER could narrow the search; null where none was asked for. */
  readonly narrowedByServer: boolean | null;
  /** How many directories or pages could not be read. */
  readonly unreadable: number;
  readonly leftOut: readonly LeftOutView[];
}

export interface ZipView {
  readonly url: string;
  readonly sizeBytes: number;
  readonly fileName: string;
  /** Recordings in it. */
  readonly count: number;
}

/** A recording as its page shows it: with a player where it plays, and saved as it was recorded. */
export interface PageRecordingView extends Omit<RecordingView, 'url'> {
  /** What a player plays; null where browsers play nothing of it. */
  readonly playUrl: string | null;
  /** It was converted for playing: what is saved is the original. */
  readonly converted: boolean;
  /** Saves the original; null where nobody can make that link. */
  readonly downloadUrl: string | null;
}

/** A part of the page of a result; short ones have one part. */
export interface ResultPageView extends JobView, CoverageView {
  /** Of this part, in order. */
  readonly recordings: readonly PageRecordingView[];
  readonly zips: readonly ZipView[];
  readonly expiresAt: Temporal.Instant;
  readonly mayEndEarlier: boolean;
  /** All recordings delivered, and their sound where it is known. */
  readonly total: { readonly count: number; readonly seconds: number; readonly ofUnknownLength: number };
  readonly part: {
    readonly number: number;
    readonly of: number;
    readonly previousUrl: string | null;
    readonly nextUrl: string | null;
  };
}

/** A page for who opens a link that does not work. */
export type LinkProblem = 'expired' | 'revoked' | 'invalid' | 'missing' | 'failed';

export interface ResultView extends JobView, CoverageView {
  /** All that were delivered, by time; the mail shows as many as fit. At least one. */
  readonly recordings: readonly RecordingView[];
  /** At least one; several are the parts of a result that is too large for one. */
  readonly zips: readonly ZipView[];
  /** When the links truly die. */
  readonly expiresAt: Temporal.Instant;
  /** They are signed with temporary credentials that do not tell their end: they may die earlier. */
  readonly mayEndEarlier: boolean;
  /** The page with all recordings and their players. */
  readonly pageUrl: string | null;
}

export interface NothingFoundView extends JobView, CoverageView {
  /** Sources that were not searched and could be asked for. */
  readonly otherSources?: readonly SourceName[];
  /** What was near; null where that is not known, or not for the requester. */
  readonly nearby: Nearby | null;
}

export interface RefusalView {
  /** As received, without its token. */
  readonly subject: string;
  readonly faults: readonly Fault[];
  /** A subject to copy; null where none would help (a mail too large). */
  readonly corrected: string | null;
  /** Address of the mailbox that takes requests, for the link that sends the corrected subject. */
  readonly mailbox: string | null;
  /** Whether a subject must begin with a token, which the corrected one leaves out. */
  readonly tokenRequired: boolean;
}

/** Why nobody looked at the request at all. */
export type AccessRefusalReason = 'token-missing' | 'token-invalid' | 'sender-unknown' | 'locked-out';

export interface AccessRefusalView {
  readonly subject: string;
  readonly reason: AccessRefusalReason;
  /** Whom to ask for access. */
  readonly adminEmail: string | null;
}

export interface FailedView {
  /** Null where the job is not a RAMAIS. */
  readonly request: RequestView | null;
  /** As received, without its token. */
  readonly subject: string;
  readonly jobId: string;
  /** Code of the error that ended it, see `failureSentence`. */
  readonly code: string;
  readonly attempts: number;
}

export interface DelayedView {
  readonly request: RequestView | null;
  readonly subject: string;
  readonly jobId: string;
  readonly code: string;
  /** When it is tried again; null where that is not known. */
  readonly nextAttemptAt: Temporal.Instant | null;
  readonly timeZone: string;
}

/** What the admin is told of, outside any request. */
export type NoticeKind =
  | 'mail-in-doubt'
  | 'mail-set-aside'
  | 'mail-unproved'
  | 'job-conflict'
  | 'drop-refused'
  | 'drop-set-aside'
  | 'locked-out'
  | 'whitelist-changed'
  | 'server-unsettled'
  | 'disk-low'
  | 'peer-away'
  | 'forced'
  | 'forced-out'
  | 'other';

export interface NoticeView {
  readonly kind: NoticeKind;
  readonly nodeId: string;
  readonly at: Temporal.Instant;
  readonly timeZone: string;
  /** What it is about, label and value, in the order to be shown: `Assunto`, `Remetente`, `Arquivo`. */
  readonly details: readonly (readonly [label: string, value: string])[];
  /** Faults of a request that came with it. */
  readonly faults: readonly Fault[];
  /** A sentence of its own; needed for `other`. */
  readonly note: string | null;
}
