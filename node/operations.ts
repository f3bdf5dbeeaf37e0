import { createHash, randomUUID } from 'node:crypto';
import { type Job, type Lane, MAX_SUBJECT_LENGTH, type SourceName } from '../protocol/job.ts';
import { isOpen } from '../protocol/messages.ts';
import type { Field } from './commands/command.ts';
import { lowDiskFaults } from './commands/low-disk.ts';
import type { RamaisGrammar, RamaisParams } from './commands/ramais-grammar.ts';
import type { Forwarder } from './forward/forwarder.ts';
import { type JobViewOptions, summaryOf, viewOf } from './job-view.ts';
import type { NodeControl, NodeStatus, RecordingsQuery } from './listeners/control-contract.ts';
import { idByPrefix } from './queue/id-prefix.ts';
import { AppError } from './platform/errors.ts';
import type { SpaceWatch } from './platform/space.ts';
import type { Spool } from './queue/spool.ts';
import { faultSentence } from './replies/fault-sentences.ts';

export interface OperationsOptions extends JobViewOptions {
  readonly grammar: RamaisGrammar;
  readonly timeZone: string;
  readonly lanes: readonly Lane[];
  readonly status: () => Promise<NodeStatus>;
  /** Pauses or resumes the taking of mails. */
  readonly ingest: { pause(): void; resume(): void };
  readonly space: SpaceWatch;
  /** Null for a node alone. */
  readonly forwarder: Forwarder | null;
}

type QueueControl = Pick<
  NodeControl,
  'status' | 'jobs' | 'job' | 'retry' | 'cancel' | 'pause' | 'resume' | 'search' | 'export'
>;

/** The queue in numbers. */
export function queueStatus({
  spool,
  worker,
  lanes,
}: Pick<OperationsOptions, 'spool' | 'worker' | 'lanes'>): NodeStatus['queue'] {
  return {
    paused: worker.paused(),
    lanes: lanes.map((lane) => {
      const jobs = spool.open(lane);
      const processing = jobs.filter(({ id }) => spool.stateOf(id) === 'processing').length;
      return { lane, pending: jobs.length - processing, processing };
    }),
    completed: spool.count('completed'),
    failed: spool.count('failed'),
  };
}

/** What node-ctl can have a node do with its queue. */
export function createOperations(options: OperationsOptions): QueueControl {
  const { spool, worker } = options;

  return {
    status: options.status,
    jobs: async ({ state, limit }) => {
      const ids = spool.ids(state).toReversed();
      const jobs = await Promise.all(ids.slice(0, limit).map((id) => readJob(spool, id)));
      return { jobs: jobs.map((job) => summaryOf(options, job)), total: ids.length };
    },
    job: async ({ id }) => viewOf(options, await readJob(spool, idByPrefix(spool.ids(null), id))),
    retry: async ({ id: prefix }) => {
      const id = idByPrefix(spool.ids(null), prefix);
      const state = spool.stateOf(id);
      if (state === 'failed') await spool.reopen(id);
      else if (state === 'pending') await spool.hurry(id);
      else
        throw new AppError(
          'job.wrong-state',
          `job ${id.slice(0, 8)} is ${state}: only a failed or waiting job can be retried`,
        );
      worker.kick((await readJob(spool, id)).lane);
      await options.record({ event: 'job.retried', job: id });
      return { id, message: `job ${id.slice(0, 8)} is tried again` };
    },
    cancel: async ({ id: prefix }) => {
      const id = idByPrefix(spool.ids(null), prefix);
      const state = spool.stateOf(id);
      if (!isOpen(state)) {
        throw new AppError('job.wrong-state', `job ${id.slice(0, 8)} has ended already`);
      }
      const job = spool.get(id);
      const elsewhere = job?.lane === 'forward' && (await options.forwarder?.cancel(job)) === true;
      if (!elsewhere) await worker.cancel(id);
      await options.record({ event: 'job.cancelled', job: id });
      return { id, message: `job ${id.slice(0, 8)} is being cancelled; its requester, if any, is told` };
    },
    pause: ({ what }) => {
      if (what === 'queue') worker.pause();
      else options.ingest.pause();
      return { message: `${what} is paused; it stays so until it is resumed or the node restarts` };
    },
    resume: ({ what }) => {
      if (what === 'queue') worker.resume();
      else options.ingest.resume();
      return { message: `${what} goes on` };
    },
    search: (params, signal) => search(options, params, params.limit, signal),
    export: async (params) => {
      const { params: ramais, source } = understand(options, params);
      if (params.email !== null && !/^[^\s@]+@[^\s@]+$/.test(params.email)) {
        throw new AppError(
          'request.invalid',
          `email: "${params.email}" is no address; example: pessoa@example.com`,
        );
      }
      if (lowDiskFaults(await options.space.look(), 'RAMAIS', 'recordings').length > 0) {
        const message = 'the disk has too little room for new work: free some, see node-ctl status';
        throw new AppError('node.disk-low', message);
      }
      const id = createHash('sha256').update(`control:${randomUUID()}`).digest('hex');
      await spool.accept({
        id,
        door: 'control',
        lane: 'recordings',
        source,
        request: {
          command: 'RAMAIS',
          params: { ...ramais },
          requester: params.email?.toLowerCase() ?? null,
          subject: options.grammar.subjectOf(ramais).slice(0, MAX_SUBJECT_LENGTH),
          messageId: null,
          references: [],
        },
      });
      await options.record({ event: 'request.accepted', job: id, params: ramais, requester: params.email });
      return { jobId: id, message: `job ${id.slice(0, 8)} is in the queue` };
    },
  };
}

