import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { eventually } from '../../test/support/process.ts';
import type { World } from '../latency/world.ts';
import { ASKED, REQUEST } from './place.ts';

const jobSchema = z.object({
  acceptedAt: z.string(),
  outcome: z.object({ summary: z.string() }),
  steps: z.record(z.string(), z.object({ intentAt: z.string(), doneAt: z.string() })),
});

/** The way of one request, as seen from outside and from the job's own journal; each stage begins where the last ended. */
export const STAGES = [
  ['taken', 'EXISTS until the job is on disk'],
  ['confirmed', 'its numbers are looked up, the confirmation is composed and sent'],
  ['found', 'the recordings are searched'],
  ['delivered', 'they are published and put into the ZIP'],
  ['answered', 'links are made, the result is composed and sent'],
] as const;
type Stage = (typeof STAGES)[number][0];

export interface Asked {
  /** Milliseconds of each stage. */
  readonly stages: Readonly<Record<Stage, number>>;
  readonly totalMs: number;
  /** What the node's log says of its search alone. */
  readonly searchMs: number;
  /** Of the node while it worked on this. */
  readonly peakMb: number;
}

/** Asks by mail and waits for the result; `number` counts the mails of this world so far. */
export async function ask(world: World, number: number): Promise<Asked> {
  // The peak begins anew here (proc(5)); building the index took more.
  await writeFile(`/proc/${world.node.child().process.pid}/clear_refs`, '5');
  const [messageId = ''] = await world.request(1, REQUEST);
  const existsMs = await world.existsMs(number);
  const confirmation = await world.answer(messageId, 'confirmation');
  const result = await world.answer(messageId, 'result');
  const job = await eventually('the job to be filed', () => filedJob(world, number));
  if (!job.outcome.summary.startsWith(`${ASKED} of ${ASKED} `)) throw new Error(job.outcome.summary);
  const delivered = job.steps['deliver'];
  if (delivered === undefined) throw new Error('it was not delivered');
  const ends: Record<Stage, number> = {
    taken: sinceStartMs(job.acceptedAt),
    confirmed: confirmation.repliedMs,
    found: sinceStartMs(delivered.intentAt),
    delivered: sinceStartMs(delivered.doneAt),
    answered: result.repliedMs,
  };
  let begunMs = existsMs;
  const stages = { taken: 0, confirmed: 0, found: 0, delivered: 0, answered: 0 };
  for (const [stage] of STAGES) {
    stages[stage] = Math.max(0, ends[stage] - begunMs);
    begunMs = Math.max(begunMs, ends[stage]);
  }
  const searchMs = Number(/.*searched the .*\bms=(\d+)/s.exec(world.node.child().output())?.[1]);
  return { stages, totalMs: result.repliedMs - existsMs, searchMs, peakMb: await peakMb(world) };
}

/** The journal of the last job, when there are as many as that. */
async function filedJob({ node }: World, number: number) {
  const directory = join(node.stateDir, 'queue/completed');
  const files = (await readdir(directory)).filter((name) => name.endsWith('.json')).toSorted();
  const newest = files[number - 1];
  if (newest === undefined) return undefined;
  return jobSchema.parse(JSON.parse(await readFile(join(directory, newest), 'utf8')));
}

/** An instant of the same host's clock, as traces have it. */
function sinceStartMs(instant: string): number {
  return Temporal.Instant.from(instant).epochMilliseconds - performance.timeOrigin;
}

async function peakMb(world: World): Promise<number> {
  const status = await readFile(`/proc/${world.node.child().process.pid}/status`, 'utf8');
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
}
