import type { Job } from '../../protocol/job.ts';
import type { RpcResult } from '../../protocol/methods.ts';
import type { Audit } from '../audit.ts';
import type { Ending, JobContext, Waiting } from '../commands/command.ts';
import { AppError, codeOf, isRetriable, messageOf } from '../platform/errors.ts';
import { inTime } from '../platform/in-time.ts';
import type { Spool } from '../queue/spool.ts';
import { repeatable } from '../queue/steps.ts';
import { createHandOver, type HandOverOptions } from './forward-hand-over.ts';
import { createOutage, hurry } from './forward-outage.ts';
import {
  CUSTODY_STEP,
  type Custody,
  custodyOf,
  followUpMs,
  isCircuitOpen,
  isConfirmed,
  judge,
  patience,
  PEER_AWAY,
  type Placement,
  retryMs,
  triesFor,
  waitedMs,
  type Word,
} from './forward-plan.ts';
import { noteSettled, type Settled } from './forward-settled.ts';

/** A confirmation waits so long for the first try: then it says what is known. */
const PLACEMENT_MS = 2_000;
const FOLLOW_UP_TIMEOUT_MS = 2_000;
/** What a person waits for at a terminal, and what nobody waits for. */
const CANCEL_TIMEOUT_MS = 5_000;
const RELEASE_TIMEOUT_MS = 2_000;
const MIN_WAIT_MS = 5_000;

/** Has the peer work jobs of this node. */
export interface Forwarder {
  /**
   * One attempt at a job of the lane `forward`: hands it over, or asks how it is. `tellDelayed` is called where the
   * requester is to know that it waits; it sends that mail once. @throws AppError where the peer refuses for good
   */
  work(job: Job, context: JobContext, tellDelayed: () => Promise<void>): Promise<Ending | Waiting>;
  /** What the peer said of the job; waits up to two seconds for the first try. Nulls where it has not said it. */
  placement(job: Job, signal: AbortSignal): Promise<Placement>;
  /** Says that a job's confirmation is out, so that the peer may begin; nobody waits for it. */
  confirmed(job: Job): void;
  /**
   * Cancels a job where it is worked; false where this node still has it, to be cancelled here. Its requester gets a
   * mail about it, unless `told` says that they know.
   * @throws AppError `peer.unreachable` and others where the peer does not answer
   */
  cancel(job: Job, options?: { readonly told: boolean }): Promise<boolean>;
  /** Takes the peer's word on how a job ended; durable when it resolves. @throws AppError `job.conflict` */
  noteSettled(settled: Settled, by: string): Promise<RpcResult<'job.settled'>['kind']>;
  /** Told when jobs of the lane have become ready outside their time. */
  onReady(listener: () => void): void;
  /** Ends what nobody waits for. */
  close(): Promise<void>;
}

export interface ForwarderOptions extends HandOverOptions {
  readonly spool: Pick<Spool, 'accept' | 'get' | 'read' | 'open' | 'conclude' | 'hurry'>;
  readonly audit: Audit;
}

