import type { Server } from 'node:http';
import { createAdaptorServer } from '@hono/node-server';
import type { Hono } from 'hono';
import { type Address, listenOn } from '../platform/listen.ts';

const MAX_CONNECTIONS = 256;
const MAX_HEADER_BYTES = 8 * 1024;
const MAX_REQUESTS_PER_SOCKET = 1000;
/** A client that dawdles over its headers is shown the door. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 20_000;
const KEEP_ALIVE_MS = 5_000;
/** A download on which nothing moves for so long is given up. */
const IDLE_TIMEOUT_MS = 120_000;
/** Downloads under way get this long at shutdown. */
const CLOSE_GRACE_MS = 2_000;

export interface PublicListener {
  readonly host: string;
  /** The port it got, where 0 was asked for. */
  readonly port: number;
  /** Takes no more requests, lets downloads finish for two seconds, then cuts them. */
  close(): Promise<void>;
}

/** Serves the app; port 0 takes any free one. @throws AppError `listen.failed` where the address cannot be had */
export async function listenPublic(app: Hono, address: Address): Promise<PublicListener> {
  const server = createAdaptorServer({
    fetch: app.fetch,
    // Response and Request stay those of the runtime for everybody else.
    overrideGlobalObjects: false,
    serverOptions: {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: 5_000,
    },
  }) as Server;
  server.maxConnections = MAX_CONNECTIONS;
  server.maxRequestsPerSocket = MAX_REQUESTS_PER_SOCKET;
  server.setTimeout(IDLE_TIMEOUT_MS);
  const bound = await listenOn(server, address);
  return { ...bound, close: () => close(server) };
}

async function close(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS);
  await promise;
  clearTimeout(timer);
}
