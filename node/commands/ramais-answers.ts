import type { Job } from '../../protocol/job.ts';
import type { People } from '../access/people.ts';
import type { Audit } from '../audit.ts';
import type { DeliveryStore } from '../delivery/deliveries.ts';
import type { Delivery, DeliveryAbout } from '../delivery/manifest.ts';
import type { Publisher } from '../delivery/publisher.ts';
import type { Links } from '../links/links.ts';
import { leftOutOf } from '../links/delivered.ts';
import { publishPages } from '../links/publish-pages.ts';
import type { Answers } from '../mail/answers.ts';
import type { FindResult, Nearby, RecordingSource } from '../recordings/source.ts';
import { nothingFoundMail } from '../replies/nothing-found.ts';
import { MAX_LISTED, resultMail } from '../replies/result.ts';
import type { CoverageView, JobView } from '../replies/views.ts';
import type { JobContext } from './command.ts';
import { refuseRevoked } from './ramais-delivery.ts';
import type { RamaisGrammar, RamaisParams } from './ramais-grammar.ts';
import { linksMadeEvent, linksOf } from './ramais-links.ts';

export interface Answering {
  readonly grammar: RamaisGrammar;
  readonly answers: Answers;
  readonly links: Links;
  readonly publisher: Publisher;
  readonly deliveries: DeliveryStore;
  readonly audit: Audit;
  readonly people: Pick<People, 'find'>;
  readonly timeZone: string;
  /** How long links open, from when their delivery is complete. */
  readonly linkHours: number;
}

/** A request, and what was found for it. */
export interface Worked {
  readonly job: Job;
  readonly params: RamaisParams;
  readonly context: JobContext;
  readonly source: RecordingSource;
  readonly found: FindResult;
}

/** Tells the requester that nothing was found, or that nothing of it could be delivered, and what is near. */
export async function answerNothing(
  services: Answering,
  worked: Worked,
  delivery: Delivery | null,
): Promise<void> {
  const { job, params, context, found } = worked;
  if (job.request.requester === null) return;
  // What was found and cannot be delivered is told of by itself.
  const nearby = found.recordings.length > 0 ? null : await nearbyOf(services, worked);
  const view = { ...viewOf(services, job, params), ...coverageOf(found, delivery), nearby };
  await services.answers.send(job, context, 'result', nothingFoundMail(view));
}

/** Makes the links and, where no node answers them, the page of a delivery, and sends them to the requester. */
export async function answerResult(
  services: Answering,
  { job, params, context, source, found }: Worked,
  delivery: Delivery,
  about: DeliveryAbout,
): Promise<void> {
  const { publisher, deliveries, links: maker } = services;
  if (maker.kind === 'presigned') {
    const linked = { job: job.id, wanted: Temporal.Instant.from(delivery.expiresAt), direct: source.direct };
    await publishPages(maker, linked, delivery, about, publisher, context.signal);
    // It may have been taken back meanwhile: then the page came too late to be removed with the rest.
    await refuseRevoked(deliveries, job, context.signal);
  }
  const { requester } = job.request;
  if (requester === null) return;
  // Of what was delivered by an earlier version its record does not tell what the page is to say.
  const hasPage = maker.kind === 'presigned' || deliveries.summary(job.id)?.about != null;
  const links = await linksOf(maker, delivery, source.direct, MAX_LISTED, hasPage);
  if (!isMailBegun(job, delivery, services.linkHours)) {
    const given = { to: requester, kind: maker.kind, publisher: publisher.name };
    await services.audit.record(linksMadeEvent(job, links, given));
  }
  const view = { ...viewOf(services, job, params), ...coverageOf(found, delivery), ...links };
  await services.answers.send(job, context, 'result', resultMail(view));
}

/** Whether an earlier attempt has begun to send the links of this delivery: the audit log has them then. */
function isMailBegun(job: Job, delivery: Delivery, linkHours: number): boolean {
  const begunAt = job.steps['mail:result']?.intentAt;
  if (begunAt === undefined) return false;
  const deliveredAt = Temporal.Instant.from(delivery.expiresAt).subtract({ hours: linkHours });
  return Temporal.Instant.compare(Temporal.Instant.from(begunAt), deliveredAt) >= 0;
}

/** What is near, told to those only who may know what there is of all servers. */
async function nearbyOf(
  services: Answering,
  { job, params, context, source }: Worked,
): Promise<Nearby | null> {
  if (isLimited(services, job)) return null;
  // Of who is not known any more nobody knows what they were limited to; an operator may have it searched for anybody.
  if (job.door !== 'control' && services.people.find(job.request.requester ?? '') === null) return null;
  context.progress('looking for what is near');
  const { extensions, start, end, server } = params;
  return source.nearby({ extensions, start, end, server }, context.signal);
}

/** Whether what there is of other servers is not for who asks. */
export function isLimited({ people }: Pick<Answering, 'people'>, { request }: Job): boolean {
  return request.requester !== null && people.find(request.requester)?.servers != null;
}

/** What every answer about a request says of it. */
export function viewOf(
  { timeZone, grammar }: Pick<Answering, 'timeZone' | 'grammar'>,
  job: Job,
  params: RamaisParams,
): JobView {
  const { subject, requester } = job.request;
  const { extensions, start, end, server } = params;
  return {
    request: { subject, requester, extensions, start, end, server },
    jobId: job.id,
    source: job.source ?? grammar.resolveSource(params),
    timeZone,
  };
}

/** What the page of a delivery, and whoever lists deliveries, says of what was asked for. */
export function aboutOf(services: Answering, { job, params, found }: Worked): DeliveryAbout {
  const { request, source, timeZone } = viewOf(services, job, params);
  const { subject, requester, start, end, server } = request;
  return {
    ...{ subject, requester, extensions: [...request.extensions], start, end, server, source, timeZone },
    ...{ narrowedByServer: found.narrowedByServer, unreadable: found.unreadable.length },
  };
}

function coverageOf(found: FindResult, delivery: Delivery | null): CoverageView {
  const leftOut = leftOutOf(delivery?.items ?? []);
  return { narrowedByServer: found.narrowedByServer, unreadable: found.unreadable.length, leftOut };
}