async function readJob(spool: Spool, id: string): Promise<Job> {
  const job = await spool.read(id);
  if (job === null) throw new AppError('job.not-found', `there is no job ${id.slice(0, 8)}`);
  return job;
}

/** What an operator asks for, judged as a subject is. */
function understand(
  { grammar, sources }: OperationsOptions,
  query: RecordingsQuery,
): { readonly params: RamaisParams; readonly source: SourceName } {
  const fields: Field[] = [
    { key: 'RAMAIS', value: query.ramais },
    { key: 'INICIO', value: query.inicio },
    { key: 'FIM', value: query.fim },
    ...(query.server === null ? [] : [{ key: 'SERVER', value: query.server }]),
    ...(query.audiosFrom === null ? [] : [{ key: 'AUDIOS_FROM', value: query.audiosFrom }]),
  ];
  const parsed = grammar.parse(fields);
  if (!parsed.ok) {
    const lines = parsed.faults.map(
      (fault) => `${fault.field}: ${Object.values(faultSentence(fault)).join(' ')}`,
    );
    throw new AppError('request.invalid', [...lines, `as in: ${parsed.corrected ?? ''}`].join('\n'));
  }
  const source = grammar.resolveSource(parsed.params);
  if (!sources.has(source)) {
    const served = [...sources.keys()].join(', ');
    throw new AppError(
      'request.invalid',
      `AUDIOS_FROM: this node does not serve the source ${source}; it serves ${served}`,
    );
  }
  return { params: parsed.params, source };
}

async function search(
  options: OperationsOptions,
  query: RecordingsQuery,
  limit: number,
  signal: AbortSignal,
): Promise<Awaited<ReturnType<NodeControl['search']>>> {
  const { params, source: name } = understand(options, query);
  const source = options.sources.get(name);
  if (source === undefined) throw new AppError('recordings.not-served', `this node does not serve ${name}`);
  const { extensions, start, end, server } = params;
  const found = await source.find({ extensions, start, end, server }, signal);
  return {
    source: name,
    timeZone: options.timeZone,
    start,
    end,
    recordings: found.recordings.slice(0, limit),
    total: found.recordings.length,
    totalBytes: found.recordings.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    narrowedByServer: found.narrowedByServer,
    unreadable: [...found.unreadable],
  };
}
