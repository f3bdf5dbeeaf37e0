import { type Relayed, startRelay } from './relay.ts';

/** A relay to a port that can fall silent: connections stay open, and nothing comes through any more. */
export interface Silencer extends AsyncDisposable {
  readonly port: number;
  silence(): void;
  /** Lets new connections through again; the silenced ones stay so. */
  restore(): void;
}

export async function startSilencer(target: number): Promise<Silencer> {
  const muted = new WeakSet<Relayed>();
  let silent = false;
  const relay = await startRelay({
    target,
    onConnection: (relayed) => {
      if (silent) muted.add(relayed);
      return () => !muted.has(relayed);
    },
    endsToo: (relayed) => !muted.has(relayed),
  });
  return {
    port: relay.port,
    silence: () => {
      silent = true;
      for (const relayed of relay.open) muted.add(relayed);
    },
    restore: () => {
      silent = false;
    },
    [Symbol.asyncDispose]: () => relay[Symbol.asyncDispose](),
  };
}
