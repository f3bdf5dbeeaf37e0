import { contentTypeOf } from '../delivery/content-type.ts';
import type { DeliveredItem } from '../delivery/manifest.ts';
import { playingObject } from '../delivery/published-object.ts';
import type { PublishedObject } from '../delivery/publisher.ts';
import type { Disposition, LinkPresentation } from '../recordings/source.ts';

/** How a recording is given to who opens its link: played, or saved as it was recorded. */
export function presentationOf({ fileName }: DeliveredItem, disposition: Disposition): LinkPresentation {
  return { fileName, contentType: contentTypeOf(fileName), disposition };
}

/** A recording as it was published; null where it was left out, or is heard where it lies. */
export function publishedRecording(item: DeliveredItem, disposition: Disposition): PublishedObject | null {
  if (item.key === null || item.direct === true) return null;
  return { key: item.key, ...presentationOf(item, disposition) };
}

/** What was made of a recording for playing; null where nothing was. */
export function publishedPlaying(
  { playKey }: DeliveredItem,
  disposition: Disposition,
): PublishedObject | null {
  return playKey === null ? null : { ...playingObject(playKey), disposition };
}

/** Whether a browser plays what a link to play this recording opens. */
export function plays({ playable, playKey }: DeliveredItem): boolean {
  return playable || playKey !== null;
}