export function createForwarder(options: ForwarderOptions): Forwarder {
  const { peerId, peer, spool, clock, log } = options;
  const hands = createHandOver(options);
  const closing = new AbortController();
  const background = new Set<Promise<void>>();
  const listeners = new Set<() => void>();
  /** Confirmations that wait for the first try of their job. */
  const firstTries = new Map<string, PromiseWithResolvers<void>>();
  const outage = createOutage(peerId, spool);

  const ready = (): void => {
    for (const listener of listeners) listener();
  };
  const inBackground = (what: string, act: () => Promise<unknown>): void => {
    const done: Promise<void> = act()
      .then(() => undefined)
      .catch((error: unknown) =>
        log.debug(`${what} failed`, { code: codeOf(error), reason: messageOf(error) }),
      )
      .finally(() => background.delete(done));
    background.add(done);
  };
  const fromNow = (ms: number): Temporal.Instant => clock.now().add({ milliseconds: Math.round(ms) });

  function release(job: Job): void {
    inBackground('telling the peer of a confirmation', () =>
      hands.submit(job, true, RELEASE_TIMEOUT_MS, closing.signal),
    );
  }

  /** Puts a job into the peer's hands; the step's effect. */
  async function perform(job: Job, signal: AbortSignal): Promise<Custody> {
    const confirmed = isConfirmed(spool.get(job.id));
    const custody = await hands.handOver(job, confirmed, signal);
    await options.audit.record({ event: 'job.forwarded', job: job.id, to: peerId, way: custody.way });
    // Its confirmation went out while the call was on its way.
    if (custody.way === 'rpc' && !confirmed && isConfirmed(spool.get(job.id))) release(job);
    return custody;
  }

  async function begin(
    job: Job,
    context: JobContext,
    tellDelayed: () => Promise<void>,
  ): Promise<Ending | Waiting> {
    context.progress(`handing over to ${peerId}`);
    try {
      // An intent without its done is simply tried again: the peer knows a job by its id, whichever way it comes.
      const effect = repeatable(() => perform(job, context.signal));
      const { way } = await context.step<Custody>(CUSTODY_STEP, effect);
      if (await outage.over()) ready();
      if (peer === null) return dropped();
      return { kind: 'waiting', notBefore: fromNow(followUpMs(0)), summary: `${peerId} has it, by ${way}` };
    } catch (error) {
      context.signal.throwIfAborted();
      if (codeOf(error) !== PEER_AWAY) throw error;
      return await stillWaiting(job, messageOf(error), tellDelayed);
    } finally {
      firstTries.get(job.id)?.resolve();
    }
  }

  async function stillWaiting(job: Job, why: string, tellDelayed: () => Promise<void>): Promise<Waiting> {
    const waiting = outage.began();
    const now = clock.now();
    const current = spool.get(job.id) ?? job;
    // Settled while its call was on its way: nothing waits any more.
    const patient = current.outcome === null ? patience(waitedMs(current, now), job.attempts) : 'wait';
    if (patient === 'give-up')
      throw new AppError(PEER_AWAY, `${peerId} could not be reached for two weeks: ${why}`);
    if (patient === 'tell') {
      await outage.tellAdmin(job, why);
      await tellDelayed();
    }
    const notBefore = now.add({ milliseconds: retryMs(job.attempts, waiting, options.random) });
    const trouble = { code: PEER_AWAY, message: why };
    return { kind: 'waiting', notBefore, trouble, summary: `waits for ${peerId}: ${why}` };
  }

  /** A peer that is reached by files alone says nothing of what becomes of them. */
  function dropped(): Ending {
    return { kind: 'delivered', summary: `dropped at ${peerId}, which does not report back` };
  }

  async function follow(
    job: Job,
    custody: Custody & { since: Temporal.Instant },
    context: JobContext,
  ): Promise<Ending | Waiting> {
    if (peer === null) return dropped();
    const elapsedMs = clock.now().epochMilliseconds - custody.since.epochMilliseconds;
    const verdict = judge(peerId, await ask(job, context.signal), {
      ...custody,
      digest: job.digest,
      elapsedMs,
    });
    if (verdict.kind === 'ended') return verdict.ending;
    if (verdict.kind === 'conflict') {
      throw new AppError('job.conflict', `${peerId} knows this id with another request`);
    }
    if (verdict.kind === 'wait') {
      return { kind: 'waiting', notBefore: fromNow(followUpMs(elapsedMs)), summary: verdict.summary };
    }
    const summary = await submitAgain(job, context.signal);
    return { kind: 'waiting', notBefore: fromNow(MIN_WAIT_MS), summary };
  }

  /** What the peer knows of a job; that it does not answer is no failure of the job. */
  async function ask(job: Job, signal: AbortSignal): Promise<Word> {
    if (peer === null || triesFor(peer.contact(), clock.now()).count === 0) return 'no-answer';
    try {
      const { report } = await peer.call(
        'job.get',
        { id: job.id },
        { timeoutMs: FOLLOW_UP_TIMEOUT_MS, signal },
      );
      if (await outage.mayBeOver()) ready();
      return report;
    } catch (error) {
      signal.throwIfAborted();
      log.debug('the peer was asked about a job in vain', { job: job.id.slice(0, 8), code: codeOf(error) });
      return 'no-answer';
    }
  }

  async function submitAgain(job: Job, signal: AbortSignal): Promise<string> {
    try {
      await hands.submit(job, true, FOLLOW_UP_TIMEOUT_MS, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!isRetriable(error)) throw error;
      return `${peerId} does not know it, and did not take it again: ${codeOf(error)}`;
    }
    await options.audit.record({ event: 'job.forwarded', job: job.id, to: peerId, way: 'rpc', again: true });
    return `${peerId} did not know it: handed over again`;
  }

  return {
    work: (job, context, tellDelayed) => {
      const custody = custodyOf(job);
      return custody === null ? begin(job, context, tellDelayed) : follow(job, custody, context);
    },
    placement: async ({ id }, signal) => {
      const known = (): Custody | null => custodyOf(spool.get(id));
      if (known() === null && peer !== null && !isCircuitOpen(peer.contact(), clock.now())) {
        const tried = Promise.withResolvers<void>();
        firstTries.set(id, tried);
        try {
          await inTime(clock, PLACEMENT_MS, tried.promise, signal);
        } finally {
          firstTries.delete(id);
        }
      }
      const { position = null, measured = null } = known() ?? {};
      return { position, measured };
    },
    confirmed: ({ id }) => {
      const job = spool.get(id);
      if (job !== undefined && custodyOf(job)?.way === 'rpc') release(job);
    },
    cancel: async (job, { told } = { told: false }) => {
      // Where the intent alone is on disk, nobody here knows whether the peer has it.
      if (peer === null || job.steps[CUSTODY_STEP] === undefined) return false;
      const params = { id: job.id, ...(told ? { told } : {}) };
      const { report } = await peer.call('job.cancel', params, { timeoutMs: CANCEL_TIMEOUT_MS });
      await hurry(spool, job.id);
      ready();
      return report !== null;
    },
    noteSettled: async (settled, by) => {
      const kind = await noteSettled(spool, settled, by);
      if (kind === 'noted') ready();
      return kind;
    },
    onReady: (listener) => {
      listeners.add(listener);
    },
    close: async () => {
      closing.abort(new AppError('job.stopped', 'the node is stopping', { retriable: true }));
      await Promise.all(background);
    },
  };
}
