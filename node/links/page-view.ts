import type { DeliveredItem, Delivery, DeliveryAbout } from '../delivery/manifest.ts';
import { pageParts } from '../delivery/page-name.ts';
import { soundOf } from '../replies/duration.ts';
import type { LeftOutView, PageRecordingView, ResultPageView, ZipView } from '../replies/views.ts';
import { deliveredOf, leftOutOf } from './delivered.ts';
import { plays } from './link-target.ts';
import type { Linked, Links } from './links.ts';

/** What each part of a page says of the whole. */
export interface Whole {
  readonly zips: Delivery['zips'];
  readonly leftOut: readonly LeftOutView[];
  readonly total: ResultPageView['total'];
}

interface PartOf {
  readonly about: DeliveryAbout;
  readonly whole: Whole;
  readonly items: readonly DeliveredItem[];
  readonly part: number;
}

/** A part of the page of a delivery that is at hand. `items` are those of this part. @throws what `Links` throws */
export async function viewOfPart(links: Links, linked: Linked, shown: PartOf): Promise<ResultPageView> {
  const { about, whole, items, part } = shown;
  const { subject, requester, extensions, start, end, server, source, timeZone } = about;
  const isDirect = items.some((item) => item.direct === true);
  const until = await links.until(linked, isDirect);
  const recordings: PageRecordingView[] = [];
  for (const item of items) recordings.push(await recordingOf(links, linked, item));
  const zips: ZipView[] = [];
  for (const zip of whole.zips) {
    const { fileName, sizeBytes, count } = zip;
    zips.push({ fileName, sizeBytes, count, url: await links.toZip(linked, zip) });
  }
  const of = pageParts(whole.total.count);
  return {
    request: { subject, requester, extensions, start, end, server },
    ...{ jobId: linked.job, source, timeZone },
    ...{ narrowedByServer: about.narrowedByServer, unreadable: about.unreadable, leftOut: whole.leftOut },
    ...{ recordings, zips, total: whole.total },
    expiresAt: until ?? linked.wanted,
    mayEndEarlier: until === null,
    part: {
      ...{ number: part, of },
      previousUrl: part > 1 ? await links.toPage(linked, part - 1) : null,
      nextUrl: part < of ? await links.toPage(linked, part + 1) : null,
    },
  };
}

async function recordingOf(links: Links, linked: Linked, item: DeliveredItem): Promise<PageRecordingView> {
  const { startedAt, origin, destination, sizeBytes } = item.recording;
  const { fileName, seconds, fault, playKey } = item;
  return {
    ...{ startedAt, origin, destination, sizeBytes, fileName, seconds, fault, plays: plays(item) },
    playUrl: plays(item) ? await links.toPlay(linked, item) : null,
    converted: playKey !== null,
    downloadUrl: await links.toSave(linked, item),
  };
}

/** What was delivered, in numbers and in what is said of the whole. */
export function summarize({ items, zips }: Delivery): Whole {
  return { zips, leftOut: leftOutOf(items), total: soundOf(deliveredOf(items)) };
}
