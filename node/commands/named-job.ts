import type { People } from '../access/people.ts';
import type { Job } from '../../protocol/job.ts';
import { AppError } from '../platform/errors.ts';
import type { JobActionView } from '../replies/command-views.ts';
import type { AskedJobs, PlacedJob } from './asked-jobs.ts';

/** The request that somebody names by the beginning of its id, or why there is no saying which. */
export type NamedJob =
  | { readonly job: PlacedJob; readonly result: null }
  | {
      readonly job: null;
      readonly result: Extract<JobActionView['result'], 'none' | 'several' | 'unreachable'>;
    };

/**
 * Looks on both nodes for the request that begins so: among the asker's own, for an admin among all.
 * @throws AppError `access.not-permitted` where the asker is no longer known
 */
export async function findNamed(
  asked: AskedJobs,
  people: Pick<People, 'find'>,
  { request: { requester } }: Job,
  id: string,
  signal: AbortSignal,
): Promise<NamedJob> {
  const person = requester === null ? null : people.find(requester);
  if (requester === null || person === null) {
    throw new AppError('access.not-permitted', `${requester ?? 'nobody'} is not on the whitelist`);
  }
  const query = { requester: person.role === 'admin' ? null : requester, prefix: id };
  const { jobs, total, complete } = await asked.find(query, signal);
  const exact = jobs.find((job) => job.id === id);
  const [only] = jobs;
  if (exact !== undefined) return { job: exact, result: null };
  if (total > 1) return { job: null, result: 'several' };
  if (only !== undefined) return { job: only, result: null };
  return { job: null, result: complete ? 'none' : 'unreachable' };
}
