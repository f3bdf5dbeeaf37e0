import type { RpcMethod, RpcParams, RpcResult } from '../../protocol/methods.ts';

/** How the last calls went. */
export interface PeerContact {
  /** When the peer last answered; null where it never has since the start. */
  readonly lastAnswerAt: Temporal.Instant | null;
  /** Of the last answered call, in milliseconds. */
  readonly latencyMs: number | null;
  /** The last failure, where it is newer than the last answer. */
  readonly lastError: {
    readonly code: string;
    readonly message: string;
    readonly at: Temporal.Instant;
  } | null;
}

export interface CallOptions {
  /** For the whole call, repetitions for a fresh nonce included; 5,000 unless said otherwise. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** The other node of the pair, as this one can call it. Null in the wiring where there is none, or PEER_RPC is off. */
export interface Peer {
  readonly id: string;
  /**
   * Calls a method. @throws AppError: the peer's own code where it answered with a problem (`retriable` unless the
   * status is 400, 409, 413 or 422); `peer.unreachable`, `peer.wrong-certificate`, `peer.timeout`, `peer.bad-answer`,
   * `peer.busy`, `peer.not-paired`, all retriable; the signal's reason where that aborts
   */
  call<M extends RpcMethod>(method: M, params: RpcParams<M>, options?: CallOptions): Promise<RpcResult<M>>;
  contact(): PeerContact;
  close(): Promise<void>;
}
