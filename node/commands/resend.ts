import type { Job, JobRequest } from '../../protocol/job.ts';
import type { People } from '../access/people.ts';
import type { Permission } from '../access/permission.ts';
import type { Audit } from '../audit.ts';
import { resendOf } from '../forward/forward-origin.ts';
import type { Answers } from '../mail/answers.ts';
import type { JobAcceptor, NewJob } from '../queue/spool.ts';
import type { Json } from '../queue/steps.ts';
import type { JobActionView } from '../replies/command-views.ts';
import { jobActionMail } from '../replies/job-action.ts';
import { idOf } from './answer-jobs.ts';
import { type AskedJobs, askedView, type PlacedJob } from './asked-jobs.ts';
import type { Command, JobContext } from './command.ts';
import { jobIdExample, type JobIdParams, jobIdSchema, parseJobId } from './job-id-grammar.ts';
import { findNamed } from './named-job.ts';

/** Commands whose result is links, which die; the others would do their work a second time. */
const RESENDABLE: ReadonlySet<string> = new Set(['RAMAIS']);

export interface ResendServices {
  readonly answers: Answers;
  readonly people: Pick<People, 'find'>;
  /** Judges the request anew: its requester may have been limited since. */
  readonly permission: Permission;
  readonly asked: AskedJobs;
  readonly acceptor: JobAcceptor;
  /** A command by its keyword. */
  readonly command: (keyword: string) => Command | undefined;
  readonly audit: Audit;
  readonly timeZone: string;
}

type Result = JobActionView['result'];

/** REENVIAR: does an ended request for recordings anew, so that its search and its links are new. */
export function createResend(services: ResendServices): Command<JobIdParams> {
  const { answers, timeZone } = services;
  return {
    keyword: 'REENVIAR',
    bare: true,
    fields: { REENVIAR: ['REENVIE'] },
    schema: jobIdSchema,
    example: () => jobIdExample('REENVIAR'),
    parse: (fields) => parseJobId('REENVIAR', fields),
    route: () => ({ lane: 'replies', source: null }),
    work: async (job, { id: wanted }, context) => {
      const { result, found } = await resendOnce(services, job, wanted, context);
      const { subject, requester } = job.request;
      const view = { subject, requester, jobId: job.id, timeZone, action: 'resend' as const, result, wanted };
      const shown = found === null ? null : askedView(found);
      await answers.send(job, context, 'result', jobActionMail({ ...view, job: shown }));
      return { kind: 'done', summary: `${result}: ${found?.id.slice(0, 8) ?? wanted}` };
    },
  };
}

async function resendOnce(
  services: ResendServices,
  job: Job,
  wanted: string,
  context: JobContext,
): Promise<{ readonly result: Result; readonly found: PlacedJob | null }> {
  const { people, asked, acceptor, audit } = services;
  const done = await context.step<Json>('resend', {
    // The same answer makes the same job, so it is accepted but once.
    happened: async () => null,
    perform: async () => {
      const named = await findNamed(asked, people, job, wanted, context.signal);
      if (named.job === null) return { result: named.result, found: null };
      const found = structuredClone(named.job) as Json;
      if (named.job.state === 'pending' || named.job.state === 'processing') return { result: 'open', found };
      const again = jobAgain(services, job, named.job.request);
      if (again === null) return { result: 'not-resendable', found };
      const { requester: by } = job.request;
      await audit.record({ event: 'job.resent', job: again.id, of: named.job.id, by, asked: job.id });
      await acceptor.accept(again);
      return { result: 'done', found };
    },
  });
  return done as unknown as { result: Result; found: PlacedJob | null };
}

/** The same request as a job of its own; null where it cannot be asked for again, or not by this person any more. */
function jobAgain({ command, permission }: ResendServices, job: Job, request: JobRequest): NewJob | null {
  const known = RESENDABLE.has(request.command) ? command(request.command) : undefined;
  const params = known?.schema.safeParse(request.params);
  if (known === undefined || params?.success !== true || request.requester === null) return null;
  if (permission.faultsOf(request.requester, known, params.data).length > 0) return null;
  if ((known.recheck?.(params.data) ?? []).length > 0) return null;
  return {
    id: idOf('resend', job.id, String(job.generation)),
    request,
    details: resendOf(job.id),
    door: 'mail',
    ...known.route(params.data),
  };
}
