import type { Lane } from '../../protocol/job.ts';
import type { DiskSpace } from '../platform/space.ts';
import type { Fault } from './command.ts';

/** Commands that end in files of some size. */
const MAKES_FILES: ReadonlySet<string> = new Set(['RAMAIS', 'REENVIAR']);
/** Commands that people need to see what is going on, and to end it. */
const ALWAYS_TAKEN: ReadonlySet<string> = new Set(['AJUDA', 'STATUS', 'FILA', 'CANCELAR']);
/** Below this part of the headroom, what is left is for the work that was accepted before. */
const LAST_PART = 4;

/**
 * Why a request is not taken now, by the room on disk; none where it is taken. What makes files is refused below the
 * headroom, unless they are made on the other node; below a quarter of it, all but what tells how things are.
 */
export function lowDiskFaults(space: DiskSpace, keyword: string, lane: Lane): readonly Fault[] {
  if (!space.isLow || ALWAYS_TAKEN.has(keyword)) return [];
  const isAlmostFull = space.freeBytes < space.headroomBytes / LAST_PART;
  const makesFilesHere = MAKES_FILES.has(keyword) && lane !== 'forward';
  if (!isAlmostFull && !makesFilesHere) return [];
  return [{ field: 'SYSTEM', code: 'disk-low', values: { command: keyword } }];
}
