import type { People } from '../access/people.ts';
import type { Answers } from '../mail/answers.ts';
import { queueMail } from '../replies/queue.ts';
import { type AskedJobs, askedView } from './asked-jobs.ts';
import { type Nothing, nothingSchema, parseBare } from './bare-grammar.ts';
import type { Command } from './command.ts';

export interface QueueServices {
  readonly answers: Answers;
  readonly people: Pick<People, 'find'>;
  readonly asked: AskedJobs;
  readonly timeZone: string;
}

/** FILA: the requests of whoever asks that are not done yet, and their places; an admin sees everybody's. */
export function createQueueCommand({ answers, people, asked, timeZone }: QueueServices): Command<Nothing> {
  return {
    keyword: 'FILA',
    bare: true,
    schema: nothingSchema,
    example: () => 'FILA',
    parse: (fields) => parseBare('FILA', fields),
    route: () => ({ lane: 'replies', source: null }),
    work: async (job, _params, context) => {
      const { subject, requester } = job.request;
      const everybody = requester !== null && people.find(requester)?.role === 'admin';
      const query = { requester: everybody ? null : (requester ?? ''), prefix: null };
      const { jobs, total, complete } = await asked.find(query, context.signal);
      const placed = await asked.placed(jobs, context.signal);
      const view = {
        ...{ subject, requester, jobId: job.id, timeZone, total, everybody, incomplete: !complete },
        // The one that is worked first stands first.
        jobs: placed.map(askedView).toReversed(),
      };
      await answers.send(job, context, 'result', queueMail(view));
      return { kind: 'done', summary: `told of ${total} requests` };
    },
  };
}
