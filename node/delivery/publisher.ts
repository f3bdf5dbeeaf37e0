import type { Readable } from 'node:stream';
import type { LinkPresentation } from '../recordings/source.ts';

export interface PublishedObject extends LinkPresentation {
  /** `<job>/<name>`; the publisher puts its own prefix and the node's id before it. */
  readonly key: string;
}

/** Where results are delivered. Every object lies under `<prefix>/<node>/<job>/`. */
export interface Publisher {
  readonly name: 'web' | 's3';
  /** Where what it publishes lies (node, bucket, prefix): kept with each delivery, so that settings may change. */
  readonly place: string;
  /**
   * Stores an object from a stream with backpressure; it appears whole or not at all, and replaces an earlier
   * one of the same key. `expectedBytes` says about how large it will be, where that is known. Resolves with its size.
   * @throws AppError `publish.unavailable` (retriable)
   */
  put(object: PublishedObject, body: Readable, signal: AbortSignal, expectedBytes?: number): Promise<number>;
  /** Size of an object that is there whole; null where there is none. */
  size(key: string, signal: AbortSignal): Promise<number | null>;
  /** Makes links that open objects without this node; null where this node alone serves them. */
  readonly presign: Presign | null;
  /**
   * Removes everything of a job, uploads that were never finished too; from `place` where that is given.
   * @throws AppError `publish.elsewhere` where it cannot reach that place
   */
  removeJob(jobId: string, signal: AbortSignal, place?: string): Promise<void>;
  /**
   * The jobs of which anything lies under this node's own prefix (unfinished uploads too), in pages of at most 1,000:
   * nobody has to hold them all.
   */
  jobs(signal: AbortSignal): AsyncIterable<readonly string[]>;
  /** When the newest thing of a job was written; null where there is none. */
  newestOf(jobId: string, signal: AbortSignal): Promise<Temporal.Instant | null>;
}

/** Links that a bucket answers by itself. */
export interface Presign {
  /** A link that opens this object and no other until `expiresAt`, or until `linksUntil` says that it does. */
  link(object: PublishedObject, expiresAt: Temporal.Instant): Promise<string>;
  /**
   * When a link that is made now to live until `wanted` truly dies: earlier where it is signed with temporary
   * credentials, with which it ends; null where these do not tell their end.
   */
  linksUntil(wanted: Temporal.Instant): Promise<Temporal.Instant | null>;
}
