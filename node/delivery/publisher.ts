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
  /** Where what it publishes lies (node, bucket, prefix): kept with each delivery, so that settings may change. */
  readonly place: string;
  /**
   * Stores an object from a stream with backpressure; it appears whole or not at all, and replaces an earlier
   * one of the same key. Resolves with its size. @throws AppError `publish.unavailable` (retriable)
   */
  put(object: PublishedObject, body: Readable, signal: AbortSignal): Promise<number>;
  /** Size of an object that is there whole; null where there is none. */
  size(key: string, signal: AbortSignal): Promise<number | null>;
  /** A link that opens this object and no other until `expiresAt`. */
  link(object: PublishedObject, expiresAt: Temporal.Instant): Promise<string>;
  /**
   * Removes everything of a job, uploads that were never finished too; from `place` where that is given.
   * @throws AppError `publish.elsewhere` where it cannot reach that place
   */
  removeJob(jobId: string, signal: AbortSignal, place?: string): Promise<void>;
}
