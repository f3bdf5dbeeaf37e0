import type { Job, SourceName } from '../../protocol/job.ts';
import type { Delivery } from '../delivery/manifest.ts';
import { handedOverBy, isResend } from '../forward/forward-origin.ts';
import { custodyOf, PEER_AWAY } from '../forward/forward-plan.ts';
import type { Forwarder } from '../forward/forwarder.ts';
import { AppError } from '../platform/errors.ts';
import { inTime } from '../platform/in-time.ts';
import type { Measured, RecordingSource } from '../recordings/source.ts';
import { confirmationMail } from '../replies/confirmation.ts';
import { delayedMail } from '../replies/trouble.ts';
import { askerOf } from './asker.ts';
import type { Command, Ending, JobContext } from './command.ts';
import { aboutOf, type Answering, answerNothing, answerResult, isLimited, viewOf } from './ramais-answers.ts';
import { type Delivering, deliverOnce } from './ramais-delivery.ts';
import type { RamaisParams } from './ramais-grammar.ts';

/** A confirmation waits so long for the numbers of its search; then it goes without them. */
const MEASURE_MS = 300;

export interface RamaisServices extends Delivering, Answering {
  /** The sources that this node serves. */
  readonly sources: ReadonlyMap<SourceName, RecordingSource>;
  /** Has the peer search what this node cannot; null for a node alone. */
  readonly forwarder: Forwarder | null;
}

/** RAMAIS: finds the recordings of extensions in a range and delivers them, each by itself and all in ZIPs. */
export function createRamais(services: RamaisServices): Command<RamaisParams> {
  const { grammar, sources, forwarder, answers } = services;

  return {
    keyword: 'RAMAIS',
    fields: grammar.fields,
    schema: grammar.schema,
    example: grammar.example,
    parse: (fields) => {
      const parsed = grammar.parse(fields);
      if (!parsed.ok) return parsed;
      const source = grammar.resolveSource(parsed.params);
      if (sources.has(source) || forwarder !== null) return parsed;
      const values = { value: source, known: [...sources.keys()].join(', ') };
      const elsewhere = { ...parsed.params, server: null, audiosFrom: [...sources.keys()][0] ?? null };
      return {
        ok: false,
        faults: [{ field: 'AUDIOS_FROM', code: 'source-not-served', values }],
        corrected: grammar.subjectOf(elsewhere),
      };
    },
    recheck: grammar.recheck,
    touches: ({ extensions, server }) => ({ extensions, servers: server === null ? null : [server] }),
    route: (params) => {
      const source = grammar.resolveSource(params);
      return { lane: sources.has(source) || forwarder === null ? 'recordings' : 'forward', source };
    },
    foretell: (params, signal) => foretell(services, params, signal),
    confirm: async (job, params, context) => {
      // What the peer handed over, the peer has confirmed.
      if (job.request.requester === null || handedOverBy(job) !== null || isResend(job)) return;
      const elsewhere = job.lane === 'forward' ? forwarder : null;
      if (elsewhere !== null && job.steps['mail:confirmation']?.doneAt != null) return;
      const told =
        elsewhere === null
          ? { position: context.position(), measured: await foretell(services, params, context.signal) }
          : await elsewhere.placement(job, context.signal);
      // What there is of other servers is not for who is limited to some; the search alone knows whether it was counted in.
      const measured = isLimited(services, job) ? null : told.measured;
      const view = { ...viewOf(services, job, params), ...told, measured };
      await answers.send(job, context, 'confirmation', confirmationMail(view));
      elsewhere?.confirmed(job);
    },
    work: async (job, params, context) => {
      if (job.lane === 'forward' && forwarder !== null) {
        return forwarder.work(job, context, () => answerDelayed(services, job, params, context));
      }
      // Handed over while there was a peer: that one answers it, and this node neither repeats it nor says that it failed.
      if (custodyOf(job) !== null) {
        return { kind: 'delivered', summary: 'handed over to a peer that this node no longer has' };
      }
      const source = job.source === null ? undefined : sources.get(job.source);
      if (source === undefined) {
        throw new AppError('recordings.not-served', `this node does not serve the source ${job.source}`);
      }
      return work(services, job, params, context, source);
    },
  };
}

/** What the search will find, where that is known at once. */
async function foretell(
  { grammar, sources, clock }: RamaisServices,
  params: RamaisParams,
  signal: AbortSignal,
): Promise<Measured | null> {
  const source = sources.get(grammar.resolveSource(params));
  if (source === undefined) return null;
  const { extensions, start, end, server } = params;
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  try {
    const measuring = source.measure({ extensions, start, end, server }, either);
    return await inTime(clock, MEASURE_MS, measuring, signal);
  } finally {
    over.abort();
  }
}

/** Tells the requester that the request waits for the other server. */
async function answerDelayed(
  services: RamaisServices,
  job: Job,
  params: RamaisParams,
  context: JobContext,
): Promise<void> {
  const { subject, requester } = job.request;
  if (requester === null) return;
  const { request, jobId, timeZone } = viewOf(services, job, params);
  const view = { request, subject, jobId, timeZone, code: PEER_AWAY, nextAttemptAt: null };
  await services.answers.send(job, context, 'delayed', delayedMail(view));
}

async function work(
  services: RamaisServices,
  job: Job,
  params: RamaisParams,
  context: JobContext,
  source: RecordingSource,
): Promise<Ending> {
  context.progress('searching');
  const { extensions, start, end, server } = params;
  const found = await source.find({ extensions, start, end, server }, context.signal);
  if (found.narrowedByServer === false) refuseOtherServers(services, job);
  context.progress(`${found.recordings.length} recordings found`);
  const worked = { job, params, context, source, found };
  const about = aboutOf(services, worked);
  const delivery = await deliverOnce(services, job, context, source, found.recordings, about);
  if (delivery === null || delivery.zips.length === 0) {
    await answerNothing(services, worked, delivery);
    return {
      kind: 'nothing-found',
      summary: `no recording in ${source.name}, ${found.recordings.length} left out`,
    };
  }
  context.progress('sending the result');
  await answerResult(services, worked, delivery, about);
  return { kind: 'done', summary: summaryOf(delivery) };
}

/** Where recordings do not tell servers apart, those of all are found: not for somebody who is limited to some. */
function refuseOtherServers({ people }: RamaisServices, job: Job): void {
  if (job.door === 'control' || job.request.requester === null) return;
  // Of who was removed since nobody knows what they were limited to.
  const person = askerOf(people, job);
  if (person.role === 'admin' || person.servers === null) return;
  throw new AppError(
    'access.not-narrowed',
    'its requester is limited to servers, and these recordings do not tell servers apart',
  );
}

function summaryOf({ zips, items }: Delivery): string {
  const count = zips.reduce((sum, zip) => sum + zip.count, 0);
  const bytes = zips.reduce((sum, zip) => sum + zip.sizeBytes, 0);
  const parts = zips.length === 1 ? 'ZIP' : `${zips.length} ZIPs`;
  return `${count} of ${items.length} recordings, ${parts} of ${bytes} bytes`;
}
