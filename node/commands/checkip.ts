import type { Job } from '../../protocol/job.ts';
import type { Permission } from '../access/permission.ts';
import type { Audit } from '../audit.ts';
import type { Answers } from '../mail/answers.ts';
import type { Clock } from '../platform/clock.ts';
import { mapBounded } from '../platform/concurrency.ts';
import { AppError } from '../platform/errors.ts';
import { checkIpMail } from '../replies/checkip.ts';
import type { CheckIpView } from '../replies/command-views.ts';
import type { Bans, ServerReport } from '../servers/bans.ts';
import type { IgnoreExpiry } from '../servers/ignore-expiry.ts';
import type { Server } from '../servers/inventory.ts';
import type { CheckIpGrammar, CheckIpParams } from './checkip-grammar.ts';
import type { Command, Ending, JobContext, Touched, Waiting } from './command.ts';

const KEYWORD = 'CHECKIP';
/** Servers visited at a time. */
const SERVERS_AT_ONCE = 8;
/** A server that was away is looked for again soon, then ever later; the lane goes on with other requests meanwhile. */
const FIRST_RETRY_MS = 5_000;
const MAX_RETRY_MS = 60_000;
const MAX_DOUBLINGS = 10;
const HOURS_PER_DAY = 24;
const MAX_NAMED = 10;

export interface CheckIpServices {
  readonly grammar: CheckIpGrammar;
  readonly bans: Bans;
  readonly expiry: Pick<IgnoreExpiry, 'note'>;
  readonly permission: Pick<Permission, 'faultsOf'>;
  readonly answers: Answers;
  readonly audit: Audit;
  readonly clock: Clock;
  readonly timeZone: string;
  /** CHECKIP_IGNORE_DAYS. */
  readonly ignoreDays: number;
  /** CHECKIP_RETRY_MINUTES: for how long servers that could not be checked are tried again; 0 for not at all. */
  readonly retryMs: number;
}

/** A server that could not be checked; its step stays open, so that it is tried again. */
class Unchecked extends Error {
  readonly report: ServerReport;
  constructor(report: ServerReport) {
    super(report.problem?.message ?? 'unchecked');
    this.report = report;
  }
}

/** CHECKIP: looks for an address in fail2ban of the servers, releases it there, and has it ignored for a time. */
export function createCheckIp(services: CheckIpServices): Command<CheckIpParams> {
  const { grammar } = services;
  return {
    keyword: KEYWORD,
    fields: grammar.fields,
    schema: grammar.schema,
    example: grammar.example,
    parse: grammar.parse,
    recheck: grammar.recheck,
    touches,
    route: () => ({ lane: 'servers', source: null }),
    work: (job, params, context) => work(services, job, params, context),
  };
}

async function work(
  services: CheckIpServices,
  job: Job,
  params: CheckIpParams,
  context: JobContext,
): Promise<Ending | Waiting> {
  const { clock, retryMs } = services;
  const servers = services.grammar.serversOf(params);
  // Disabled since it was asked for; an empty list would read as "banned nowhere".
  if (servers.length === 0) throw new AppError('server.none', `no enabled server allows ${KEYWORD} any more`);
  const isDone = (what: string, { id }: Server): boolean => job.steps[`${what}:${id}`]?.doneAt != null;
  // Servers may have been away for long: nothing is begun for whoever may not ask any more.
  if (!servers.every((server) => isDone(params.lookOnly ? 'look' : 'release', server))) {
    mayStill(services, job, params);
  }
  const reports = await mapBounded(servers, SERVERS_AT_ONCE, (server) =>
    checkOnce(services, job, params, context, server),
  );
  context.signal.throwIfAborted();
  const unchecked = reports.filter(({ state }) => state === 'unchecked');

  // What the first mail says is kept: after a crash it says the same, and the second one speaks of what was left.
  const first = await context.step('checkip:first', {
    happened: () => Promise.resolve(null),
    perform: () => {
      const until =
        unchecked.length === 0 || retryMs === 0 ? null : clock.now().add({ milliseconds: retryMs });
      return Promise.resolve({ reports, until: until?.toString() ?? null });
    },
  });
  const until = first.until === null ? null : Temporal.Instant.from(first.until);
  await answer(services, job, params, context, 'result', { servers: first.reports, retryUntil: until });
  if (until === null) return { kind: 'done', summary: summaryOf(params, first.reports) };

  const later = first.reports.filter(({ state }) => state === 'unchecked').map(({ serverId }) => serverId);
  const now = clock.now();
  if (unchecked.length > 0 && Temporal.Instant.compare(now, until) < 0) {
    return again(job, unchecked, now, until);
  }
  const servedLater = reports.filter(({ serverId }) => later.includes(serverId));
  if (servedLater.length > 0) {
    await answer(services, job, params, context, 'followup', { servers: servedLater, retryUntil: null });
  }
  return { kind: 'done', summary: summaryOf(params, reports) };
}

