import { startRelay } from '../../test/support/relay.ts';

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
  return startRelay({
    target,
    onConnection: ({ client, upstream }) => {
      const observer = observe();
      client.on(
        'data',
        linesTo((line, atMs) => observer.fromClient(line, atMs)),
      );
      upstream.on(
        'data',
        linesTo((line, atMs) => observer.fromServer(line, atMs)),
      );
      return () => true;
    },
  });
}

function linesTo(onLine: (line: string, atMs: number) => void): (chunk: Buffer) => void {
  let rest = '';
  return (chunk) => {
    const atMs = performance.now();
    const lines = (rest + chunk.toString('latin1')).split('\r\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line, atMs);
  };
}
