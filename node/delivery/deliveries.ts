import type { DeliveredItem, DeliveredZip, Delivery, DeliveryAbout } from './manifest.ts';

/** A delivery as operators see it. */
export interface DeliverySummary {
  readonly job: string;
  readonly about: DeliveryAbout | null;
  /** `begun`: being published. `elsewhere`: it lies where this node no longer publishes (in the web root, or another bucket). */
  readonly state: 'begun' | 'open' | 'revoked' | 'elsewhere';
  /** Who holds it: what is in the web root can be opened whoever publishes now. */
  readonly publisher: 'web' | 's3';
  readonly expiresAt: Temporal.Instant;
  readonly revokedAt: Temporal.Instant | null;
  /** Recordings that can be had. */
  readonly recordings: number;
  readonly zips: number;
  readonly totalBytes: number;
  /** How often its links were opened, and when last; nobody knows where the bucket answers them. */
  readonly opened: number;
  readonly lastOpenedAt: Temporal.Instant | null;
}

/** What a name in a delivery stands for. */
export type Delivered =
  | { readonly kind: 'recording'; readonly item: DeliveredItem }
  /** What was made of a recording for playing. */
  | { readonly kind: 'playing'; readonly item: DeliveredItem }
  | { readonly kind: 'zip'; readonly zip: DeliveredZip }
  | { readonly kind: 'page' };

/**
 * What has been delivered and until when: durable, and looked up in a time that does not grow with their number. Where
 * the records cannot be read or written, calls throw AppError `delivery.unavailable` or `delivery.broken-store` (both
 * retriable).
 */
export interface DeliveryStore {
  /**
   * To be called before anything of a job is published, so that what a crash leaves behind is removed in time; what
   * an earlier attempt left behind is removed now. @throws what `Publisher.removeJob` throws; AppError
   * `delivery.revoked` where it was taken back: it stays so, whoever asks for it to be sent again
   */
  begin(job: string, about: DeliveryAbout, expiresAt: Temporal.Instant, signal: AbortSignal): Promise<void>;
  /** Keeps a complete delivery. @throws AppError `delivery.revoked` where it was taken back meanwhile, with what was published removed */
  save(delivery: Delivery): Promise<void>;
  /**
   * The complete delivery of a job; null where there is none, where it was revoked, where it lies elsewhere than the publisher
   * publishes now (nobody can make its links), or where its record cannot be understood (logged). `anywhere`: wherever it lies.
   */
  read(job: string, anywhere?: 'anywhere'): Promise<Delivery | null>;
  /** As `read`, after a crash: null too where what it published is not there whole. */
  alreadyDelivered(job: string, signal: AbortSignal): Promise<Delivery | null>;
  /** What there is to say of a delivery; null where there is no record of it (any more). */
  summary(job: string): DeliverySummary | null;
  /** Jobs of deliveries whose ids begin with these hexadecimal digits. */
  jobsWith(prefix: string, limit: number): readonly string[];
  /** The youngest first. */
  list(options: { readonly open: boolean; readonly limit: number }): {
    readonly deliveries: readonly DeliverySummary[];
    readonly total: number;
  };
  /** What `name` stands for in a complete delivery; null where it is nothing of it. */
  find(job: string, name: string): Delivered | null;
  /** Items of a complete delivery that can be had, in order, from `offset` on. */
  items(job: string, offset: number, limit: number): readonly DeliveredItem[];
  /** Counts that a link was opened; never throws. */
  opened(job: string): void;
  /**
   * Takes a delivery back: from then on its record says so, on disk, which `taken` is told of; then what was published is
   * removed, which may take long. Done again, it removes what is left. @throws AppError `delivery.unknown`; what `taken` and
   * `Publisher.removeJob` throw, with the record saying `revoked` already
   */
  revoke(job: string, signal: AbortSignal, taken?: () => Promise<void>): Promise<DeliverySummary>;
  /** Removes all that has expired, from the publisher and here. A sentence saying what it did; failures are logged. */
  sweepExpired(now: Temporal.Instant, signal: AbortSignal): Promise<string>;
  /** Removes what lies under this node's prefix and has no record, once no link to it can be alive. A sentence. */
  sweepOrphans(now: Temporal.Instant, signal: AbortSignal): Promise<string>;
  close(): void;
}
