import type { SourceName } from '../../protocol/job.ts';
import type { DeliveredItem } from '../delivery/manifest.ts';
import type { DirectLinks, RecordingSource } from '../recordings/source.ts';
import type { LeftOutView } from '../replies/views.ts';

/** Recordings that can be had. */
export function deliveredOf(items: readonly DeliveredItem[]): DeliveredItem[] {
  return items.filter(({ key }) => key !== null);
}

/** Recordings that were found and left out, and why. */
export function leftOutOf(items: readonly DeliveredItem[]): LeftOutView[] {
  return items.flatMap(({ key, fault, recording }) => {
    const { startedAt, origin, destination } = recording;
    return key === null && fault !== null ? [{ startedAt, origin, destination, fault }] : [];
  });
}

/** The source that a delivery was made from; where its record is too old to tell, the one that gives links. */
export function sourceOf(
  sources: ReadonlyMap<SourceName, RecordingSource>,
  name: SourceName | null,
): RecordingSource | null {
  if (name !== null) return sources.get(name) ?? null;
  return [...sources.values()].find(({ direct }) => direct !== null) ?? null;
}

/** Links of the source that a delivery was made from; null where that gives none. */
export function directOf(
  sources: ReadonlyMap<SourceName, RecordingSource>,
  name: SourceName | null,
): DirectLinks | null {
  return sourceOf(sources, name)?.direct ?? null;
}
