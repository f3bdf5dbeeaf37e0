import { codeOf } from '../platform/errors.ts';

/** How node-ctl ends. The codes of `recordings` are those of the old `selecionar_audios`. */
export const EXIT = { done: 0, nothingFound: 1, refused: 2, failed: 3, interrupted: 130 } as const;

export const EXIT_HELP = `
Exit codes:
  0  done; recordings were found (and sent, where that was asked for)
  1  no recording was found
  2  refused: wrong parameters, no such job, or the job is not in a state for it
  3  failed: the daemon is not running or cannot be reached, or the work went wrong`;

const REFUSED = new Set([
  'cli.usage',
  'request.invalid',
  'recordings.too-many',
  'recordings.not-served',
  'job.not-found',
  'job.ambiguous',
  'job.wrong-state',
  'spool.conflict',
]);

/** The exit code for an error. */
export function exitCodeOf(error: unknown): number {
  return REFUSED.has(codeOf(error)) ? EXIT.refused : EXIT.failed;
}
