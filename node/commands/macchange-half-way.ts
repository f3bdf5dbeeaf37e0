import type { Job } from '../../protocol/job.ts';
import type { MacHooks } from '../servers/mac-phones.ts';
import { repeatable } from '../queue/steps.ts';
import type { JobContext } from './command.ts';

const TOUCHED = 'mac:touched:';
const SETTLED = 'mac:settled:';

/** Whether files of a server may be half-way because of a job; on this node's disk before the first is touched. */
export interface HalfWay {
  now(): boolean;
  readonly hooks: MacHooks;
}

/** Whether files may be half-way, by the job's document alone. */
export function isHalfWay({ steps }: Job): boolean {
  const names = Object.keys(steps);
  const touched = names.filter((name) => name.startsWith(TOUCHED)).length;
  return touched > 0 && !names.includes(`${SETTLED}${touched}`);
}

/** From the job's steps: each try that touches a file leaves one, and another when that is settled. */
export function halfWayOf(job: Job, context: JobContext): HalfWay {
  const names = Object.keys(job.steps);
  let touched = names.filter((name) => name.startsWith(TOUCHED)).length;
  let settled = names.includes(`${SETTLED}${touched}`) ? touched : touched - 1;
  const note = async (name: string): Promise<void> => {
    await context.step(
      name,
      repeatable(() => Promise.resolve(true)),
    );
  };
  return {
    now: () => touched > 0 && settled < touched,
    hooks: {
      touching: async () => {
        touched += 1;
        await note(`${TOUCHED}${touched}`);
      },
      settled: async () => {
        if (touched === 0 || settled === touched) return; // another job's
        await note(`${SETTLED}${touched}`);
        settled = touched;
      },
    },
  };
}
