/** How much room there is on the disks that a node writes to. */
export interface DiskSpace {
  /** Bytes free to this process on the fullest of them, as last measured. */
  readonly freeBytes: number;
  /** DISK_HEADROOM_BYTES; 0 where nobody minds. */
  readonly headroomBytes: number;
  /** Too little for new work; what was accepted goes on. Turns false only when there is clearly enough again. */
  readonly isLow: boolean;
}

/** Watches the room on disk. */
export interface SpaceWatch {
  /** Measured now, at most some milliseconds old. */
  look(): Promise<DiskSpace>;
  /** As last measured. */
  last(): DiskSpace;
}
