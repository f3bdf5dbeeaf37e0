import type { Room, RoomWatch } from '../../node/platform/room.ts';

const HEADROOM_BYTES = 1_000_000;

/** The room on disk as a test wants it: plenty, until told otherwise. */
export interface MemoryRoom extends RoomWatch {
  /** From now on so much of the headroom is free: 1 is all of it, and not yet low. */
  leave(part: number): void;
}

export function createMemoryRoom(): MemoryRoom {
  let room: Room = { freeBytes: 100 * HEADROOM_BYTES, headroomBytes: HEADROOM_BYTES, isLow: false };
  return {
    leave: (part) => {
      room = { ...room, freeBytes: part * HEADROOM_BYTES, isLow: part < 1 };
    },
    look: async () => room,
    last: () => room,
  };
}
