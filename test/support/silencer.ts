import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** A relay to a port that can fall silent: connections stay open, and nothing comes through any more. */
export interface Silencer extends AsyncDisposable {
  readonly port: number;
  silence(): void;
  /** Lets new connections through again; the silenced ones stay so. */
  restore(): void;
}

export async function startSilencer(target: number): Promise<Silencer> {
  const sockets = new Set<Socket>();
  let silent = false;
  const relays: (() => void)[] = [];
  const server = createServer((incoming) => {
    const outgoing = connect(target, '127.0.0.1');
    let mute = silent;
    relays.push(() => (mute = true));
    const forward = (from: Socket, to: Socket): void => {
      sockets.add(from);
      from.on('data', (chunk) => mute || to.write(chunk));
      from.on('error', () => to.destroy());
      from.on('close', () => mute || to.destroy());
    };
    forward(incoming, outgoing);
    forward(outgoing, incoming);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    silence: () => {
      silent = true;
      for (const mute of relays) mute();
    },
    restore: () => {
      silent = false;
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
