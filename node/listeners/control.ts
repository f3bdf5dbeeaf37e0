import { once } from 'node:events';
import { chmod, lstat, mkdir, mkdtemp, rename, rm, unlink } from 'node:fs/promises';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { createAdaptorServer } from '@hono/node-server';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type * as z from 'zod';
import { isMissing, TEMPORARY_PREFIX } from '../platform/durable.ts';
import { AppError, codeOf, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { CONTROL_METHODS, CONTROL_PATH, type ControlMethod, type NodeControl } from './control-contract.ts';

const MAX_BODY_BYTES = 16_384;
const MAX_HEADER_BYTES = 8192;
const MAX_CONNECTIONS = 32;
/** A request that is not whole by then is dropped; the answer may take longer. */
const REQUEST_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 2000;
const PROBE_TIMEOUT_MS = 2000;
/** What a call ends with whose caller is gone. */
const HUNG_UP = 'control.hung-up';

/** What each code is in HTTP; of the others those of {@link ROOM_STATUS}, and else a fault of ours. */
const STATUS: Readonly<Record<string, ContentfulStatusCode>> = {
  'request.invalid': 400,
  'control.unknown-method': 404,
  'job.not-found': 404,
  'job.ambiguous': 409,
  'job.wrong-state': 409,
  'spool.conflict': 409,
  'leadership.refused': 409,
  'leadership.busy': 503,
  'pair.bad-line': 400,
  'pair.peer-away': 503,
  'pair.unfinished': 503,
  'index.none': 422,
  'index.busy': 409,
  'index.not-ready': 409,
  'control.too-large': 413,
  'spool.unwritable': 503,
  'access.too-many': 409,
  'access.unwritable': 503,
  'recordings.too-many': 422,
  'recordings.not-served': 422,
  'recordings.unavailable': 503,
  'recordings.refused': 502,
};

/** What the codes of a room are as a rule: what an operator is to mend, and what the other node did not do. */
const ROOM_STATUS: Readonly<Record<string, ContentfulStatusCode>> = { pair: 409, peer: 503 };

function statusOf(code: string): ContentfulStatusCode {
  return STATUS[code] ?? ROOM_STATUS[code.split('.')[0] ?? ''] ?? 500;
}

export interface ControlOptions {
  /** At most 107 bytes (unix(7)); a few less for the name it is bound under first. */
  readonly path: string;
  readonly control: NodeControl;
  readonly log: Log;
}

export interface ControlListener {
  /** Stops taking calls, hangs up on those that run (their signals abort) and removes the socket; never throws. */
  close(): Promise<void>;
}

/**
 * Listens for node-ctl on a unix socket of mode 0600; a directory made for it has 0700. The socket of a daemon
 * that died is replaced. @throws AppError `control.in-use` where a daemon answers on it, or what lies there is
 * no socket; `control.unavailable` where it cannot be made
 */
export async function openControlSocket(options: ControlOptions): Promise<ControlListener> {
  const { path, log } = options;
  const server = createAdaptorServer({
    fetch: controlApp(options.control, log).fetch,
    serverOptions: {
      maxHeaderSize: MAX_HEADER_BYTES,
      requestTimeout: REQUEST_TIMEOUT_MS,
      headersTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
    },
  }) as Server;
  server.maxConnections = MAX_CONNECTIONS;
  let inode: bigint;
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await refuseLive(path);
    inode = await bind(server, path);
  } catch (error) {
    server.close();
    if (error instanceof AppError) throw error;
    throw new AppError('control.unavailable', `cannot listen on ${path}: ${messageOf(error)}`, {
      cause: error,
    });
  }
  server.on('error', (error) => log.error('the control socket failed', { reason: messageOf(error) }));
  return { close: () => close(server, path, inode, log) };
}

