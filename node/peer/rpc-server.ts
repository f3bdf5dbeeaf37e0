import { constants } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { SecureContextOptions } from 'node:tls';
import { getRequestListener } from '@hono/node-server';
import type { RpcHandlers } from '../../protocol/methods.ts';
import type { Clock } from '../platform/clock.ts';
import { messageOf } from '../platform/errors.ts';
import { listenOn } from '../platform/listen.ts';
import type { Log } from '../platform/log.ts';
import type { Credentials } from './credentials.ts';
import { createNonceWindows } from './nonce-window.ts';
import { createBucket, type Rate } from './rpc-bucket.ts';
import { answerOpen, type CallsOptions, createCallsApp } from './rpc-calls.ts';
import { type Connections, watchConnections } from './rpc-connections.ts';
import { createOpenApp, refuse } from './rpc-open.ts';
import { createRunningCalls, type RunningCalls } from './rpc-running.ts';

const MAX_HEADER_BYTES = 8 * 1024;
const HANDSHAKE_TIMEOUT_MS = 4_000;
/** Headers and body are there by then, or the connection is closed; looked at ten times in that time. */
const REQUEST_TIMEOUT_MS = 4_500;
/** Longer than the client keeps a connection, so that it never sends on one that is being closed. */
const KEEP_ALIVE_MS = 45_000;
/** A connection on which nothing moves for so long is given up. */
const IDLE_TIMEOUT_MS = 60_000;
/** Calls under way get this long at shutdown. */
const CLOSE_GRACE_MS = 2_000;

/** How often who may call. */
export interface RpcRates {
  /** The peer: a guard against loops, far above what it needs. */
  readonly calls: Rate;
  /** Callers without its certificate, all together. */
  readonly strangers: Rate;
  /** Calls of the peer whose token is refused; while none is left, no call is heard. */
  readonly failures: Rate;
}

const RATES: RpcRates = {
  calls: { burst: 5_000, perSecond: 1_000 },
  strangers: { burst: 30, perSecond: 5 },
  failures: { burst: 50, perSecond: 5 },
};

export interface RpcServerOptions {
  readonly nodeId: string;
  readonly host: string;
  /** 0 takes any free one. */
  readonly port: number;
  readonly credentials: Credentials;
  readonly handlers: RpcHandlers;
  /** Whether a caller who is not known may say `pair.join` now. */
  readonly invitationOpen: () => boolean;
  /** For `/readyz`. */
  readonly ready: () => Promise<boolean> | boolean;
  readonly clock: Clock;
  readonly log: Log;
  readonly rates?: Partial<RpcRates>;
  /** Until a request is there as a whole; 4,500 unless said otherwise. */
  readonly requestTimeoutMs?: number;
}

export interface RpcServer {
  readonly host: string;
  /** The port it got, where 0 was asked for. */
  readonly port: number;
  /** Takes no more calls, lets those that run finish for two seconds, then cuts them. Never throws. */
  close(): Promise<void>;
}

/**
 * Answers the peer's calls: TLS 1.3 alone, a certificate on both sides, a token on each call, all of it bounded.
 * @throws AppError `listen.failed` where the address cannot be had
 */
export async function startRpcServer(options: RpcServerOptions): Promise<RpcServer> {
  const { host, port, credentials, clock, log, requestTimeoutMs = REQUEST_TIMEOUT_MS } = options;
  const running = createRunningCalls(clock);
  const server = createServer({
    ...contextOptions(credentials),
    requestCert: true,
    // Nobody signs these certificates: each connection's is compared with the pinned ones instead.
    rejectUnauthorized: false,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    noDelay: true,
    maxHeaderSize: MAX_HEADER_BYTES,
    requireHostHeader: false,
    headersTimeout: requestTimeoutMs,
    requestTimeout: requestTimeoutMs,
    connectionsCheckingInterval: requestTimeoutMs / 10,
    keepAliveTimeout: KEEP_ALIVE_MS,
  });
  server.setTimeout(IDLE_TIMEOUT_MS);
  const connections = watchConnections(server, credentials, log);
  listenFor(server, connections, options, running);
  let closed = false;
  credentials.onChange(() => {
    if (closed) return;
    server.setSecureContext(contextOptions(credentials));
    connections.dropUntrusted();
  });
  const bound = await listenOn(server, { host, port });
  server.on('error', (error) => log.error('the RPC listener failed', { reason: messageOf(error) }));
  return {
    ...bound,
    close: async () => {
      closed = true;
      const { promise, resolve } = Promise.withResolvers<void>();
      server.close(() => resolve());
      await running.stop(CLOSE_GRACE_MS);
      connections.dropAll();
      await promise;
    },
  };
}

/** TLS 1.3 alone, and every connection a whole handshake: no tickets, no resumption. */
function contextOptions(credentials: Credentials): SecureContextOptions {
  const { certificate, certificateKey } = credentials.own();
  return {
    cert: certificate,
    key: certificateKey,
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

/** Answers requests: the peer's by one application, all others' by another. */
function listenFor(
  server: Server,
  connections: Connections,
  options: RpcServerOptions,
  running: RunningCalls,
): void {
  const { clock } = options;
  const rates = { ...RATES, ...options.rates };
  const calls: CallsOptions = {
    ...options,
    running,
    nonces: createNonceWindows(),
    buckets: { calls: createBucket(rates.calls, clock), failures: createBucket(rates.failures, clock) },
  };
  const { invitationOpen, ready } = options;
  const open = createOpenApp({
    invitationOpen,
    ready,
    answerOpen: (c) => answerOpen(calls, c),
    bucket: createBucket(rates.strangers, clock),
  });
  // What the adapter itself cannot make a request of (no Host, an odd URL) is answered as a stranger's.
  const errorHandler = refuse;
  // The adapter's own, light Response stands in for the global one: the answers here are made of it.
  const forPeer = getRequestListener(createCallsApp(calls).fetch, { errorHandler });
  const forOthers = getRequestListener(open.fetch, { errorHandler });
  const listener = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    const answer = connections.isPeer(incoming.socket) ? forPeer : forOthers;
    answer(incoming, outgoing).catch((error: unknown) => {
      options.log.error('a request could not be answered', { reason: messageOf(error) });
      outgoing.destroy();
    });
  };
  server.on('request', listener);
  // `Expect` gets no say of its own: no body is asked for before it is known who asks.
  server.on('checkContinue', listener);
  server.on('checkExpectation', listener);
  // What is no HTTP, too slow or too long is hung up on, without a word.
  server.on('clientError', (_, socket) => socket.destroy());
}
