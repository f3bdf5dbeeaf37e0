import type { Job, SourceName } from '../protocol/job.ts';
import { isOpen } from '../protocol/messages.ts';
import type { AuditEvent } from './audit.ts';
import { type DeliveryLinks, linksMadeEvent, linksOf } from './commands/ramais-links.ts';
import type { DeliveryStore } from './delivery/deliveries.ts';
import { pageName } from './delivery/page-name.ts';
import type { Publisher } from './delivery/publisher.ts';
import type { Links } from './links/links.ts';
import type { JobSummary, JobView } from './listeners/control-contract.ts';
import { AppError } from './platform/errors.ts';
import type { Spool } from './queue/spool.ts';
import type { Worker } from './queue/worker.ts';
import type { RecordingSource } from './recordings/source.ts';

/** Links of one job that an operator is shown, besides its ZIPs. */
const MAX_LINKED_RECORDINGS = 1_000;

export interface JobViewOptions {
  readonly spool: Spool;
  readonly worker: Worker;
  readonly sources: ReadonlyMap<SourceName, RecordingSource>;
  readonly publisher: Publisher;
  readonly links: Links;
  readonly deliveries: DeliveryStore;
  /** Puts what an operator has done into the audit log. */
  readonly record: (event: AuditEvent) => Promise<void>;
}

/** A job as a list shows it. */
export function summaryOf({ spool, worker }: Pick<JobViewOptions, 'spool' | 'worker'>, job: Job): JobSummary {
  const { id, lane, door, source, acceptedAt, attempts, notBefore, lastError, outcome } = job;
  const { command, subject, requester } = job.request;
  const state = spool.stateOf(id) ?? 'completed';
  return {
    ...{ id, state, lane, command, subject, requester, door, source },
    ...{ acceptedAt, attempts, notBefore, lastError, outcome },
    position: isOpen(state) ? spool.positionOf(job) : null,
    progress: worker.progressOf(id),
  };
}

/** A job in full. The links that it shows are audited as given to `node-ctl`. */
export async function viewOf(options: JobViewOptions, job: Job): Promise<JobView> {
  const links = await linksTo(options, job);
  return {
    ...summaryOf(options, job),
    acceptedBy: job.acceptedBy,
    params: job.request.params,
    steps: Object.entries(job.steps).map(([name, { intentAt, doneAt }]) => ({ name, intentAt, doneAt })),
    links: links === null ? [] : shownLinks(links),
    linksExpireAt: links?.expiresAt.toString() ?? null,
    linksRevokedAt: options.deliveries.summary(job.id)?.revokedAt?.toString() ?? null,
  };
}

/** The page with all recordings, the ZIPs, then each recording. */
function shownLinks({ pageUrl, zips, recordings }: DeliveryLinks): JobView['links'] {
  const files = [...zips, ...recordings].flatMap(({ fileName, url, sizeBytes }) =>
    url === null ? [] : [{ name: fileName, url, sizeBytes }],
  );
  return pageUrl === null ? files : [{ name: pageName(1), url: pageUrl, sizeBytes: null }, ...files];
}

/**
 * Links to what was delivered; null where there are none to be made: they have died and it is swept soon, or nothing
 * signs them now, which the warnings of the status tell. A job is shown all the same.
 */
async function linksTo(options: JobViewOptions, job: Job): Promise<DeliveryLinks | null> {
  const { links, publisher, deliveries, sources, record } = options;
  const delivery = await deliveries.read(job.id);
  const direct = job.source === null ? null : (sources.get(job.source)?.direct ?? null);
  if (delivery === null) return null;
  let made: DeliveryLinks;
  try {
    // One of before there were pages has none.
    const hasPage = deliveries.summary(job.id)?.about != null;
    made = await linksOf(links, delivery, direct, MAX_LINKED_RECORDINGS, hasPage);
  } catch (error) {
    if (error instanceof AppError) return null;
    throw error;
  }
  const { name } = publisher;
  await record(linksMadeEvent(job, made, { to: 'node-ctl', kind: links.kind, publisher: name }));
  return made;
}
