import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

export type Side = 'client' | 'server';

/** A connection and the one that the relay makes for it. */
export interface Relayed {
  /** From 1 on. */
  readonly number: number;
  readonly client: Socket;
  readonly upstream: Socket;
}

export interface RelayOptions {
  /** A port of the loopback address, or an address. */
  readonly target: number | { readonly host: string; readonly port: number };
  /** Where it listens: a free port of the loopback address unless said otherwise. */
  readonly host?: string;
  readonly port?: number;
  /** Told of each connection; gives what is asked of each of its chunks: false, and the chunk is swallowed. */
  readonly onConnection?: (relayed: Relayed) => (from: Side, chunk: Buffer) => boolean;
  /** Whether the end of one side ends the other; true unless said otherwise. */
  readonly endsToo?: (relayed: Relayed) => boolean;
}

/** A TCP proxy whose two sides do not know that it is there. */
export interface Relay extends AsyncDisposable {
  readonly port: number;
  /** Those whose client side is open. */
  readonly open: ReadonlySet<Relayed>;
  /** Refuses new connections from now on. */
  refuse(): void;
  /** Takes new ones again, on the same port. */
  accept(): Promise<void>;
}

export async function startRelay(options: RelayOptions): Promise<Relay> {
  const { onConnection = () => () => true, endsToo = () => true, host = '127.0.0.1' } = options;
  const target =
    typeof options.target === 'number' ? { host: '127.0.0.1', port: options.target } : options.target;
  const sockets = new Set<Socket>();
  const open = new Set<Relayed>();
  let number = 0;
  const take = (client: Socket): void => {
    number += 1;
    const upstream = connect({ ...target, noDelay: true });
    const relayed: Relayed = { number, client, upstream };
    open.add(relayed);
    client.once('close', () => open.delete(relayed));
    const passes = onConnection(relayed);
    const forward = (side: Side, from: Socket, to: Socket): void => {
      sockets.add(from);
      from.on('data', (chunk: Buffer) => void (passes(side, chunk) && to.write(chunk)));
      from.on('end', () => void (endsToo(relayed) && to.end()));
      from.on('error', () => from.destroy()); // its 'close' ends the other side
      from.once('close', () => {
        sockets.delete(from);
        if (endsToo(relayed)) to.destroy();
      });
    };
    forward('client', client, upstream);
    forward('server', upstream, client);
  };

  let server: Server | null = null;
  const listen = async (port: number): Promise<number> => {
    server = createServer({ noDelay: true }, take).listen(port, host);
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    return address.port;
  };
  const refuse = (): void => {
    server?.close();
    server = null;
  };
  const port = await listen(options.port ?? 0);
  return {
    ...{ port, open, refuse },
    accept: async () => {
      if (server === null) await listen(port);
    },
    [Symbol.asyncDispose]: async () => {
      const closed = server === null ? null : once(server, 'close');
      refuse();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
