import { Agent, type Dispatcher } from 'undici';
import type { Credentials, PeerTrust } from './credentials.ts';
import { pinsOf } from './pins.ts';
import { createPinnedConnector } from './rpc-connect.ts';

/** Calls in flight beyond these wait for one to end; each has its own, so that a slow one holds no other up. */
const MAX_CONNECTIONS = 32;
/** Shorter than the server keeps a connection. */
const KEEP_ALIVE_MS = 30_000;

/** The kept connections to the peer, made anew where the old ones are not to be used any more. */
export interface PeerAgents {
  current(): Dispatcher;
  /** For when these may be dead: what comes next uses new ones, and calls under way keep theirs. */
  renew(used: Dispatcher): void;
  /** Cuts all. */
  close(): Promise<void>;
}

/** Connections under the credentials as they are: a change renews them, and cuts them where there is no peer any more. */
export function createPeerAgents(credentials: Credentials): PeerAgents {
  let agent: Agent | null = null;
  const retiring = new Set<Agent>();

  const retire = (): void => {
    const old = agent;
    agent = null;
    if (old === null) return;
    retiring.add(old);
    // Ends when its calls have; that these fail is told to their callers.
    old
      .close()
      .catch(() => undefined)
      .finally(() => retiring.delete(old));
  };
  const cut = async (): Promise<void> => {
    retire();
    await Promise.all([...retiring].map((each) => each.destroy()));
  };

  credentials.onChange(() => {
    retire();
    // What is cut fails to its callers, and nobody waits here.
    if (credentials.peer() === null) cut().catch(() => undefined);
  });
  return {
    current: () => {
      agent ??= makeAgent(credentials, credentials.peer());
      return agent;
    },
    // Of many calls that fail at once only the first renews them.
    renew: (used) => {
      if (used === agent) retire();
    },
    close: cut,
  };
}

function makeAgent(credentials: Credentials, trust: PeerTrust | null): Agent {
  return new Agent({
    connect: createPinnedConnector({ pins: pinsOf(trust), own: credentials.own() }),
    connections: MAX_CONNECTIONS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
    // A call has one deadline, which is its caller's.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
}
