import type { Job, Lane } from '../../protocol/job.ts';
import { type AskedJob, isOpen, MAX_JOB_PAGE } from '../../protocol/messages.ts';
import { handedOverBy } from '../forward/forward-origin.ts';
import { custodyOf } from '../forward/forward-plan.ts';
import type { Peer } from '../peer/peer.ts';
import { mapBounded } from '../platform/concurrency.ts';
import { codeOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import type { Spool } from '../queue/spool.ts';
import type { AskedJobView } from '../replies/command-views.ts';

/** What takes its time; what only answers is gone before anybody could ask for it. */
const ASKED_LANES: readonly Lane[] = ['forward', 'recordings', 'servers'];
const CALL_TIMEOUT_MS = 3_000;
/** Jobs that the peer works, of which their place there is asked for one list. */
const MAX_PLACED = 30;
const PLACED_AT_ONCE = 4;

/** Whose jobs, and which of them. */
export interface AskedQuery {
  /** In lower case; null for everybody's. */
  readonly requester: string | null;
  /** The beginning of an id, for ended ones too; null for all that are open. */
  readonly prefix: string | null;
}

export interface Asked {
  /** The newest first, at most MAX_JOB_PAGE. */
  readonly jobs: readonly AskedJob[];
  /** How many there are in all. */
  readonly total: number;
}

/** A job, and the node it came in at. */
export type PlacedJob = AskedJob & { readonly here: boolean };

type AskedSpool = Pick<Spool, 'ids' | 'open' | 'read' | 'stateOf' | 'positionOf'>;

/** What people asked of this node: what came in here, without the node's own answers. */
export async function ownAsked(spool: AskedSpool, { requester, prefix }: AskedQuery): Promise<Asked> {
  const found =
    prefix === null ? ASKED_LANES.flatMap((lane) => spool.open(lane)) : await beginning(spool, prefix);
  const jobs = found
    .filter((job) => ASKED_LANES.includes(job.lane) && job.door !== 'rpc' && handedOverBy(job) === null)
    .filter((job) => requester === null || job.request.requester === requester)
    .toSorted((a, b) => b.sequence - a.sequence);
  return { jobs: jobs.slice(0, MAX_JOB_PAGE).map((job) => askedJob(spool, job)), total: jobs.length };
}

async function beginning(spool: AskedSpool, prefix: string): Promise<Job[]> {
  const ids = spool.ids(null).filter((id) => id.startsWith(prefix));
  const jobs: Job[] = [];
  for (const id of ids.toReversed()) {
    const job = await spool.read(id);
    if (job !== null) jobs.push(job);
  }
  return jobs;
}

function askedJob(spool: AskedSpool, job: Job): AskedJob {
  const { id, request, source, acceptedAt } = job;
  const state = spool.stateOf(id) ?? 'completed';
  return {
    ...{ id, request, source, state, acceptedAt },
    // In the lane `forward` nobody waits for another: its place is one at the peer. What waits for its time, as for a
    // server that is away, has none either.
    position:
      isOpen(state) && job.lane !== 'forward' && job.notBefore === null ? spool.positionOf(job) : null,
    outcome: isOpen(state) ? null : job.outcome,
  };
}

export interface AskedJobsOptions {
  readonly spool: AskedSpool & Pick<Spool, 'get'>;
  /** Null for a node without a peer that can be asked. */
  readonly peer: Pick<Peer, 'call'> | null;
  readonly log: Log;
}

/** What people asked of either node. */
export interface AskedJobs {
  /** The newest first; `complete` is false where the peer did not say what it has. */
  find(
    query: AskedQuery,
    signal: AbortSignal,
  ): Promise<{ readonly jobs: readonly PlacedJob[]; readonly total: number; readonly complete: boolean }>;
  /** The same jobs with the places that the peer gives to those that it works. */
  placed(jobs: readonly PlacedJob[], signal: AbortSignal): Promise<readonly PlacedJob[]>;
}

export function createAskedJobs({ spool, peer, log }: AskedJobsOptions): AskedJobs {
  const options = (signal: AbortSignal) => ({ timeoutMs: CALL_TIMEOUT_MS, signal });

  /** An answer of the peer, or null where it gives none: that is then told. */
  const ask = async <T>(what: string, call: Promise<T>, signal: AbortSignal): Promise<T | null> => {
    try {
      return await call;
    } catch (error) {
      signal.throwIfAborted();
      log.info(`the peer did not tell ${what}`, { code: codeOf(error) });
      return null;
    }
  };

  return {
    find: async (query, signal) => {
      const own = await ownAsked(spool, query);
      const here = own.jobs.map((job) => ({ ...job, here: true }));
      if (peer === null) return { jobs: here, total: own.total, complete: true };
      const theirs = await ask('its jobs', peer.call('job.list', query, options(signal)), signal);
      const known = new Set(here.map(({ id }) => id));
      const there = (theirs?.jobs ?? []).filter(({ id }) => !known.has(id));
      const jobs = [...here, ...there.map((job) => ({ ...job, here: false }))].toSorted((a, b) =>
        Temporal.Instant.compare(Temporal.Instant.from(b.acceptedAt), Temporal.Instant.from(a.acceptedAt)),
      );
      return { jobs, total: own.total + (theirs?.total ?? 0), complete: theirs !== null };
    },
    placed: async (jobs, signal) => {
      const atPeer = jobs.filter((job) => job.here && custodyOf(spool.get(job.id)) !== null);
      if (peer === null || atPeer.length === 0) return jobs;
      const reports = await mapBounded(atPeer.slice(0, MAX_PLACED), PLACED_AT_ONCE, ({ id }) =>
        ask('how a job is', peer.call('job.get', { id }, options(signal)), signal),
      );
      const places = new Map(
        reports.flatMap((answer) => (answer?.report == null ? [] : [[answer.report.id, answer.report]])),
      );
      return jobs.map((job) => {
        const { state, position = null } = places.get(job.id) ?? {};
        return isOpen(state) ? { ...job, state, position } : job;
      });
    },
  };
}

/** A job as mails show it. */
export function askedView({ id, request, acceptedAt, state, position, outcome }: AskedJob): AskedJobView {
  return {
    jobId: id,
    subject: request.subject,
    requester: request.requester,
    acceptedAt: Temporal.Instant.from(acceptedAt),
    state,
    position,
    ended: outcome?.kind ?? null,
  };
}
