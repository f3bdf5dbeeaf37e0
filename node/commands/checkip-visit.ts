import type { Job } from '../../protocol/job.ts';
import type { Audit } from '../audit.ts';
import type { Clock } from '../platform/clock.ts';
import { repeatable } from '../queue/steps.ts';
import type { Bans, ServerReport } from '../servers/bans.ts';
import type { IgnoreExpiry } from '../servers/ignore-expiry.ts';
import type { Server } from '../servers/inventory.ts';
import type { CheckIpParams } from './checkip-grammar.ts';
import type { JobContext } from './command.ts';

/** Steps of each server, before its id. */
const LOOK_STEP = 'look';
const RELEASE_STEP = 'release';
const HOURS_PER_DAY = 24;

export interface VisitServices {
  readonly bans: Bans;
  readonly expiry: Pick<IgnoreExpiry, 'note'>;
  readonly audit: Audit;
  readonly clock: Clock;
  /** CHECKIP_IGNORE_DAYS. */
  readonly ignoreDays: number;
}

/** A server that could not be checked; its step stays open, so that it is tried again. */
class Unchecked extends Error {
  readonly report: ServerReport;
  constructor(report: ServerReport) {
    super(report.problem?.message ?? 'unchecked');
    this.report = report;
  }
}

/** Whether all is done on a server that a request asks for. */
export function isVisited({ steps }: Job, { lookOnly }: CheckIpParams, { id }: Server): boolean {
  return steps[`${lookOnly ? LOOK_STEP : RELEASE_STEP}:${id}`]?.doneAt != null;
}

/** Whether something was released on any server, or is just now. */
export function isReleaseBegun(steps: Job['steps']): boolean {
  return Object.keys(steps).some((name) => name.startsWith(`${RELEASE_STEP}:`));
}

/** What became of the address on a server; done once, and open again where nobody knows. */
export async function visit(
  services: VisitServices,
  job: Job,
  params: CheckIpParams,
  context: JobContext,
  server: Server,
): Promise<ServerReport> {
  const { bans, audit } = services;
  const { ip } = params;
  const { requester } = job.request;
  const stepOf = (what: string, perform: () => Promise<ServerReport>): Promise<ServerReport> =>
    // A look changes nothing, and to release and to ignore twice is to do it once: after a crash it is simply done again.
    context.step(`${what}:${server.id}`, repeatable(perform));
  try {
    const found = await stepOf(LOOK_STEP, async () => {
      const report = known(await bans.look(server, ip, context.signal), context);
      await audit.record({
        event: 'ban.looked',
        job: job.id,
        server: server.id,
        ip,
        by: requester,
        ...factsOf(report),
      });
      return report;
    });
    if (params.lookOnly) return found;
    return await stepOf(RELEASE_STEP, async () => {
      const until = services.clock.now().add({ hours: services.ignoreDays * HOURS_PER_DAY });
      await services.expiry.note(server, ip, until);
      const note = { requester: requester ?? '', jobId: job.id, until };
      const report = joined(found, known(await bans.release(server, ip, note, context.signal), context));
      await audit.record({
        ...{ event: 'ban.released', job: job.id, server: server.id, ip, by: requester },
        ...factsOf(report),
        ignoredUntil: report.ignoredUntil,
      });
      return report;
    });
  } catch (error) {
    if (error instanceof Unchecked) return error.report;
    throw error;
  }
}

/** An answer that counts; where nobody knows, or the job was stopped in between, the step stays open. */
function known(report: ServerReport, context: JobContext): ServerReport {
  context.signal.throwIfAborted();
  if (report.state === 'unchecked') throw new Unchecked(report);
  return report;
}

/** What was there before anything was done, and what is now: a release that a crash cut off is found done the next time. */
function joined(found: ServerReport, released: ServerReport): ServerReport {
  const jails = [
    ...found.jails,
    ...released.jails.filter(({ jail }) => !found.jails.some((other) => other.jail === jail)),
  ];
  const state = released.state === 'free' && jails.length > 0 ? 'released' : released.state;
  const ignored = released.ignored === 'before' && found.ignored === 'no' ? 'now' : released.ignored;
  const lines = released.lines.length > 0 ? released.lines : found.lines;
  return { ...released, jails, state, ignored, lines };
}

function factsOf({ state, jails, ignored, problem }: ServerReport): Record<string, unknown> {
  return { state, jails: jails.map(({ jail }) => jail), ignored, problem: problem?.code ?? null };
}
