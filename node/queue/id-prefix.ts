import { AppError } from '../platform/errors.ts';

const MAX_SHOWN = 5;
const SHOWN_DIGITS = 12;

/** What the ids are of: one and many of them, and what helps whoever named none. */
export interface Named {
  readonly one: string;
  readonly many: string;
  readonly hint?: string;
}

const JOB: Named = { one: 'job', many: 'jobs' };

/**
 * The one id that begins with `prefix`; a whole id is always itself.
 * @throws AppError `job.not-found`, `job.ambiguous`
 */
export function idByPrefix(ids: Iterable<string>, prefix: string, named: Named = JOB): string {
  const matches: string[] = [];
  for (const id of ids) {
    if (id === prefix) return id;
    if (id.startsWith(prefix)) matches.push(id);
  }
  const [only] = matches;
  if (only === undefined) throw notFound(prefix, named);
  if (matches.length === 1) return only;
  const shown = matches
    .slice(0, MAX_SHOWN)
    .map((id) => id.slice(0, Math.max(SHOWN_DIGITS, prefix.length + 4)));
  const more = matches.length > MAX_SHOWN ? ', …' : '';
  throw new AppError(
    'job.ambiguous',
    `${matches.length} ${named.many} begin with ${prefix}: ${shown.join(', ')}${more}`,
  );
}

export function notFound(prefix: string, { one, hint = '' }: Named): AppError {
  return new AppError('job.not-found', `no ${one} begins with ${prefix}${hint}`);
}
