import type { SourceName } from '../../protocol/job.ts';
import type { Delivered, DeliveryStore, DeliverySummary } from '../delivery/deliveries.ts';
import type { DeliveredItem } from '../delivery/manifest.ts';
import { pagePart } from '../delivery/page-name.ts';
import { zipObject } from '../delivery/published-object.ts';
import type { PublishedObject, Publisher } from '../delivery/publisher.ts';
import type { Clock } from '../platform/clock.ts';
import type { Disposition, LinkPresentation, RecordingSource } from '../recordings/source.ts';
import type { LinkProblem } from '../replies/views.ts';
import { sourceOf } from './delivered.ts';
import { PRESIGNED_MINUTES } from './links.ts';
import { presentationOf, publishedPlaying, publishedRecording } from './link-target.ts';
import { verifyLink } from './signed-link.ts';

/** A link of a bucket lives at least so long, where ours is about to end: whoever opened it in time gets what it opens. */
const MIN_PRESIGNED_MINUTES = 1;

/** The parts of a link as they came. */
export interface AskedLink {
  readonly node: string;
  readonly job: string;
  readonly name: string;
  /** `e` and `s` of its query; empty where it has none. */
  readonly expiry: string;
  readonly mac: string;
}

/** What a link opens. */
export type OpenedLink =
  | { readonly kind: 'problem'; readonly problem: LinkProblem }
  /** A part of the page of this delivery, from 1. */
  | { readonly kind: 'page'; readonly part: number }
  /** A file below this node's web root. */
  | { readonly kind: 'file'; readonly disposition: Disposition }
  /** It lies in a bucket, and this link to it lives for a short time. */
  | {
      readonly kind: 'elsewhere';
      readonly url: string;
      readonly as: LinkPresentation;
      readonly sizeBytes: number;
    };

export interface LinkOpenerOptions {
  readonly linkKey: Buffer;
  readonly nodeId: string;
  readonly deliveries: Pick<DeliveryStore, 'summary' | 'find'>;
  readonly publisher: Pick<Publisher, 'presign' | 'size'>;
  readonly sources: ReadonlyMap<SourceName, RecordingSource>;
  readonly clock: Clock;
}

export type OpenLink = (asked: AskedLink, signal: AbortSignal) => Promise<OpenedLink>;

/**
 * Judges a link by its signature, then by the record of its delivery, and finds what it opens. Changes nothing, so
 * that who opens links before their reader does (scanners of mail) does no harm.
 * @throws AppError of the bucket: it cannot be asked now, or nothing signs links to it
 */
export function createLinkOpener(options: LinkOpenerOptions): OpenLink {
  const { linkKey, nodeId, deliveries, publisher, clock } = options;
  return async ({ node, job, name, expiry, mac }, signal) => {
    const verdict = verifyLink(linkKey, { node, job, name }, expiry, mac, clock.now());
    if (verdict.kind === 'invalid' || node !== nodeId) return problem('invalid');
    if (verdict.kind === 'expired') return problem('expired');
    const summary = deliveries.summary(job);
    if (summary === null || summary.state === 'begun') return problem('missing');
    if (summary.state === 'revoked') return problem('revoked');
    const { disposition } = verdict;
    const part = pagePart(name);
    if (part !== null) return { kind: 'page', part };
    const found = deliveries.find(job, name);
    if (found === null || found.kind === 'page') return problem('missing');
    const until = endOfRedirect(clock.now(), Temporal.Instant.fromEpochMilliseconds(Number(expiry) * 1000));
    if (found.kind === 'recording' && found.item.direct === true) {
      return openDirect(options, summary, found.item, disposition, until, signal);
    }
    // Whoever publishes now: the file is here still.
    if (summary.publisher === 'web') return { kind: 'file', disposition };
    if (summary.state === 'elsewhere' || publisher.presign === null) return problem('missing');
    const object = objectOf(job, found, disposition);
    const sizeBytes = object === null ? null : await publisher.size(object.key, signal);
    if (object === null || sizeBytes === null) return problem('missing');
    return { kind: 'elsewhere', url: await publisher.presign.link(object, until), as: object, sizeBytes };
  };
}

function problem(name: LinkProblem): OpenedLink {
  return { kind: 'problem', problem: name };
}

/** Never past the end of our own link, but for the least there must be. */
function endOfRedirect(now: Temporal.Instant, end: Temporal.Instant): Temporal.Instant {
  const latest = now.add({ minutes: PRESIGNED_MINUTES });
  const least = now.add({ minutes: MIN_PRESIGNED_MINUTES });
  const wanted = Temporal.Instant.compare(latest, end) <= 0 ? latest : end;
  return Temporal.Instant.compare(wanted, least) >= 0 ? wanted : least;
}

function objectOf(
  job: string,
  found: Exclude<Delivered, { kind: 'page' }>,
  disposition: Disposition,
): PublishedObject | null {
  if (found.kind === 'zip') return { ...zipObject(job, found.zip.fileName), disposition };
  const published = found.kind === 'recording' ? publishedRecording : publishedPlaying;
  return published(found.item, disposition);
}

/** A recording that is heard where it lies: it may have been moved or removed there since. */
async function openDirect(
  { sources }: LinkOpenerOptions,
  { about }: DeliverySummary,
  item: DeliveredItem,
  disposition: Disposition,
  until: Temporal.Instant,
  signal: AbortSignal,
): Promise<OpenedLink> {
  const source = sourceOf(sources, about?.source ?? null);
  if (source?.direct == null) return problem('missing');
  const opened = await source.open(item.recording, signal);
  if (typeof opened === 'string') return problem('missing');
  opened.stream.destroy();
  const as = presentationOf(item, disposition);
  const url = await source.direct.link(item.recording, as, until);
  return url === null ? problem('missing') : { kind: 'elsewhere', url, as, sizeBytes: opened.sizeBytes };
}
