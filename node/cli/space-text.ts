import type { NodeStatus } from '../listeners/control-contract.ts';
import type { DiskView } from '../listeners/space-view.ts';
import { ago, humanBytes } from './text.ts';

/** Parts that are named; the rest is one. */
const MAX_SHOWN = 5;
const OTHER = 'other';

/** Where the state lies, and what it takes: `/var/lib/parelha: 1.2 GB (results 900.0 MB, index 107.0 MB; 4 min ago)`. */
export function stateText(
  { stateDir, disk }: Pick<NodeStatus, 'stateDir' | 'disk'>,
  now: Temporal.Instant,
): string {
  if (disk === null) return stateDir;
  if (disk.stateBytes === null || disk.measuredAt === null) return `${stateDir} (not measured yet)`;
  const largest = disk.parts.filter(({ name }) => name !== OTHER).slice(0, MAX_SHOWN);
  const rest = disk.stateBytes - largest.reduce((sum, { bytes }) => sum + bytes, 0);
  const shown = [...largest, ...(rest > 0 ? [{ name: OTHER, bytes: rest }] : [])];
  const parts = shown.map(({ name, bytes }) => `${name} ${humanBytes(bytes)}`).join(', ');
  return `${stateDir}: ${humanBytes(disk.stateBytes)} (${parts}; ${ago(disk.measuredAt, now)})`;
}

/** `412.3 GB free; new work is refused below 1.1 GB`. */
export function diskText({ freeBytes, headroomBytes, isLow }: DiskView): string {
  const free = `${humanBytes(freeBytes)} free`;
  if (headroomBytes === 0) return `${free}; DISK_HEADROOM_BYTES=0: no headroom is kept`;
  const headroom = humanBytes(headroomBytes);
  return isLow
    ? `${free}, LOW: new work is refused, since ${headroom} is to be free`
    : `${free}; new work is refused below ${headroom}`;
}
