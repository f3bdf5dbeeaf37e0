import type { Readable } from 'node:stream';

export interface PublishedObject {
  /** `<job>/<name>`; the publisher puts its own prefix and the node's id before it. */
  readonly key: string;
  readonly contentType: string;
  /** File name a browser saves it under. */
  readonly fileName: string;
  readonly disposition: 'inline' | 'attachment';
}

/** Where results are delivered. Every object lies under `<prefix>/<node>/<job>/`. */
export interface Publisher {
  readonly name: 'web' | 's3';
  /**
   * Stores an object from a stream with backpressure; it appears whole or not at all, and replaces an earlier
   * one of the same key. Resolves with its size. @throws AppError `publish.unavailable` (retriable)
   */
  put(object: PublishedObject, body: Readable, signal: AbortSignal): Promise<number>;
  /** Size of an object that is there whole; null where there is none. */
  size(key: string, signal: AbortSignal): Promise<number | null>;
  /** A link that opens this object and no other until `expiresAt`. */
  link(object: PublishedObject, expiresAt: Temporal.Instant): Promise<string>;
  /** Removes everything of a job, uploads that were never finished too. */
  removeJob(jobId: string, signal: AbortSignal): Promise<void>;
}
