import type { Job } from '../../protocol/job.ts';
import type { Permission } from './permission.ts';
import type { Answers } from '../mail/answers.ts';
import { mapBounded } from '../platform/concurrency.ts';
import { AppError } from '../platform/errors.ts';
import { repeatable } from '../queue/steps.ts';
import { checkIpMail } from '../replies/checkip.ts';
import type { CheckIpView } from '../replies/command-views.ts';
import type { ServerReport } from '../servers/bans.ts';
import { checkStillPermitted } from './asker.ts';
import type { CheckIpGrammar, CheckIpParams } from './checkip-grammar.ts';
import { isReleaseBegun, isVisited, visit, type VisitServices } from './checkip-visit.ts';
import type { Command, Ending, JobContext, Touched, Waiting } from './command.ts';

const KEYWORD = 'CHECKIP';
/** Servers visited at a time. */
const SERVERS_AT_ONCE = 8;
/** A server that was away is looked for again soon, then ever later; the lane goes on with other requests meanwhile. */
const FIRST_RETRY_MS = 5_000;
const MAX_RETRY_MS = 60_000;
const MAX_DOUBLINGS = 10;
const MAX_NAMED = 10;

export interface CheckIpServices extends VisitServices {
  readonly grammar: CheckIpGrammar;
  readonly permission: Pick<Permission, 'faultsOf'>;
  readonly answers: Answers;
  readonly timeZone: string;
  /** CHECKIP_RETRY_MINUTES: for how long servers that could not be checked are tried again; 0 for not at all. */
  readonly retryMs: number;
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
    mustFinish: isUntold,
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
  // Servers may have been away for long: nothing is begun for whoever may not ask any more.
  if (!servers.every((server) => isVisited(job, params, server))) {
    checkStillPermitted(services.permission, job, { keyword: KEYWORD, touches }, params);
  }
  const reports = await mapBounded(servers, SERVERS_AT_ONCE, (server) =>
    visit(services, job, params, context, server),
  );
  context.signal.throwIfAborted();
  const unchecked = reports.filter(({ state }) => state === 'unchecked');

  // What the first mail says is kept: after a crash it says the same, and the second one speaks of what was left.
  const first = await context.step(
    'checkip:first',
    repeatable(() => {
      const until =
        unchecked.length === 0 || retryMs === 0 ? null : clock.now().add({ milliseconds: retryMs });
      return Promise.resolve({ reports, until: until?.toString() ?? null });
    }),
  );
  const until = first.until === null ? null : Temporal.Instant.from(first.until);
  await answer(services, job, params, context, 'result', { servers: first.reports, retryUntil: until });
  if (until === null) return { kind: 'done', summary: summaryOf(params, first.reports) };

  const later = first.reports.filter(({ state }) => state === 'unchecked').map(({ serverId }) => serverId);
  const now = clock.now();
  if (unchecked.length > 0 && Temporal.Instant.compare(now, until) < 0) {
    return again(job, unchecked, now, until);
  }
  // One that is not in SERVERS_FILE any more, or disabled by now: it was to be told of, and nobody knows.
  const isLeft = ({ serverId }: ServerReport): boolean => servers.every(({ id }) => id !== serverId);
  const all = [...reports, ...first.reports.filter(isLeft)];
  const servedLater = all.filter(({ serverId }) => later.includes(serverId));
  await answer(services, job, params, context, 'followup', { servers: servedLater, retryUntil: null });
  return { kind: 'done', summary: summaryOf(params, all) };
}

function touches({ server }: CheckIpParams): Touched {
  return { extensions: null, servers: server === null ? null : [server] };
}

/** Whether something was released, or is just now, of which nobody has been told: "cancelled" would say that nothing was. */
function isUntold({ steps }: Job): boolean {
  return isReleaseBegun(steps) && steps['mail:result']?.doneAt == null;
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