function touches({ server }: CheckIpParams): Touched {
  return { extensions: null, servers: server === null ? null : [server] };
}

function mayStill({ permission }: CheckIpServices, { request }: Job, params: CheckIpParams): void {
  if (request.requester === null) return;
  const [fault] = permission.faultsOf(request.requester, { keyword: KEYWORD, touches }, params);
  if (fault !== undefined) throw new AppError('access.not-permitted', `${request.requester}: ${fault.code}`);
}

function again(
  { interruptions }: Job,
  unchecked: readonly ServerReport[],
  now: Temporal.Instant,
  until: Temporal.Instant,
): Waiting {
  const waitMs = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(interruptions, MAX_DOUBLINGS));
  const soon = now.add({ milliseconds: waitMs });
  const notBefore = Temporal.Instant.compare(soon, until) < 0 ? soon : until;
  const names = namesOf(unchecked);
  const problem = unchecked[0]?.problem ?? null;
  const summary = `could not check ${names}; again until ${until.toString({ smallestUnit: 'second' })}`;
  return { kind: 'waiting', notBefore, summary, ...(problem === null ? {} : { trouble: problem }) };
}

/** What became of the address on a server; done once, and open again where nobody knows. */
async function checkOnce(
  services: CheckIpServices,
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
    context.step(`${what}:${server.id}`, { happened: () => Promise.resolve(null), perform });
  try {
    const found = await stepOf('look', async () => {
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
    return await stepOf('release', async () => {
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

async function answer(
  { answers, timeZone }: CheckIpServices,
  job: Job,
  { ip, lookOnly }: CheckIpParams,
  context: JobContext,
  kind: 'result' | 'followup',
  told: Pick<CheckIpView, 'servers' | 'retryUntil'>,
): Promise<void> {
  const { subject, requester } = job.request;
  if (requester === null) return;
  const view = {
    subject,
    requester,
    jobId: job.id,
    timeZone,
    ip,
    lookOnly,
    followUp: kind === 'followup',
    ...told,
  };
  await answers.send(job, context, kind, checkIpMail(view));
}

function factsOf({ state, jails, ignored, problem }: ServerReport): Record<string, unknown> {
  return { state, jails: jails.map(({ jail }) => jail), ignored, problem: problem?.code ?? null };
}

function summaryOf({ ip }: CheckIpParams, reports: readonly ServerReport[]): string {
  const parts = (['released', 'banned', 'free', 'partly', 'unchecked'] as const).flatMap((state) => {
    const those = reports.filter((report) => report.state === state);
    return those.length === 0 ? [] : [`${state} on ${namesOf(those)}`];
  });
  return `${ip}: ${parts.join(', ')}`;
}

function namesOf(reports: readonly ServerReport[]): string {
  const ids = reports.slice(0, MAX_NAMED).map(({ serverId }) => serverId);
  return `${ids.join(', ')}${reports.length > ids.length ? ` and ${reports.length - ids.length} more` : ''}`;
}
