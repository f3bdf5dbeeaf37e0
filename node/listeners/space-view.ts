import * as z from 'zod';
import type { DiskUse } from '../platform/space-use.ts';
import type { DiskSpace } from '../platform/space.ts';

const bytes = z.number().nonnegative();
const BYTES_PER_MB = 1_000_000;

/** The disks of a node, and what it takes of them. */
export const diskViewSchema = z.object({
  /** On the fullest of its disks, as long as a process may write. */
  freeBytes: bytes,
  /** DISK_HEADROOM_BYTES. */
  headroomBytes: bytes,
  /** Too little for new work. */
  isLow: z.boolean(),
  /** What takes how much, the largest first; empty before it was measured. */
  parts: z.array(z.object({ name: z.string(), bytes })),
  /** All of STATE_DIR; null before it was measured. */
  stateBytes: bytes.nullable(),
  measuredAt: z.string().nullable(),
});
export type DiskView = z.infer<typeof diskViewSchema>;

/** The disks as operators see them; `use` is null before it was measured. */
export function diskView({ freeBytes, headroomBytes, isLow }: DiskSpace, use: DiskUse | null): DiskView {
  return {
    ...{ freeBytes, headroomBytes, isLow },
    parts: [...(use?.parts ?? [])],
    stateBytes: use?.stateBytes ?? null,
    measuredAt: use?.measuredAt.toString() ?? null,
  };
}

/** What an operator should know of the room on disk; nothing where there is enough. */
export function spaceWarnings({ freeBytes, headroomBytes, isLow }: DiskSpace): string[] {
  if (!isLow) return [];
  const inMB = (count: number): string => `${Math.floor(count / BYTES_PER_MB).toLocaleString('en-US')} MB`;
  return [
    `the disk is nearly full: ${inMB(freeBytes)} free, DISK_HEADROOM_BYTES is ${inMB(headroomBytes)}; new requests are refused until there is room`,
  ];
}
