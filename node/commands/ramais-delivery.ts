import type { Job } from '../../protocol/job.ts';
import type { Audit, AuditEvent } from '../audit.ts';
import { type ArchivingLimits, deliver } from '../delivery/deliver.ts';
import type { DeliveryStore } from '../delivery/deliveries.ts';
import type { Delivery, DeliveryAbout } from '../delivery/manifest.ts';
import type { Publisher } from '../delivery/publisher.ts';
import type { Transcoder } from '../delivery/transcoder.ts';
import type { Clock } from '../platform/clock.ts';
import { AppError, codeOf } from '../platform/errors.ts';
import type { Recording, RecordingSource } from '../recordings/source.ts';
import type { JobContext } from './command.ts';

/** Deliveries of one job: another one each time its links have grown too old before the mail could go out. */
const MAX_DELIVERIES = 100;
/** The most that PROCESSING_TIMEOUT can be: no delivery goes on longer. */
const MAX_WORK_HOURS = 24;
const MINUTES_PER_HOUR = 60;
/** Recordings in one entry of the audit log. */
const MAX_AUDITED = 200;

export interface Delivering {
  readonly publisher: Publisher;
  readonly deliveries: DeliveryStore;
  readonly archiving: ArchivingLimits;
  /** Makes recordings playable that browsers cannot play; null where none is asked for, or there is none. */
  readonly transcoder: Transcoder | null;
  /** Bytes that a delivery may fill on the disk it is published on; null where it goes elsewhere. */
  readonly space: () => Promise<number | null>;
  readonly audit: Audit;
  readonly clock: Clock;
  /** How long links open, from when their delivery is complete. */
  readonly linkHours: number;
}

/**
 * Publishes what was found, once; what an earlier attempt has delivered stands, unless its links have lost half of
 * their time while the mail waited. Null where nothing was found. `about` says what that answers.
 * @throws AppError `delivery.revoked` where an operator has taken it back: it is not delivered again under the same job
 */
export async function deliverOnce(
  services: Delivering,
  job: Job,
  context: JobContext,
  source: RecordingSource,
  recordings: readonly Recording[],
  about: DeliveryAbout,
): Promise<Delivery | null> {
  const { publisher, deliveries, archiving, transcoder, space, clock, linkHours, audit } = services;
  if (recordings.length === 0 && job.steps['deliver'] === undefined) return null;
  const { signal, progress, log } = context;
  const perform = async (): Promise<true> => {
    // Until it is complete, it is kept for as long as it can take; then its links have their whole time.
    const provisional = clock.now().add({ hours: MAX_WORK_HOURS + linkHours });
    await deliveries.begin(job.id, about, provisional, signal);
    const delivered = await deliver({
      ...{ source, publisher, archiving, transcoder, space, clock, log, signal, progress },
      ...{ job: job.id, recordings, expiresAt: provisional },
    });
    // Removed by a sweep: the clock was set while it went on. What was published before that is gone, too.
    if (deliveries.summary(job.id) === null) {
      const message = 'what was published went with its record while the delivery went on';
      throw new AppError('delivery.unavailable', message, { retriable: true });
    }
    const delivery = { ...delivered, expiresAt: clock.now().add({ hours: linkHours }).toString() };
    await audit.recordAll(deliveredEvents(delivery, source.name));
    await deliveries.save(delivery);
    await refuseRevoked(deliveries, job, signal);
    if ((await deliveries.read(job.id)) !== null) return true;
    throw new AppError('delivery.broken-record', 'what was delivered cannot be read back', {
      retriable: true,
    });
  };
  const happened = async (): Promise<true | null> =>
    (await deliveries.alreadyDelivered(job.id, signal)) === null ? null : true;
  // Once its mail has gone out, a delivery stands as long as its links do.
  const mailed = job.steps['mail:result']?.doneAt != null;
  const minutes = mailed ? 1 : (linkHours * MINUTES_PER_HOUR) / 2;
  for (let round = 1; round <= MAX_DELIVERIES; round += 1) {
    await refuseRevoked(deliveries, job, signal);
    await context.step(round === 1 ? 'deliver' : `deliver:${round}`, { happened, perform });
    const delivery = await deliveries.read(job.id);
    if (delivery !== null && lasts(delivery, clock.now().add({ minutes }))) return delivery;
  }
  throw new AppError('delivery.expired', 'the links died again and again before their mail could be sent');
}

/**
 * Nobody gets links to what was taken back, however often its job is taken up; and what was published while that was
 * done is removed. @throws AppError `delivery.revoked`; what `DeliveryStore.revoke` throws
 */
export async function refuseRevoked(
  deliveries: Pick<DeliveryStore, 'summary' | 'revoke'>,
  job: Job,
  signal: AbortSignal,
): Promise<void> {
  if (deliveries.summary(job.id)?.state !== 'revoked') return;
  try {
    await deliveries.revoke(job.id, signal);
  } catch (error) {
    // It was published where nothing of this node's is now: the sweep tells of that.
    if (codeOf(error) !== 'publish.elsewhere') throw error;
  }
  throw new AppError('delivery.revoked', 'its delivery was revoked: it has to be asked for again');
}

/** Each recording delivered, in entries of a bounded number, and the ZIPs. */
function deliveredEvents({ job, items, zips }: Delivery, source: string): AuditEvent[] {
  const listed = items.flatMap(({ key, recording }) =>
    key === null ? [] : [{ key: recording.key, size: recording.sizeBytes }],
  );
  const parts = Math.max(1, Math.ceil(listed.length / MAX_AUDITED));
  return Array.from({ length: parts }, (_, index) => ({
    ...{ event: 'recordings.delivered', job, source, part: index + 1, parts },
    delivered: listed.slice(index * MAX_AUDITED, (index + 1) * MAX_AUDITED),
    ...(index === 0
      ? { zips: zips.map(({ fileName, sizeBytes }) => ({ name: fileName, size: sizeBytes })) }
      : {}),
  }));
}

function lasts({ expiresAt }: Delivery, until: Temporal.Instant): boolean {
  return Temporal.Instant.compare(Temporal.Instant.from(expiresAt), until) >= 0;
}
