import type { Server } from 'node:https';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Log } from '../platform/log.ts';
import type { Credentials, Fingerprint } from './credentials.ts';
import { fingerprintOf, pinsOf } from './pins.ts';

/** Of the peer; its client keeps far fewer. */
const MAX_PEER_CONNECTIONS = 128;
/** Of callers without its certificate: who pairs, and who asks for our health. */
const MAX_STRANGERS = 16;
/** Such a connection is cut after so long, whatever it does. */
const STRANGER_LIFETIME_MS = 15_000;
/** TLS handshakes under way; one of them makes room, so that who does not finish keeps nobody out. */
const MAX_HANDSHAKES = 64;

/** Which of a server's connections are the peer's. */
export interface Connections {
  isPeer(socket: unknown): boolean;
  /** Cuts the connections of certificates that are not trusted any more. */
  dropUntrusted(): void;
  dropAll(): void;
}

/**
 * Watches a TLS server: a connection is the peer's where its certificate is exactly one of the pinned, as they are when
 * it is made. (That the other side has the certificate's key was proved by the handshake, RFC 8446 section 4.4.3.)
 */
export function watchConnections(server: Server, credentials: Credentials, log: Log): Connections {
  const handshakes = new Map<string, readonly [Socket, Host]>();
  const strangers = new Map<TLSSocket, Host>();
  const peers = new Map<TLSSocket, Fingerprint>();

  server.prependListener('connection', (socket: Socket) => {
    const name = nameOf(socket);
    handshakes.set(name, [socket, socket.remoteAddress]);
    socket.once('close', () => handshakes.delete(name));
    if (handshakes.size > MAX_HANDSHAKES) oneTooMany([...handshakes.values()])?.destroy();
  });

  // Before the HTTP server hears of it.
  server.prependListener('secureConnection', (socket: TLSSocket) => {
    handshakes.delete(nameOf(socket));
    const certificate = socket.getPeerX509Certificate();
    const fingerprint = certificate === undefined ? null : fingerprintOf(certificate);
    if (fingerprint !== null && pinsOf(credentials.peer()).has(fingerprint)) {
      peers.set(socket, fingerprint);
      socket.once('close', () => peers.delete(socket));
      if (peers.size > MAX_PEER_CONNECTIONS) socket.destroy();
      return;
    }
    log.debug('a caller without the peer’s certificate', { from: socket.remoteAddress, fingerprint });
    strangers.set(socket, socket.remoteAddress);
    const timer = setTimeout(() => socket.destroy(), STRANGER_LIFETIME_MS);
    socket.once('close', () => {
      clearTimeout(timer);
      strangers.delete(socket);
    });
    if (strangers.size > MAX_STRANGERS) oneTooMany([...strangers])?.destroy();
  });

  return {
    isPeer: (socket) => peers.has(socket as TLSSocket),
    dropUntrusted: () => {
      const pins = pinsOf(credentials.peer());
      for (const [socket, fingerprint] of peers) if (!pins.has(fingerprint)) socket.destroy();
    },
    dropAll: () => {
      const all = [
        ...[...handshakes.values()].map(([socket]) => socket),
        ...strangers.keys(),
        ...peers.keys(),
      ];
      for (const socket of all) socket.destroy();
    },
  };
}

type Host = string | undefined;

/** The oldest connection of the host that has the most: one that floods pushes its own out, and nobody else's. */
function oneTooMany<S extends Socket>(connections: readonly (readonly [S, Host])[]): S | undefined {
  const byHost = Map.groupBy(connections, ([, host]) => host);
  const [most = []] = [...byHost.values()].toSorted((a, b) => b.length - a.length);
  return most[0]?.[0];
}

/** The same for a connection and for the TLS on top of it. */
function nameOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
