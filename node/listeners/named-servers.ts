import * as z from 'zod';
import { AppError } from '../platform/errors.ts';
import type { Server } from '../servers/inventory.ts';

/** Less than node-ctl waits for the answer to a call about a server. */
const LIMIT_MS = 110_000;

/** Id of a server, as operators give it: in any case. */
export const serverIdSchema = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$/, 'must be the id of a server of SERVERS_FILE');

/** The server of this id. @throws AppError `server.not-found` */
export function namedServer(servers: readonly Server[], id: string): Server {
  const server = servers.find((one) => one.id.toLowerCase() === id.toLowerCase());
  if (server !== undefined) return server;
  throw new AppError('server.not-found', `SERVERS_FILE has no server ${id}; node-ctl server list shows all`);
}

/** Aborts with the caller's signal, and before the caller would give up on a server that is slow. */
export function withinLimit(signal: AbortSignal): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)]);
}
