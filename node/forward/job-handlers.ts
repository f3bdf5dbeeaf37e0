import type { Job, SourceName } from '../../protocol/job.ts';
import { isOpen, type JobReport, MAX_TEXT_LENGTH } from '../../protocol/messages.ts';
import type { RpcCall, RpcHandlers, RpcParams, RpcResult } from '../../protocol/methods.ts';
import type { Permission } from '../commands/permission.ts';
import type { Audit } from '../audit.ts';
import { ownAsked } from '../commands/asked-jobs.ts';
import { lowDiskFaults } from '../commands/low-disk.ts';
import type { Registry } from '../commands/registry.ts';
import { type Ledger, NOWHERE } from '../ingest/ledger.ts';
import { AppError, codeOf, messageOf } from '../platform/errors.ts';
import type { SpaceWatch } from '../platform/space.ts';
import type { Measured } from '../recordings/source.ts';
import { digestOf } from '../queue/job-file.ts';
import type { NewJob, Spool } from '../queue/spool.ts';
import type { Holds } from './forward-holds.ts';
import { handedOver, handedOverBy } from './forward-origin.ts';
import type { Forwarder } from './forwarder.ts';
import type { Settlements } from './settlements.ts';

export type JobHandlers = Pick<
  RpcHandlers,
  'job.submit' | 'job.get' | 'job.list' | 'job.cancel' | 'job.settled'
>;

export interface JobHandlersOptions {
  readonly registry: Pick<Registry, 'get'>;
  /** Whom this node answers: the peer hands over what they ask for, and does not become them. */
  readonly permission: Permission;
  /** Those that this node serves. */
  readonly sources: { has(name: SourceName): boolean };
  readonly spool: Pick<
    Spool,
    'accept' | 'get' | 'read' | 'reopen' | 'stateOf' | 'positionOf' | 'ids' | 'open'
  >;
  /** This node's own. */
  readonly ledger: Pick<Ledger, 'accepted' | 'append'>;
  readonly audit: Audit;
  /** Of this node's disks: what they have no room for is refused. */
  readonly space: Pick<SpaceWatch, 'look'>;
  readonly holds: Holds;
  /** The worker's. @throws AppError `job.wrong-state` */
  readonly cancel: (id: string, options: { readonly told: boolean }) => Promise<void>;
  readonly noteSettled: Forwarder['noteSettled'];
  /** Null where nothing is reported to the peer. */
  readonly settlements: Pick<Settlements, 'withdraw'> | null;
}

/** What a node does with jobs for its peer. */
export function createJobHandlers(options: JobHandlersOptions): JobHandlers {
  const { spool, audit } = options;
  return {
    'job.submit': async (params, call) => submit(options, params, callerOf(call)),
    'job.get': async ({ id }) => ({ report: await report(options, id) }),
    'job.list': async (query, call) => {
      callerOf(call);
      const { jobs, total } = await ownAsked(spool, query);
      return { jobs: [...jobs], total };
    },
    'job.cancel': async ({ id, requester, told = false }, call) => {
      const by = callerOf(call);
      const job = spool.get(id);
      // One that came in here is for its requester and the people of this host: to the caller it is one that goes on.
      const isTheirs = requester === undefined && job !== undefined && handedOverBy(job) === by;
      const isAskers = requester !== undefined && job?.request.requester === requester;
      if (isTheirs || isAskers) {
        await audit.record({ event: 'job.cancelled', job: id, by, ...(isAskers ? { requester } : {}) });
        await cancelled(options, id, told);
      }
      return { report: await report(options, id) };
    },
    'job.settled': async (settled, call) => {
      const by = callerOf(call);
      return { kind: await options.noteSettled(settled, by) };
    },
  };
}

function callerOf({ caller }: RpcCall): string {
  if (caller !== null) return caller;
  throw new AppError('rpc.unauthenticated', 'only the peer hands jobs over', { retriable: true });
}

async function submit(
  options: JobHandlersOptions,
  params: RpcParams<'job.submit'>,
  by: string,
): Promise<RpcResult<'job.submit'>> {
  const { spool, holds } = options;
  const { id, digest, request, confirmed } = params;
  if (digestOf(request) !== digest) throw refused('the digest is not that of the request');
  const isKnown = spool.stateOf(id) !== undefined;
  if (confirmed) holds.release(id);
  const lane = isKnown ? 'recordings' : laneOf(options, params);
  const isNew = !isKnown && options.ledger.accepted(id) === null;
  // For good: its requester is told at once, instead of waiting for a disk that nobody may mend for days.
  if (isNew && lowDiskFaults(await options.space.look(), request.command, lane).length > 0) {
    throw new AppError(
      'node.disk-low',
      'its disk has too little room for new work: see node-ctl status there',
    );
  }
  if (!confirmed && !isKnown) holds.hold(id);
  let accepted: Awaited<ReturnType<Spool['accept']>>;
  try {
    const { source, generation = 0 } = params;
    const details = handedOver(by);
    accepted = await spool.accept({ id, door: 'rpc', lane, source, request, details, generation });
    await writeDown(options, id, request, digest, by);
  } catch (error) {
    holds.release(id);
    throw asProblem(error);
  }
  const { kind, job } = accepted;
  const again = job === null ? null : await takenUpAgain(options, job, params.generation ?? 0, by);
  const current = again ?? job;
  // Two that wait for one another would never end.
  if (current?.lane === 'forward' && current.outcome === null)
    throw refused('this node took it in too, and hands it over itself');
  const told = current === null ? purged(options, id) : reportOf(options, current);
  if (told === null) throw new AppError('rpc.unavailable', 'the job is gone again', { retriable: true });
  // The caller's confirmation waits for it; one that is out already does not.
  const measured = confirmed || current === null ? null : await foretell(options, current);
  return { kind, report: told, measured };
}

