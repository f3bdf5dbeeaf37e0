import type { HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import type * as z from 'zod';
import {
  isRpcMethod,
  RPC_MAX_BODY_BYTES,
  RPC_METHODS,
  RPC_PATH,
  type RpcCall,
  type RpcHandlers,
  type RpcMethod,
} from '../../protocol/methods.ts';
import type { Clock } from '../platform/clock.ts';
import { AppError, codeOf, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { verifyCallToken } from './call-token.ts';
import type { Credentials } from './credentials.ts';
import type { NonceWindows } from './nonce-window.ts';
import { NONCE_HEADER, problem, problemOf, type RpcContext } from './rpc-answers.ts';
import type { Bucket } from './rpc-bucket.ts';
import { addHealth } from './rpc-open.ts';
import type { RunningCalls } from './rpc-running.ts';

/** Of a 400: as many faulty fields as anybody reads. */
const MAX_FAULTS = 5;

export interface CallsOptions {
  readonly nodeId: string;
  readonly credentials: Credentials;
  readonly handlers: RpcHandlers;
  readonly ready: () => Promise<boolean> | boolean;
  readonly running: RunningCalls;
  readonly nonces: NonceWindows;
  /** Calls of the peer, and of these such as are not authenticated. */
  readonly buckets: { readonly calls: Bucket; readonly failures: Bucket };
  readonly clock: Clock;
  readonly log: Log;
}

/** What the peer meets, known by its certificate: the methods of the table, each call with a token of its own. */
export function createCallsApp(options: CallsOptions): Hono<{ Bindings: HttpBindings }> {
  const app = new Hono<{ Bindings: HttpBindings }>();
  addHealth(app, options.ready);
  app.post(`${RPC_PATH}/:method`, async (c) => {
    try {
      if (!options.buckets.calls.take() || options.buckets.failures.isEmpty()) return problem('rpc.too-many');
      const method = c.req.param('method');
      const body = readBody(c);
      // While the signature is being verified, which takes longest. What is wrong with them is told afterwards.
      const parameters = body.then((bytes) => checkedParams(method, bytes));
      parameters.catch(() => undefined);
      const caller = await authenticate(options, c, method, body);
      return await answer(options, c, { ...(await parameters), caller });
    } catch (error) {
      return refusal(options, error, c.req.path);
    }
  });
  app.notFound(() => problem('rpc.unknown-method'));
  app.onError((error, c) => refusal(options, error, c.req.path));
  return app;
}

/** Answers a call of an `open` method whose caller is not known. */
export async function answerOpen(options: CallsOptions, c: RpcContext): Promise<Response> {
  try {
    const method = c.req.path.slice(RPC_PATH.length + 1);
    return await answer(options, c, { ...checkedParams(method, await readBody(c)), caller: null });
  } catch (error) {
    return refusal(options, error, c.req.path);
  }
}

/**
 * The whole body; none is read of one that is too large, which is told at once.
 * @throws AppError `rpc.too-large`, `rpc.invalid`
 */
function readBody(c: RpcContext): Promise<Buffer> {
  const length = Number(c.env.incoming.headers['content-length'] ?? Number.NaN);
  // The HTTP parser holds a body to its length.
  if (Number.isNaN(length)) throw new AppError('rpc.invalid', 'a call has a Content-Length');
  if (length > RPC_MAX_BODY_BYTES) {
    throw new AppError('rpc.too-large', `a call has at most ${RPC_MAX_BODY_BYTES} bytes`);
  }
  return c.req.raw.arrayBuffer().then(Buffer.from, (error: unknown) => {
    throw new AppError('rpc.invalid', 'the body did not come as a whole', { cause: error });
  });
}

/** Carries the nonce that the caller is to use. */
class NonceError extends AppError {
  readonly nonce: string;

  constructor(code: 'rpc.use-nonce' | 'rpc.replayed', message: string, nonce: string) {
    super(code, message, { retriable: true });
    this.nonce = nonce;
  }
}

/** The id of the peer, whose token for just this call is used up with this. */
async function authenticate(
  { nodeId, credentials, nonces, buckets, clock, log }: CallsOptions,
  c: RpcContext,
  method: string,
  body: Promise<Uint8Array>,
): Promise<string> {
  const { authorization = '' } = c.env.incoming.headers;
  const trust = credentials.peer();
  try {
    if (trust === null) throw new AppError('rpc.unauthenticated', 'there is no peer any more');
    const token = authorization.startsWith('Bearer ') ? authorization.slice(7) : '';
    const call = { from: trust.peerId, to: nodeId, method, body };
    const serial = await verifyCallToken(token, { ...call, keys: trust.tokenKeys, now: clock.now() });
    // Last of all: only a token that is right in everything else uses something up, or learns a nonce.
    const verdict = nonces.use(serial.nonce, serial.counter);
    if (verdict === 'fresh') return trust.peerId;
    if (verdict === 'unknown-nonce') {
      throw new NonceError('rpc.use-nonce', 'the token has no nonce of this server’s', nonces.offer());
    }
    throw new NonceError('rpc.replayed', 'the token was used before', nonces.offer());
  } catch (error) {
    if (['rpc.unauthenticated', 'rpc.replayed'].includes(codeOf(error))) {
      buckets.failures.take();
      log.warn('a call of the peer is not authenticated', { method, reason: messageOf(error) });
    }
    throw error;
  }
}

/** A call of a method that there is, with parameters that are its. */
interface CheckedCall {
  readonly method: RpcMethod;
  readonly params: unknown;
}

/** Makes a call and checks its result. */
async function answer(
  options: CallsOptions,
  c: RpcContext,
  { method, params, caller }: CheckedCall & { readonly caller: string | null },
): Promise<Response> {
  const resultSchema: z.ZodType = RPC_METHODS[method].result;
  // The table pairs each method with its parameters; TypeScript cannot follow that through a variable.
  const handler = options.handlers[method] as (params: unknown, call: RpcCall) => Promise<unknown>;
  const result = await options.running.run(c.env.outgoing, (signal) => handler(params, { signal, caller }));
  const checked = resultSchema.safeParse(result);
  if (!checked.success) {
    throw new Error(`the result of ${method} is not what it is to be: ${faultsOf(checked.error)}`);
  }
  return c.body(JSON.stringify(checked.data), 200, { 'content-type': 'application/json' });
}

/** @throws AppError `rpc.unknown-method`, `rpc.invalid` */
function checkedParams(method: string, body: Buffer): CheckedCall {
  if (!isRpcMethod(method)) {
    throw new AppError('rpc.unknown-method', 'this node knows no such method; is it of another version?');
  }
  const schema: z.ZodType = RPC_METHODS[method].params;
  let value: unknown;
  try {
    value = JSON.parse(body.toString());
  } catch (error) {
    throw new AppError('rpc.invalid', 'the body is not JSON', { cause: error });
  }
  const params = schema.safeParse(value);
  if (!params.success) throw new AppError('rpc.invalid', faultsOf(params.error));
  return { method, params: params.data };
}

function faultsOf({ issues }: z.ZodError): string {
  return issues
    .slice(0, MAX_FAULTS)
    .map(({ path, message }) => `${path.join('.')}: ${message}`)
    .join('; ');
}

/** An error as an answer; what is not for the caller to know is logged here. */
function refusal({ log }: CallsOptions, error: unknown, path: string): Response {
  const { code, detail } = problemOf(error);
  if (error instanceof NonceError) return problem(code, undefined, { [NONCE_HEADER]: error.nonce });
  if (code === 'rpc.unauthenticated') return problem(code);
  if (code === 'rpc.failed') {
    log.error('a call of the peer failed', { path, code: codeOf(error), reason: messageOf(error) });
  }
  return problem(code, detail);
}
