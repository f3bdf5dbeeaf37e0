import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** Told of every line of one connection, without its end, when its last byte passes (ms of `performance.now()`). */
export interface LineObserver {
  fromClient(line: string, atMs: number): void;
  fromServer(line: string, atMs: number): void;
}

export interface Tap extends AsyncDisposable {
  readonly port: number;
}

/** A transparent TCP proxy on the loopback address: what is measured does not know that it is there. */
export async function tap(target: { host: string; port: number }, observe: () => LineObserver): Promise<Tap> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ ...target, noDelay: true });
    const observer = observe();
    forward(client, upstream, (line, atMs) => observer.fromClient(line, atMs));
    forward(upstream, client, (line, atMs) => observer.fromServer(line, atMs));
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy()); // its 'close' ends the other side
      socket.once('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    [Symbol.asyncDispose]: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}

function forward(from: Socket, to: Socket, onLine: (line: string, atMs: number) => void): void {
  let rest = '';
  from.on('data', (chunk: Buffer) => {
    const atMs = performance.now();
    to.write(chunk);
    const lines = (rest + chunk.toString('latin1')).split('\r\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line, atMs);
  });
  from.on('end', () => to.end());
}
