import type { Job } from '../../protocol/job.ts';
import type { Permission } from './permission.ts';
import type { Audit } from '../audit.ts';
import type { Answers } from '../mail/answers.ts';
import type { Clock } from '../platform/clock.ts';
import { AppError, codeOf, messageOf } from '../platform/errors.ts';
import type { JobAcceptor } from '../queue/spool.ts';
import { repeatable } from '../queue/steps.ts';
import type { MacChangeView } from '../replies/command-views.ts';
import { macChangeMail } from '../replies/macchange.ts';
import type { Server } from '../servers/inventory.ts';
import type { MacReport, Phones } from '../servers/mac-phones.ts';
import type { Makers } from '../servers/oui.ts';
import { checkStillPermitted } from './asker.ts';
import type { Command, Ending, JobContext, Touched, Waiting } from './command.ts';
import type { MacChangeGrammar, MacChangeParams } from './macchange-grammar.ts';
import { halfWayOf, isHalfWay } from './macchange-half-way.ts';
import { waitFor } from './macchange-waiting.ts';

const KEYWORD = 'MACCHANGE';
const CHANGE_STEP = 'mac:change';
/** For what is left to do of a change that was made, when its job is cancelled: the answer is to go out all the same. */
const FINISH_MS = 60_000;

export interface MacChangeServices {
  readonly grammar: MacChangeGrammar;
  readonly phones: Phones;
  readonly makers: Makers;
  readonly permission: Pick<Permission, 'faultsOf'>;
  readonly answers: Answers;
  readonly acceptor: JobAcceptor;
  readonly audit: Pick<Audit, 'record'>;
  readonly clock: Clock;
  readonly timeZone: string;
  /** How a corrected subject is sent; null: there is no link that prepares its mail. */
  readonly sending: MacChangeView['sending'];
}

/** MACCHANGE: gives an extension another phone, takes its phone away or gives it its first, in all files of a server or none. */
export function createMacChange(services: MacChangeServices): Command<MacChangeParams> {
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
    mustFinish: (job) => isHalfWay(job) || job.steps[CHANGE_STEP]?.doneAt != null,
    work: (job, params, context) => work(services, job, params, context),
  };
}

async function work(
  services: MacChangeServices,
  job: Job,
  params: MacChangeParams,
  context: JobContext,
): Promise<Ending | Waiting> {
  const halfWay = halfWayOf(job, context);
  const isBegun = halfWay.now() || job.steps[CHANGE_STEP]?.doneAt != null;
  const server = services.grammar.serverOf(params);
  // A job may have waited for long: what has been begun is finished, nothing else is begun for whoever may not any more.
  if (!isBegun) checkStillPermitted(services.permission, job, { keyword: KEYWORD, touches }, params);
  if (server === undefined) {
    throw new AppError(
      'server.not-found',
      `SERVERS_FILE has no server ${params.server} that allows ${KEYWORD}`,
    );
  }
  let report: MacReport;
  try {
    context.progress(`changing ${server.id}`);
    report = await change(services, job, params, context, server, halfWay.hooks);
  } catch (error) {
    const going = halfWay.now() ? uncancelled(context) : context;
    going.signal.throwIfAborted();
    return waitFor(services, job, params, going, error, halfWay.now());
  }
  await answer(services, job, params, uncancelled(context), server, report);
  return { kind: 'done', summary: summaryOf(params, report) };
}

/** Does it, once: the report of a change is found on the server again by the job's id. */
async function change(
  { phones, audit }: MacChangeServices,
  job: Job,
  { extension, from, to }: MacChangeParams,
  context: JobContext,
  server: Server,
  hooks: Parameters<Phones['change']>[4],
): Promise<MacReport> {
  const request = { extension, from, to };
  const facts = { job: job.id, server: server.id, ...request, by: job.request.requester };
  return context.step(
    CHANGE_STEP,
    repeatable(async () => {
      try {
        const report = await phones.change(server, request, job.id, context.signal, hooks);
        await audit.record({
          event: `mac.${report.state}`,
          ...facts,
          files: report.files,
          refusal: report.refusal?.code ?? null,
          backup: report.backup,
        });
        return report;
      } catch (error) {
        if (codeOf(error).startsWith('mac.')) {
          await audit.record({
            event: 'mac.not-changed',
            ...facts,
            code: codeOf(error),
            reason: messageOf(error),
          });
        }
        throw error;
      }
    }),
  );
}

function touches({ extension, server }: MacChangeParams): Touched {
  return { extensions: [extension], servers: [server] };
}

async function answer(
  { answers, makers, timeZone, sending }: MacChangeServices,
  job: Job,
  { extension, from, to }: MacChangeParams,
  context: JobContext,
  server: Server,
  report: MacReport,
): Promise<void> {
  const { subject, requester } = job.request;
  if (requester === null) return;
  const view: MacChangeView = {
    ...{ subject, requester, jobId: job.id, timeZone, sending },
    request: { extension, from, to },
    ...{ serverId: server.id, serverName: server.name, report },
    makers: {
      ...(from === null ? {} : { from: await makers.makerOf(from) }),
      ...(to === null ? {} : { to: await makers.makerOf(to) }),
    },
  };
  await answers.send(job, context, 'result', macChangeMail(view));
}

/** The same context, where a cancel (whoever's) or the end of its time comes too late; a shutdown does not. */
function uncancelled(context: JobContext): JobContext {
  const { signal } = context;
  if (!signal.aborted || codeOf(signal.reason) === 'job.stopped') return context;
  return { ...context, signal: AbortSignal.timeout(FINISH_MS) };
}

function summaryOf({ extension, server, from, to }: MacChangeParams, report: MacReport): string {
  const what = `${extension} on ${server}: ${from ?? 'none'} to ${to ?? 'none'}`;
  const { state, refusal, files, warnings } = report;
  if (state === 'refused') return `${what} refused: ${refusal?.code ?? ''}`;
  if (state === 'already') return `${what} was so already`;
  return `${what} in ${files.length} files${warnings.map(({ code }) => `, ${code}`).join('')}`;
}
