import type { Job, SourceName } from '../../protocol/job.ts';
import type { Audit } from '../audit.ts';
import { deliver, recordingObject, zipObject } from '../delivery/deliver.ts';
import type { DeliveryStore } from '../delivery/delivery-store.ts';
import type { Delivery } from '../delivery/manifest.ts';
import type { Publisher } from '../delivery/publisher.ts';
import { handedOverBy } from '../forward/forward-origin.ts';
import { custodyOf, PEER_AWAY } from '../forward/forward-plan.ts';
import type { Forwarder } from '../forward/forwarder.ts';
import type { Answers } from '../mail/answers.ts';
import type { Clock } from '../platform/clock.ts';
import { AppError } from '../platform/errors.ts';
import type { FindResult, RecordingSource } from '../recordings/source.ts';
import { confirmationMail } from '../replies/confirmation.ts';
import { nothingFoundMail } from '../replies/nothing-found.ts';
import { resultMail } from '../replies/result.ts';
import { delayedMail } from '../replies/trouble.ts';
import type { CoverageView, JobView, RecordingView } from '../replies/views.ts';
import type { Command, Ending, JobContext } from './command.ts';
import type { RamaisGrammar, RamaisParams } from './ramais-grammar.ts';

/** Deliveries of one job: another one each time its links have grown too old before the mail could go out. */
const MAX_DELIVERIES = 100;
/** The most that PROCESSING_TIMEOUT can be: no delivery goes on longer. */
const MAX_WORK_HOURS = 24;
const MINUTES_PER_HOUR = 60;

export interface RamaisServices {
  readonly grammar: RamaisGrammar;
  /** The sources that this node serves. */
  readonly sources: ReadonlyMap<SourceName, RecordingSource>;
  /** Has the peer search what this node cannot; null for a node alone. */
  readonly forwarder: Forwarder | null;
  readonly publisher: Publisher;
  readonly deliveries: DeliveryStore;
  readonly answers: Answers;
  readonly audit: Audit;
  readonly clock: Clock;
  readonly timeZone: string;
  /** How long links open, from when their delivery is complete. */
  readonly linkHours: number;
}

