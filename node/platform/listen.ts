import { once } from 'node:events';
import type { Server } from 'node:net';
import { AppError, messageOf } from './errors.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/**
 * Has a server listen; port 0 takes any free one. Gives the address with the port it got.
 * @throws AppError `listen.failed` where the address cannot be had
 */
export async function listenOn(server: Server, { host, port }: Address): Promise<Address> {
  try {
    server.listen(port, host);
    await once(server, 'listening');
  } catch (error) {
    const reason = messageOf(error);
    throw new AppError('listen.failed', `cannot listen on ${host} port ${port}: ${reason}`, { cause: error });
  }
  const bound = server.address();
  return { host, port: bound === null || typeof bound === 'string' ? port : bound.port };
}
