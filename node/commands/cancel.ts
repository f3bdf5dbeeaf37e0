import type { Job } from '../../protocol/job.ts';
import { isOpen } from '../../protocol/messages.ts';
import type { Audit } from '../audit.ts';
import type { Forwarder } from '../forward/forwarder.ts';
import type { Peer } from '../peer/peer.ts';
import { codeOf } from '../platform/errors.ts';
import type { Spool } from '../queue/spool.ts';
import type { PlacedJob } from './asked-jobs.ts';
import type { Command, JobContext } from './command.ts';
import { type ActionResult, createJobAction, type JobActionServices } from './job-action.ts';
import type { JobIdParams } from './job-id-grammar.ts';

const CALL_TIMEOUT_MS = 5_000;

export interface CancelServices extends JobActionServices {
  readonly spool: Pick<Spool, 'get'>;
  /** Null for a node alone. */
  readonly forwarder: Pick<Forwarder, 'cancel'> | null;
  /** Null where it cannot be asked. */
  readonly peer: Pick<Peer, 'call'> | null;
  /** The worker's; `told` where nobody is to get a mail of its own about it. @throws AppError `job.wrong-state` */
  readonly cancel: (id: string, options: { readonly told: boolean }) => Promise<void>;
  readonly audit: Audit;
}

/** CANCELAR: ends a request that is not done yet; one's own, or for an admin anybody's. */
export function createCancel(services: CancelServices): Command<JobIdParams> {
  return createJobAction(services, {
    ...{ keyword: 'CANCELAR', others: ['CANCELE'], action: 'cancel' },
    act: async (job, found, begunAt, context) =>
      // Told the same after a crash, when the request has ended by then.
      endedSince(found, begunAt) ? 'done' : cancel(services, job, found, context),
  });
}

/** Whether a cancelling that a crash broke off has come about. */
function endedSince({ outcome }: PlacedJob, begunAt: Temporal.Instant | null): boolean {
  if (outcome?.kind !== 'cancelled' || begunAt === null) return false;
  return Temporal.Instant.compare(Temporal.Instant.from(outcome.at), begunAt) >= 0;
}

async function cancel(
  services: CancelServices,
  { id: job, request: { requester: by } }: Job,
  found: PlacedJob,
  { signal, log }: JobContext,
): Promise<ActionResult> {
  if (!isOpen(found.state)) return 'over';
  try {
    await services.audit.record({ event: 'job.cancelled', job: found.id, by, asked: job });
    const told = found.request.requester === by;
    const isOver = found.here
      ? await cancelHere(services, found, told)
      : await cancelThere(services, found, told, signal);
    return isOver ? 'over' : 'done';
  } catch (error) {
    signal.throwIfAborted();
    const code = codeOf(error);
    if (code === 'job.wrong-state') return 'over'; // it ended meanwhile
    if (code === 'job.begun' || code === 'job.refused') return 'begun'; // here; at the peer
    if (!/^(peer|rpc)\./.test(code)) throw error;
    log.info('the peer did not cancel a request', { code });
    return 'unreachable';
  }
}

/** Whoever cancels their own request learns of it by the answer to that; of another's, its requester is told. */
async function cancelHere(
  { spool, forwarder, cancel: end }: CancelServices,
  { id }: PlacedJob,
  told: boolean,
): Promise<boolean> {
  const open = spool.get(id);
  if (open === undefined || open.outcome !== null) return true;
  const isElsewhere = open.lane === 'forward' && (await forwarder?.cancel(open, { told })) === true;
  if (!isElsewhere) await end(id, { told });
  return false;
}

async function cancelThere(
  { peer }: CancelServices,
  { id, request: { requester } }: PlacedJob,
  told: boolean,
  signal: AbortSignal,
): Promise<boolean> {
  const params = { id, told, ...(requester === null ? {} : { requester }) };
  const answer = await peer?.call('job.cancel', params, { timeoutMs: CALL_TIMEOUT_MS, signal });
  const report = answer?.report ?? null;
  return report === null || (report.outcome !== null && report.outcome.kind !== 'cancelled');
}
