import type { DeliveredItem } from '../delivery/manifest.ts';
import { pageObject, zipObject } from '../delivery/published-object.ts';
import type { Presign, PublishedObject } from '../delivery/publisher.ts';
import type { Disposition } from '../recordings/source.ts';
import { presentationOf, publishedPlaying, publishedRecording } from './link-target.ts';
import type { Linked, Links } from './links.ts';

/**
 * Links that the bucket answers by itself: nothing of this node has to be reached from outside. They die with what
 * signs them, where that is earlier. Errors are those of `Presign.link` and `DirectLinks.link`.
 */
export function createPresignedLinks(presign: Presign): Links {
  const link = async ({ wanted }: Linked, object: PublishedObject | null): Promise<string | null> =>
    object === null ? null : presign.link(object, wanted);
  const toRecording = async (
    delivery: Linked,
    item: DeliveredItem,
    as: Disposition,
  ): Promise<string | null> => {
    if (item.direct !== true) return link(delivery, publishedRecording(item, as));
    return (await delivery.direct?.link(item.recording, presentationOf(item, as), delivery.wanted)) ?? null;
  };
  return {
    kind: 'presigned',
    until: async ({ wanted, direct }, isDirect) => {
      const ends = [
        await presign.linksUntil(wanted),
        ...(isDirect && direct !== null ? [await direct.linksUntil(wanted)] : []),
      ];
      // Of two, the one that tells nothing may be the earlier.
      if (ends.includes(null)) return null;
      return earliest(ends.filter((end) => end !== null)) ?? wanted;
    },
    toPlay: async (delivery, item) =>
      (await link(delivery, publishedPlaying(item, 'inline'))) ?? toRecording(delivery, item, 'inline'),
    toSave: (delivery, item) => toRecording(delivery, item, 'attachment'),
    toZip: ({ job, wanted }, { fileName }) => presign.link(zipObject(job, fileName), wanted),
    toPage: ({ job, wanted }, part) => presign.link(pageObject(job, part), wanted),
  };
}

function earliest(ends: readonly Temporal.Instant[]): Temporal.Instant | undefined {
  return ends.toSorted((a, b) => Temporal.Instant.compare(a, b))[0];
}
