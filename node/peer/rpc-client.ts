import { RPC_MAX_BODY_BYTES, RPC_METHODS, type RpcMethod, type RpcResult } from '../../protocol/methods.ts';
import { isProblemCode, PROBLEMS } from '../../protocol/problems.ts';
import type { Clock } from '../platform/clock.ts';
import { AppError, codeOf } from '../platform/errors.ts';
import { createCallSerials } from './call-serials.ts';
import { signCallToken } from './call-token.ts';
import type { Credentials } from './credentials.ts';
import type { CallOptions, Peer } from './peer.ts';
import { createPeerAgents } from './rpc-agents.ts';
import { createContactRecord } from './rpc-contact.ts';
import { createDeadline } from './rpc-deadline.ts';
import { type Answer, exchange, isLost } from './rpc-exchange.ts';
import { resultOf } from './rpc-result.ts';

/** Calls in flight and waiting; more are refused. */
const MAX_CALLS = 512;

export interface RpcClientOptions {
  /** This node's, and that of the peer. */
  readonly nodeId: string;
  readonly peerId: string;
  /** Of the peer's RPC listener: scheme, host and port. */
  readonly url: string;
  readonly credentials: Credentials;
  readonly clock: Clock;
}

/** The peer, called over TLS with both certificates pinned, each call with a token of its own. */
export function createRpcClient(options: RpcClientOptions): Peer {
  const { clock, credentials, nodeId, peerId, url } = options;
  const contact = createContactRecord(clock);
  const serials = createCallSerials();
  const agents = createPeerAgents(credentials);
  let inFlight = 0;

  /** Sends a call once, under a fresh token. Afterwards a failed one's connections are not used for another. */
  async function send(method: RpcMethod, body: Uint8Array, signal: AbortSignal): Promise<Answer> {
    const serial = serials.next();
    const call = { from: nodeId, to: peerId, method, body };
    const token = signCallToken(credentials.own().tokenKey, call, serial, clock.now());
    const agent = agents.current();
    try {
      const answer = await exchange(agent, { origin: url, method, body, token }, signal);
      if (answer.nonce !== null) serials.learn(serial, answer.nonce);
      return answer;
    } catch (error) {
      agents.renew(agent);
      throw error;
    }
  }

  /**
   * Sends it, and once more where the server has just told its nonce; and once more where the connection was lost,
   * as a kept one is when the peer has been started again, if doing it twice does no more.
   */
  async function sendUntilHeard(method: RpcMethod, body: Uint8Array, signal: AbortSignal): Promise<Answer> {
    let mayLearn = true;
    let mayReconnect = RPC_METHODS[method].idempotent;
    for (;;) {
      try {
        const answer = await send(method, body, signal);
        if (answer.nonce === null || !mayLearn) return answer;
        mayLearn = false;
      } catch (error) {
        if (!mayReconnect || !isLost(error)) throw error;
        mayReconnect = false;
      }
    }
  }

  async function callOnce<M extends RpcMethod>(
    method: M,
    body: Buffer,
    asked: CallOptions,
  ): Promise<RpcResult<M>> {
    using deadline = createDeadline(method, asked);
    const startedMs = clock.monotonicMs();
    const answer = await sendUntilHeard(method, body, deadline.signal);
    if (answer.status !== 401) contact.answered(clock.monotonicMs() - startedMs);
    return resultOf(method, answer);
  }

  return {
    id: peerId,
    call: async (method, params, asked = {}) => {
      checkPaired(credentials, peerId);
      const body = encode(method, params);
      if (inFlight >= MAX_CALLS) {
        throw new AppError('peer.busy', 'too many calls wait for the peer', { retriable: true });
      }
      inFlight += 1;
      try {
        return await callOnce(method, body, asked);
      } catch (error) {
        if (asked.signal?.aborted !== true && isNoContact(error)) contact.failed(error);
        throw error;
      } finally {
        inFlight -= 1;
      }
    },
    contact: contact.view,
    close: agents.close,
  };
}

function checkPaired(credentials: Credentials, peerId: string): void {
  const paired = credentials.peer()?.peerId;
  if (paired === peerId) return;
  const state = paired === undefined ? 'is not paired' : `is paired with ${paired}`;
  throw new AppError('peer.not-paired', `this node ${state}, not with ${peerId}`, { retriable: true });
}

/** Whether a failure says that the two cannot talk, rather than that the peer says no. */
function isNoContact(error: unknown): boolean {
  const code = codeOf(error);
  if (isProblemCode(code)) return PROBLEMS[code].status === 401;
  return !(error instanceof AppError) || code.startsWith('peer.');
}

function encode(method: RpcMethod, params: unknown): Buffer {
  const body = Buffer.from(JSON.stringify(params));
  if (body.length <= RPC_MAX_BODY_BYTES) return body;
  const message = `a call of ${method} has ${body.length} bytes, of at most ${RPC_MAX_BODY_BYTES}`;
  throw new AppError('rpc.too-large', message);
}
