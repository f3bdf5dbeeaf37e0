import { statfs } from 'node:fs/promises';
import type { Clock } from './clock.ts';
import { AppError, codeOf, messageOf } from './errors.ts';
import { inTime } from './in-time.ts';
import type { Log } from './log.ts';
import type { DiskSpace, SpaceWatch } from './space.ts';

/** What was measured so long ago still counts: many ask at once. */
const FRESH_MS = 250;
/** A file system that does not answer (NFS) holds nobody up: what it said last counts. */
const ANSWER_MS = 2_000;
/** There is enough again where there is so much more than the headroom: nobody is to be refused and taken in turns. */
const ENOUGH_AGAIN = 1.1;
/** What a delivery leaves free, as a part of the headroom: jobs, ledger and audit log go on. */
const KEPT_FREE_PART = 4;

export interface SpaceWatchOptions {
  /** There when it is opened; each may lie on a file system of its own. */
  readonly directories: readonly string[];
  /** DISK_HEADROOM_BYTES; 0: never low. */
  readonly headroomBytes: number;
  readonly clock: Clock;
  readonly log: Log;
  /** In place of asking the system, for tests. */
  readonly freeBytesOf?: (directory: string) => Promise<number>;
}

/** Bytes that this process may still write to a file system (statfs(2), f_bavail: without what is root's). */
async function askSystem(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
}

/** Opens a watch, and measures once. @throws AppError `disk.unreadable` where that cannot be done */
export async function openSpaceWatch(options: SpaceWatchOptions): Promise<SpaceWatch> {
  const { directories, headroomBytes, clock, log, freeBytesOf = askSystem } = options;

  const measure = async (): Promise<number> => Math.min(...(await Promise.all(directories.map(freeBytesOf))));

  const judge = (freeBytes: number, wasLow: boolean): DiskSpace => ({
    freeBytes,
    headroomBytes,
    isLow: freeBytes < headroomBytes * (wasLow ? ENOUGH_AGAIN : 1),
  });

  let last: DiskSpace;
  try {
    last = judge(await measure(), false);
  } catch (error) {
    const said = `the room in ${directories.join(', ')} cannot be told: ${messageOf(error)}`;
    throw new AppError('disk.unreadable', said, { cause: error });
  }
  let measuredMs = clock.monotonicMs();
  let asking: Promise<DiskSpace> | null = null;
  let isSilent = false;

  /** Never rejects: a disk that does not answer fails those that write to it, each with words of its own. */
  const ask = async (): Promise<DiskSpace> => {
    let trouble: string | null = null;
    try {
      const freeBytes = await inTime(clock, ANSWER_MS, measure());
      if (freeBytes === null) trouble = `no answer within ${ANSWER_MS} ms`;
      else last = judge(freeBytes, last.isLow);
    } catch (error) {
      trouble = `${codeOf(error)}: ${messageOf(error)}`;
    }
    if (trouble !== null && !isSilent) log.warn('the room on disk cannot be told', { reason: trouble });
    isSilent = trouble !== null;
    measuredMs = clock.monotonicMs();
    return last;
  };

  return {
    last: () => last,
    look: () => {
      if (asking === null && clock.monotonicMs() - measuredMs < FRESH_MS) return Promise.resolve(last);
      asking ??= ask().finally(() => {
        asking = null;
      });
      return asking;
    },
  };
}

/** What a delivery may take up, in bytes; null where nobody minds (no headroom is asked for). */
export async function bytesForDelivery(space: SpaceWatch): Promise<number | null> {
  const { freeBytes, headroomBytes } = await space.look();
  if (headroomBytes === 0) return null;
  return Math.max(0, freeBytes - Math.floor(headroomBytes / KEPT_FREE_PART));
}
