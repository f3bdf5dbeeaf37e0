import { RPC_MAX_BODY_BYTES, type RpcMethod, type RpcResult } from '../../protocol/methods.ts';
import { isProblemCode, PROBLEMS } from '../../protocol/problems.ts';
import { AppError, codeOf } from '../platform/errors.ts';
import type { Credentials } from './credentials.ts';
import type { CallOptions, Peer } from './peer.ts';
import { createContactRecord } from './rpc-contact.ts';
import { createDeadline } from './rpc-deadline.ts';
import { resultOf } from './rpc-result.ts';
import { createSender, type SenderOptions } from './rpc-sender.ts';

/** Calls in flight and waiting; more are refused. */
const MAX_CALLS = 512;

export type RpcClientOptions = SenderOptions;

/** The peer, called over TLS with both certificates pinned, each call with a token of its own. */
export function createRpcClient(options: RpcClientOptions): Peer {
  const { clock, credentials, peerId } = options;
  const contact = createContactRecord(clock);
  const sender = createSender(options);
  let inFlight = 0;

  async function callOnce<M extends RpcMethod>(
    method: M,
    body: Buffer,
    asked: CallOptions,
  ): Promise<RpcResult<M>> {
    using deadline = createDeadline(method, asked);
    const startedMs = clock.monotonicMs();
    const answer = await sender.send(method, body, deadline.signal);
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
    close: sender.close,
  };
}

function checkPaired(credentials: Credentials, peerId: string): void {
  const paired = credentials.peer()?.peerId;
  if (paired === peerId) return;
  const state =
    paired === undefined
      ? `is not paired with ${peerId} yet`
      : `is paired with ${paired}, and PEER_ID is ${peerId}`;
  throw new AppError('peer.not-paired', `this node ${state}: node-ctl pair invite`, { retriable: true });
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
