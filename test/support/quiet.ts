import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Job } from '../../protocol/job.ts';
import type { MailServers } from './exim.ts';
import type { NodeUnderTest } from './node.ts';
import { eventually } from './process.ts';

type JobState = 'pending' | 'processing' | 'completed' | 'failed';

/** The job documents of a node in a state, oldest first; what is no whole document of ours is left out. */
export async function jobsOf(
  { stateDir, queueDir = join(stateDir, 'queue') }: Pick<NodeUnderTest, 'stateDir'> & { queueDir?: string },
  ...states: readonly JobState[]
): Promise<Job[]> {
  const jobs: Job[] = [];
  for (const state of states) {
    const names = await readdir(join(queueDir, state)).catch(() => []); // not made yet
    for (const name of names.filter((one) => /^\d{12}-/.test(one)).toSorted()) {
      const text = await readFile(join(queueDir, state, name), 'utf8').catch(() => ''); // moved on meanwhile
      if (text !== '') jobs.push(JSON.parse(text) as Job);
    }
  }
  return jobs;
}

/** Waits until `count` jobs of a command have ended and none is open; gives those that ended. */
export async function settledJobs(
  node: Parameters<typeof jobsOf>[0],
  command: string,
  count: number,
  timeoutMs = 60_000,
): Promise<Job[]> {
  return eventually(
    `${count} jobs ${command} to end`,
    async () => {
      const ended = (await jobsOf(node, 'completed', 'failed')).filter(
        ({ request }) => request.command === command,
      );
      const open = await jobsOf(node, 'pending', 'processing');
      return ended.length >= count && open.length === 0 ? ended : null;
    },
    timeoutMs,
  );
}

/** Waits until Exim has delivered all that it took. */
export async function eximIsIdle({ exim }: MailServers): Promise<void> {
  const input = join(dirname(dirname(exim.logFile)), 'spool', 'input');
  await eventually('Exim to have delivered all', async () => (await readdir(input)).length === 0);
}
