import type { Job } from '../../protocol/job.ts';
import type { People } from '../access/people.ts';
import type { Audit } from '../audit.ts';
import type { Forwarder } from '../forward/forwarder.ts';
import type { Answers } from '../mail/answers.ts';
import type { Peer } from '../peer/peer.ts';
import { codeOf } from '../platform/errors.ts';
import type { Spool } from '../queue/spool.ts';
import type { Json } from '../queue/steps.ts';
import { jobActionMail } from '../replies/job-action.ts';
import type { JobActionView } from '../replies/command-views.ts';
import { type AskedJobs, askedView, type PlacedJob } from './asked-jobs.ts';
import type { Command, JobContext } from './command.ts';
import { jobIdExample, type JobIdParams, jobIdSchema, parseJobId } from './job-id-grammar.ts';
import { findNamed } from './named-job.ts';

const CALL_TIMEOUT_MS = 5_000;

export interface CancelServices {
  readonly answers: Answers;
  readonly people: Pick<People, 'find'>;
  readonly asked: AskedJobs;
  readonly spool: Pick<Spool, 'get'>;
  /** Null for a node alone. */
  readonly forwarder: Pick<Forwarder, 'cancel'> | null;
  /** Null where it cannot be asked. */
  readonly peer: Pick<Peer, 'call'> | null;
  /** The worker's; `told` where nobody is to get a mail of its own about it. @throws AppError `job.wrong-state` */
  readonly cancel: (id: string, options: { readonly told: boolean }) => Promise<void>;
  readonly audit: Audit;
  readonly timeZone: string;
}

type Result = JobActionView['result'];

/** CANCELAR: ends a request that is not done yet; one's own, or for an admin anybody's. */
export function createCancel(services: CancelServices): Command<JobIdParams> {
  const { answers, timeZone } = services;
  return {
    keyword: 'CANCELAR',
    bare: true,
    fields: { CANCELAR: ['CANCELE'] },
    schema: jobIdSchema,
    example: () => jobIdExample('CANCELAR'),
    parse: (fields) => parseJobId('CANCELAR', fields),
    route: () => ({ lane: 'replies', source: null }),
    work: async (job, { id: wanted }, context) => {
      const { result, found } = await cancelOnce(services, job, wanted, context);
      const { subject, requester } = job.request;
      const view = { subject, requester, jobId: job.id, timeZone, action: 'cancel' as const, result, wanted };
      const shown = found === null ? null : askedView(found);
      await answers.send(job, context, 'result', jobActionMail({ ...view, job: shown }));
      return { kind: 'done', summary: `${result}: ${found?.id.slice(0, 8) ?? wanted}` };
    },
  };
}

/** What became of it; told the same after a crash, when the request has ended by then. */
async function cancelOnce(
  services: CancelServices,
  job: Job,
  wanted: string,
  context: JobContext,
): Promise<{ readonly result: Result; readonly found: PlacedJob | null }> {
  let begunAt: Temporal.Instant | null = null;
  const done = await context.step<Json>('cancel', {
    happened: async (intentAt) => {
      begunAt = intentAt;
      return null;
    },
    perform: async () => {
      const { people, asked } = services;
      const named = await findNamed(asked, people, job, wanted, context.signal);
      if (named.job === null) return { result: named.result, found: null };
      const result = endedSince(named.job, begunAt)
        ? 'done'
        : await cancel(services, job, named.job, context);
      return { result, found: structuredClone(named.job) as Json };
    },
  });
  return done as unknown as { result: Result; found: PlacedJob | null };
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
): Promise<Result> {
  if (found.state !== 'pending' && found.state !== 'processing') return 'over';
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
