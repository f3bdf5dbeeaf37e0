import * as z from 'zod';
import { type SourceName, sourceNameSchema } from '../../protocol/job.ts';
import type { Audit } from '../audit.ts';
import type { DeliveryStore, DeliverySummary } from '../delivery/deliveries.ts';
import { deliveredOf, directOf } from '../links/delivered.ts';
import { type Links, PRESIGNED_MINUTES } from '../links/links.ts';
import { AppError, messageOf } from '../platform/errors.ts';
import { idByPrefix, notFound } from '../queue/id-prefix.ts';
import type { RecordingSource } from '../recordings/source.ts';
import { type HandlersOf, idPrefixOf } from './control-table.ts';

const MAX_LISTED = 500;
/** Deliveries whose ids begin alike, to choose one from. */
const MAX_ALIKE = 100;

const count = z.int().nonnegative();
/** An instant as RFC 3339 text. */
const instant = z.string();
const idPrefix = idPrefixOf('a job');

/** A delivery, and what its links came to. */
export const deliveryViewSchema = z.object({
  job: z.string(),
  state: z.enum(['begun', 'open', 'expired', 'revoked', 'elsewhere']),
  /** What was asked for; null for deliveries of before this was kept. */
  subject: z.string().nullable(),
  requester: z.string().nullable(),
  source: sourceNameSchema.nullable(),
  expiresAt: instant,
  revokedAt: instant.nullable(),
  recordings: count,
  zips: count,
  totalBytes: count,
  /** How often its links were opened; null where the bucket answers them, and nobody knows. */
  opened: count.nullable(),
  lastOpenedAt: instant.nullable(),
});
export type DeliveryView = z.infer<typeof deliveryViewSchema>;

/** The calls about links, for the table of all. */
export const LINK_METHODS = {
  /** Deliveries, the youngest first; `all`: those too whose links open nothing any more. `total` counts all that match. */
  links: {
    params: z.strictObject({ all: z.boolean(), limit: z.int().min(1).max(MAX_LISTED) }),
    result: z.object({ deliveries: z.array(deliveryViewSchema), total: count }),
  },
  /** One delivery, before it is revoked. */
  link: { params: z.strictObject({ id: idPrefix }), result: deliveryViewSchema },
  /** Takes a delivery back: its links stop, and what was published for it is removed. */
  linkRevoke: {
    params: z.strictObject({ id: idPrefix }),
    result: z.object({
      id: z.string(),
      message: z.string(),
      /** What cannot be taken back, and until when it opens. */
      notes: z.array(z.string()),
    }),
  },
} as const;

export type LinkControl = HandlersOf<typeof LINK_METHODS>;

export interface LinkControlOptions {
  readonly deliveries: DeliveryStore;
  readonly links: Pick<Links, 'kind'>;
  readonly sources: ReadonlyMap<SourceName, RecordingSource>;
  readonly audit: Pick<Audit, 'record'>;
  readonly clock: { now(): Temporal.Instant };
}

/** What node-ctl can have a node do about the links it gave. */
export function createLinkControl(options: LinkControlOptions): LinkControl {
  const { deliveries } = options;
  return {
    links: async ({ all, limit }) => {
      const found = deliveries.list({ open: !all, limit });
      return { deliveries: found.deliveries.map((one) => viewOf(options, one)), total: found.total };
    },
    link: async ({ id }) => viewOf(options, named(deliveries, id)),
    linkRevoke: ({ id }, signal) => revoke(options, named(deliveries, id), signal),
  };
}

/** @throws AppError `job.not-found`, `job.ambiguous` */
function named(deliveries: DeliveryStore, prefix: string): DeliverySummary {
  const names = { one: 'delivery', many: 'deliveries', hint: ': node-ctl link list --all shows them' };
  const job = idByPrefix(deliveries.jobsWith(prefix, MAX_ALIKE), prefix, names);
  const found = deliveries.summary(job);
  if (found === null) throw notFound(prefix, names);
  return found;
}

async function revoke(
  { deliveries, links, sources, audit, clock }: LinkControlOptions,
  before: DeliverySummary,
  signal: AbortSignal,
) {
  const { job } = before;
  const short = job.slice(0, 8);
  if (before.state === 'begun') {
    throw new AppError(
      'job.wrong-state',
      `nobody has links to ${short} yet: it is not delivered whole; node-ctl queue cancel ${short} gives its job up`,
    );
  }
  const notes = await stillOpen(deliveries, links, sources, before, clock.now());
  const told = {
    event: 'links.revoked',
    job,
    by: 'node-ctl',
    recordings: before.recordings,
    zips: before.zips,
  };
  // Told before anything is removed: that may take minutes, and a crash meanwhile is not to leave it out.
  const taken = (): Promise<void> => audit.record({ ...told, removed: false, notes });
  try {
    await deliveries.revoke(job, signal, taken);
  } catch (error) {
    if (deliveries.summary(job)?.state !== 'revoked') throw error;
    const left =
      links.kind === 'node' ? 'its links open nothing any more, but' : 'its links still open what is left:';
    throw new AppError(
      'delivery.not-removed',
      `${short} is revoked; ${left} what was published could not be removed (${messageOf(error)}). ` +
        'The same command again removes it; so does the next sweep, within minutes.',
      { retriable: true, cause: error },
    );
  }
  await audit.record({ ...told, removed: true, notes });
  const message = `the links of ${short} are revoked, and what was published for them is removed`;
  return { id: job, message, notes };
}

/** Recordings that are heard where they lie open by links of their bucket, which nobody can take back. */
async function stillOpen(
  deliveries: DeliveryStore,
  links: Pick<Links, 'kind'>,
  sources: LinkControlOptions['sources'],
  { job, about, expiresAt }: DeliverySummary,
  now: Temporal.Instant,
): Promise<string[]> {
  if (directOf(sources, about?.source ?? null) === null) return [];
  const delivery = await deliveries.read(job);
  const direct = deliveredOf(delivery?.items ?? []).filter((item) => item.direct === true).length;
  if (direct === 0 || Temporal.Instant.compare(expiresAt, now) <= 0) return [];
  const what = direct === 1 ? '1 recording is' : `${direct} recordings are`;
  const where = `${what} heard where it lies in the bucket of the source, by presigned links that nobody can take back`;
  if (links.kind === 'presigned') return [`${where}: they open until ${expiresAt.toString()}`];
  const end = now.add({ minutes: PRESIGNED_MINUTES });
  const latest = Temporal.Instant.compare(end, expiresAt) <= 0 ? end : expiresAt;
  return [`${where}: who was led to one of them in the last hour can open it until ${latest.toString()}`];
}

function viewOf({ links, clock }: LinkControlOptions, one: DeliverySummary): DeliveryView {
  const { job, about, expiresAt, revokedAt, recordings, zips, totalBytes, opened, lastOpenedAt } = one;
  const isOver = one.state === 'open' && Temporal.Instant.compare(expiresAt, clock.now()) <= 0;
  return {
    ...{ job, state: isOver ? ('expired' as const) : one.state, recordings, zips, totalBytes },
    subject: about?.subject ?? null,
    requester: about?.requester ?? null,
    source: about?.source ?? null,
    expiresAt: expiresAt.toString(),
    revokedAt: revokedAt?.toString() ?? null,
    opened: links.kind === 'presigned' ? null : opened,
    lastOpenedAt: lastOpenedAt?.toString() ?? null,
  };
}