/** Binds under another name in a directory of our own and renames: nobody can connect before the mode is right. */
async function bind(server: Server, path: string): Promise<bigint> {
  const directory = await mkdtemp(join(dirname(path), TEMPORARY_PREFIX));
  try {
    const first = join(directory, 's');
    server.listen(first);
    await once(server, 'listening');
    await chmod(first, 0o600);
    await rename(first, path);
    return (await lstat(path, { bigint: true })).ino;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Passes where nothing is there, or a socket on which nobody listens any more. */
async function refuseLive(path: string): Promise<void> {
  const found = await lstat(path).catch((error: unknown) => {
    if (isMissing(error)) return null;
    throw error;
  });
  if (found === null) return;
  if (!found.isSocket()) throw new AppError('control.in-use', `${path} is there and is not a socket`);
  const socket = connect(path);
  socket.setTimeout(PROBE_TIMEOUT_MS, () => socket.destroy(new Error('no answer')));
  try {
    await once(socket, 'connect');
  } catch (error) {
    if (codeOf(error) === 'ECONNREFUSED' || isMissing(error)) return;
    throw error;
  } finally {
    socket.destroy();
  }
  throw new AppError('control.in-use', `another daemon listens on ${path}; end it, or set CONTROL_SOCKET`);
}

async function close(server: Server, path: string, inode: bigint, log: Log): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
  try {
    // A successor may have put its own socket there.
    if ((await lstat(path, { bigint: true })).ino === inode) await unlink(path);
  } catch (error) {
    if (!isMissing(error)) log.warn('the control socket stays behind', { reason: messageOf(error) });
  }
}

/** The calls of the contract as an HTTP application; errors are `{ code, message }`. */
function controlApp(control: NodeControl, log: Log): Hono {
  const app = new Hono();
  const tooLarge = (): never => {
    throw new AppError('control.too-large', `a call has at most ${MAX_BODY_BYTES} bytes`);
  };
  app.post(
    `${CONTROL_PATH}/:method`,
    bodyLimit({ maxSize: MAX_BODY_BYTES, onError: tooLarge }),
    async (c) => {
      const method = c.req.param('method');
      if (!isMethod(method)) return unknownMethod();
      const body = await c.req.json().catch((error: unknown) => {
        if (error instanceof AppError) throw error;
        throw new AppError('request.invalid', 'the body is not JSON', { cause: error });
      });
      return c.json((await call(control, method, body, hangUpOf(c.req.raw.signal))) as object);
    },
  );
  app.notFound(unknownMethod);
  app.onError((error, c) => {
    const known = error instanceof AppError;
    const status = known ? statusOf(error.code) : 500;
    const told = { code: codeOf(error), reason: messageOf(error) };
    if (codeOf(error) === HUNG_UP) log.info('a control call ended when its caller hung up');
    else if (status === 500) log.error('a control call failed', told);
    const body = { code: codeOf(error), message: known ? error.message : messageOf(error) };
    return c.json(body, status, { 'content-type': 'application/problem+json' });
  });
  return app;
}

/** The caller's signal, with an error of ours as its reason: what HTTP gives is a mere text, which nobody could handle. */
function hangUpOf(caller: AbortSignal): AbortSignal {
  const controller = new AbortController();
  const hangUp = (): void => controller.abort(new AppError(HUNG_UP, 'the caller hung up'));
  if (caller.aborted) hangUp();
  else caller.addEventListener('abort', hangUp, { once: true });
  return controller.signal;
}

function unknownMethod(): never {
  throw new AppError('control.unknown-method', 'the daemon knows no such call; is it of another version?');
}

function isMethod(name: string): name is ControlMethod {
  return Object.hasOwn(CONTROL_METHODS, name);
}

/** Checks the parameters of a call and makes it. */
async function call(
  control: NodeControl,
  method: ControlMethod,
  body: unknown,
  signal: AbortSignal,
): Promise<unknown> {
  const params = (CONTROL_METHODS[method].params as z.ZodType).safeParse(body);
  if (!params.success) {
    const faults = params.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw new AppError('request.invalid', faults.join('\n'));
  }
  // The table pairs each method with its parameters; TypeScript cannot follow that through a variable.
  const handler = control[method] as (params: unknown, signal: AbortSignal) => unknown;
  return handler.call(control, params.data, signal);
}