/** RAMAIS: finds the recordings of extensions in a range and delivers them, each and in one ZIP. */
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
    route: (params) => {
      const source = grammar.resolveSource(params);
      return { lane: sources.has(source) || forwarder === null ? 'recordings' : 'forward', source };
    },
    confirm: async (job, params, context) => {
      // What the peer handed over, the peer has confirmed.
      if (job.request.requester === null || handedOverBy(job) !== null) return;
      const elsewhere = job.lane === 'forward' ? forwarder : null;
      if (elsewhere !== null && job.steps['mail:confirmation']?.doneAt != null) return;
      const position =
        elsewhere === null ? context.position() : await elsewhere.placement(job, context.signal);
      const view = { ...viewOf(job, params, services), position };
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

/** Tells the requester that the request waits for the other server. */
async function answerDelayed(
  services: RamaisServices,
  job: Job,
  params: RamaisParams,
  context: JobContext,
): Promise<void> {
  const { subject, requester } = job.request;
  if (requester === null) return;
  const { request, jobId, timeZone } = viewOf(job, params, services);
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
  context.progress(`${found.recordings.length} recordings found`);
  const delivery = await deliverOnce(services, job, context, source, found);
  if (delivery === null || delivery.zip === null) {
    await answerNothing(services, job, params, context, found, delivery);
    return {
      kind: 'nothing-found',
      summary: `no recording in ${source.name}, ${found.recordings.length} left out`,
    };
  }
  context.progress('sending the result');
  await answerResult(services, job, params, context, found, delivery);
  const { zip, items } = delivery;
  return {
    kind: 'done',
    summary: `${zip.count} of ${items.length} recordings, ZIP of ${zip.sizeBytes} bytes`,
  };
}

/**
 * Publishes what was found, once; what an earlier attempt has delivered stands, unless its links have lost half of
 * their time while the mail waited. Null where nothing was found.
 */
async function deliverOnce(
  services: RamaisServices,
  job: Job,
  context: JobContext,
  source: RecordingSource,
  { recordings }: FindResult,
): Promise<Delivery | null> {
  const { publisher, deliveries, clock, linkHours, audit } = services;
  if (recordings.length === 0 && job.steps['deliver'] === undefined) return null;
  const { signal, progress } = context;
  const perform = async (): Promise<true> => {
    // Until it is complete, it is kept for as long as it can take; then its links have their whole time.
    const provisional = clock.now().add({ hours: MAX_WORK_HOURS + linkHours });
    await deliveries.begin(job.id, provisional, signal);
    const input = { source, publisher, job: job.id, recordings, expiresAt: provisional, signal, progress };
    const delivered = await deliver(input);
    const delivery = { ...delivered, expiresAt: clock.now().add({ hours: linkHours }).toString() };
    const listed = delivery.items.flatMap(({ key, recording }) =>
      key === null ? [] : [{ key: recording.key, size: recording.sizeBytes }],
    );
    const event = { event: 'recordings.delivered', job: job.id, source: source.name, delivered: listed };
    await audit.record(event);
    await deliveries.save(delivery);
    return true;
  };
  const happened = async (): Promise<true | null> =>
    (await deliveries.alreadyDelivered(job.id, signal)) === null ? null : true;
  // Once its mail has gone out, a delivery stands as long as its links do.
  const mailed = job.steps['mail:result']?.doneAt != null;
  const minutes = mailed ? 1 : (linkHours * MINUTES_PER_HOUR) / 2;
  for (let round = 1; round <= MAX_DELIVERIES; round += 1) {
    await context.step(round === 1 ? 'deliver' : `deliver:${round}`, { happened, perform });
    const delivery = await deliveries.read(job.id);
    if (delivery !== null && lasts(delivery, clock.now().add({ minutes }))) return delivery;
  }
  throw new AppError('delivery.expired', 'the links died again and again before their mail could be sent');
}

function lasts({ expiresAt }: Delivery, until: Temporal.Instant): boolean {
  return Temporal.Instant.compare(Temporal.Instant.from(expiresAt), until) >= 0;
}

async function answerNothing(
  services: RamaisServices,
  job: Job,
  params: RamaisParams,
  context: JobContext,
  found: FindResult,
  delivery: Delivery | null,
): Promise<void> {
  if (job.request.requester === null) return;
  const view = { ...viewOf(job, params, services), ...coverageOf(found, delivery) };
  await services.answers.send(job, context, 'result', nothingFoundMail(view));
}

async function answerResult(
  services: RamaisServices,
  job: Job,
  params: RamaisParams,
  context: JobContext,
  found: FindResult,
  delivery: Delivery,
): Promise<void> {
  const { publisher } = services;
  if (job.request.requester === null || delivery.zip === null) return;
  const expiresAt = Temporal.Instant.from(delivery.expiresAt);
  const recordings: RecordingView[] = [];
  for (const { key, recording, fileName, fault } of delivery.items) {
    if (key === null) continue;
    const url = await publisher.link(recordingObject(job.id, fileName), expiresAt);
    const { startedAt, origin, destination, sizeBytes } = recording;
    recordings.push({ startedAt, origin, destination, sizeBytes, fileName, url, fault });
  }
  const { fileName, sizeBytes } = delivery.zip;
  const zip = { fileName, sizeBytes, url: await publisher.link(zipObject(job.id, fileName), expiresAt) };
  const view = {
    ...viewOf(job, params, services),
    ...coverageOf(found, delivery),
    recordings,
    zip,
    expiresAt,
  };
  await services.answers.send(job, context, 'result', resultMail(view));
}

function viewOf(job: Job, params: RamaisParams, { timeZone, grammar }: RamaisServices): JobView {
  const { subject, requester } = job.request;
  const { extensions, start, end, server } = params;
  return {
    request: { subject, requester, extensions, start, end, server },
    jobId: job.id,
    source: job.source ?? grammar.resolveSource(params),
    timeZone,
  };
}

function coverageOf(found: FindResult, delivery: Delivery | null): CoverageView {
  const leftOut = (delivery?.items ?? []).flatMap(({ key, fault, recording }) => {
    const { startedAt, origin, destination } = recording;
    return key === null && fault !== null ? [{ startedAt, origin, destination, fault }] : [];
  });
  return { narrowedByServer: found.narrowedByServer, unreadable: found.unreadable.length, leftOut };
}
