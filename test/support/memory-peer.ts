import type * as z from 'zod';
import type { CallOptions, Peer, PeerContact } from '../../node/peer/peer.ts';
import type { Clock } from '../../node/platform/clock.ts';
import { systemClock } from '../../node/platform/clock.ts';
import { AppError, codeOf, messageOf } from '../../node/platform/errors.ts';
import {
  isRpcMethod,
  RPC_METHODS,
  type RpcHandlers,
  type RpcMethod,
  type RpcParams,
  type RpcResult,
} from '../../protocol/methods.ts';
import { isFinal, isProblemCode, PROBLEMS } from '../../protocol/problems.ts';

const DEFAULT_TIMEOUT_MS = 5000;

/** The other node in the same process: calls go through the schemas of the contract, as on the wire. */
export interface MemoryPeer extends Peer {
  /** Every call made, in order. */
  readonly calls: readonly { readonly method: RpcMethod; readonly params: unknown }[];
  /** `down`: calls do not arrive. `answers-lost`: they arrive and are carried out, and the caller hears nothing. */
  link: 'up' | 'down' | 'answers-lost';
  /** Done before a call is carried out; what it throws is what the caller gets. */
  before: (method: RpcMethod) => Promise<void>;
}

export interface MemoryPeerOptions {
  /** Of the node that is called. */
  readonly id: string;
  /** Of the node that calls, as its certificate would say. */
  readonly caller: string;
  /** Asked at each call: null for a node that does not run. Methods left out are unknown there. */
  readonly handlers: () => Partial<RpcHandlers> | null;
  readonly clock?: Clock;
}

export function createMemoryPeer(options: MemoryPeerOptions): MemoryPeer {
  const clock = options.clock ?? systemClock;
  const calls: { method: RpcMethod; params: unknown }[] = [];
  const contact: { -readonly [K in keyof PeerContact]: PeerContact[K] } = {
    lastAnswerAt: null,
    latencyMs: null,
    lastError: null,
  };
  const closing = new AbortController();

  const carryOut = async (method: RpcMethod, params: unknown, signal: AbortSignal): Promise<unknown> => {
    if (peer.link === 'down') throw unreachable(options.id);
    await peer.before(method);
    const handlers = options.handlers();
    if (handlers === null) throw unreachable(options.id);
    const handler = handlers[method];
    if (handler === undefined) throw problem('rpc.unknown-method', PROBLEMS['rpc.unknown-method'].title);
    const schema: { params: z.ZodType; result: z.ZodType } = RPC_METHODS[method];
    const checked = schema.params.safeParse(structuredClone(params));
    if (!checked.success) throw problem('rpc.invalid', checked.error.message);
    // The table pairs each method with its parameters; TypeScript cannot follow that through a variable.
    const carry = handler as (params: unknown, call: unknown) => Promise<unknown>;
    const result = await carry(checked.data, { signal, caller: options.caller });
    return schema.result.parse(structuredClone(result));
  };

  const peer: MemoryPeer = {
    id: options.id,
    calls,
    link: 'up',
    before: async () => undefined,
    call: async <M extends RpcMethod>(
      method: M,
      params: RpcParams<M>,
      { timeoutMs = DEFAULT_TIMEOUT_MS, signal }: CallOptions = {},
    ) => {
      if (!isRpcMethod(method)) throw problem('rpc.unknown-method', method);
      calls.push({ method, params });
      const begun = clock.monotonicMs();
      const over = new AbortController();
      const until = AbortSignal.any([over.signal, closing.signal, ...(signal === undefined ? [] : [signal])]);
      try {
        const result = await Promise.race([
          carryOut(method, params, until),
          clock.sleep(timeoutMs, over.signal).then(() => {
            throw new AppError('peer.timeout', `${options.id} did not answer within ${timeoutMs} ms`, {
              retriable: true,
            });
          }),
          whenAborted(signal, options.id),
        ]);
        if (peer.link !== 'up') throw unreachable(options.id);
        Object.assign(contact, {
          lastAnswerAt: clock.now(),
          latencyMs: clock.monotonicMs() - begun,
          lastError: null,
        });
        return result as RpcResult<M>;
      } catch (error) {
        const told = asTold(error);
        contact.lastError = { code: told.code, message: told.message, at: clock.now() };
        throw told;
      } finally {
        over.abort();
      }
    },
    contact: () => ({ ...contact }),
    close: async () => closing.abort(),
  };
  return peer;
}

function whenAborted(signal: AbortSignal | undefined, id: string): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal?.addEventListener('abort', () => reject(unreachable(id)), { once: true });
  });
}

function unreachable(id: string): AppError {
  return new AppError('peer.unreachable', `${id} cannot be reached`, { retriable: true });
}

function problem(code: keyof typeof PROBLEMS, message: string): AppError {
  return new AppError(code, message, { retriable: !isFinal(PROBLEMS[code].status) });
}

/** An error as the caller hears of it: a problem of the contract by its code, what is none as `rpc.failed`. */
function asTold(error: unknown): AppError {
  const code = codeOf(error);
  if (error instanceof AppError && (code.startsWith('peer.') || code.startsWith('rpc.'))) return error;
  return isProblemCode(code)
    ? problem(code, messageOf(error))
    : problem('rpc.failed', PROBLEMS['rpc.failed'].title);
}
