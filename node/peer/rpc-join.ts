import { Client } from 'undici';
import type { RpcParams, RpcResult } from '../../protocol/methods.ts';
import type { Fingerprint } from './credentials.ts';
import { createPinnedConnector } from './rpc-connect.ts';
import { createDeadline } from './rpc-deadline.ts';
import { exchange } from './rpc-exchange.ts';
import { resultOf } from './rpc-result.ts';

export interface JoinOptions {
  /** Of the inviter's RPC listener: scheme, host and port. */
  readonly url: string;
  /** Of the inviter's certificate, as the invitation tells it. */
  readonly fingerprint: Fingerprint;
  readonly params: RpcParams<'pair.join'>;
}

/**
 * Calls `pair.join` once at a node that is known by its certificate alone: the secret is sent to no other.
 * @throws AppError `peer.wrong-certificate`, `peer.unreachable`, `peer.timeout`, `peer.bad-answer`, or the code of the
 * inviter's answer: `pair.refused`, `rpc.unauthenticated` where no invitation is open
 */
export async function callJoin({ url, fingerprint, params }: JoinOptions): Promise<RpcResult<'pair.join'>> {
  const connect = createPinnedConnector({ pins: new Set([fingerprint]), own: null });
  const client = new Client(url, { connect, headersTimeout: 0, bodyTimeout: 0 });
  using deadline = createDeadline('pair.join', {});
  try {
    const body = Buffer.from(JSON.stringify(params));
    const posting = { origin: url, method: 'pair.join', body, token: null };
    return resultOf('pair.join', await exchange(client, posting, deadline.signal));
  } finally {
    await client.destroy();
  }
}
