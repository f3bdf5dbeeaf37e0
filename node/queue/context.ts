import type { Job } from '../../protocol/job.ts';
import type { JobContext } from '../commands/command.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { Spool } from './spool.ts';
import { type StepObserver, runStep } from './steps.ts';

/** Makes what a handler is given besides its job. */
export type ContextFactory = (job: Job, signal: AbortSignal, progress?: (text: string) => void) => JobContext;

export function createContextFactory(
  spool: Spool,
  clock: Clock,
  log: Log,
  observe: StepObserver,
): ContextFactory {
  return (job, signal, progress = () => undefined) => ({
    step: (name, effect) => runStep(spool, clock, observe, job.id, name, effect),
    signal,
    log: log.with({ job: job.id.slice(0, 8) }),
    progress,
    position: () => spool.positionOf(job),
  });
}
