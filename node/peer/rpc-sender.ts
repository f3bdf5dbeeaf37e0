import { RPC_METHODS, type RpcMethod } from '../../protocol/methods.ts';
import type { Clock } from '../platform/clock.ts';
import { createCallSerials } from './call-serials.ts';
import { signCallToken } from './call-token.ts';
import type { Credentials } from './credentials.ts';
import { createPeerAgents } from './rpc-agents.ts';
import { type Answer, exchange, isLost } from './rpc-exchange.ts';

export interface SenderOptions {
  /** This node's, and that of the peer. */
  readonly nodeId: string;
  readonly peerId: string;
  /** Of the peer's RPC listener: scheme, host and port. */
  readonly url: string;
  readonly credentials: Credentials;
  readonly clock: Clock;
}

/** Gets calls, as bytes, to the peer and answered. */
export interface Sender {
  /**
   * Sends a call; once more where the server has just told its nonce; and once more where the connection was lost, as
   * a kept one is when the peer has been started again, if doing it twice does no more. Rejects as `exchange` does.
   */
  send(method: RpcMethod, body: Uint8Array, signal: AbortSignal): Promise<Answer>;
  /** Cuts all connections. */
  close(): Promise<void>;
}

export function createSender({ nodeId, peerId, url, credentials, clock }: SenderOptions): Sender {
  const serials = createCallSerials();
  const agents = createPeerAgents(credentials);

  /** Sends a call once, under a fresh token. The connections of a failed one are not used for another. */
  async function sendOnce(method: RpcMethod, body: Uint8Array, signal: AbortSignal): Promise<Answer> {
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

  return {
    send: async (method, body, signal) => {
      let mayLearn = true;
      let mayReconnect = RPC_METHODS[method].idempotent;
      for (;;) {
        try {
          const answer = await sendOnce(method, body, signal);
          if (answer.nonce === null || !mayLearn) return answer;
          mayLearn = false;
        } catch (error) {
          if (!mayReconnect || !isLost(error)) throw error;
          mayReconnect = false;
        }
      }
    },
    close: agents.close,
  };
}
