import type { DeliveredItem, DeliveredZip } from '../delivery/manifest.ts';
import type { DirectLinks } from '../recordings/source.ts';

/** A link of a bucket that one of ours leads to lives so long: a long recording is heard to its end, or sought in. */
export const PRESIGNED_MINUTES = 60;

/** What is needed to make links of one delivery. */
export interface Linked {
  readonly job: string;
  /** Links that are made live until then, or until `until` says. */
  readonly wanted: Temporal.Instant;
  /** Of the source its recordings lie in; null where that gives none. */
  readonly direct: DirectLinks | null;
}

/** Makes the links by which people get at what was delivered. */
export interface Links {
  /**
   * `node`: answered by this node, as long as its record says that they may be opened. `presigned`: answered by the
   * bucket, and nobody can take them back but by removing what they open.
   */
  readonly kind: 'node' | 'presigned';
  /** When links made now truly die; null where what signs them does not tell. `isDirect`: some open recordings where they lie. */
  until(delivery: Linked, isDirect: boolean): Promise<Temporal.Instant | null>;
  /** Plays a recording: what was made of it for playing, where that is so. Null where nobody can make one. */
  toPlay(delivery: Linked, item: DeliveredItem): Promise<string | null>;
  /** Saves a recording as it was recorded. Null where nobody can make one. */
  toSave(delivery: Linked, item: DeliveredItem): Promise<string | null>;
  toZip(delivery: Linked, zip: DeliveredZip): Promise<string>;
  /** A part of the page of all recordings, from 1. */
  toPage(delivery: Linked, part: number): Promise<string>;
}
