import { AppError } from '../platform/errors.ts';
import type { Recording, RecordingSource } from '../recordings/source.ts';

export interface NeededSpace {
  readonly source: Pick<RecordingSource, 'direct'>;
  readonly recordings: readonly Recording[];
  /** Bytes that may be filled where it is published; null where nobody needs to ask. */
  readonly space: () => Promise<number | null>;
}

/**
 * Refuses a delivery that cannot fit: each recording is published singly and in a ZIP, or in a ZIP alone where it is heard
 * where it lies. @throws AppError `publish.no-space` (retriable: older deliveries end, and somebody may make room)
 */
export async function refuseWithoutSpace({ source, recordings, space }: NeededSpace): Promise<void> {
  const freeBytes = await space();
  if (freeBytes === null) return;
  const copies = source.direct === null ? 2 : 1;
  const bytes = recordings.reduce((sum, one) => sum + (one.archived === true ? 0 : one.sizeBytes), 0);
  if (bytes * copies <= freeBytes) return;
  const message = `the delivery needs ${bytes * copies} bytes of the disk and may have ${Math.floor(freeBytes)}: make room on it, or ask for less`;
  throw new AppError('publish.no-space', message, { retriable: true });
}
