import type { SourceName } from '../../protocol/job.ts';
import type { DeliveryStore, DeliverySummary } from '../delivery/deliveries.ts';
import type { DeliveredItem } from '../delivery/manifest.ts';
import { PAGE_RECORDINGS, pageParts } from '../delivery/page-name.ts';
import type { Publisher } from '../delivery/publisher.ts';
import type { Clock } from '../platform/clock.ts';
import type { DirectLinks, RecordingSource } from '../recordings/source.ts';
import { resultPage } from '../replies/result-page.ts';
import { directOf } from './delivered.ts';
import { presentationOf, publishedPlaying, publishedRecording } from './link-target.ts';
import { type Links, PRESIGNED_MINUTES } from './links.ts';
import { summarize, viewOfPart, type Whole } from './page-view.ts';

/** Deliveries of which is remembered what all parts of their pages say. */
const MAX_KNOWN = 20;

/** A part of the page of a result as it is sent. */
export interface OpenedPage {
  readonly html: string;
  /** Where its players are led to besides this node, as `https://bucket.example.com`. */
  readonly mediaOrigins: readonly string[];
}

/** Null where there is no such part. @throws AppError where nothing signs the links that its own lead to */
export type OpenPage = (job: string, part: number) => Promise<OpenedPage | null>;

export interface PageOpenerOptions {
  readonly deliveries: Pick<DeliveryStore, 'summary' | 'read' | 'items'>;
  readonly publisher: Pick<Publisher, 'presign'>;
  readonly sources: ReadonlyMap<SourceName, RecordingSource>;
  /** Links from a page beside what they open. */
  readonly links: Links;
  readonly clock: Clock;
}

/** Makes the pages that this node answers, from the records of deliveries, whenever one is opened. */
export function createPageOpener(options: PageOpenerOptions): OpenPage {
  const { deliveries, sources, publisher, links, clock } = options;
  const wholeOf = rememberWholes(deliveries);
  return async (job, part) => {
    const summary = deliveries.summary(job);
    if (summary === null || !canBeShown(summary) || summary.about === null) return null;
    if (part > pageParts(summary.recordings)) return null;
    const whole = await wholeOf(summary);
    if (whole === null) return null;
    const { about, expiresAt } = summary;
    const items = deliveries.items(job, (part - 1) * PAGE_RECORDINGS, PAGE_RECORDINGS);
    const direct = directOf(sources, about.source);
    const view = await viewOfPart(links, { job, wanted: expiresAt, direct }, { about, whole, items, part });
    const until = clock.now().add({ minutes: PRESIGNED_MINUTES });
    const presign = summary.publisher === 'web' ? null : publisher.presign;
    return { html: resultPage(view), mediaOrigins: await mediaOrigins(items, presign, direct, until) };
  };
}

/** What its links lead to can be had: also what is in the web root where a bucket is published into now. */
function canBeShown({ state, publisher }: DeliverySummary): boolean {
  return state === 'open' || (state === 'elsewhere' && publisher === 'web');
}

/** What all parts of a page say is remembered: it takes all recordings to know, and a long page is opened part by part. */
function rememberWholes(deliveries: Pick<DeliveryStore, 'read'>) {
  const known = new Map<string, Whole>();
  return async ({ job, expiresAt }: DeliverySummary): Promise<Whole | null> => {
    // A delivery that was made anew ends later.
    const key = `${job} ${expiresAt.toString()}`;
    const remembered = known.get(key);
    if (remembered !== undefined) return remembered;
    const delivery = await deliveries.read(job, 'anywhere');
    if (delivery === null) return null;
    const whole = summarize(delivery);
    known.set(key, whole);
    const [oldest] = known.keys();
    if (known.size > MAX_KNOWN && oldest !== undefined) known.delete(oldest);
    return whole;
  };
}

/** Where the players of a page are led to: all links of a bucket begin alike, so one of each kind tells. */
async function mediaOrigins(
  items: readonly DeliveredItem[],
  presign: Publisher['presign'],
  direct: DirectLinks | null,
  until: Temporal.Instant,
): Promise<string[]> {
  const published = items.map(playedObject).find((object) => object !== null);
  const urls = [
    published == null || presign === null ? null : await presign.link(published, until),
    direct === null ? null : await firstLink(items, direct, until),
  ];
  return [...new Set(urls.flatMap((url) => (url === null ? [] : [new URL(url).origin])))];
}

/** A link to one of the recordings that are heard where they lie; not to each of them one can be made. */
async function firstLink(
  items: readonly DeliveredItem[],
  direct: DirectLinks,
  until: Temporal.Instant,
): Promise<string | null> {
  for (const item of items) {
    if (item.direct !== true) continue;
    const url = await direct.link(item.recording, presentationOf(item, 'inline'), until);
    if (url !== null) return url;
  }
  return null;
}

function playedObject(item: DeliveredItem) {
  return publishedPlaying(item, 'inline') ?? publishedRecording(item, 'inline');
}
