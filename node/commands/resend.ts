import type { Job, JobRequest } from '../../protocol/job.ts';
import { isOpen } from '../../protocol/messages.ts';
import type { Permission } from './permission.ts';
import type { Audit } from '../audit.ts';
import { resendOf } from '../forward/forward-origin.ts';
import type { JobAcceptor, NewJob } from '../queue/spool.ts';
import { idOf } from './answer-jobs.ts';
import type { Command } from './command.ts';
import { createJobAction, type JobActionServices } from './job-action.ts';
import type { JobIdParams } from './job-id-grammar.ts';

/** Commands whose result is links, which die; the others would do their work a second time. */
const RESENDABLE: ReadonlySet<string> = new Set(['RAMAIS']);

export interface ResendServices extends JobActionServices {
  /** Judges the request anew: its requester may have been limited since. */
  readonly permission: Permission;
  readonly acceptor: JobAcceptor;
  /** A command by its keyword. */
  readonly command: (keyword: string) => Command | undefined;
  readonly audit: Audit;
}

/** REENVIAR: does an ended request for recordings anew, so that its search and its links are new. */
export function createResend(services: ResendServices): Command<JobIdParams> {
  const { audit, acceptor } = services;
  return createJobAction(services, {
    ...{ keyword: 'REENVIAR', others: ['REENVIE'], action: 'resend' },
    act: async (job, found) => {
      if (isOpen(found.state)) return 'open';
      const again = jobAgain(services, job, found.request);
      if (again === null) return 'not-resendable';
      const { requester: by } = job.request;
      await audit.record({ event: 'job.resent', job: again.id, of: found.id, by, asked: job.id });
      // The same answer makes the same job, so it is accepted but once.
      await acceptor.accept(again);
      return 'done';
    },
  });
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
