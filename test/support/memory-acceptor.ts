import { JOB_VERSION, type Job } from '../../protocol/job.ts';
import { AppError } from '../../node/platform/errors.ts';
import { digestOf } from '../../node/queue/job-file.ts';
import type { JobAcceptor, NewJob } from '../../node/queue/spool.ts';

/** The door of the queue, in memory: the same id once, and with another request a conflict. */
export interface MemoryAcceptor extends JobAcceptor {
  accept: JobAcceptor['accept'];
  readonly jobs: readonly Job[];
  /** From now on every acceptance fails with this, until null. */
  failWith(error: Error | null): void;
  /** The next job is put on disk, and from then on the disk takes nothing, its caller's next word neither. */
  diskFullAfterNext(): void;
}

export function createMemoryAcceptor(): MemoryAcceptor {
  const jobs: Job[] = [];
  let failure: Error | null = null;
  let filling = false;
  return {
    jobs,
    failWith: (error) => {
      failure = error;
    },
    diskFullAfterNext: () => {
      filling = true;
    },
    accept: async (incoming: NewJob) => {
      if (failure !== null) throw failure;
      const digest = digestOf(incoming.request);
      const there = jobs.find((job) => job.id === incoming.id);
      if (there !== undefined) {
        if (there.digest !== digest) throw new AppError('spool.conflict', 'same id, other request');
        return { kind: 'duplicate', job: there };
      }
      const job: Job = {
        details: {},
        ...incoming,
        version: JOB_VERSION,
        digest,
        acceptedBy: 'test',
        acceptedAt: '2026-03-02T12:00:00Z',
        sequence: jobs.length,
        attempts: 0,
        failures: 0,
        interruptions: 0,
        notBefore: null,
        lastError: null,
        steps: {},
        generation: 0,
        outcome: null,
      };
      jobs.push(job);
      if (filling) {
        filling = false;
        failure = new AppError('spool.unwritable', 'no space left on device', { retriable: true });
        throw failure;
      }
      return { kind: 'accepted', job };
    },
  };
}
