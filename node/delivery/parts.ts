import type { NamedRecording } from './entry-name.ts';

/** MAX_RESULT_BYTES and MAX_RESULT_FILES. */
export interface PartLimits {
  readonly maxBytes: number;
  readonly maxFiles: number;
}

/** What goes into one ZIP, and how much that is. */
export interface PartPlan {
  readonly entries: readonly NamedRecording[];
  readonly sizeBytes: number;
}

/**
 * Divides a result, in its order, into ZIPs that keep to the limits; a recording that alone is over `maxBytes` has
 * a ZIP of its own. The same recordings are divided in the same way. What lies in cold storage will only be listed, so
 * it does not count. At least one part.
 */
export function divide(recordings: readonly NamedRecording[], limits: PartLimits): readonly PartPlan[] {
  const parts: PartPlan[] = [];
  let entries: NamedRecording[] = [];
  let files = 0;
  let sizeBytes = 0;
  for (const entry of recordings) {
    const counts = entry.recording.archived !== true;
    const bytes = counts ? entry.recording.sizeBytes : 0;
    if (counts && files > 0 && (files >= limits.maxFiles || sizeBytes + bytes > limits.maxBytes)) {
      parts.push({ entries, sizeBytes });
      entries = [];
      files = 0;
      sizeBytes = 0;
    }
    entries.push(entry);
    files += counts ? 1 : 0;
    sizeBytes += bytes;
  }
  return [...parts, { entries, sizeBytes }];
}
