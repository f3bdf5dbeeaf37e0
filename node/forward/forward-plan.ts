import type { Job } from '../../protocol/job.ts';
import type { JobReport } from '../../protocol/messages.ts';
import type { Ending } from '../commands/command.ts';
import type { PeerContact } from '../peer/peer.ts';
import { backoffMs, PEER_BACKOFF } from '../queue/backoff.ts';
import { isResend } from './forward-origin.ts';

/** Code of a job that the peer could not be given either way: it waits. */
export const PEER_AWAY = 'peer.away';
/** The step of a job at which it becomes the peer's. */
export const CUSTODY_STEP = 'submit';
/** The step of RAMAIS at which its confirmation goes out. */
const CONFIRMATION_STEP = 'mail:confirmation';

/** What the peer said of a job that it took: its place in the lane there, and what its search will find. */
export type Placement = { position: number | null; measured: { count: number; bytes: number } | null };
/** How a job became the peer's, and what that said of it. */
export type Custody = Placement & { way: 'rpc' | 'drop' };

/** How often a call is tried, and for how long in all. */
export interface Tries {
  readonly count: number;
  readonly totalMs: number;
}

const FULL: Tries = { count: 3, totalMs: 2_500 };
const SHORT: Tries = { count: 1, totalMs: 500 };
const NONE: Tries = { count: 0, totalMs: 0 };
/** A failure older than this says nothing about now. */
const FORGOTTEN_MS = 30_000;
/** So soon after a failure nothing has changed: a lane of 200 jobs does not ask 200 times. */
const JUST_NOW_MS = 1_000;

/** Between two tries of the lane while the peer takes nothing: the first that goes well has all others tried at once. */
const SPREAD_MS = 200;
const MAX_SPREAD_MS = 60_000;

const MIN_FOLLOW_UP_MS = 5_000;
const MAX_FOLLOW_UP_MS = 300_000;
/** A dropped file is taken within some seconds; one unknown for so long was lost. */
const DROP_GRACE_MS = 60_000;
const DAY_MS = 86_400_000;
/** A peer that has had a job for so long without a word on its end will not give one. */
const UNSETTLED_MS = 7 * DAY_MS;
/** A peer that could not be reached for so long is not coming back: the requester is to know. */
const GIVE_UP_MS = 14 * DAY_MS;
/** And not before so many tries, a quarter of an hour of them: this node may have been off so long, or its clock wrong. */
const GIVE_UP_TRIES = 30;
/** From then on a requester wonders. */
const LATE_MS = 15 * 60_000;

/** How hard the peer is tried, by how it answered last. */
export function triesFor({ lastError }: PeerContact, now: Temporal.Instant): Tries {
  if (lastError === null) return FULL;
  const agoMs = now.epochMilliseconds - lastError.at.epochMilliseconds;
  if (agoMs >= FORGOTTEN_MS || agoMs < 0) return FULL;
  return agoMs < JUST_NOW_MS ? NONE : SHORT;
}

/** Whether the peer did not answer seconds ago: nobody waits for it then. */
export function isCircuitOpen(contact: PeerContact, now: Temporal.Instant): boolean {
  return triesFor(contact, now) !== FULL;
}

/** The peer's custody of a job; null while the job is this node's. */
export function custodyOf(job: Job | undefined): (Custody & { readonly since: Temporal.Instant }) | null {
  const step = job?.steps[CUSTODY_STEP];
  if (step?.doneAt == null) return null;
  // Those of before 'measured' was kept have none.
  const { way, position, measured = null } = step.result as Omit<Custody, 'measured'> & Partial<Custody>;
  return { way, position, measured, since: Temporal.Instant.from(step.doneAt) };
}

/** Whether the requester knows that the job was taken, or is not to be told. */
export function isConfirmed(job: Job | undefined): boolean {
  if (job !== undefined && isResend(job)) return true;
  return job?.request.requester === null || job?.steps[CONFIRMATION_STEP]?.doneAt != null;
}

/** Until a job that the peer has is looked at again: half as long again as it has had it. */
export function followUpMs(elapsedMs: number): number {
  return Math.min(MAX_FOLLOW_UP_MS, Math.max(MIN_FOLLOW_UP_MS, elapsedMs / 2));
}

/** Until a job that the peer could not be given is tried again: longer with each try, and with each job that waits. */
export function retryMs(tries: number, waiting: number, random: () => number): number {
  const spreadMs = Math.min(MAX_SPREAD_MS, waiting * SPREAD_MS);
  return Math.max(spreadMs, backoffMs(tries, PEER_BACKOFF, random));
}

/** How long a job has waited for the peer to take it; a resend that a person asked for begins anew. */
export function waitedMs(job: Job, now: Temporal.Instant): number {
  const begun = job.steps[CUSTODY_STEP]?.intentAt ?? job.acceptedAt;
  const since = Temporal.Instant.from(job.generation === 0 ? job.acceptedAt : begun);
  return now.epochMilliseconds - since.epochMilliseconds;
}

/** What a wait of this length, with so many tries, calls for. */
export function patience(ms: number, tries: number): 'wait' | 'tell' | 'give-up' {
  if (ms >= GIVE_UP_MS && tries >= GIVE_UP_TRIES) return 'give-up';
  return ms >= LATE_MS ? 'tell' : 'wait';
}

/** What is known of a job that the peer has: its word, that it knows no such job (null), or no answer. */
export type Word = JobReport | null | 'no-answer';

export type Verdict =
  | { readonly kind: 'ended'; readonly ending: Ending }
  | { readonly kind: 'wait'; readonly summary: string }
  | { readonly kind: 'submit-again' }
  | { readonly kind: 'conflict' };

/** What follows from what the peer says of a job that it has had for so long. */
export function judge(
  peerId: string,
  word: Word,
  {
    way,
    digest,
    elapsedMs,
  }: { readonly way: Custody['way']; readonly digest: string; readonly elapsedMs: number },
): Verdict {
  if (word !== null && word !== 'no-answer') {
    if (word.digest !== null && word.digest !== digest) return { kind: 'conflict' };
    if (word.outcome !== null) return { kind: 'ended', ending: { ...word.outcome, by: peerId } };
    if (word.state === null) return delivered(`${peerId} has dealt with it and no longer keeps how it ended`);
  }
  // However long ago it was handed over: what the peer does not know it is not going to do.
  if (word === null) {
    if (way === 'rpc' || elapsedMs >= DROP_GRACE_MS) return { kind: 'submit-again' };
    return { kind: 'wait', summary: `dropped at ${peerId}, which has not taken it yet` };
  }
  if (elapsedMs >= UNSETTLED_MS) {
    return delivered(`${peerId} has had it for seven days and has not said how it ended`);
  }
  if (word === 'no-answer') return { kind: 'wait', summary: `with ${peerId}, which does not answer now` };
  const place = word.position === null ? '' : `, position ${word.position}`;
  return { kind: 'wait', summary: `${word.state} at ${peerId}${place}` };
}

function delivered(summary: string): Verdict {
  return { kind: 'ended', ending: { kind: 'delivered', summary } };
}
