import type { Job } from '../../protocol/job.ts';
import type { AuditEvent } from '../audit.ts';
import type { Delivery } from '../delivery/manifest.ts';
import { pageParts } from '../delivery/page-name.ts';
import { plays } from '../links/link-target.ts';
import type { Links } from '../links/links.ts';
import { deliveredOf } from '../links/delivered.ts';
import type { DirectLinks } from '../recordings/source.ts';
import type { RecordingView, ResultView, ZipView } from '../replies/views.ts';

/** Links to a delivery, and when they truly die. */
export type DeliveryLinks = Pick<
  ResultView,
  'recordings' | 'zips' | 'expiresAt' | 'mayEndEarlier' | 'pageUrl'
>;

/**
 * Makes the links of a delivery: of its ZIPs, its page where there `hasPage`, and its first `maxListed` recordings (each
 * costs a signature). `direct` is of the source that the recordings lie in. @throws what `Links` throws
 */
export async function linksOf(
  links: Links,
  delivery: Delivery,
  direct: DirectLinks | null,
  maxListed: number,
  hasPage = true,
): Promise<DeliveryLinks> {
  const wanted = Temporal.Instant.from(delivery.expiresAt);
  const linked = { job: delivery.job, wanted, direct };
  const delivered = deliveredOf(delivery.items);
  // Asked first: who signs may get credentials that last longer for it.
  const until = await links.until(
    linked,
    delivered.some((item) => item.direct === true),
  );
  const recordings: RecordingView[] = [];
  for (const [index, item] of delivered.entries()) {
    const isListed = index < maxListed;
    const make = plays(item) ? links.toPlay : links.toSave;
    const url = isListed ? await make(linked, item) : null;
    const { startedAt, origin, destination, sizeBytes } = item.recording;
    const { fileName, fault, seconds } = item;
    const view = { startedAt, origin, destination, sizeBytes, fileName, seconds, fault };
    recordings.push({ ...view, url, plays: plays(item) });
  }
  const zips: ZipView[] = [];
  for (const zip of delivery.zips) {
    const { fileName, sizeBytes, count } = zip;
    zips.push({ fileName, sizeBytes, count, url: await links.toZip(linked, zip) });
  }
  const pageUrl = hasPage ? await links.toPage(linked, 1) : null;
  return { recordings, zips, expiresAt: until ?? wanted, mayEndEarlier: until === null, pageUrl };
}

/** Whom links are given to, and who answers them. */
export interface LinksGiven {
  /** The requester; `node-ctl` for an operator who is shown them. */
  readonly to: string | null;
  readonly kind: Links['kind'];
  /** Name of the publisher. */
  readonly publisher: string;
}

/** That links are about to be given to somebody: which, and until when they open. Never the links themselves. */
export function linksMadeEvent(job: Job, links: DeliveryLinks, given: LinksGiven): AuditEvent {
  const { recordings, zips, expiresAt, pageUrl } = links;
  return {
    ...{ event: 'links.made', job: job.id, ...given },
    recordings: recordings.filter(({ url }) => url !== null).length,
    zips: zips.map(({ fileName }) => fileName),
    pages: pageUrl === null ? 0 : pageParts(recordings.length),
    until: expiresAt.toString(),
  };
}
