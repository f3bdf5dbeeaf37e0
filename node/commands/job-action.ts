import type { Job } from '../../protocol/job.ts';
import type { People } from '../access/people.ts';
import type { Answers } from '../mail/answers.ts';
import type { Json } from '../queue/steps.ts';
import type { JobActionView } from '../replies/command-views.ts';
import { jobActionMail } from '../replies/job-action.ts';
import { type AskedJobs, askedView, type PlacedJob } from './asked-jobs.ts';
import { askerOf } from './asker.ts';
import type { Command, JobContext } from './command.ts';
import { jobIdExample, type JobIdParams, jobIdSchema, parseJobId } from './job-id-grammar.ts';

export type ActionResult = JobActionView['result'];

export interface JobActionServices {
  readonly answers: Answers;
  readonly people: Pick<People, 'find'>;
  readonly asked: AskedJobs;
  readonly timeZone: string;
}

/** What a command does with a request that somebody names by its id. */
export interface JobAction {
  readonly keyword: string;
  /** Other ways of writing the keyword. */
  readonly others: readonly string[];
  /** How mails call it; the name of its step too. */
  readonly action: JobActionView['action'];
  /** Called again where a crash broke off what was begun at `begunAt`, null at the first time. */
  act(
    job: Job,
    found: PlacedJob,
    begunAt: Temporal.Instant | null,
    context: JobContext,
  ): Promise<ActionResult>;
}

/** A command that acts on one request, on whichever node; one's own, or for an admin anybody's. */
export function createJobAction(services: JobActionServices, jobAction: JobAction): Command<JobIdParams> {
  const { answers, timeZone } = services;
  const { keyword, others, action } = jobAction;
  return {
    keyword,
    bare: true,
    fields: { [keyword]: others },
    schema: jobIdSchema,
    example: () => jobIdExample(keyword),
    parse: (fields) => parseJobId(keyword, fields),
    route: () => ({ lane: 'replies', source: null }),
    work: async (job, { id: wanted }, context) => {
      const { result, found } = await actOnce(services, jobAction, job, wanted, context);
      const { subject, requester } = job.request;
      const view = { subject, requester, jobId: job.id, timeZone, action, result, wanted };
      const shown = found === null ? null : askedView(found);
      await answers.send(job, context, 'result', jobActionMail({ ...view, job: shown }));
      return { kind: 'done', summary: `${result}: ${found?.id.slice(0, 8) ?? wanted}` };
    },
  };
}

interface Acted {
  readonly result: ActionResult;
  readonly found: PlacedJob | null;
}

/** What became of it; told the same after a crash. */
async function actOnce(
  services: JobActionServices,
  { action, act }: JobAction,
  job: Job,
  wanted: string,
  context: JobContext,
): Promise<Acted> {
  let begunAt: Temporal.Instant | null = null;
  const done = await context.step<Json>(action, {
    happened: async (intentAt) => {
      begunAt = intentAt;
      return null;
    },
    perform: async () => {
      const named = await findNamed(services, job, wanted, context.signal);
      if (named.job === null) return { result: named.result, found: null };
      const result = await act(job, named.job, begunAt, context);
      return { result, found: structuredClone(named.job) as Json };
    },
  });
  return done as unknown as Acted;
}

/** The request that is named by the beginning of its id, or why there is no saying which. */
type NamedJob =
  | { readonly job: PlacedJob; readonly result: null }
  | { readonly job: null; readonly result: Extract<ActionResult, 'none' | 'several' | 'unreachable'> };

/**
 * Looks on both nodes for the request that begins so: among the asker's own, for an admin among all.
 * @throws AppError `access.not-permitted` where the asker is no longer known
 */
async function findNamed(
  { people, asked }: JobActionServices,
  job: Job,
  id: string,
  signal: AbortSignal,
): Promise<NamedJob> {
  const { role } = askerOf(people, job);
  const query = { requester: role === 'admin' ? null : job.request.requester, prefix: id };
  const { jobs, total, complete } = await asked.find(query, signal);
  const exact = jobs.find((one) => one.id === id);
  const [only] = jobs;
  if (exact !== undefined) return { job: exact, result: null };
  if (total > 1) return { job: null, result: 'several' };
  if (only !== undefined) return { job: only, result: null };
  return { job: null, result: complete ? 'none' : 'unreachable' };
}
