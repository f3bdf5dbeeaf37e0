import type { Job } from '../../protocol/job.ts';
import type { RpcResult } from '../../protocol/methods.ts';
import type { AccessRecord } from '../access/access-store.ts';
import type { Peer } from '../peer/peer.ts';
import type { Clock } from '../platform/clock.ts';
import { AppError, codeOf, isRetriable, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import type { Dropbox } from './dropbox.ts';
import { type Custody, PEER_AWAY, triesFor } from './forward-plan.ts';

/** A call that is not answered by then is repeated: the peer knows a job by its id. */
const CALL_TIMEOUT_MS = 1_000;
const FIRST_PAUSE_MS = 100;
/** A way that failed is not tried again for so long. */
const DROP_PAUSE_MS = 10_000;

export interface HandOverOptions {
  readonly peerId: string;
  /** Null where PEER_RPC is off. */
  readonly peer: Peer | null;
  readonly dropbox: Dropbox;
  /** The file that stands for a job. @throws AppError `drop.unfit` (final) where there is none */
  readonly document: (job: Job) => Promise<Uint8Array>;
  /** What was said since of whether somebody may ask, which the peer may not have heard yet. */
  readonly standingOf?: (requester: string) => readonly AccessRecord[];
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
}

type Submitted = RpcResult<'job.submit'>;

/** Takes jobs to the peer, by call or as a file. */
export function createHandOver(options: HandOverOptions) {
  const { peerId, peer, dropbox, clock, log } = options;
  let dropFailure: { readonly error: AppError; readonly atMs: number } | null = null;

  /** Calls until the peer has the job on disk. @throws AppError, final or retriable as the peer says */
  async function submit(
    job: Job,
    confirmed: boolean,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<Submitted> {
    const { id, digest, request, source, generation } = job;
    const again = generation === 0 ? {} : { generation };
    if (peer === null) throw noRpc();
    return peer.call(
      'job.submit',
      { id, digest, request, source, confirmed, ...again },
      { timeoutMs, signal },
    );
  }

  /** Tells the peer of whoever asks, first: one that was let in while it was away it would refuse, and for good. */
  async function introduce(
    { request: { requester } }: Job,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<void> {
    const standing = requester === null ? [] : (options.standingOf?.(requester) ?? []);
    if (peer === null || standing.length === 0) return;
    const records = standing.map((record) => ({ ...record, value: structuredClone(record.value) as never }));
    try {
      await peer.call('access.put', { records }, { timeoutMs, signal });
    } catch (error) {
      signal.throwIfAborted();
      // A peer from before an upgrade does not know the call; what it makes of the job it says itself.
      if (isRetriable(error) && codeOf(error) !== 'rpc.unknown-method') throw error;
    }
  }

  /** Bounded tries; gives the last failure where none succeeded. @throws what the peer says for good */
  async function callRepeatedly(
    job: Job,
    confirmed: boolean,
    signal: AbortSignal,
  ): Promise<Submitted | AppError> {
    if (peer === null) return noRpc();
    const { count, totalMs } = triesFor(peer.contact(), clock.now());
    const until = clock.monotonicMs() + totalMs;
    let failure = new AppError(PEER_AWAY, 'it did not answer a moment ago');
    for (let attempt = 1; attempt <= count; attempt += 1) {
      const leftMs = until - clock.monotonicMs();
      if (leftMs <= 0) break;
      try {
        const timeoutMs = Math.min(CALL_TIMEOUT_MS, leftMs);
        await introduce(job, timeoutMs, signal);
        return await submit(job, confirmed, timeoutMs, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (!isRetriable(error)) throw error;
        failure = new AppError(codeOf(error), messageOf(error), { cause: error });
      }
      const pauseMs = FIRST_PAUSE_MS * 2 ** (attempt - 1) * (0.5 + options.random());
      if (attempt < count && failure.code !== 'peer.not-paired') await clock.sleep(pauseMs, signal);
    }
    return failure;
  }

  /** @throws AppError of the dropbox; what failed seconds ago is not tried */
  async function drop(job: Job, signal: AbortSignal): Promise<void> {
    if (dropFailure !== null && clock.monotonicMs() - dropFailure.atMs < DROP_PAUSE_MS)
      throw dropFailure.error;
    try {
      await dropbox.put(`${job.id}.json`, await options.document(job), signal);
      dropFailure = null;
    } catch (error) {
      signal.throwIfAborted();
      // What is wrong with one job's file says nothing about the way.
      if (error instanceof AppError && error.retriable) dropFailure = { error, atMs: clock.monotonicMs() };
      throw error;
    }
  }

  return {
    submit,
    /**
     * Hands a job over, by call, else as a file. Repeating it is safe: both ways know a job by its id and digest.
     * @throws AppError `peer.away` (retriable) where neither way took it; what the peer refuses for good; `drop.unfit`
     * where a call is no way either
     */
    handOver: async (job: Job, confirmed: boolean, signal: AbortSignal): Promise<Custody> => {
      const answer = await callRepeatedly(job, confirmed, signal);
      if (!(answer instanceof AppError)) {
        const { report, measured = null } = answer;
        return { way: 'rpc', position: report.position, measured };
      }
      try {
        await drop(job, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (peer === null && !isRetriable(error)) throw error;
        const said = `RPC: ${answer.code} (${answer.message}); SCP: ${codeOf(error)} (${messageOf(error)})`;
        throw new AppError(PEER_AWAY, said, { retriable: true, cause: error });
      }
      if (peer !== null)
        log.warn(`${peerId} was not reached by RPC: dropped a file there`, { code: answer.code });
      return { way: 'drop', position: null, measured: null };
    },
  };
}

function noRpc(): AppError {
  return new AppError('peer.no-rpc', 'PEER_RPC is off', { retriable: true });
}
