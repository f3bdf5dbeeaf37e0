import type { Outcome } from '../../protocol/job.ts';
import type { RpcResult } from '../../protocol/methods.ts';
import { AppError, codeOf, messageOf } from '../platform/errors.ts';
import type { Spool } from '../queue/spool.ts';
import { hurry } from './forward-outage.ts';
import { CUSTODY_STEP } from './forward-plan.ts';

export type Settled = { readonly id: string; readonly digest: string; readonly outcome: Outcome };

/**
 * Puts the peer's word on how a job ended on disk, and has the job ended at once. The first word stands.
 * @throws AppError `job.conflict` where the job is another, `rpc.unavailable` where the disk does not take it
 */
export async function noteSettled(
  spool: Pick<Spool, 'get' | 'read' | 'conclude' | 'hurry'>,
  { id, digest, outcome }: Settled,
  by: string,
): Promise<RpcResult<'job.settled'>['kind']> {
  const job = await spool.read(id);
  if (job === null || job.lane !== 'forward') return 'unknown';
  if (job.digest !== digest) throw new AppError('job.conflict', 'this id is known with another request');
  if (spool.get(id) === undefined) return 'noted';
  // Taken up again here and not handed over since: that is how it ended before, which must not end it once more.
  if (job.steps[CUSTODY_STEP] === undefined) return 'noted';
  try {
    await spool.conclude(id, { ...outcome, by });
    await hurry(spool, id);
  } catch (error) {
    if (codeOf(error) !== 'spool.no-such-job') {
      throw new AppError('rpc.unavailable', messageOf(error), { retriable: true, cause: error });
    }
    // It has ended meanwhile.
  }
  return 'noted';
}
