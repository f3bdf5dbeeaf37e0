import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Job } from '../../protocol/job.ts';
import type { JobReport } from '../../protocol/messages.ts';
import type { RpcParams } from '../../protocol/methods.ts';
import { systemClock } from '../../node/platform/clock.ts';
import { silentLog } from '../../node/platform/log.ts';
import { digestOf } from '../../node/queue/job-file.ts';
import { openSpool } from '../../node/queue/spool.ts';
import { newJob } from '../../test/support/jobs.ts';
import type { Jobs } from './contender.ts';

/** A job as it is handed over; the same name gives the same. */
export function submission(name: string): RpcParams<'job.submit'> {
  const { request } = newJob(name);
  const id = createHash('sha256').update(name).digest('hex');
  return { id, digest: digestOf(request), request, source: 'audio', confirmed: true };
}

/** The queue of a node, alone. */
export async function openJobs(directory: string): Promise<Jobs> {
  const spool = await openSpool({
    directory: join(directory, 'queue'),
    sealKey: randomBytes(32),
    nodeId: 'bench',
    clock: systemClock,
    log: silentLog,
    setAside: async () => undefined,
    acceptedEarlier: () => null,
  });
  return {
    get: (id) => {
      const job = spool.get(id);
      return { report: job === undefined ? null : reportOf(job) };
    },
    submit: async ({ id, request, source }) => {
      const { kind, job } = await spool.accept({ id, request, source, door: 'rpc', lane: 'recordings' });
      if (job === null) throw new Error(`job ${id} is gone`);
      return { kind, report: reportOf(job) };
    },
  };
}

function reportOf({ id, digest, sequence, lastError, outcome }: Job): JobReport {
  return { id, digest, state: 'pending', position: sequence, lastError, outcome };
}
