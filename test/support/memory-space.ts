import type { DiskSpace, SpaceWatch } from '../../node/platform/space.ts';

const HEADROOM_BYTES = 1_000_000;

/** The room on disk as a test wants it: plenty, until told otherwise. */
export interface MemorySpace extends SpaceWatch {
  /** From now on so much of the headroom is free: 1 is all of it, and not yet low. */
  leave(part: number): void;
}

export function createMemorySpace(): MemorySpace {
  let space: DiskSpace = { freeBytes: 100 * HEADROOM_BYTES, headroomBytes: HEADROOM_BYTES, isLow: false };
  return {
    leave: (part) => {
      space = { ...space, freeBytes: part * HEADROOM_BYTES, isLow: part < 1 };
    },
    look: async () => space,
    last: () => space,
  };
}
