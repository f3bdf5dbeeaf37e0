import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const READY_TIMEOUT_MS = 20_000;
const POLL_MS = 20;

/** Polls until `probe` gives something truthy, and gives that; fails with `what` after `timeoutMs`. */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T> | T,
  timeoutMs = READY_TIMEOUT_MS,
  pollMs = POLL_MS,
): Promise<NonNullable<T>> {
  const deadline = performance.now() + timeoutMs;
  let last: unknown;
  while (performance.now() < deadline) {
    try {
      const value = await probe();
      if (value) return value;
    } catch (error) {
      last = error;
    }
    await sleep(pollMs);
  }
  throw new Error(`not within ${timeoutMs} ms: ${what}`, { cause: last });
}

/**
 * Below those that the kernel gives to outgoing connections (ip_local_port_range): these come and go at any time. Each
 * worker of a run has a part to itself, since a port is to be kept while what listens there is being started again.
 */
const PORTS = { first: 12_000, count: 5_000, parts: 4 };
const part = Number(process.env['VITEST_POOL_ID'] ?? 0) % PORTS.parts;
const givenOut = new Set<number>();

/** A TCP port on the loopback address that nobody listens on and that this process gives out once. */
export async function freePort(): Promise<number> {
  return eventually('a free port', async () => {
    const port = PORTS.first + part * PORTS.count + Math.floor(Math.random() * PORTS.count);
    if (givenOut.has(port)) return null;
    const server = createServer().listen(port, '127.0.0.1');
    await once(server, 'listening');
    server.close();
    await once(server, 'close');
    givenOut.add(port);
    return port;
  });
}

/** Resolves once something accepts connections on the port. */
export async function portReady(port: number, host = '127.0.0.1'): Promise<void> {
  await eventually(`port ${port} to accept connections`, async () => {
    const socket = connect(port, host);
    try {
      await once(socket, 'connect');
      return true;
    } finally {
      socket.destroy();
    }
  });
}

/** Resolves once nothing listens on the port any more. */
export async function portFree(port: number): Promise<void> {
  await eventually(`port ${port} to be free`, async () => {
    const server = createServer().listen(port, '127.0.0.1');
    await once(server, 'listening');
    server.close();
    return true;
  });
}

/** A temporary directory that is removed with all it holds when the value is disposed of. */
export async function temporaryDirectory(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'parelha-'));
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      await rm(path, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** A child process with what it printed so far. */
export interface Child extends AsyncDisposable {
  readonly process: ChildProcess;
  output(): string;
  /** Ends it (SIGTERM unless told otherwise) and waits until it is gone. */
  end(signal?: NodeJS.Signals): Promise<void>;
}

/** What is killed when this process ends, however it ends. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Starts a program; its output is kept for messages of failure. It is killed when the test process ends. */
export function startChild(command: string, args: readonly string[], options: SpawnOptions = {}): Child {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  let output = '';
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-200_000);
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  child.on('error', (error) => keep(Buffer.from(`${error}\n`)));
  running.add(child);
  const gone = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
    child.once('error', () => resolve());
  });
  const end = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    await gone;
    running.delete(child);
  };
  return { process: child, output: () => output, end, [Symbol.asyncDispose]: () => end('SIGKILL') };
}

/** Sends a signal to a process and to all that it started, and these. */
export async function signalTree(root: number, signal: NodeJS.Signals): Promise<void> {
  const parents = new Map<number, number>();
  for (const name of (await readdir('/proc')).filter((one) => /^\d+$/.test(one))) {
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => ''); // ended meanwhile
    parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
  }
  const isOf = (pid: number | undefined): boolean =>
    pid !== undefined && (pid === root || isOf(parents.get(pid)));
  for (const pid of parents.keys()) {
    try {
      if (isOf(pid)) process.kill(pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; // ended meanwhile
    }
  }
}
