import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** A relay to a port that falls silent once the client has said something: it hangs on just that command. */
export interface HangingRelay extends AsyncDisposable {
  readonly port: number;
  /** Resolves when the client has said it. */
  readonly hanging: Promise<void>;
  /** Client connections that are open. */
  open(): number;
}

/** Relays to the port until a client says what `trigger` matches; from then on nothing comes back. */
export async function startHangingRelay(target: number, trigger: RegExp): Promise<HangingRelay> {
  const sockets = new Set<Socket>();
  const clients = new Set<Socket>();
  const hanging = Promise.withResolvers<void>();
  const server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
    }
    clients.add(client);
    client.on('close', () => {
      clients.delete(client);
      upstream.destroy();
    });
    let silent = false;
    client.on('data', (chunk: Buffer) => {
      silent ||= trigger.test(chunk.toString('latin1'));
      if (silent) hanging.resolve();
      else upstream.write(chunk);
    });
    upstream.on('data', (chunk) => silent || client.write(chunk));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    hanging: hanging.promise,
    open: () => clients.size,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
