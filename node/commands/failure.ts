import { createHash } from 'node:crypto';
import * as z from 'zod';
import { type Job, sha256Schema } from '../../protocol/job.ts';
import type { Answers } from '../mail/answers.ts';
import type { NewJob } from '../queue/spool.ts';
import { failedMail } from '../replies/trouble.ts';
import type { Command } from './command.ts';
import { ramaisParamsSchema } from './ramais-grammar.ts';

const paramsSchema = z.strictObject({
  /** The job that was given up. */
  failed: sha256Schema,
});
const detailsSchema = z.object({
  /** Its parameters where it was a RAMAIS, and why it was given up. */
  ramais: ramaisParamsSchema.nullable(),
  code: z.string(),
  attempts: z.int().nonnegative(),
});
type FailureParams = z.infer<typeof paramsSchema>;

/** FALHA: the answer of the node to a request that it has given up. */
export function createFailure(answers: Answers): Command<FailureParams> {
  return {
    keyword: 'FALHA',
    internal: true,
    schema: paramsSchema,
    example: () => 'FALHA',
    parse: () => ({ ok: false, faults: [], corrected: '' }),
    route: () => ({ lane: 'replies', source: null }),
    work: async (job, { failed }, context) => {
      const { ramais, code, attempts } = detailsSchema.parse(job.details);
      const { subject, requester } = job.request;
      const request = ramais === null ? null : { ...ramais, subject, requester };
      const mail = failedMail({ request, subject, jobId: failed, code, attempts });
      await answers.send(job, context, 'failed', mail);
      return { kind: 'done', summary: `told of the failure of ${failed.slice(0, 8)}` };
    },
  };
}

/** The job that answers a failure; the same failure makes the same job. Null where nobody is to be told. */
export function failureJob(job: Job, code: string): NewJob | null {
  const { command, requester } = job.request;
  if (requester === null) return null;
  const ramais =
    command === 'RAMAIS' ? (ramaisParamsSchema.safeParse(job.request.params).data ?? null) : null;
  return {
    id: createHash('sha256').update(`failed:${job.id}:${job.generation}`).digest('hex'),
    door: job.door,
    lane: 'replies',
    source: null,
    request: { ...job.request, command: 'FALHA', params: { failed: job.id } },
    details: { ramais, code, attempts: job.attempts },
  };
}