/** What the job's search will find, where that is known at once. */
async function foretell({ registry }: JobHandlersOptions, job: Job): Promise<Measured | null> {
  const command = registry.get(job.request.command);
  const params = command?.schema.safeParse(job.request.params);
  if (command?.foretell === undefined || params?.success !== true) return null;
  return command.foretell(params.data, new AbortController().signal);
}

/** A job that failed here, and that somebody there wants tried again; null where that is not so, or has been done. */
async function takenUpAgain(
  { spool, settlements, audit }: JobHandlersOptions,
  job: Job,
  generation: number,
  by: string,
): Promise<Job | null> {
  // Without an outcome it is one that a crash kept from being taken up again: only its document says so yet.
  const isOver = job.outcome !== null && generation <= job.generation;
  if (isOver || handedOverBy(job) !== by || spool.stateOf(job.id) !== 'failed') return null;
  // How it ended before must not end it there once more.
  await settlements?.withdraw(job.id);
  await audit.record({ event: 'job.retried', job: job.id, by });
  return spool.reopen(job.id, generation);
}

/** Where a job of the peer is worked. @throws AppError `job.refused`: what this node cannot do it does not take */
function laneOf(
  { registry, sources, permission }: JobHandlersOptions,
  { request, source }: RpcParams<'job.submit'>,
): NewJob['lane'] {
  if (request.requester !== null && !permission.allows(request.requester)) {
    throw refused('its requester is not on the WHITELIST of this node');
  }
  const command = registry.get(request.command);
  if (command === undefined || command.internal === true) {
    throw refused(`this node does not know the command ${request.command}`);
  }
  const params = command.schema.safeParse(request.params);
  if (!params.success) throw refused(`not the parameters of ${request.command}`);
  const { requester } = request;
  // An operator's search may be nobody's; what changes a server or a list is asked for by somebody.
  if (requester === null && source === null) throw refused('it names nobody who asks for it');
  const faults = [
    ...(command.recheck?.(params.data) ?? []),
    ...(requester === null ? [] : permission.faultsOf(requester, command, params.data)),
  ];
  if (faults.length > 0) {
    throw refused(
      `against the limits of this node: ${faults.map(({ field, code }) => `${field} ${code}`).join(', ')}`,
    );
  }
  const own = command.route(params.data);
  if ((own.source === null) !== (source === null))
    throw refused('a source where none is searched, or none where one is');
  // A job that was handed over is not handed on: two nodes that differ about a source would never stop.
  if (source !== null && !sources.has(source)) throw refused(`this node does not serve the source ${source}`);
  if (source === null && own.lane === 'forward') throw refused('this node would hand it back');
  return source === null ? own.lane : 'recordings';
}

/** Audit and ledger, as for a job of any other door; a crash before them is made good when the call is repeated. */
async function writeDown(
  { ledger, audit }: JobHandlersOptions,
  id: string,
  { requester, subject, command }: NewJob['request'],
  digest: string,
  by: string,
): Promise<void> {
  if (ledger.accepted(id) !== null) return;
  await audit.record({ event: 'rpc.accepted', job: id, from: requester, subject, command, by });
  await ledger.append({ job: id, digest, ...NOWHERE, outcome: 'accepted' });
}

/** A disk that fails is ours to mend; the caller tries again. */
function asProblem(error: unknown): unknown {
  const code = codeOf(error);
  if (code === 'spool.conflict') return new AppError('job.conflict', messageOf(error), { cause: error });
  if (code === 'job.invalid') return refused(messageOf(error));
  if (/^(spool|audit|ledger)\.unwritable$/.test(code)) {
    return new AppError('rpc.unavailable', messageOf(error), { retriable: true, cause: error });
  }
  return error;
}

function refused(why: string): AppError {
  return new AppError('job.refused', why);
}

async function report(options: JobHandlersOptions, id: string): Promise<JobReport | null> {
  const job = await options.spool.read(id);
  if (job !== null) return reportOf(options, job);
  return purged(options, id);
}

/** A job that only the ledger knows; null where it does not either. */
function purged({ ledger }: JobHandlersOptions, id: string): JobReport | null {
  const known = ledger.accepted(id);
  if (known === null) return null;
  return { id, digest: known.digest, state: null, position: null, lastError: null, outcome: null };
}

function reportOf({ spool }: JobHandlersOptions, job: Job): JobReport {
  const { id, digest, lastError, outcome } = job;
  const state = spool.stateOf(id) ?? null;
  return {
    ...{ id, digest, state },
    position: isOpen(state) ? spool.positionOf(job) : null,
    lastError:
      lastError === null ? null : { ...lastError, message: lastError.message.slice(0, MAX_TEXT_LENGTH) },
    // Decided and not yet filed: what follows from it may still fail.
    outcome: isOpen(state) ? null : outcome,
  };
}

async function cancelled({ cancel }: JobHandlersOptions, id: string, told: boolean): Promise<void> {
  try {
    await cancel(id, { told });
  } catch (error) {
    if (codeOf(error) === 'job.begun') throw refused(messageOf(error));
    if (codeOf(error) !== 'job.wrong-state') throw error; // ended meanwhile: it stays as it is
  }
}
