import { codeOf } from '../platform/errors.ts';

/** How node-ctl ends. The codes of `recordings` are those of the old `selecionar_audios`. */
export const EXIT = {
  ...{ done: 0, nothingFound: 1, refused: 2, failed: 3, incomplete: 4, interrupted: 130 },
  /** Nobody can tell yet, or it goes on: an id that can be asked about was printed. */
  inProgress: 3,
} as const;

export const EXIT_HELP = `
Exit codes:
  0  done; recordings were found (and sent, where that was asked for)
  1  no recording was found
  2  refused: wrong parameters, no such job, or the job is not in a state for it
  3  failed or unknown: the daemon is not running or cannot be reached, the work went wrong, or it goes on
     (then an id is printed that can be asked about)
  4  incomplete: a part of what was asked for could not be had, as the status of a peer that does not answer`;

const REFUSED = new Set([
  'cli.usage',
  'request.invalid',
  'recordings.too-many',
  'recordings.not-served',
  'job.not-found',
  'job.ambiguous',
  'job.wrong-state',
  'spool.conflict',
  'access.too-many',
  'index.none',
  'index.busy',
  'index.not-ready',
  'leadership.refused',
  'leadership.busy',
  'server.not-found',
  'server.not-shown',
  'mac.no-backup',
  'mac.changed-since',
  'mac.not-declared',
]);
/** Pairing that did not come about; this one has begun and goes on. */
const UNFINISHED = 'pair.unfinished';

/** The exit code for an error. */
export function exitCodeOf(error: unknown): number {
  const code = codeOf(error);
  const isRefused = REFUSED.has(code) || (code.startsWith('pair.') && code !== UNFINISHED);
  return isRefused ? EXIT.refused : EXIT.failed;
}
