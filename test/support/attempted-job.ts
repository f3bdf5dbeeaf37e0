import type { Job } from '../../protocol/job.ts';
import type { JobContext } from '../../node/commands/command.ts';
import type { Answers } from '../../node/mail/answers.ts';
import type { Clock } from '../../node/platform/clock.ts';
import { silentLog } from '../../node/platform/log.ts';
import type { NewJob } from '../../node/queue/spool.ts';
import { repeatable, runStep } from '../../node/queue/steps.ts';

/** A job that can be attempted again and again: what its steps have left is there at the next attempt. */
export interface AttemptedJob {
  /** As it is now. */
  readonly now: () => Job;
  readonly change: (change: Partial<Job>) => void;
  readonly context: JobContext;
  /** Aborts the signal of its context. */
  readonly abort: AbortController;
}

export function attemptedJob(made: NewJob, clock: Clock, steps: Job['steps'] = {}): AttemptedJob {
  let job = { ...made, steps, generation: 0, interruptions: 0 } as unknown as Job;
  const change: AttemptedJob['change'] = (fields) => {
    job = { ...job, ...fields };
  };
  const store: Parameters<typeof runStep>[0] = {
    get: () => job,
    recordStep: async (_id, name, record) => {
      change({ steps: { ...job.steps, [name]: structuredClone(record) } });
      return job;
    },
  };
  const abort = new AbortController();
  const context: JobContext = {
    step: (name, effect) => runStep(store, clock, () => undefined, job.id, name, effect),
    ...{ signal: abort.signal, log: silentLog, progress: () => undefined, position: () => 1 },
  };
  return { now: () => job, change, context, abort };
}

export interface SentMail {
  readonly kind: string;
  readonly text: string;
}

/** Answers that are kept, each sent once as a step of its job. */
export function keptAnswers(mails: SentMail[]): Answers {
  return {
    send: async (_job, { signal, step }, kind, { text }) => {
      signal.throwIfAborted();
      await step(
        `mail:${kind}`,
        repeatable(async () => mails.push({ kind, text })),
      );
    },
  };
}
