import type { Job } from '../../protocol/job.ts';
import type { AuditEvent } from '../audit.ts';
import { recordingObject, zipObject } from '../delivery/deliver.ts';
import type { DeliveredItem, Delivery } from '../delivery/manifest.ts';
import type { Publisher } from '../delivery/publisher.ts';
import { contentTypeOf } from '../delivery/content-type.ts';
import type { DirectLinks } from '../recordings/source.ts';
import type { RecordingView, ResultView } from '../replies/views.ts';

/** Links to a delivery, and when they truly die. */
export type DeliveryLinks = Pick<ResultView, 'recordings' | 'zips' | 'expiresAt' | 'mayEndEarlier'>;

/**
 * Makes the links of a delivery: of its ZIPs, and of its first `maxListed` recordings (each costs a signature).
 * `direct` is of the source that the recordings lie in.
 */
export async function linksOf(
  delivery: Delivery,
  publisher: Publisher,
  direct: DirectLinks | null,
  maxListed: number,
): Promise<DeliveryLinks> {
  const wanted = Temporal.Instant.from(delivery.expiresAt);
  const delivered = delivery.items.filter(({ key }) => key !== null);
  const isDirect = delivered.some((item) => item.direct === true);
  // Asked first: who signs may get credentials that last longer for it.
  const ends = [
    await publisher.linksUntil(wanted),
    ...(isDirect && direct !== null ? [await direct.linksUntil(wanted)] : []),
  ];
  const known = ends.filter((end) => end !== null);
  const expiresAt = known.toSorted((a, b) => Temporal.Instant.compare(a, b))[0] ?? wanted;

  const recordings: RecordingView[] = [];
  for (const [index, item] of delivered.entries()) {
    const url = index < maxListed ? await linkOf(delivery.job, item, publisher, direct, wanted) : null;
    const { startedAt, origin, destination, sizeBytes } = item.recording;
    const { fileName, fault } = item;
    recordings.push({ startedAt, origin, destination, sizeBytes, fileName, url, fault });
  }
  const zips = await Promise.all(
    delivery.zips.map(async ({ fileName, sizeBytes, count }) => {
      const url = await publisher.link(zipObject(delivery.job, fileName), wanted);
      return { fileName, sizeBytes, count, url };
    }),
  );
  return { recordings, zips, expiresAt, mayEndEarlier: ends.includes(null) };
}

/** That links are about to be given to somebody: which, and until when they open. Never the links themselves. */
export function linksMadeEvent(job: Job, links: DeliveryLinks, publisher: string): AuditEvent {
  const { recordings, zips, expiresAt } = links;
  return {
    ...{ event: 'links.made', job: job.id, to: job.request.requester, publisher },
    recordings: recordings.filter(({ url }) => url !== null).length,
    zips: zips.map(({ fileName }) => fileName),
    until: expiresAt.toString(),
  };
}

/** Null where a recording lies in a source that gives no links any more. */
async function linkOf(
  job: string,
  { recording, fileName, direct: isDirect }: DeliveredItem,
  publisher: Publisher,
  direct: DirectLinks | null,
  wanted: Temporal.Instant,
): Promise<string | null> {
  if (isDirect !== true) return publisher.link(recordingObject(job, fileName), wanted);
  const contentType = contentTypeOf(fileName);
  return direct === null
    ? null
    : direct.link(recording, { fileName, contentType, disposition: 'inline' }, wanted);
}
