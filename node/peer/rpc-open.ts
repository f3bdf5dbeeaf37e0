import type { HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import { RPC_METHODS, RPC_PATH, isRpcMethod } from '../../protocol/methods.ts';
import type { Bucket } from './rpc-bucket.ts';
import { problem, type RpcContext } from './rpc-answers.ts';

export interface OpenAppOptions {
  /** Answers an `open` method. */
  readonly answerOpen: (c: RpcContext) => Promise<Response>;
  readonly invitationOpen: () => boolean;
  readonly ready: () => Promise<boolean> | boolean;
  readonly bucket: Bucket;
}

/**
 * What a caller without the peer's certificate meets: health, `pair.join` while an invitation is open, and for all else
 * one and the same answer, whatever the path, the method, the headers and the body, which is not read.
 */
export function createOpenApp(options: OpenAppOptions): Hono<{ Bindings: HttpBindings }> {
  const app = new Hono<{ Bindings: HttpBindings }>();
  app.use(async (_, next) => (options.bucket.take() ? next() : problem('rpc.too-many')));
  addHealth(app, options.ready);
  for (const method of Object.keys(RPC_METHODS).filter(isOpen)) {
    app.post(`${RPC_PATH}/${method}`, (c) => (options.invitationOpen() ? options.answerOpen(c) : refuse()));
  }
  app.notFound(refuse);
  app.onError(refuse);
  return app;
}

/** `/healthz` and `/readyz`: up or not. */
export function addHealth(app: Hono<{ Bindings: HttpBindings }>, ready: OpenAppOptions['ready']): void {
  app.get('/healthz', (c) => c.text('ok'));
  app.get('/readyz', async (c) => ((await ready()) ? c.text('ready') : c.text('not ready', 503)));
}

/** The one answer to whoever is not known. */
export function refuse(): Response {
  return problem('rpc.unauthenticated');
}

function isOpen(method: string): boolean {
  return isRpcMethod(method) && 'open' in RPC_METHODS[method];
}
