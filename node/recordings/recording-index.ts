import type { SourceName } from '../../protocol/job.ts';

/**
 * `building`: the first build, or one that replaces an index that could not be used; requests are answered by walking.
 * `ready`: requests are answered from it (a rebuild beside it changes nothing about that). `failed`: it cannot be
 * built or kept now; requests are answered by walking, and it is tried again.
 */
export type IndexState = 'starting' | 'building' | 'ready' | 'failed';

export interface IndexProgress {
  readonly files: number;
  readonly folders: number;
  /** How many files there were the last time; null where nobody knows. */
  readonly expectedFiles: number | null;
  readonly elapsedMs: number;
}

/** How an index is, for operators. Instants as RFC 3339 text. */
export interface IndexStatus {
  readonly source: SourceName;
  readonly state: IndexState;
  /** A sentence: what it is doing, or what is wrong and what mends it. */
  readonly message: string;
  readonly files: number;
  readonly folders: number;
  /** Folders whose changes the system tells at once; the others are looked at in turns. */
  readonly watched: number;
  readonly databaseBytes: number;
  /** Of the build that runs, a rebuild included. */
  readonly progress: IndexProgress | null;
  readonly builtAt: string | null;
  /** When all of it was last known to agree with what lies there. */
  readonly sweptAt: string | null;
  readonly auditedAt: string | null;
}

/** What comparing an index with what lies there found, and put right. */
export interface IndexVerdict {
  readonly files: number;
  readonly folders: number;
  /** Files that the index did not have, and files that it had and that are gone. */
  readonly missing: number;
  readonly stale: number;
  /** Folders or pages that could not be read. */
  readonly unreadable: number;
  readonly elapsedMs: number;
}

/**
 * What makes finding instant. Never the truth: it can be thrown away at any time, and a search goes on without it.
 */
export interface RecordingIndex {
  readonly source: SourceName;
  /** Opens what an earlier run has left, or begins to build. Returns at once; never fails. */
  start(): void;
  status(): IndexStatus;
  /** Builds it anew beside the present one, which serves until then. A sentence saying what began. @throws AppError `index.busy` */
  rebuild(): string;
  /** Compares all of it with what lies there, whatever is thought to be known. @throws AppError `index.busy`, `index.not-ready` */
  verify(signal: AbortSignal): Promise<IndexVerdict>;
  close(): Promise<void>;
}
