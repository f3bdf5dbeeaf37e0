import { type Relayed, type RelayOptions, type Side, startRelay } from './relay.ts';

/**
 * What a link does with what comes to it:
 *   pass       all of it goes through
 *   cut        connections are reset and new ones refused, as by a host that is up without the program
 *   blackhole  nothing goes through, and nobody is told; what was held goes on when the link passes again, as TCP sends again
 *   one-way    requests go through, answers are held back likewise
 */
export type LinkMode = 'pass' | 'cut' | 'blackhole' | 'one-way';

/** Bytes that are about to go through. */
export interface Passing {
  /** Of the link, from 1 on. */
  readonly connection: number;
  readonly from: Side;
  /** Chunk of this connection and side, from 1 on: with one question at a time, the n-th message. */
  readonly chunk: number;
  readonly bytes: number;
}

/** The way from one host to a port of another, which can be switched while it is in use. */
export interface Link extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  mode(): LinkMode;
  /** Takes effect at once on what is held or comes; resolves when new connections, too, meet it. */
  set(mode: LinkMode): Promise<void>;
  /** Connections taken so far. */
  connections(): number;
  /** Told of all that is about to go through, until null; where it gives a mode, that is set, and the bytes meet it. */
  watch(watcher: Watcher | null): void;
}

export type Watcher = (passing: Passing) => LinkMode | null;

/** Starts a link that passes; `port` and `host` say where it listens. */
export async function startLink(options: Pick<RelayOptions, 'target' | 'host' | 'port'>): Promise<Link> {
  let mode: LinkMode = 'pass';
  let watcher: Watcher | null = null;
  let switching: Promise<void> = Promise.resolve();
  let connections = 0;
  /** Connections on which the server has said something, and the client something to that. */
  const greeted = new WeakSet<Relayed>();
  const inUse = new WeakSet<Relayed>();

  const apply = (relayed: Relayed): void => {
    const { client, upstream } = relayed;
    if (mode === 'cut') {
      client.resetAndDestroy();
      upstream.resetAndDestroy();
    }
    const holdsAnswers = mode === 'blackhole' || (mode === 'one-way' && inUse.has(relayed));
    if (mode === 'blackhole') client.pause();
    else client.resume();
    if (holdsAnswers) upstream.pause();
    else upstream.resume();
  };

  const onConnection = (relayed: Relayed): ((from: Side, chunk: Buffer) => boolean) => {
    connections += 1;
    if (mode !== 'pass') apply(relayed);
    const chunks = { client: 0, server: 0 };
    return (from, chunk) => {
      // Held from the first request on: a handshake (TLS 1.3: one flight each) still goes through both ways.
      if (from === 'server') greeted.add(relayed);
      else if (greeted.has(relayed)) inUse.add(relayed);
      chunks[from] += 1;
      const passing = { connection: relayed.number, from, chunk: chunks[from], bytes: chunk.length };
      const next = watcher?.(passing) ?? null;
      if (next !== null) switchTo(next);
      const { client, upstream } = relayed;
      if (mode === 'cut') return false;
      if (mode !== 'pass') apply(relayed);
      const source = from === 'client' ? client : upstream;
      if (!source.isPaused()) return true;
      source.unshift(chunk); // it has been read already; it comes again when the link passes
      chunks[from] -= 1;
      return false;
    };
  };

  const relay = await startRelay({ ...options, onConnection });
  const switchTo = (next: LinkMode): void => {
    mode = next;
    for (const relayed of relay.open) apply(relayed);
    if (next === 'cut') relay.refuse();
    else switching = switching.then(() => relay.accept());
  };
  return {
    host: options.host ?? '127.0.0.1',
    port: relay.port,
    mode: () => mode,
    set: async (next) => {
      switchTo(next);
      await switching;
    },
    connections: () => connections,
    watch: (next) => {
      watcher = next;
    },
    [Symbol.asyncDispose]: () => relay[Symbol.asyncDispose](),
  };
}
